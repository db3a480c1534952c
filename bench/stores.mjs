// Runs with a store: 20 steps with a state of 10 KB, stored at each step, beside the same by hand; bytes that a step stores; runs that wait in a
// file, and their recovery.
import { node } from "./peers/spawn.mjs";
import { BINDINGS, inTurns, ratio, summary } from "./rounds.mjs";
import { number, table, times } from "./table.mjs";

const TITLES = {
  memory: "W7 in memory, the whole value",
  key: "W7 in memory, one small key",
  sqlite: "W7 in SQLite with fsync, one run",
  many: "W7 in SQLite with fsync, 100 runs at once",
};
const STEPS = [10, 100, 1000, 10_000];
/** @returns bytes that a step may store */
const barOf = (each) => 1.3 * Math.max(...each.map(({ changed }) => changed)) + BESIDE;
/** What a step may store beside 1.3 times its change. */
const BESIDE = 100;

export async function stores({ rounds, quick, bars, verdicts }) {
  const cell = (binding, what) => ({
    id: `${binding} ${what}`,
    run: () => node(["--expose-gc", "--no-warnings", "../stores/child.mjs", binding, what, ...(quick ? ["quick"] : [])], { timeoutMs: 900_000 }),
  });
  const timed = Object.keys(TITLES).flatMap((what) => (what === "memory" || what === "key" ? BINDINGS : ["native"]).map((binding) => cell(binding, what)));
  const results = await inTurns(rounds, timed);
  const out = { timed: [] };
  for (const { id } of timed) {
    const [binding, what] = id.split(" ");
    const rows = results.get(id);
    const beside = (floor) =>
      ratio(
        rows.map((row) => ({ ...row, us: row.own })),
        rows.map((row) => ({ ...row, us: row[floor] })),
      );
    const measured = beside("floor");
    // Of 100 runs: a tenth of what one alone costs by hand, or twice what it costs by hand in memory.
    const byMemory = what === "many" ? beside("byMemory") : undefined;
    const ok = byMemory !== undefined && byMemory <= 2;
    out.timed.push({
      what,
      binding,
      floor: summary(rows, ({ floor }) => floor).median,
      ...summary(rows, ({ own }) => own),
      ratio: measured,
      byMemory,
      bar: bars.stores[what],
      verdict: ok ? "ok" : verdicts.at(`${TITLES[what]} ${binding}`, measured, bars.stores[what], times),
    });
  }
  const once = await inTurns(
    1,
    ["bytes", "waiting", "recovery"].map((what) => cell("native", what)),
  );
  const [bytes, waiting, recovery] = ["bytes", "waiting", "recovery"].map((what) => once.get(`native ${what}`)[0]);
  out.bytes = Object.entries(bytes)
    .filter(([change]) => Number.isInteger(Number(change)))
    .map(([change, each]) => ({
      change: Number(change),
      each,
      verdict: verdicts.at(`bytes of a step that changes ${change}`, Math.max(...each.map(({ stored }) => stored)), barOf(each)),
    }));
  out.waiting = {
    ...waiting,
    verdicts: [
      verdicts.at("bytes of a run that waits in SQLite", waiting.bytes, bars.stores.waitingBytes),
      verdicts.at("finding and answering one, ms beside an fsync", waiting.answer - waiting.fsync, bars.stores.answerMs),
    ],
  };
  out.recovery = { ...recovery, verdict: verdicts.at("recovery, s", recovery.seconds, bars.stores.recoverySeconds) };
  return out;
}

export function printStores({ timed, bytes, waiting, recovery }) {
  const rows = timed.map(({ what, binding, floor, median, ratio, byMemory, bar, verdict }) => [
    `${TITLES[what]}, ${binding}`,
    `${number(floor)} us/step`,
    number(median),
    byMemory === undefined ? times(ratio) : `${times(ratio)}, ${times(byMemory)} in memory`,
    times(bar),
    verdict,
  ]);
  const steps = bytes.map(({ change, each, verdict }) => [
    `a step that changes ${change} bytes`,
    ...each.map(({ stored }) => number(stored)),
    number(barOf(each)),
    verdict,
  ]);
  const rest = [
    ["a run that waits for a person in SQLite, bytes on disk", number(waiting.bytes), "1,024", waiting.verdicts[0]],
    [`finding and answering one (an fsync takes ${number(waiting.fsync)} ms), ms`, number(waiting.answer), "0.3 beside the fsync", waiting.verdicts[1]],
    ["recovery of 10,000 unfinished runs, s until all go on", `${number(recovery.seconds)} (all over after ${number(recovery.all)})`, "5", recovery.verdict],
  ];
  return [
    table(["with a store", "floor", "blazen", "times the floor", "bar", ""], rows),
    table(["bytes stored a step, bases included", ...STEPS.map((count) => `${count} steps`), "bar", ""], steps),
    table(["runs in SQLite", "", "bar", ""], rest),
  ].join("\n\n");
}
