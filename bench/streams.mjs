// What one event costs each of 10,000 readers of a run, beside a queue for each of them.
import path from "node:path";
import { fileURLToPath } from "node:url";
import { node } from "./peers/spawn.mjs";
import { BINDINGS, ratio, summary } from "./rounds.mjs";
import { number, table, times } from "./table.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const MODES = { burst: "one after another", turns: "a turn between two", held: "the writer waits for readers" };

export async function streams({ rounds, quick, bars, verdicts }) {
  const [readers, events] = quick ? [1000, 20] : [10_000, 20];
  const out = {};
  for (const binding of BINDINGS) {
    out[binding] = [];
    for (const [mode, title] of Object.entries(MODES)) {
      const results = [];
      for (let round = 0; round < rounds; round++) {
        results.push(await node(["--expose-gc", path.join(here, "readers.mjs"), binding, String(readers), String(events), mode]));
      }
      const failed = results.find(({ error }) => error !== undefined);
      if (failed !== undefined) console.error(`readers ${mode} ${binding}: ${failed.error}`);
      const row = {
        title,
        readers,
        events,
        floorNs: summary(results, ({ floor }) => floor),
        ownNs: summary(results, ({ own }) => own),
        ratio: ratio(
          results.map(({ own, error }) => ({ us: own, error })),
          results.map(({ floor, error }) => ({ us: floor, error })),
        ),
      };
      row.verdict = verdicts.at(`readers ${mode} ${binding}`, row.ratio, bars.readers.ratio, times);
      out[binding].push({ ...row, bar: bars.readers.ratio });
    }
  }
  return out;
}

export function printStreams(bindings) {
  const head = ["readers of one run", "events", "", "queues, ns an event and reader", "stream", "times the queues", "bar", ""];
  const body = Object.entries(bindings).flatMap(([binding, rows]) =>
    rows.map((row) => [
      `${row.readers}, ${binding}`,
      row.events,
      row.title,
      number(row.floorNs.median),
      number(row.ownNs.median),
      times(row.ratio),
      times(row.bar),
      row.verdict,
    ]),
  );
  return table(head, body);
}
