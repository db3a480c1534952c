// npm run bench -- [--quick] [--rounds 7] [--growth] [--memory] [--sizes] [--snapshots] [--streams] [--live] [--check]. See bench/README.md.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { growth, printGrowth } from "./growth.mjs";
import { live, printLive } from "./live.mjs";
import { memory, printMemory } from "./memory.mjs";
import { printSizes, sizes } from "./sizes.mjs";
import { printSnapshots, snapshots } from "./snapshots.mjs";
import { printStreams, streams } from "./streams.mjs";
import { Verdicts } from "./table.mjs";
import { printWorkloads, workloads } from "./workloads.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const flag = (name) => process.argv.includes(`--${name}`);
const option = (name, fallback) => (flag(name) ? Number(process.argv[process.argv.indexOf(`--${name}`) + 1]) : fallback);

const quick = flag("quick");
const bars = JSON.parse(fs.readFileSync(path.join(here, "bars.json"), "utf8"));
const verdicts = new Verdicts();
const asked = ["growth", "memory", "sizes", "snapshots", "streams", "live"].filter(flag);
const began = Date.now();
const found = {};
const printed = [];

async function section(name, measured, print) {
  found[name] = { ...machine(), figures: measured };
  printed.push(print(measured, bars));
}

if (asked.length === 0) {
  await section("workloads", await workloads({ rounds: option("rounds", quick ? 1 : 7), quick, bars, verdicts }), printWorkloads);
}
if (asked.includes("growth")) await section("growth", await growth({ rounds: option("rounds", quick ? 1 : 5), quick, bars, verdicts }), printGrowth);
if (asked.includes("snapshots") || asked.length === 0) {
  await section("snapshots", await snapshots({ rounds: option("rounds", quick ? 1 : 5), quick, bars, verdicts }), printSnapshots);
}
if (asked.includes("live") || asked.length === 0) {
  await section("live", await live({ rounds: option("rounds", quick ? 1 : 5), quick, bars, verdicts }), printLive);
}
if (asked.includes("streams") || asked.length === 0) {
  await section("streams", await streams({ rounds: option("rounds", quick ? 1 : 7), quick, bars, verdicts }), printStreams);
}
if (asked.includes("memory")) await section("memory", await memory({ bars, verdicts }), printMemory);
if (asked.includes("sizes") || asked.length === 0) await section("sizes", await sizes({ bars, verdicts }), printSizes);

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
process.exit(verdicts.wrong.length > 0 || (flag("check") && verdicts.over.length > 0) ? 1 : 0);

function machine() {
  return { date: new Date().toISOString(), node: process.version, cpu: os.cpus()[0].model, cores: os.cpus().length };
}
