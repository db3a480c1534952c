// One process: a server's load. 1,000 runs are live at any time, each of 10 steps that read from a file; runs a second and the delay of the event loop.
//   node bench/live/load.mjs <floor|native|wasm> <runs> [threads]
import { mkdtempSync, openSync, read, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

const LIVE = 1000;
const STEPS = 10;
const [kind, runs, threads] = isMainThread ? [process.argv[2], Number(process.argv[3]), Number(process.argv[4] ?? 0)] : workerData;

/** Gives the function that does one run and gives how many bytes its steps have read. */
async function engine(readFile) {
  if (kind === "floor") {
    const { Flow } = await import("../peers/adapters/floor.mjs");
    const flow = new Flow();
    for (let i = 0; i < STEPS; i++) {
      const type = i + 1 === STEPS ? "stop" : `s${i + 1}`;
      flow.on(`s${i}`, async (_, n) => ({ type, data: n + (await readFile()) }));
    }
    return () => flow.start({ type: "s0", data: 0 });
  }
  process.env.BLAZEN_BINDING = kind;
  const { StartEvent, StopEvent, Workflow, event } = await import("blazen");
  const types = [StartEvent, ...Array.from({ length: STEPS - 1 }, (_, i) => class extends event(`S${i + 1}`) {})];
  const flow = new Workflow("load");
  types.forEach((Type, i) => {
    const Next = types[i + 1];
    flow.step(`s${i}`, Type, async ({ n }) => {
      const sum = n + (await readFile());
      return Next === undefined ? new StopEvent({ result: sum }) : new Next({ n: sum });
    });
  });
  return () => flow.run({ n: 0 });
}

async function measure() {
  const folder = mkdtempSync(path.join(tmpdir(), "load-"));
  const file = path.join(folder, "data");
  writeFileSync(file, "x".repeat(64));
  const fd = openSync(file, "r");
  const readFile = () =>
    new Promise((resolve, reject) => read(fd, Buffer.allocUnsafe(64), 0, 64, 0, (error, count) => (error === null ? resolve(count) : reject(error))));
  const run = await engine(readFile);
  const live = async (count) => {
    let left = count;
    const one = async () => {
      while (left-- > 0) if ((await run()) !== 64 * STEPS) throw new Error("a run gave a wrong sum");
    };
    await Promise.all(Array.from({ length: LIVE }, one));
  };
  await live(Math.min(runs, 3 * LIVE));
  globalThis.gc?.();
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const from = performance.now();
  await live(runs);
  const ms = performance.now() - from;
  delay.disable();
  rmSync(folder, { recursive: true });
  return { us: (ms * 1000) / runs, delayMs: delay.percentile(99) / 1e6 };
}

if (!isMainThread) parentPort.postMessage(await measure());
else if (threads === 0) process.stdout.write(`@@${JSON.stringify(await measure())}\n`);
else {
  const worker = () =>
    new Promise((resolve, reject) => {
      new Worker(new URL(import.meta.url), { workerData: [kind, runs, 0] }).once("message", resolve).once("error", reject);
    });
  const all = await Promise.all(Array.from({ length: threads }, worker));
  process.stdout.write(`@@${JSON.stringify({ us: Math.max(...all.map(({ us }) => us)), delayMs: Math.max(...all.map(({ delayMs }) => delayMs)) })}\n`);
}
