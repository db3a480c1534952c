// Runs every test, or the parts named: node tools/test.mjs rust native wasm vectors browser types memory packaging
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { checkRust, root } from "./parts.mjs";

checkRust();

const bin = (name) => join(root, "node_modules/.bin", process.platform === "win32" ? `${name}.cmd` : name);
/** The development tools ask for a newer Node than the product does: the npm package `node` brings it. */
const newer = join(root, "node_modules/node/bin/node");
const nodes = [...new Set([machineNode(), existsSync(newer) ? newer : process.execPath])];

/** The machine's own Node: npm puts the one of the npm package first in PATH. */
function machineNode() {
  const names = process.platform === "win32" ? ["node.exe"] : ["node"];
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    if (folder.includes("node_modules")) continue;
    for (const name of names) if (existsSync(join(folder, name))) return join(folder, name);
  }
  return process.execPath;
}

const vitest = (project, binding, ...more) => ({
  command: existsSync(newer) ? newer : process.execPath,
  args: [join(root, "node_modules/vitest/vitest.mjs"), "run", "--project", project, ...more],
  env: binding === undefined ? {} : { BLAZEN_BINDING: binding },
});
const bindings = ["native", "wasm"];

const parts = {
  rust: () => [{ command: "cargo", args: ["test", "--workspace", "--locked", "--quiet"] }],
  native: () => [vitest("node", "native")],
  wasm: () => [vitest("node", "wasm", "test/e2e")],
  vectors: () =>
    nodes.flatMap((node) => [
      { command: node, args: ["test/vectors/boundary.mjs"] },
      ...bindings.map((binding) => ({ command: node, args: ["test/vectors/play.mjs"], env: { BLAZEN_BINDING: binding } })),
    ]),
  browser: () => [vitest("browser")],
  types: () => [{ command: bin("tsc"), args: ["-p", "test/types"] }],
  memory: () => [{ command: process.execPath, args: ["--expose-gc", "test/memory/runs.mjs"] }],
  packaging: () => [{ command: process.execPath, args: ["test/packaging/packaging.mjs"] }],
};

const named = process.argv.slice(2);
const unknown = named.find((name) => !(name in parts));
if (unknown !== undefined) {
  console.error(`test: there is no part "${unknown}". Parts: ${Object.keys(parts).join(", ")}.`);
  process.exit(2);
}
const results = [];
for (const name of named.length > 0 ? named : Object.keys(parts)) {
  const start = performance.now();
  let ok = true;
  for (const { command, args, env = {} } of parts[name]()) {
    console.log(`\n▶ ${name}: ${[command, ...args].join(" ").replaceAll(root, ".")}${env.BLAZEN_BINDING ? ` (${env.BLAZEN_BINDING})` : ""}`);
    const { status } = spawnSync(command, args, {
      cwd: root,
      stdio: ["ignore", "inherit", "inherit"],
      env: { ...process.env, NODE_ENV: "test", ...env },
      shell: process.platform === "win32",
    });
    ok &&= status === 0;
  }
  results.push({ name, ok, seconds: (performance.now() - start) / 1000 });
}

console.log("");
for (const { name, ok, seconds } of results) console.log(`${ok ? "ok    " : "FAILED"} ${name} (${seconds.toFixed(1)} s)`);
const failed = results.filter(({ ok }) => !ok).length;
console.log(`parts: ${results.length - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
