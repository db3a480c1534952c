// One process: so many timers are set; what setting, cancelling and firing one costs. And so many runs that sleep, each of them through the public API.
//   node --expose-gc bench/live/timers.mjs <native|wasm> <timers>
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const [, , carrier, count] = process.argv;
process.env.BLAZEN_BINDING = carrier;
const timers = Number(count);
const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];

/** The facade's own timers, which the package does not export. */
const entry = fileURLToPath(new URL("../../ts/src/timers.ts", import.meta.url));
const { outputFiles } = await build({ entryPoints: [entry], bundle: true, format: "esm", write: false });
const { Timer, Timers } = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);

/** Stands still until it is told. */
class Still {
  time = 0;
  ring = undefined;
  now() {
    return this.time;
  }
  after(_, callback) {
    this.ring = callback;
    return () => {
      this.ring = undefined;
    };
  }
}

let seed = 1;
const random = (below) => {
  seed = (seed * 1103515245 + 12345) & 0x7fffffff;
  return seed % below;
};

function own() {
  const clock = new Still();
  const all = new Timers(clock);
  let fired = 0;
  const some = Array.from({ length: timers }, () => new Timer(() => fired++));
  const timed = (work) => {
    const from = performance.now();
    work();
    return ((performance.now() - from) * 1000) / timers;
  };
  const setting = timed(() => {
    for (const timer of some) all.set(timer, random(1e9));
  });
  const cancelling = timed(() => {
    for (let i = 0; i < timers; i++) all.clear(some[random(timers)]);
    for (const timer of some) all.clear(timer);
  });
  for (const timer of some) all.set(timer, random(1e9));
  clock.time = 1e9;
  const firing = timed(() => {
    while (clock.ring !== undefined) {
      const { ring } = clock;
      clock.ring = undefined;
      ring();
    }
  });
  if (fired !== timers || all.size !== 0) throw new Error(`${fired} of ${timers} timers fired, ${all.size} are left`);
  return { setting, cancelling, firing };
}

async function sleeping() {
  const { StartEvent, StopEvent, Workflow } = await import("blazen");
  const flow = new Workflow("sleep").step("sleep", StartEvent, async ({ ms }, ctx) => {
    await ctx.sleep(ms);
    return new StopEvent({ result: ms });
  });
  const clock = new Still();
  clock.time = 1e12;
  const results = [];
  let from = performance.now();
  for (let i = 0; i < timers; i++) results.push(flow.run({ ms: 1 + random(1e6) }, { clock }));
  const start = ((performance.now() - from) * 1000) / timers;
  clock.time += 1e6;
  from = performance.now();
  const end = Promise.all(results);
  while (clock.ring !== undefined) {
    const { ring } = clock;
    clock.ring = undefined;
    ring();
    await new Promise((resolve) => setImmediate(resolve));
  }
  if ((await end).length !== timers) throw new Error("a run is missing");
  return { start, wake: ((performance.now() - from) * 1000) / timers };
}

const rounds = { setting: [], cancelling: [], firing: [], start: [], wake: [] };
for (let round = 0; round < 7; round++) {
  globalThis.gc();
  const figures = { ...own(), ...(await sleeping()) };
  // The first two warm up.
  if (round > 1) for (const [name, us] of Object.entries(figures)) rounds[name].push(us);
}
process.stdout.write(`@@${JSON.stringify(Object.fromEntries(Object.entries(rounds).map(([name, list]) => [name, median(list)])))}\n`);
process.exit(0);
