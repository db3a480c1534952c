// What a waiting run takes (W9), and what a snapshot of many queued events costs beside JSON.stringify of the same data.
import path from "node:path";
import { fileURLToPath } from "node:url";
import { node } from "./peers/spawn.mjs";
import { BINDINGS, measure, ratio, summary } from "./rounds.mjs";
import { number, table, times } from "./table.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const SIZES = [10_000, 100_000];

export async function snapshots({ rounds, quick, bars, verdicts }) {
  return { waiting: await waiting(rounds, bars, verdicts), queue: await queue(quick ? 1 : rounds, bars, verdicts) };
}

async function waiting(rounds, bars, verdicts) {
  const cells = ["floor", ...BINDINGS.map((binding) => `blazen:${binding}`)].map((peer) => ({ id: peer, peer, workload: "W9" }));
  const results = await measure(cells, rounds, "W9");
  const at = (peer) => summary(results.get(peer), ({ heapPerRun }) => heapPerRun);
  const out = { floor: at("floor") };
  // Only in WASM the core's memory is counted with the heap; it is as large in native memory.
  for (const binding of BINDINGS) out[binding] = at(`blazen:${binding}`);
  out.verdict = verdicts.at("W9 bytes", out.wasm.median, bars.waiting.bytes);
  out.bar = bars.waiting.bytes;
  const { bytes } = await child(["waiting.mjs"]);
  out.snapshot = { bytes, bar: bars.waiting.snapshotBytes, verdict: verdicts.at("W9 snapshot bytes", bytes, bars.waiting.snapshotBytes) };
  return out;
}

async function queue(rounds, bars, verdicts) {
  const out = {};
  for (const binding of BINDINGS) {
    const rows = [];
    for (const size of SIZES) {
      const results = [];
      for (let round = 0; round < rounds; round++) results.push(await child(["queue.mjs", binding, String(size)]));
      const at = (value) => summary(results, value);
      const row = { size, floorMs: at(({ floor }) => floor), snapshotMs: at(({ snapshot }) => snapshot), textMs: at(({ text }) => text) };
      row.ratio = ratio(results, results, ({ snapshot, floor }) => snapshot / floor) && at(({ snapshot, floor }) => snapshot / floor).median;
      row.verdict = verdicts.at(`queue ${size} ${binding}`, row.ratio, bars.queue.ratio, times);
      row.grown = row.snapshotMs.median / row.size / (rows[0] === undefined ? row.snapshotMs.median / row.size : rows[0].snapshotMs.median / rows[0].size);
      row.linear = verdicts.at(`queue ${size} ${binding}, per event against ${SIZES[0]}`, row.grown, 1 + bars.queue.growth, times);
      rows.push(row);
    }
    out[binding] = rows;
  }
  return out;
}

/** Runs a script of this folder and gives the JSON that it prints, or `{ error }`. */
function child([script, ...args]) {
  return node(["--expose-gc", path.join(here, script), ...args]);
}

export function printSnapshots({ waiting: run, queue: sizes }) {
  const head = ["W9, a run that waits, bytes", "floor", "native, heap", "wasm, heap and core", "bar", ""];
  const body = [
    ["in memory", number(run.floor.median), number(run.native.median), number(run.wasm.median), run.bar, run.verdict],
    ["as a snapshot's text", "", run.snapshot.bytes, run.snapshot.bytes, run.snapshot.bar, run.snapshot.verdict],
  ];
  const queueHead = [
    "snapshot of queued events",
    "events",
    "JSON.stringify ms",
    "snapshot ms",
    "with its text ms",
    "times JSON.stringify",
    "",
    "an event, against 10,000",
    "",
  ];
  const queueBody = Object.entries(sizes).flatMap(([binding, rows]) =>
    rows.map((row) => [
      binding,
      row.size,
      number(row.floorMs.median),
      number(row.snapshotMs.median),
      number(row.textMs.median),
      times(row.ratio),
      row.verdict,
      times(row.grown),
      row.linear,
    ]),
  );
  return `${table(head, body)}\n\n${table(queueHead, queueBody)}`;
}
