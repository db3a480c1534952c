// Lays out the package @blazen/wasm from what wasm-bindgen wrote.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const TYPES = `/** The core in linear memory; the package \`blazen\` is what drives it. */
export interface WasmCore {
  readonly memory: WebAssembly.Memory;
  bufferOffset(): number;
  bufferWords(): number;
  exchange(): void;
  compile(definition: string): number;
  dropPlan(plan: number): void;
  lastError(): string;
  /** A run as a snapshot's bytes; undefined: \`lastError\` tells why not, here and below. */
  save(run: number, document: Uint8Array, blob: Uint8Array): Uint8Array | undefined;
  parse(source: Uint8Array): Uint8Array | undefined;
  text(snapshot: Uint8Array): string | undefined;
  document(snapshot: Uint8Array): string | undefined;
  upgrade(snapshot: Uint8Array, upgrade: Uint8Array, blob: Uint8Array): Uint8Array | undefined;
  restore(plan: number, snapshot: Uint8Array): number;
  verify(plan: number, run: number, snapshot: Uint8Array, unbegun: Uint32Array): string | undefined;
  digest(bytes: Uint8Array): string;
}
`;

export async function writePackage(bindgen, out) {
  const { build } = await import("esbuild");
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const write = (name, text) => writeFileSync(join(out, name), text);
  const wasm = readFileSync(join(bindgen, "core_bg.wasm"));
  write("blazen.wasm", wasm);
  // wasm-bindgen's glue is a module with one instance in its variables. As the body of a function it can be had anew:
  // after a trap the memory of an instance is in an unknown state.
  const glue = await build({
    entryPoints: [join(bindgen, "core.js")],
    bundle: true,
    format: "iife",
    globalName: "core",
    minify: true,
    write: false,
    target: "es2022",
  });
  const body = `function instantiate(module) {\n${glue.outputFiles[0].text}\nconst { memory } = core.initSync({ module });\nreturn { ...core, memory };\n}\n`;
  write("glue.js", `export ${body}`);
  write("glue.d.ts", `${TYPES}/** A fresh instance. */\nexport declare function instantiate(module: WebAssembly.Module): WasmCore;\n`);
  write("glue.cjs", `${body}exports.instantiate = instantiate;\n`);
  write(
    "node.cjs",
    `const { readFileSync } = require("node:fs");\nconst { join } = require("node:path");\nconst { instantiate } = require("./glue.cjs");\nlet module_;\nexports.instance = () => instantiate((module_ ??= new WebAssembly.Module(readFileSync(join(__dirname, "blazen.wasm")))));\n`,
  );
  write("node.js", `import core from "./node.cjs";\nexport const { instance } = core;\n`);
  const types = `export type { WasmCore } from "./glue.js";\nimport type { WasmCore } from "./glue.js";\n/** A fresh instance of the module that comes with this package. */\nexport declare function instance(): WasmCore;\n`;
  write("inline.d.ts", types);
  write("node.d.cts", `${TYPES}export declare function instance(): WasmCore;\n`);
  write(
    "inline.js",
    `import { instantiate } from "./glue.js";\nconst text = "${wasm.toString("base64")}";\nlet module;\nexport function instance() {\n  module ??= new WebAssembly.Module(Uint8Array.from(atob(text), (character) => character.charCodeAt(0)));\n  return instantiate(module);\n}\n`,
  );
}
