// W1 to W6 and W8 as ratios to the hand-written floor, in production and development mode; W10 in milliseconds.
import { WORKLOADS } from "./peers/lib.mjs";
import { BINDINGS, measure, ratio, summary } from "./rounds.mjs";
import { number, table, times } from "./table.mjs";

const TIMED = ["W1", "W2", "W3", "W4s", "W4c", "W5", "W6", "W8"];
const MODES = ["production", "development"];

export async function workloads({ rounds, quick, bars, verdicts }) {
  const opts = quick ? { warmMs: 100, sampleMs: 200 } : { warmMs: 400, sampleMs: 600 };
  const out = {};
  for (const workload of TIMED) {
    const cells = [{ id: "floor", peer: "floor", workload, opts }];
    for (const mode of MODES) for (const binding of BINDINGS) cells.push({ id: `${binding} ${mode}`, peer: `blazen:${binding}`, workload, mode, opts });
    const results = await measure(cells, rounds, workload);
    const row = {
      title: WORKLOADS[workload].title,
      unit: WORKLOADS[workload].unit,
      bar: bars.ratio[workload],
      floor: summary(results.get("floor"), ({ us }) => us),
    };
    for (const binding of BINDINGS) {
      row[binding] = {};
      for (const mode of MODES) {
        const rows = results.get(`${binding} ${mode}`);
        row[binding][mode] = { ...summary(rows, ({ us }) => us), ratio: ratio(rows, results.get("floor")) };
      }
      row[binding].verdict = verdicts.at(`${workload} ${binding}`, row[binding].production.ratio, row.bar, times);
    }
    out[workload] = row;
  }
  return { workloads: out, cold: await cold(rounds, bars, verdicts) };
}

async function cold(rounds, bars, verdicts) {
  const cells = ["floor", ...BINDINGS.map((binding) => `blazen:${binding}`)].map((peer) => ({ id: peer, peer, workload: "W10" }));
  // The first round fills the page cache and is dropped.
  const results = await measure(cells, rounds * 2 + 1, "W10");
  const out = {};
  for (const { id, peer } of cells) {
    const rows = results.get(id).slice(1);
    const at = (value) => summary(rows, value);
    out[peer] = { import: at(({ load }) => load), firstRun: at(({ first }) => first), both: at(({ load, first }) => load + first) };
  }
  for (const binding of BINDINGS) {
    const figure = out[`blazen:${binding}`];
    figure.bar = bars.coldMs[binding];
    figure.verdict = verdicts.at(`W10 ${binding} ms`, figure.both.median, figure.bar);
  }
  return out;
}

export function printWorkloads({ workloads: rows, cold: started }) {
  const head = ["workload", "floor", "native", "times the floor", "wasm", "times the floor", "bar", "", "development: native, wasm"];
  const body = Object.entries(rows).map(([name, row]) => [
    `${name} ${row.title}`,
    `${number(row.floor.median)} ${row.unit}`,
    ...BINDINGS.flatMap((binding) => [number(row[binding].production.median), times(row[binding].production.ratio)]),
    times(row.bar),
    verdict(row),
    BINDINGS.map((binding) => times(row[binding].development.ratio)).join(", "),
  ]);
  const coldHead = ["W10 cold start, ms in the process", "import", "first run", "both", "bar", ""];
  const coldBody = Object.entries(started).map(([peer, row]) => [
    peer,
    number(row.import.median),
    number(row.firstRun.median),
    number(row.both.median),
    row.bar ?? "",
    row.verdict ?? "",
  ]);
  return `${table(head, body)}\n\n${table(coldHead, coldBody)}`;
}

function verdict(row) {
  return row.native.verdict === row.wasm.verdict ? row.native.verdict : `native ${row.native.verdict}, wasm ${row.wasm.verdict}`;
}
