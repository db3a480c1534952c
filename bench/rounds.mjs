// Rounds of child processes: every cell once a round, the order alternating, so that drift of the machine cancels.
import { median } from "./peers/lib.mjs";
import { node } from "./peers/spawn.mjs";

export const BINDINGS = ["native", "wasm"];
const started = Date.now();
const seconds = () => `${((Date.now() - started) / 1000).toFixed(0)} s`.padStart(6);

/**
 * Runs cells `{ id, run }` in so many rounds.
 *
 * @returns a Map from id to what `run` gave in each round; `{ error }` is the last of its cell
 */
export async function inTurns(rounds, cells, done = (_round) => {}) {
  const results = new Map(cells.map(({ id }) => [id, []]));
  for (let round = 0; round < rounds; round++) {
    for (const { id, run } of round % 2 ? [...cells].reverse() : cells) {
      const past = results.get(id);
      if (past.some(({ error }) => error !== undefined)) continue;
      const result = await run();
      past.push(result);
      if (result.error !== undefined) console.error(`${id}: ${result.error}`);
    }
    done(round);
  }
  return results;
}

/**
 * Measures cells `{ id, peer, workload, mode?, opts? }` in `rounds` rounds.
 *
 * @returns a Map from id to the rounds' results `{ us, p10, p90, peakRss, error? }`, in the order of the rounds
 */
export function measure(cells, rounds, label) {
  const running = cells.map(({ id, peer, workload, mode, opts }) => {
    const args = workload === "W10" ? ["cold.mjs", peer] : ["--expose-gc", "child.mjs", peer, workload, JSON.stringify(opts ?? {})];
    const run = async () => {
      const result = await node(args, { mode });
      return result.na === undefined ? result : { ...result, error: result.na };
    };
    return { id, run };
  });
  return inTurns(rounds, running, (round) => console.error(`[${seconds()}] ${label}: round ${round + 1} of ${rounds}`));
}

/** Median over the rounds of a cell, and its range. */
export function summary(rows, value) {
  const failed = rows.find(({ error }) => error !== undefined);
  if (failed !== undefined || rows.length === 0) return { error: failed?.error ?? "no result" };
  const xs = rows.map(value);
  return { median: median(xs), min: Math.min(...xs), max: Math.max(...xs), rounds: xs.length };
}

/** Median over rounds of the ratio within a round: both sides ran in the same minute on the same machine. */
export function ratio(rows, floorRows, value = ({ us }) => us) {
  if (rows.length === 0 || [...rows, ...floorRows].some(({ error }) => error !== undefined)) return undefined;
  return median(rows.map((row, round) => value(row) / value(floorRows[round])));
}
