// Runs every test, or the parts named: node tools/test.mjs rust native wasm vectors verify browser types memory torture packaging, or verify-wasm
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { checkRust, machineNode, newerNode, root, throughShell } from "./parts.mjs";

checkRust();

const bin = (name) => join(root, "node_modules/.bin", process.platform === "win32" ? `${name}.cmd` : name);
const nodes = [...new Set([machineNode(), newerNode()])];

const vitest = (project, binding, ...more) => ({
  command: newerNode(),
  args: [join(root, "node_modules/vitest/vitest.mjs"), "run", "--project", project, ...more],
  env: binding === undefined ? {} : { BLAZEN_BINDING: binding },
});
const bindings = ["native", "wasm"];

/** In verify mode every workflow that does not say otherwise checks at its commits that a snapshot would lose nothing. */
const verifying = (step) => ({ ...step, env: { ...step.env, BLAZEN_VERIFY: "1" } });
// Runs of no workflow: the codecs and stores by themselves, and the loading of the core; and programs that others run.
const unverified = ["e2e/codec", "e2e/binding", "e2e/store-conformance", "e2e/store-model", "e2e/bundle", "e2e/audit", "docs/snippets"].flatMap((name) => [
  "--exclude",
  `test/${name}.test.ts`,
]);

const parts = {
  rust: () => [{ command: "cargo", args: ["test", "--workspace", "--locked", "--quiet"] }],
  native: () => [vitest("node", "native")],
  wasm: () => [vitest("node", "wasm", "test/e2e")],
  vectors: () =>
    nodes.flatMap((node) => [
      { command: node, args: ["test/vectors/boundary.mjs"] },
      ...bindings.flatMap((binding) =>
        [[], ["--stops"]].map((options) => ({ command: node, args: ["test/vectors/play.mjs", ...options], env: { BLAZEN_BINDING: binding } })),
      ),
    ]),
  verify: () => [
    verifying(vitest("node", "native", ...unverified)),
    ...bindings.flatMap((binding) =>
      [[], ["--stops"]].map((options) => verifying({ command: newerNode(), args: ["test/vectors/play.mjs", ...options], env: { BLAZEN_BINDING: binding } })),
    ),
  ],
  "verify-wasm": () => [verifying(vitest("node", "wasm", ...unverified))],
  browser: () => [vitest("browser"), vitest("pages")],
  types: () => [{ command: bin("tsc"), args: ["-p", "test/types"] }],
  memory: () => [{ command: process.execPath, args: ["--expose-gc", "test/memory/runs.mjs"] }],
  // The recorded slice counted again, what is switched off found, some power cuts and some real processes.
  torture: () =>
    [["broken.mjs"], ["run.mjs", "--replay"], ["run.mjs", "--parts", "power,kills,stalls", "--cuts", "80", "--kills", "40", "--stalls", "12"]].map(
      ([script, ...options]) => ({ command: newerNode(), args: [`test/torture/${script}`, ...options] }),
    ),
  packaging: () => [{ command: process.execPath, args: ["test/packaging/packaging.mjs"] }],
};

const named = process.argv.slice(2);
const unknown = named.find((name) => !(name in parts));
if (unknown !== undefined) {
  console.error(`test: there is no part "${unknown}". Parts: ${Object.keys(parts).join(", ")}.`);
  process.exit(2);
}
const results = [];
// What is verified is the same code on both bindings: the longer way is for the nights.
const usual = Object.keys(parts).filter((name) => name !== "verify-wasm");
for (const name of named.length > 0 ? named : usual) {
  const start = performance.now();
  let ok = true;
  for (const { command, args, env = {} } of parts[name]()) {
    console.log(`\n▶ ${name}: ${[command, ...args].join(" ").replaceAll(root, ".")}${env.BLAZEN_BINDING ? ` (${env.BLAZEN_BINDING})` : ""}`);
    const { status } = spawnSync(command, args, {
      cwd: root,
      stdio: ["ignore", "inherit", "inherit"],
      env: { ...process.env, NODE_ENV: "test", ...env },
      shell: throughShell(command),
    });
    ok &&= status === 0;
  }
  results.push({ name, ok, seconds: (performance.now() - start) / 1000 });
}

console.log("");
for (const { name, ok, seconds } of results) console.log(`${ok ? "ok    " : "FAILED"} ${name} (${seconds.toFixed(1)} s)`);
const failed = results.filter(({ ok }) => !ok).length;
console.log(`${results.length - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
