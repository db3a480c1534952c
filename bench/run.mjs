// npm run bench. See bench/README.md.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { children, printChildren } from "./children.mjs";
import { growth, printGrowth } from "./growth.mjs";
import { live, printLive } from "./live.mjs";
import { memory, printMemory } from "./memory.mjs";
import { printSizes, sizes } from "./sizes.mjs";
import { printSnapshots, snapshots } from "./snapshots.mjs";
import { printStores, stores } from "./stores.mjs";
import { printStreams, streams } from "./streams.mjs";
import { Verdicts } from "./table.mjs";
import { printWorkloads, workloads } from "./workloads.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));

/** In the order they are run; `rounds` unless asked otherwise, `first`: also without being asked for. */
const SECTIONS = {
  workloads: { measure: workloads, print: printWorkloads, rounds: 7, first: true },
  growth: { measure: growth, print: printGrowth, rounds: 5 },
  snapshots: { measure: snapshots, print: printSnapshots, rounds: 5, first: true },
  live: { measure: live, print: printLive, rounds: 5, first: true },
  streams: { measure: streams, print: printStreams, rounds: 7, first: true },
  children: { measure: children, print: printChildren, rounds: 5, first: true },
  stores: { measure: stores, print: printStores, rounds: 3, first: true },
  memory: { measure: memory, print: printMemory },
  sizes: { measure: sizes, print: printSizes, first: true },
};

const { quick, check, rounds, ...named } = options();
const asked = Object.entries(SECTIONS).filter(([name, { first }]) => (Object.keys(named).length === 0 ? first : named[name]));
const bars = JSON.parse(fs.readFileSync(path.join(here, "bars.json"), "utf8"));
const verdicts = new Verdicts();
const began = Date.now();
const found = {};
const printed = [];
for (const [name, section] of asked) {
  const figures = await section.measure({ rounds: rounds ?? (quick ? 1 : section.rounds), quick, bars, verdicts });
  found[name] = { ...machine(), figures };
  printed.push(section.print(figures, bars));
}

console.log(`\n${printed.join("\n\n")}\n`);
const { node, cpu, cores } = machine();
console.log(
  `Node ${node}, ${cores} x ${cpu}; ${((Date.now() - began) / 1000).toFixed(0)} s.${quick ? " --quick: a smoke run, its figures are not to be quoted." : ""}`,
);
for (const line of verdicts.over) console.log(`over its bar: ${line}`);
for (const line of verdicts.wrong) console.log(`FAILED: ${line}`);

if (!quick) {
  // Each command replaces its own part of the file.
  const file = path.join(here, "results.json");
  const before = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, "utf8")) : {};
  fs.writeFileSync(file, `${JSON.stringify({ ...before, ...found }, null, 1)}\n`);
  console.log(`Written: bench/results.json (${Object.keys(found).join(", ")}).`);
}
process.exit(verdicts.wrong.length > 0 || (check && verdicts.over.length > 0) ? 1 : 0);

function machine() {
  return { date: new Date().toISOString(), node: process.version, cpu: os.cpus()[0].model, cores: os.cpus().length };
}

function options() {
  const flags = Object.fromEntries(["quick", "check", ...Object.keys(SECTIONS)].map((name) => [name, { type: "boolean" }]));
  try {
    const { values } = parseArgs({ options: { ...flags, rounds: { type: "string" } } });
    if (values.rounds === undefined) return values;
    if (!/^[1-9]\d{0,3}$/.test(values.rounds)) throw new TypeError(`--rounds takes a number of rounds, not "${values.rounds}".`);
    return { ...values, rounds: Number(values.rounds) };
  } catch (error) {
    console.error(
      `bench: ${error.message}\nOptions: ${Object.keys(flags)
        .map((name) => `--${name}`)
        .join(" ")} --rounds N (bench/README.md)`,
    );
    process.exit(2);
  }
}
