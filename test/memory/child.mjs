// node --expose-gc child.mjs LOAD: prints the memory of this process after a tenth of the work (four for `left`) and at its end, as JSON.
import { Worker } from "node:worker_threads";

const load = process.argv[2];
const worker = new URL("worker.mjs", import.meta.url);

/** Memory once garbage is gone; finalizers and freed pages need turns of the event loop. */
async function settled() {
  for (let i = 0; i < 5; i++) {
    globalThis.gc();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heap: heapUsed + external, rss };
}

/** Five worker threads run workflows and stop. */
function fiveWorkers() {
  const one = () =>
    new Promise((resolve, reject) => {
      new Worker(worker).on("error", reject).on("exit", (code) => (code === 0 ? resolve() : reject(new Error(`a worker's exit code was ${code}`))));
    });
  return Promise.all(Array.from({ length: 5 }, one));
}

async function work(share) {
  if (load === "workers") for (let i = 0; i < 2 * share; i++) await fiveWorkers();
  else await (await import("./loads.mjs")).loads[load](10_000 * share);
}

// Runs that are left keep V8's young generation growing for some ten thousands of them; it stays as it is then.
const first = load === "left" ? 4 : 1;
await work(first);
const early = await settled();
await work(10 - first);
console.log(JSON.stringify({ early, late: await settled() }));
