// node test/packaging/packaging.mjs [folder of tarballs]: packs, unless a folder is named, installs the tarballs in an empty
// folder with nothing else, and uses them as users do.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { pack, packed } from "../../tools/pack.mjs";
import { machineNode, newerNode, root, throughShell, triple } from "../../tools/parts.mjs";

let passed = 0;
let failed = 0;
function check(title, ok, detail = "") {
  if (ok) passed++;
  else failed++;
  console.log(`${ok ? "ok  " : "FAIL"} ${title}${ok ? "" : `\n${detail}`}`);
}
function run(command, args, { cwd, env = {} }) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: "utf8", env: { ...process.env, ...env }, shell: throughShell(command) });
  return { ok: status === 0, out: `${stdout}${stderr}`.trim() };
}

const nodes = [...new Set([machineNode(), newerNode()])];

const program = (imports) => `${imports}
class Work extends event("Work") {}
class Done extends event("Done") {}
const workflow = new Workflow("packed")
  .step("fan", StartEvent, ({ size }) => Array.from({ length: size }, (_, n) => new Work({ n })))
  .step("work", Work, async ({ n }) => new Done({ n }))
  .step("sum", collect(Done, { of: "fan" }), (done) => new StopEvent({ result: done.length }));
workflow.run({ size: 10 }).then((result) => console.log(binding, result), (error) => console.log(error.code, error.message));
`;
const names = "{ binding, collect, event, StartEvent, StopEvent, Workflow }";

const folder = mkdtempSync(join(tmpdir(), "blazen-packaging-"));
const write = (name, text) => writeFileSync(join(folder, name), text);
try {
  // A release holds the addons of all machines; npm refuses to be given those of others.
  const own = ["blazen", "@blazen/wasm", `@blazen/node-${triple()}`];
  const all = process.argv[2] === undefined ? pack() : packed(resolve(process.argv[2]));
  const packages = Object.fromEntries(own.map((name) => [name, all[name]]));
  write("package.json", JSON.stringify({ name: "user", private: true, overrides: {} }));
  const installed = run("npm", ["install", "--no-audit", "--no-fund", ...Object.values(packages)], { cwd: folder });
  check("the tarballs install in an empty folder", installed.ok, installed.out);
  write("main.mjs", program(`import ${names} from "blazen";`));
  write("main.cjs", program(`const ${names} = require("blazen");`));
  for (const node of nodes) {
    const version = run(node, ["--version"], { cwd: folder }).out;
    for (const file of ["main.mjs", "main.cjs"]) {
      for (const carrier of ["native", "wasm"]) {
        const { out } = run(node, [file], { cwd: folder, env: { BLAZEN_BINDING: carrier } });
        check(`${file}, ${carrier}, Node ${version}`, out === `${carrier} 10`, out);
      }
    }
  }

  write(
    "user.ts",
    `import { event, StartEvent, StopEvent, Workflow, type Handler } from "blazen";
class Greet extends event("Greet")<{ name: string }> {}
const greet = new Workflow("greet").step("a", StartEvent<{ name: string }>, (s) => new Greet({ name: s.name })).step("b", Greet, (g) => new StopEvent({ result: g.name.length }));
export const handler: Handler<number> = greet.start({ name: "Ada" });
`,
  );
  for (const [module, resolution] of [
    ["nodenext", "nodenext"],
    ["esnext", "bundler"],
  ]) {
    const compilerOptions = {
      noEmit: true,
      strict: true,
      skipLibCheck: false,
      target: "es2022",
      lib: ["es2022", "esnext.disposable", "dom"],
      types: [],
      module,
      moduleResolution: resolution,
    };
    write("tsconfig.json", JSON.stringify({ compilerOptions, files: ["user.ts"] }));
    const types = run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", "."], { cwd: folder });
    check(`types under ${resolution}`, types.ok, types.out);
  }

  const { build } = await import("vite");
  write("browser.mjs", program(`import ${names} from "blazen";`).replace("console.log(binding, result)", 'globalThis.done([binding, result].join(" "))'));
  await build({
    root: folder,
    logLevel: "error",
    build: { outDir: join(folder, "bundle"), lib: { entry: join(folder, "browser.mjs"), formats: ["es"], fileName: "bundle" }, minify: true },
  });
  // The bundle holds all it needs: it runs where there is no package and no file to load.
  mkdirSync(join(folder, "page"));
  renameSync(join(folder, "bundle"), join(folder, "page/bundle"));
  const done = new Promise((resolve) => {
    globalThis.done = resolve;
  });
  const bundle = ["bundle.js", "bundle.mjs"].map((name) => join(folder, "page/bundle", name)).find(existsSync);
  await import(pathToFileURL(bundle).href);
  check("a bundle for the browser made with Vite", (await done) === "wasm 10");
  check("which asks for nothing of Node", !/from\s*["']node:|require\(["']node:/.test(readFileSync(bundle, "utf8")));

  for (const [name, file] of Object.entries(packages)) {
    const lint = run(process.execPath, [join(root, "node_modules/publint/src/cli.js"), file, "--strict"], { cwd: folder });
    check(`publint ${name}`, lint.ok, lint.out);
  }
  // `slim` and the entries of bundlers are ES modules only.
  const attw = run(
    process.execPath,
    [
      join(root, "node_modules/@arethetypeswrong/cli/dist/index.js"),
      packages.blazen,
      "--profile",
      "node16",
      "--ignore-rules",
      "cjs-resolves-to-esm",
      "--no-emoji",
    ],
    { cwd: folder },
  );
  check("attw blazen", attw.ok, attw.out);

  const addon = join(folder, "node_modules/@blazen", `node-${triple()}`);
  rmSync(addon, { recursive: true });
  const fallback = run(process.execPath, ["main.mjs"], { cwd: folder });
  check("without the addon it falls back to WASM", fallback.out === "wasm 10", fallback.out);
  rmSync(join(folder, "node_modules/@blazen/wasm"), { recursive: true });
  const neither = run(process.execPath, ["main.mjs"], { cwd: folder });
  check("with neither every attempt is listed", neither.out.includes(`@blazen/node-${triple()}: `) && neither.out.includes("@blazen/wasm: "), neither.out);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
