// Heap and RSS after 10,000 and after 100,000 runs in one process; the test in test/memory asserts the same figures.
import { grow } from "../test/memory/grow.mjs";
import { BINDINGS } from "./rounds.mjs";
import { table } from "./table.mjs";

const MiB = 2 ** 20;

export async function memory({ bars, verdicts }) {
  const out = {};
  for (const binding of BINDINGS) {
    const { early, late } = await grow(binding, "chain");
    const heap = (late.heap - early.heap) / MiB;
    const rss = (late.rss - early.rss) / MiB;
    out[binding] = {
      early,
      late,
      heap,
      rss,
      verdicts: [verdicts.at(`memory ${binding} heap MiB`, heap, bars.memoryMiB.heap), verdicts.at(`memory ${binding} RSS MiB`, rss, bars.memoryMiB.rss)],
    };
  }
  return out;
}

export function printMemory(rows, bars) {
  const mib = (bytes) => (bytes / MiB).toFixed(2);
  const body = [];
  for (const [binding, { early, late, heap, rss, verdicts }] of Object.entries(rows)) {
    body.push([`${binding} heap`, mib(early.heap), mib(late.heap), heap.toFixed(2), bars.memoryMiB.heap, verdicts[0]]);
    body.push([`${binding} RSS`, mib(early.rss), mib(late.rss), rss.toFixed(2), bars.memoryMiB.rss, verdicts[1]]);
  }
  return table(["memory, MiB", "after 10,000 runs", "after 100,000 runs", "grown by", "bar", ""], body);
}
