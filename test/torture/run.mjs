// npm run torture -- --seconds 60 --seed 1: runs are killed, again and again, and what they do is looked at. See README.md.
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { simulate, simulateOne } from "./simulated.mjs";

const { values: options } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    seed: { type: "string", default: "1" },
    jobs: { type: "string", default: String(availableParallelism()) },
    programs: { type: "string", default: "Infinity" },
    broken: { type: "string" },
    scenario: { type: "string" },
  },
});
const BROKEN = ["once", "lease", "fsync"];
if (options.broken !== undefined && !BROKEN.includes(options.broken)) {
  console.error(`torture: --broken is one of ${BROKEN.join(", ")}.`);
  process.exit(2);
}
const broken = options.broken === undefined ? "" : ` --broken ${options.broken}`;
/** Faulty scenarios that are shown. */
const SHOWN = 5;
let faulty = 0;

function tell(name, faults) {
  if (++faulty > SHOWN) return;
  console.log(`FAULT in ${name}:`);
  for (const { kind, text } of faults.slice(0, SHOWN)) console.log(`  ${kind}: ${text}`);
  console.log(`  again: npm run torture -- --scenario ${name}${broken}`);
}

if (options.scenario !== undefined) {
  const { program, faults } = await simulateOne(options.scenario, options.broken);
  console.log(JSON.stringify(program, undefined, 2));
  if (faults.length > 0) tell(options.scenario, faults);
} else {
  const start = Date.now();
  const [seed, seconds, programs, jobs] = ["seed", "seconds", "programs", "jobs"].map((name) => Number(options[name]));
  const counts = await simulate({ seed, seconds, programs, jobs, broken: options.broken }, tell);
  const { scenarios } = counts;
  const took = (Date.now() - start) / 1000;
  console.log(`seed ${seed}, ${took.toFixed(1)} s, ${Math.round(scenarios / took)} scenarios a second`);
  console.log(`simulated: ${counts.programs} programs, ${scenarios} scenarios, ${counts.kills} kills; ${counts.lost} lost, ${counts.duplicated} duplicated`);
  console.log(`  (${counts.repeated} effects and steps happened again, as they may: what would have told of them was not on the disk)`);
}
if (faulty > 0) {
  console.log(`${faulty} scenarios are faulty${broken === "" ? "" : `, with${broken}`}.`);
  process.exitCode = 1;
}
