// Servers: 1,000 live runs whose steps wait for I/O, 100,000 runs that wait for a person, 100,000 timers.
import path from "node:path";
import { fileURLToPath } from "node:url";
import { node } from "./peers/spawn.mjs";
import { BINDINGS, inTurns, ratio, summary } from "./rounds.mjs";
import { number, table, times } from "./table.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const child = (script, ...args) => node(["--expose-gc", path.join(here, "live", script), ...args.map(String)]);

export async function live({ rounds, quick, bars, verdicts }) {
  return {
    load: await load(rounds, quick ? 2_000 : 20_000, bars.live, verdicts),
    inputs: await inputs(rounds, quick ? 1_000 : 100_000, bars.live, verdicts),
    timers: await timers(rounds, quick ? 1_000 : 100_000, bars.live, verdicts),
  };
}

async function load(rounds, runs, bars, verdicts) {
  const rows = [];
  for (const threads of [0, 2]) {
    const cells = ["floor", ...BINDINGS].map((id) => ({ id, run: () => child("load.mjs", id, runs, threads) }));
    const results = await inTurns(rounds, cells);
    const floor = results.get("floor");
    for (const id of BINDINGS) {
      const own = results.get(id);
      const row = {
        binding: id,
        threads: Math.max(1, threads),
        floorUs: summary(floor, ({ us }) => us),
        us: summary(own, ({ us }) => us),
        ratio: ratio(own, floor),
        floorDelayMs: summary(floor, ({ delayMs }) => delayMs),
        delayMs: summary(own, ({ delayMs }) => delayMs),
      };
      row.later = row.delayMs.median - row.floorDelayMs.median;
      row.verdict = verdicts.at(`load ${id}, threads ${row.threads}`, row.ratio, bars.load, times);
      row.delayVerdict = verdicts.at(`delay ${id}, threads ${row.threads}, ms`, row.later, bars.delayMs);
      rows.push(row);
    }
  }
  return rows;
}

async function inputs(rounds, runs, bars, verdicts) {
  const rows = [];
  for (const id of BINDINGS) {
    const results = await inTurns(rounds, [
      { id: "few", run: () => child("inputs.mjs", id, 10) },
      { id: "many", run: () => child("inputs.mjs", id, runs) },
    ]);
    const [few, many] = [results.get("few"), results.get("many")];
    const row = { binding: id, runs, bytes: summary(many, ({ bytes }) => bytes), fewUs: summary(few, ({ us }) => us), us: summary(many, ({ us }) => us) };
    row.ratio = ratio(many, few);
    row.verdict = verdicts.at(`waiting for input ${id}, bytes`, row.bytes.median, bars.bytes);
    row.answerVerdict = verdicts.at(`answering one of ${runs} ${id}`, row.ratio, bars.answer, times);
    rows.push(row);
  }
  return rows;
}

async function timers(rounds, count, bars, verdicts) {
  const rows = [];
  for (const id of BINDINGS) {
    const results = await inTurns(rounds, [
      { id: "few", run: () => child("timers.mjs", id, Math.ceil(count / 100)) },
      { id: "many", run: () => child("timers.mjs", id, count) },
    ]);
    for (const what of ["setting", "cancelling", "firing"]) {
      const at = (size) => summary(results.get(size), (result) => result[what]);
      const row = { binding: id, what, timers: count, fewUs: at("few"), us: at("many") };
      row.verdict = verdicts.at(`${what} one of ${count} timers ${id}, us`, row.us.median, bars.timerUs);
      rows.push(row);
    }
  }
  return rows;
}

export function printLive({ load, inputs, timers }, bars) {
  const loads = load.map((row) => [
    `${row.binding}, ${row.threads} ${row.threads === 1 ? "thread" : "threads"}`,
    number(row.floorUs.median),
    number(row.us.median),
    times(row.ratio),
    times(bars.live.load),
    row.verdict,
    number(row.floorDelayMs.median),
    number(row.delayMs.median),
    row.delayVerdict,
  ]);
  const waiting = inputs.map((row) => [
    `${row.runs}, ${row.binding}`,
    number(row.bytes.median),
    bars.live.bytes,
    row.verdict,
    number(row.fewUs.median),
    number(row.us.median),
    times(row.ratio),
    row.answerVerdict,
  ]);
  const set = timers.map((row) => [`${row.what}, ${row.binding}`, number(row.fewUs.median), number(row.us.median), bars.live.timerUs, row.verdict]);
  return [
    table(
      ["1,000 live runs of 10 steps that read a file", "floor us/run", "us/run", "times the floor", "bar", "", "floor's delay p99 ms", "delay p99 ms", ""],
      loads,
    ),
    table(["runs that wait for a person", "bytes each", "bar", "", "answer us, 10 waiting", "answer us", "times", ""], waiting),
    table(["timers", `us each, ${timers[0].timers / 100}`, `us each, ${timers[0].timers}`, "bar", ""], set),
  ].join("\n\n");
}
