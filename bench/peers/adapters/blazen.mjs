// blazen through its public API with its defaults: one event class a step, as a user writes it. Needs `npm run build` first.
export const info = { packages: [], variants: ['native', 'wasm'], note: 'this repository' };

export default async function load(variant) {
  process.env.BLAZEN_BINDING = variant;
  const { StartEvent, StopEvent, Workflow, collect, event } = await import('blazen');
  // Not with the rest: a cold start has no use for it.
  const value = async (bytes) => (await import('../lib.mjs')).jsonValue(bytes);

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

  class Answer extends event('Answer') {}
  /** Waits for an event from outside between its two steps. */
  const human = (state) =>
    new Workflow('human', { state, external: [Answer] })
      .step('ask', StartEvent, async (start, ctx) => {
        ctx.state.update('n', (n) => n + 1);
        if (start.id !== undefined) ctx.state.set('id', start.id);
        return null;
      })
      .step('answer', Answer, async ({ value }, ctx) => {
        ctx.state.update('n', (n) => n + 1);
        return new StopEvent({ result: { n: ctx.state.get('n'), answer: value } });
      });

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
    W5: async ({ hops, bytes }) => {
      const types = ['A', 'B', 'C'].map((name) => class extends event(name) {});
      const flow = new Workflow('state', { state: { value: await value(bytes) } }).step('begin', StartEvent, async () => new types[0]());
      types.forEach((Type, k) => {
        const Next = types[(k + 1) % 3];
        flow.step(Type.type, Type, async (_, ctx) => {
          const v = ctx.state.get('value');
          const n = v.n + 1;
          ctx.state.set('value', { ...v, n });
          return n < hops ? new Next() : new StopEvent({ result: ctx.state.get('value') });
        });
      });
      return { run: () => flow.run({}) };
    },
    W6: async ({ events }) => {
      class Item extends event('Item') {}
      const flow = new Workflow('stream').step('write', StartEvent, async (_, ctx) => {
        for (let i = 0; i < events; i++) await ctx.writeEventToStream(new Item({ i }));
        return new StopEvent({ result: events });
      });
      return {
        run: async () => {
          const handler = flow.start({});
          let count = 0, sum = 0;
          for await (const { event } of handler.stream()) {
            if (!(event instanceof Item)) continue;
            count++;
            sum += event.i;
          }
          await handler.result();
          return { count, sum };
        },
      };
    },
    W8: async ({ bytes }) => {
      const state = { n: 0, data: await value(bytes) };
      const first = human(state);
      const second = human(state);
      return {
        run: async () => {
          const text = (await first.start({}).pause()).toString();
          const handler = second.resume(text);
          await handler.send(new Answer({ value: 'yes' }));
          return { ...(await handler.result()), snapshotBytes: text.length };
        },
      };
    },
    W9: async () => {
      const flow = human({ n: 0, id: -1 });
      return {
        pause: async (i) => flow.start({ id: i }),
        resume: async (handler) => {
          await handler.send(new Answer({ value: 'yes' }));
          return (await handler.result()).answer;
        },
      };
    },
    W10: async () => { const flow = chain(1); return { run: () => flow.run({ n: 0 }) }; },
    na: { W7: 'no checkpoint yet' },
  };
}
