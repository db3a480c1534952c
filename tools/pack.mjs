// Builds the tarballs that would be published into dist/packages: blazen, @blazen/wasm and every addon that was built.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root, run } from "./parts.mjs";

/** The machines that releases are built for; npm installs the one that fits. */
const TRIPLES = ["linux-x64-gnu", "linux-arm64-gnu", "linux-x64-musl", "linux-arm64-musl", "darwin-x64", "darwin-arm64", "win32-x64-msvc", "win32-arm64-msvc"];

const json = (file) => JSON.parse(readFileSync(file, "utf8"));

/** @returns the paths by package name of the tarballs in a folder */
export const packed = (folder) =>
  Object.fromEntries(
    readdirSync(folder).map((file) => {
      const part = /^blazen-(wasm|node-.+?)-\d/.exec(file)?.[1];
      return [part === undefined ? "blazen" : `@blazen/${part}`, join(folder, file)];
    }),
  );

/** @returns the tarballs' paths by package name */
export function pack() {
  const out = join(root, "dist/packages");
  const staging = join(root, "dist/staging");
  rmSync(join(root, "dist"), { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const folders = [stage(staging, "blazen", join(root, "ts"), ["dist"]), stage(staging, "wasm", join(root, "bindings/wasm"), ["pkg"])];
  const addons = join(root, "bindings/node/npm");
  for (const triple of existsSync(addons) ? readdirSync(addons) : []) folders.push(stage(staging, triple, join(addons, triple), [`blazen.${triple}.node`]));
  for (const folder of folders) run("npm", ["pack", "--ignore-scripts", "--pack-destination", out], { cwd: folder });
  return packed(out);
}

/** A copy of what a package holds; the facade's names its addons, which the working tree cannot install before they exist. */
function stage(staging, name, from, contents) {
  const folder = join(staging, name);
  mkdirSync(folder, { recursive: true });
  for (const entry of contents) cpSync(join(from, entry), join(folder, entry), { recursive: true });
  cpSync(join(root, "LICENSE"), join(folder, "LICENSE"));
  if (name === "blazen") cpSync(join(root, "README.md"), join(folder, "README.md"));
  else writeFileSync(join(folder, "README.md"), `The core of blazen, which installs it: ${json(join(from, "package.json")).description}\n`);
  const manifest = json(join(from, "package.json"));
  if (name === "blazen") manifest.optionalDependencies = Object.fromEntries(TRIPLES.map((triple) => [`@blazen/node-${triple}`, manifest.version]));
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  return folder;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const packages = pack();
  for (const [name, file] of Object.entries(packages)) console.log(`${name}: ${file}`);
  const missing = process.argv.includes("--all") ? TRIPLES.filter((triple) => !(`@blazen/node-${triple}` in packages)) : [];
  if (missing.length > 0) {
    console.error(`pack: a release needs the addon of every machine; missing: ${missing.join(", ")} (node tools/addon.mjs builds one).`);
    process.exitCode = 1;
  }
}
