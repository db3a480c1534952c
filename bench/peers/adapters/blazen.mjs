// blazen through its public API with its defaults: one event class a step, as a user writes it. Needs `npm run build` first.
export const info = { packages: [], variants: ['native', 'wasm'], note: 'this repository' };

export default async function load(variant) {
  process.env.BLAZEN_BINDING = variant;
  const { StartEvent, StopEvent, Workflow, collect, event } = await import('blazen');

  const chain = (steps) => {
    const types = [StartEvent];
    for (let i = 1; i < steps; i++) types.push(class extends event(`E${i}`) {});
    const flow = new Workflow('chain');
    for (let i = 0; i < steps; i++) {
      const Next = types[i + 1];
      flow.step(`s${i}`, types[i], Next === undefined ? async (e) => new StopEvent({ result: e.n + 1 }) : async (e) => new Next({ n: e.n + 1 }));
    }
    return flow;
  };

  return {
    W1: async ({ steps }) => { const flow = chain(steps); return { run: () => flow.run({ n: 0 }) }; },
    W2: async ({ hops }) => {
      class Hop extends event('Hop') {}
      const flow = new Workflow('loop')
        .step('begin', StartEvent, async (start) => new Hop({ n: start.n }))
        .step('loop', Hop, async (hop) => (hop.n + 1 < hops ? new Hop({ n: hop.n + 1 }) : new StopEvent({ result: hop.n + 1 })));
      return { run: () => flow.run({ n: 0 }) };
    },
    W3: async ({ items }) => {
      class Work extends event('Work') {}
      class Done extends event('Done') {}
      const flow = new Workflow('fan')
        .step('fan', StartEvent, async () => {
          const all = [];
          for (let i = 0; i < items; i++) all.push(new Work({ i }));
          return all;
        })
        .step('work', Work, async (work) => new Done({ value: work.i * 2 }))
        .step('total', collect(Done, { of: 'fan' }), async (all) => {
          let sum = 0;
          for (const done of all) sum += done.value;
          return new StopEvent({ result: { count: all.length, sum } });
        });
      return { run: () => flow.run({}) };
    },
    W4: async ({ steps }) => { const flow = chain(steps); return { run: (n) => flow.run({ n }) }; },
    W10: async () => { const flow = chain(1); return { run: () => flow.run({ n: 0 }) }; },
    na: Object.fromEntries(['W5', 'W6', 'W7', 'W8', 'W9'].map((w) => [w, 'no state, stream or snapshot yet'])),
  };
}
