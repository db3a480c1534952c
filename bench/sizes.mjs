// What a page downloads: the WASM module, and the facade's JavaScript bundled and minified; both gzipped.
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { table } from "./table.mjs";

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), "..");
const gzip = (bytes) => gzipSync(bytes, { level: 9 }).length;

export async function sizes({ bars, verdicts }) {
  const pkg = path.join(root, "bindings/wasm/pkg");
  const wasm = fs.readdirSync(pkg).find((name) => name.endsWith(".wasm"));
  const figures = {
    wasm: gzip(fs.readFileSync(path.join(pkg, wasm))),
    facade: gzip(await bundle()),
  };
  return Object.fromEntries(
    Object.entries(figures).map(([name, bytes]) => [
      name,
      { bytes, bar: bars.gzipKB[name] * 1000, verdict: verdicts.at(`gzip ${name} bytes`, bytes, bars.gzipKB[name] * 1000) },
    ]),
  );
}

/** The browser's entry, as a bundler resolves it; the module itself is counted apart. */
async function bundle() {
  const { build } = createRequire(path.join(root, "package.json"))("esbuild");
  const { outputFiles } = await build({
    stdin: { contents: 'export * from "blazen";', resolveDir: root },
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    platform: "browser",
    conditions: ["browser"],
    external: ["@blazen/*"],
    define: { "process.env.NODE_ENV": '"production"' },
  });
  return outputFiles[0].contents;
}

export function printSizes(figures) {
  return table(
    ["gzip", "bytes", "bar", ""],
    Object.entries(figures).map(([name, { bytes, bar, verdict }]) => [name === "wasm" ? "WASM module" : "facade's JavaScript", bytes, bar, verdict]),
  );
}
