// One process: one run's stream and so many readers, beside a queue for each reader.
//   node --expose-gc bench/readers.mjs <native|wasm> <readers> <events> <burst|turns|held>
import { AsyncQueue } from "./peers/lib.mjs";

const [, , carrier, ...counts] = process.argv;
process.env.BLAZEN_BINDING = carrier;
const { StartEvent, StopEvent, Workflow, event } = await import("blazen");
const [readers, events] = counts.map(Number);
const mode = counts[2];

const turn = () => new Promise((resolve) => setImmediate(resolve));
const expected = (events * (events - 1)) / 2;
const check = (sums) => {
  const wrong = sums.findIndex((sum) => sum !== expected);
  if (sums.length !== readers || wrong >= 0) throw new Error(`reader ${wrong} got ${sums[wrong]}, not ${expected}`);
};

class Item extends event("Item") {}
const flow = new Workflow("readers").step("write", StartEvent, async (_, ctx) => {
  await turn();
  for (let i = 0; i < events; i++) {
    await ctx.writeEventToStream(new Item({ i }));
    if (mode === "turns") await turn();
  }
  return new StopEvent({ result: events });
});
async function own() {
  const handler = flow.start({}, mode === "held" ? { streamRetention: 2 } : {});
  const read = async () => {
    let sum = 0;
    for await (const { event } of handler.stream()) if (event instanceof Item) sum += event.i;
    return sum;
  };
  check(await Promise.all(Array.from({ length: readers }, read)));
}

async function floor() {
  const queues = Array.from({ length: readers }, () => new AsyncQueue());
  const reading = queues.map(async (queue) => {
    let sum = 0;
    for await (const i of queue) sum += i;
    return sum;
  });
  await turn();
  for (let i = 0; i < events; i++) {
    for (const queue of queues) queue.push(i);
    await (mode === "turns" ? turn() : undefined);
  }
  for (const queue of queues) queue.close();
  check(await Promise.all(reading));
}

const times = { own: [], floor: [] };
for (let round = 0; round < 9; round++) {
  for (const [name, work] of round % 2 ? Object.entries({ own, floor }) : Object.entries({ floor, own })) {
    globalThis.gc();
    const from = performance.now();
    await work();
    // The first two warm up.
    if (round > 1) times[name].push(((performance.now() - from) * 1e6) / readers / events);
  }
}
const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];
process.stdout.write(`@@${JSON.stringify({ own: median(times.own), floor: median(times.floor) })}\n`);
process.exit(0);
