// The torture must find what is switched off on purpose, or it would find nothing else either.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const run = fileURLToPath(new URL("run.mjs", import.meta.url));
/** What has to be found: an effect without its record, a process that goes on with what is another's, and a disk that lies. */
const FOUND = [
  ["once", "simulated", ["duplicated"]],
  ["lease", "simulated", ["lost", "duplicated"]],
  ["fsync", "simulated", ["lost", "duplicated"]],
  ["fsync", "power", ["lost", "duplicated"]],
];

for (const [broken, part, kinds] of FOUND) {
  const limit = part === "power" ? ["--cuts", "60"] : ["--programs", "10"];
  const { status, stdout } = spawnSync(process.execPath, [run, "--broken", broken, "--parts", part, ...limit], { encoding: "utf8" });
  if (stdout.includes("not here")) continue;
  assert.equal(status, 1, `--broken ${broken} was not found:\n${stdout}`);
  for (const kind of kinds) {
    const count = Number(new RegExp(`(\\d+) ${kind}`).exec(stdout)?.[1]);
    assert.ok(count > 0, `--broken ${broken}: ${kind} ${count}\n${stdout}`);
  }
  assert.match(stdout, /again: npm run torture -- --scenario \S+ --broken/);
  console.log(`ok   --broken ${broken}, ${stdout.trim().split("\n").at(-2)}`);
}
