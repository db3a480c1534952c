// The floor's chain with one event class a step, as blazen's users write events. Optional: `npm run bench -- --growth` tells with it
// what thousands of classes cost V8 (each load of a field misses its stub cache) from what they cost the engine.
export const info = { packages: [], variants: [''], optional: true, note: 'the floor, with a class for each event' };

function eventClass(type) {
  class Base { constructor(payload) { Object.assign(this, payload); } }
  Object.defineProperty(Base.prototype, 'type', { value: type });
  return class extends Base {};
}

function start(handlers, first) {
  return new Promise((resolve, reject) => {
    const send = (event) => {
      if (event.type === 'stop') resolve(event.data);
      else handlers.get(event.type)(event).then(send, reject);
    };
    send(first);
  });
}

export default async function load() {
  return {
    W1: async ({ steps }) => {
      const handlers = new Map();
      for (let i = 0; i < steps; i++) {
        const Next = eventClass(i + 1 === steps ? 'stop' : `s${i + 1}`);
        handlers.set(`s${i}`, async (event) => new Next({ data: event.data + 1 }));
      }
      const First = eventClass('s0');
      return { run: () => start(handlers, new First({ data: 0 })) };
    },
    na: {},
  };
}
