// The lints: formats, linters, types, and generated files that are not what their source gives.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { checkRust, root, throughShell } from "./parts.mjs";

checkRust();

const bin = (name) => join(root, "node_modules/.bin", name);
const checks = [
  ["biome", bin("biome"), ["ci", "--error-on-warnings"]],
  ["types of the facade", bin("tsc"), ["-p", "ts"]],
  ["types of the examples", bin("tsc"), ["-p", "examples"]],
  ["rustfmt", "cargo", ["fmt", "--all", "--check"]],
  ["clippy", "cargo", ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]],
];
// A Go program that npm and cargo do not bring; CI installs it.
if (spawnSync("actionlint", ["-version"]).status === 0) checks.push(["workflows", "actionlint", []]);

const failed = [];
for (const [name, command, args] of checks) {
  const start = performance.now();
  const { status } = spawnSync(command, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"], shell: throughShell(command) });
  console.log(`lint: ${name} ${status === 0 ? "ok" : "FAILED"} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
  if (status !== 0) failed.push(name);
}

const generated = ["crates/blazen-core/src/generated.rs", "ts/src/generated/tables.ts"];
const before = generated.map((file) => readFileSync(join(root, file), "utf8"));
spawnSync(process.execPath, ["tools/generate.mjs"], { cwd: root, stdio: "inherit" });
const stale = generated.filter((file, at) => readFileSync(join(root, file), "utf8") !== before[at]);
console.log(`lint: generated files ${stale.length === 0 ? "ok" : `STALE: ${stale.join(", ")} (now fresh: commit them)`}`);
if (failed.length + stale.length > 0) process.exitCode = 1;
