// Writes test/snapshots/<scenario>.json (and .bin) for scenarios that have none yet: node tools/golden.mjs
// What is there stays: the snapshots of this format must be readable for ever. For a new format, add scenarios.
import { existsSync, writeFileSync } from "node:fs";
import * as blazen from "blazen";
import { expected, finished, reached, scenarios } from "../test/snapshots/scenarios.mjs";

const folder = new URL("../test/snapshots/", import.meta.url);
let failed = 0;
for (const [name, scenario] of Object.entries(scenarios(blazen))) {
  const files = [[`${name}.json`, (snapshot) => String(snapshot)], ...(scenario.binary ? [[`${name}.bin`, (snapshot) => snapshot.toBytes()]] : [])];
  const missing = files.filter(([file]) => !existsSync(new URL(file, folder)));
  if (missing.length === 0) continue;
  const snapshot = await reached(scenario);
  const result = await finished(scenario, String(snapshot));
  if (result !== expected(scenario)) {
    failed++;
    console.error(`${name}: ends with ${result}, not with ${expected(scenario)}: not written`);
    continue;
  }
  for (const [file, form] of missing) {
    writeFileSync(new URL(file, folder), form(snapshot), { flag: "wx" });
    console.log(`written: test/snapshots/${file}`);
  }
}
process.exitCode = failed === 0 ? 0 : 1;
