// One process: pipelines and nested sub-workflows beside the same steps in one workflow, and by hand.
//   node --expose-gc bench/children/child.mjs <native|wasm> <stages|nested|snapshot> <size> [quick]
import { Flow } from "../peers/adapters/floor.mjs";
import { eq, median } from "../peers/lib.mjs";

const [, , carrier, what, count, quick] = process.argv;
process.env.BLAZEN_BINDING = carrier;
const { Pipeline, StartEvent, StopEvent, Workflow, collect, event, subworkflow } = await import("blazen");
const size = Number(count);
/** How deep the sub-workflows lie in each other. */
const DEEP = 10;

class First extends event("First") {}
class Second extends event("Second") {}
class Part extends event("Part") {}
class Got extends event("Got") {}

/** Microseconds of a run of each, in turns. */
async function inTurns(works) {
  const times = works.map(() => []);
  const rounds = quick ? 3 : 15;
  for (let round = 0; round < rounds; round++) {
    for (const [at, work] of works.entries()) {
      globalThis.gc();
      const from = performance.now();
      let runs = 0;
      for (; performance.now() - from < (quick ? 30 : 150); runs++) await work();
      // The first rounds warm up.
      if (round > rounds / 5) times[at].push(((performance.now() - from) * 1000) / runs);
    }
  }
  return times.map(median);
}

/** Three steps as one workflow, and as a pipeline of three stages of one step. */
async function stages() {
  const flat = new Workflow("flat")
    .step("a", StartEvent, async ({ n }) => new First({ n: n + 1 }))
    .step("b", First, async ({ n }) => new Second({ n: n + 1 }))
    .step("c", Second, async ({ n }) => new StopEvent({ result: n + 1 }));
  const stage = (name) => new Workflow(name).step("work", StartEvent, async ({ n }) => new StopEvent({ result: { n: n + 1 } }));
  const pipeline = new Pipeline("pipeline").stage("a", stage("a")).stage("b", stage("b")).stage("c", stage("c"));
  const many = (run, check) => async () => {
    for (let at = 0; at < 100; at++) check(await run({ n: at }), at + 3);
  };
  const [floor, own] = await inTurns([
    many((input) => flat.run(input), eq),
    many(
      (input) => pipeline.run(input),
      ({ n }, expected) => eq(n, expected),
    ),
  ]);
  return { floor: floor / 100, own: own / 100 };
}

/** Chains of sub-workflows within each other, a step before and a step after each but the innermost; all chains in one run. */
async function nested() {
  let inner = new Workflow("inner").step("work", StartEvent, async ({ n }) => new StopEvent({ result: n + 1 }));
  let byHand = new Flow().on("start", async (_, n) => ({ type: "stop", data: n + 1 }));
  for (let level = 1; level < DEEP; level++) {
    const [child, below] = [inner, byHand];
    inner = new Workflow(`level ${level}`)
      .step("before", StartEvent, async ({ n }) => new First({ n: n + 1 }))
      .step("child", First, subworkflow(child, { input: ({ n }) => ({ n }), output: (n) => new Got({ n }) }))
      .step("after", Got, async ({ n }) => new StopEvent({ result: n + 1 }));
    byHand = new Flow()
      .on("start", async (_, n) => ({ type: "first", data: n + 1 }))
      .on("first", async (_, n) => ({ type: "got", data: await below.start({ type: "start", data: n }) }))
      .on("got", async (_, n) => ({ type: "stop", data: n + 1 }));
  }
  const outer = new Workflow("outer")
    .step("fan", StartEvent, async () => Array.from({ length: size }, (_, n) => new Part({ n })))
    .step("child", Part, subworkflow(inner, { input: ({ n }) => ({ n }), output: (n) => new Got({ n }) }))
    .step("sum", collect(Got, { of: "fan" }), async (all) => new StopEvent({ result: all.reduce((sum, { n }) => sum + n, 0) }));
  const floor = new Flow()
    .on("start", async (ctx) => {
      ctx.sum = 0;
      ctx.left = size;
      for (let n = 0; n < size; n++) ctx.send({ type: "part", data: n });
    })
    .on("part", async (_, n) => ({ type: "got", data: await byHand.start({ type: "start", data: n }) }))
    .on("got", async (ctx, n) => {
      ctx.sum += n;
      if (--ctx.left === 0) return { type: "stop", data: ctx.sum };
    });
  const expected = (size * (size - 1)) / 2 + size * (2 * DEEP - 1);
  const checked = (run) => async () => eq(await run(), expected);
  const [byFloor, own] = await inTurns([checked(() => floor.start({ type: "start" })), checked(() => outer.run({}))]);
  return { floor: byFloor / (size * DEEP), own: own / (size * DEEP) };
}

/** Bytes of a snapshot of a run of which all sub-workflows but one have ended. */
async function snapshot() {
  let left = size - 1;
  let ended = () => {};
  const others = new Promise((resolve) => {
    ended = resolve;
  });
  const child = new Workflow("child").step("work", StartEvent, async ({ n }) => (n === 0 ? new Promise(() => {}) : new StopEvent({ result: n })));
  const outer = new Workflow("outer")
    .step("fan", StartEvent, async () => Array.from({ length: size }, (_, n) => new Part({ n })))
    .step("child", Part, subworkflow(child, { input: ({ n }) => ({ n }), output: (n) => new Got({ n }) }))
    .step("got", Got, async () => {
      if (--left === 0) setImmediate(ended);
    });
  const handler = outer.start({});
  await others;
  return { bytes: (await handler.snapshot()).toString().length };
}

process.stdout.write(`@@${JSON.stringify(await { stages, nested, snapshot }[what]())}\n`);
process.exit(0);
