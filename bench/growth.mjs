// Does the cost of an event stay the same as runs grow? Fan-outs of N items and chains of N steps, each beside a floor of the same size.
import { BINDINGS, measure, ratio, summary } from "./rounds.mjs";
import { number, table, times } from "./table.mjs";

const SIZES = [100, 1000, 10_000, 100_000];
const KINDS = {
  "fan-out": { workload: "W3", floor: "floor", params: (size) => ({ items: size }) },
  hops: { workload: "W2", floor: "floor", params: (size) => ({ hops: size }) },
  chain: { workload: "W1", floor: "floor", params: (size) => ({ steps: size }) },
  "chain, floor with classes": { workload: "W1", floor: "floor-classes", params: (size) => ({ steps: size }) },
};

export async function growth({ rounds, quick, bars, verdicts }) {
  const sizes = quick ? SIZES.slice(0, 2) : SIZES;
  const cells = new Map();
  for (const { workload, floor, params } of Object.values(KINDS)) {
    for (const size of sizes) {
      const opts = { warmMs: 600, sampleMs: 800, params: params(size) };
      for (const peer of [floor, ...BINDINGS.map((binding) => `blazen:${binding}`)]) {
        const id = `${workload} ${peer} ${size}`;
        cells.set(id, { id, peer, workload, opts });
      }
    }
  }
  const results = await measure([...cells.values()], rounds, "growth");
  const out = {};
  for (const [kind, { workload, floor: floorName }] of Object.entries(KINDS)) {
    const rows = [];
    for (const size of sizes) {
      const floor = results.get(`${workload} ${floorName} ${size}`);
      const row = { size, floor: summary(floor, ({ us }) => us) };
      for (const binding of BINDINGS) {
        const own = results.get(`${workload} blazen:${binding} ${size}`);
        const r = ratio(own, floor);
        const grown = r === undefined ? undefined : r / (rows[0]?.[binding].ratio ?? r);
        row[binding] = {
          ...summary(own, ({ us }) => us),
          ratio: r,
          grown,
          verdict: verdicts.at(`growth ${kind} ${size} ${binding}`, grown, 1 + bars.growth, times),
        };
      }
      rows.push(row);
    }
    out[kind] = rows;
  }
  return out;
}

export function printGrowth(kinds) {
  const body = [];
  for (const [kind, rows] of Object.entries(kinds)) {
    for (const row of rows)
      body.push([
        kind,
        row.size,
        number(row.floor.median),
        ...BINDINGS.flatMap((binding) => [number(row[binding].median), times(row[binding].ratio), times(row[binding].grown), row[binding].verdict]),
      ]);
  }
  return table(
    ["growth", "size", "floor us", "native us", "times the floor", "against size 100", "", "wasm us", "times the floor", "against size 100", ""],
    body,
  );
}
