// One process: the snapshot of a run with so many queued events of 100 bytes, beside JSON.stringify of the same data.
//   node --expose-gc bench/queue.mjs <native|wasm> <events>
const [, , carrier, count] = process.argv;
process.env.BLAZEN_BINDING = carrier;
const { StartEvent, StopEvent, Workflow, event } = await import("blazen");

class Item extends event("Item") {}
const items = Array.from({ length: Number(count) }, (_, n) => ({ n, text: "x".repeat(100 - JSON.stringify({ n, text: "" }).length) }));
const flow = () =>
  new Workflow("queue")
    .step("fan", StartEvent, async () => items.map((item) => new Item(item)))
    .step("item", Item, ({ n }) => (n === items.length - 1 ? new StopEvent({ result: n }) : null));

const handler = flow().start({});
await handler.pause();
const time = async (work) => {
  const times = [];
  for (let round = 0; round < 9; round++) {
    globalThis.gc();
    const from = performance.now();
    await work();
    times.push(performance.now() - from);
  }
  return times.sort((a, b) => a - b)[4];
};
const floor = await time(() => JSON.stringify(items));
const snapshot = await time(() => handler.snapshot());
const text = await time(async () => (await handler.snapshot()).toString());
const stored = (await handler.snapshot()).toString();
const resumed = flow().resume(stored);
if ((await resumed.result()) !== items.length - 1) throw new Error("the resumed run gave another result");
process.stdout.write(`@@${JSON.stringify({ floor, snapshot, text, bytes: stored.length })}\n`);
process.exit(0);
