// npm run torture -- --seconds 60 --seed 1: runs are killed, again and again, and what they do is looked at. See README.md.
import { deepStrictEqual } from "node:assert";
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { again, parts, unreal } from "./parts.mjs";

/** Of the time that there is. */
const SHARES = { simulated: 0.5, power: 0.15, kills: 0.2, stalls: 0.15 };
const BROKEN = ["once", "lease", "fsync"];
/** Parts in which something can be switched off. */
const BREAKABLE = ["simulated", "power"];
/** Faults that are shown. */
const SHOWN = 5;
const recorded = new URL("recorded.json", import.meta.url);

const { values: options } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    seed: { type: "string", default: "1" },
    jobs: { type: "string", default: String(availableParallelism()) },
    parts: { type: "string" },
    programs: { type: "string" },
    cuts: { type: "string" },
    kills: { type: "string" },
    stalls: { type: "string" },
    broken: { type: "string" },
    scenario: { type: "string" },
    record: { type: "boolean" },
    replay: { type: "boolean" },
  },
});
const possible = options.broken === undefined ? Object.keys(SHARES) : BREAKABLE;
const wanted = options.parts?.split(",") ?? (options.broken === undefined ? possible : ["simulated"]);
const unknown = wanted.find((part) => !possible.includes(part));
if (unknown !== undefined || (options.broken !== undefined && !BROKEN.includes(options.broken))) {
  console.error(`torture: the parts are ${possible.join(", ")}, and --broken is one of ${BROKEN.join(", ")}.`);
  process.exit(2);
}
const broken = options.broken === undefined ? "" : ` --broken ${options.broken}`;
let faulty = 0;

function tell(name, faults) {
  if (++faulty > SHOWN) return;
  console.log(`FAULT in ${name}:`);
  for (const { kind, text } of faults.slice(0, SHOWN)) console.log(`  ${kind}: ${text}`);
  console.log(`  again: npm run torture -- --scenario ${name}${broken}`);
}

/** Runs a part and prints what was counted. */
async function run(part, given) {
  const start = Date.now();
  const counts = await parts[part]({ ...given, jobs: Number(options.jobs), broken: options.broken }, tell);
  const seconds = (Date.now() - start) / 1000;
  const rate = counts.scenarios === undefined ? "" : `, ${Math.round(counts.scenarios / seconds)} scenarios a second`;
  const told = Object.entries(counts).map(([key, count]) => `${count} ${key}`);
  console.log(`${part}, seed ${given.seed}: ${told.join(", ")} (${seconds.toFixed(1)} s${rate})`);
  return counts;
}

const seed = Number(options.seed);
if (options.scenario !== undefined) {
  const { program, faults } = await again(options.scenario, options.broken);
  if (program !== undefined) console.log(JSON.stringify(program, undefined, 2));
  if (faults.length > 0) tell(options.scenario, faults);
} else if (options.replay) {
  const { slice } = JSON.parse(readFileSync(recorded, "utf8"));
  deepStrictEqual(await run("simulated", { seed: slice.seed, limit: slice.programs, seconds: Number.POSITIVE_INFINITY }), { ...slice.counts });
  console.log("as recorded");
} else {
  const limits = { simulated: options.programs, power: options.cuts, kills: options.kills, stalls: options.stalls };
  const counts = {};
  for (const part of wanted) {
    if (part !== "simulated" && unreal !== undefined) {
      console.log(`${part}: not here: ${unreal}.`);
      continue;
    }
    const limited = limits[part] !== undefined;
    const share = SHARES[part] / wanted.reduce((sum, part) => sum + SHARES[part], 0);
    const limit = limited ? Number(limits[part]) : Number.POSITIVE_INFINITY;
    counts[part] = await run(part, { seed, limit, seconds: limited ? Number.POSITIVE_INFINITY : Number(options.seconds) * share });
  }
  if (options.record) await record(counts);
}
if (faulty > 0) {
  console.log(`${faulty} faulty${broken === "" ? "" : `, with${broken}`}.`);
  process.exitCode = 1;
}

/** Keeps the counts of the parts that were run, with a slice of the simulated ones that `--replay` compares. */
async function record(counts) {
  const before = JSON.parse(readFileSync(recorded, "utf8"));
  const programs = 50;
  const sliced = async () => ({ seed, programs, counts: await run("simulated", { seed, limit: programs, seconds: Number.POSITIVE_INFINITY }) });
  const slice = counts.simulated === undefined ? before.slice : await sliced();
  writeFileSync(recorded, `${JSON.stringify({ slice, run: { ...before.run, seed, ...counts } }, undefined, 2)}\n`);
}
