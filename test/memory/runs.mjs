// node test/memory/runs.mjs: memory must not grow with the number of runs. A plain script, so that it runs on every Node.
import { grow } from "./grow.mjs";

const MiB = 2 ** 20;
const BARS = { heap: 1 * MiB, rss: 15 * MiB };
/** Runs that are left are freed when V8 gets to it, and memory stays as large as it once was; a leak costs ten times that. */
const LEFT = { heap: 12 * MiB, rss: 40 * MiB };
const LOADS = {
  chain: "100,000 runs of 3 steps",
  mixed: "100,000 runs of every kind: chains, fan-outs, failures, external events, pauses, cancels",
  left: "100,000 runs that are paused and left, and go on from their snapshots",
  workers: "100 worker threads, five at a time, a thousand runs each",
};

let passed = 0;
let failed = 0;
for (const binding of ["native", "wasm"]) {
  for (const [load, title] of Object.entries(LOADS)) {
    try {
      const { early, late } = await grow(binding, load);
      // Cancelled runs and ended threads leave garbage that V8 and the C library give back late: how many pages they keep
      // says nothing of leaks.
      for (const kind of load === "chain" || load === "left" ? ["heap", "rss"] : ["heap"]) {
        const grown = late[kind] - early[kind];
        const bar = (load === "left" ? LEFT : BARS)[kind];
        const ok = grown <= bar;
        if (ok) passed++;
        else failed++;
        console.log(
          `${ok ? "ok  " : "FAIL"} ${binding}, ${title}: ${kind} ${(late[kind] / MiB).toFixed(1)} MiB, ${(grown / MiB).toFixed(2)} more than after ${load === "left" ? "four tenths" : "a tenth"} (at most ${bar / MiB})`,
        );
      }
    } catch (error) {
      failed++;
      console.log(`FAIL ${binding}, ${title}: ${error.message}`);
    }
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
