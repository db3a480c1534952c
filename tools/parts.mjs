// The parts of the set-up: each knows its inputs, so that nothing is done twice, and says in one sentence what is missing.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const stamps = join(root, "target/setup");
export const tools = join(root, "target/tools");

export class SetupError extends Error {}

const windows = process.platform === "win32";
const executable = (path) => (windows ? `${path}.exe` : path);
/** Windows finds npm and npx, which are scripts, through its shell only; a path with a space would not survive that. */
export const throughShell = (command) => windows && !command.endsWith(".exe");

/** The machine's own Node: npm puts the one of the npm package `node` first in PATH. */
export function machineNode() {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => !folder.includes("node_modules"));
  return folders.map((folder) => join(folder, executable("node"))).find(existsSync) ?? process.execPath;
}

/** What the development tools run on: they ask for a newer Node than the product does, and the npm package `node` brings it. */
export function newerNode() {
  const packaged = join(root, "node_modules/node/bin", executable("node"));
  return existsSync(packaged) ? packaged : process.execPath;
}

/** Runs a command; its output is shown only when it fails. */
export function run(command, args, { env = {}, cwd = root, remedy } = {}) {
  const shell = throughShell(command);
  const { status, error, stdout, stderr } = spawnSync(command, args, { cwd, env: { ...process.env, ...env }, encoding: "utf8", maxBuffer: 1 << 28, shell });
  if (status === 0) return stdout;
  const output = `${stdout ?? ""}${stderr ?? ""}`.trim().split("\n").slice(-25).join("\n");
  throw new SetupError(`${remedy ?? `\`${command} ${args.join(" ")}\` failed; its last lines are above.`}`, { cause: error ?? output });
}

/** A hash of files and folders by content, and of strings. */
function fingerprint(inputs) {
  const hash = createHash("sha256");
  const add = (path) => {
    if (!existsSync(path)) return;
    const stat = lstatSync(path);
    if (stat.isDirectory())
      for (const name of readdirSync(path).sort())
        name === "node_modules" || name === "target" || name === "pkg" || name === "npm" ? undefined : add(join(path, name));
    else if (stat.isFile()) hash.update(relative(root, path)).update("\0").update(readFileSync(path)).update("\0");
  };
  for (const input of inputs) input.startsWith("=") ? hash.update(input) : add(join(root, input));
  return hash.digest("hex");
}

/** Does a part unless its inputs are those of the last time and its outputs are there. */
export async function part(name, { inputs, outputs = [], work }) {
  const stamp = join(stamps, `${name.replaceAll(" ", "-")}.stamp`);
  const print = fingerprint(inputs);
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === print && outputs.every((path) => existsSync(join(root, path)))) return;
  const start = performance.now();
  process.stdout.write(`setup: ${name} …\n`);
  await work();
  mkdirSync(stamps, { recursive: true });
  writeFileSync(stamp, print);
  process.stdout.write(`setup: ${name} done in ${((performance.now() - start) / 1000).toFixed(1)} s\n`);
}

const CORE = ["crates/blazen-core/src", "crates/blazen-core/Cargo.toml", "Cargo.toml", "Cargo.lock"];

/** The compiler's version; makes sure that one is found where the pinned one cannot be had. */
export function checkRust() {
  const ask = () => spawnSync("rustc", ["--version"], { cwd: root, encoding: "utf8" });
  let found = ask();
  if (found.error === undefined && found.status !== 0 && process.env.RUSTUP_TOOLCHAIN === undefined) {
    // rustup could not download the version of rust-toolchain.toml: the one that is there may do.
    process.env.RUSTUP_TOOLCHAIN = "stable";
    found = ask();
  }
  const version = /rustc 1\.(\d+)/.exec(found.stdout ?? "");
  if (found.status !== 0 || version === null)
    throw new SetupError("Rust is missing: install it from https://rustup.rs, or Debian's packages rustc and cargo (1.88 or newer), and run this again.");
  if (Number(version[1]) < 88) throw new SetupError(`Rust 1.${version[1]} is too old: 1.88 or newer is needed (rustup update stable).`);
  return found.stdout.trim();
}

export const npmPackages = () =>
  part("npm packages", {
    inputs: ["package-lock.json", "package.json", "ts/package.json", "bindings/wasm/package.json"],
    outputs: ["node_modules/.package-lock.json"],
    work: () =>
      run("npm", [existsSync(join(root, "package-lock.json")) ? "ci" : "install", "--no-audit", "--no-fund"], {
        remedy: "The npm packages could not be installed: check the network and the npm registry setting, and run this again.",
      }),
  });

/** napi's name of this machine, as in the packages @blazen/node-<triple>. */
export function triple() {
  const { platform, arch } = process;
  if (platform === "linux") return `linux-${arch}-${process.report?.getReport().header.glibcVersionRuntime ? "gnu" : "musl"}`;
  return windows ? `win32-${arch}-msvc` : `${platform}-${arch}`;
}

export const nativeAddon = (rustc) =>
  part("native addon", {
    inputs: [
      ...CORE,
      "crates/blazen-runtime/src",
      "crates/blazen-runtime/Cargo.toml",
      "bindings/node/src",
      "bindings/node/Cargo.toml",
      "bindings/node/build.rs",
      "bindings/node/package.json",
      `=${rustc}`,
    ],
    outputs: [`bindings/node/npm/${triple()}/blazen.${triple()}.node`],
    work: () => buildAddon(triple(), []),
  });

/** Builds the addon's package for a machine; what was there stays until the new one is. */
export function buildAddon(name, flags) {
  const out = join(root, "bindings/node/npm", name);
  const fresh = join(root, "target/addon", name);
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  run("npx", ["napi", "build", "--platform", "--release", "--cwd", "bindings/node", "--output-dir", `../../target/addon/${name}`, "--no-js", ...flags], {
    remedy: "The native addon could not be built: the compiler's last lines are above.",
  });
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  cpSync(join(fresh, `blazen.${name}.node`), join(out, `blazen.${name}.node`));
  writeFileSync(join(out, "package.json"), `${JSON.stringify(addonManifest(name), null, 2)}\n`);
}

/** package.json of an addon's package: npm installs only the one that fits the machine. */
export function addonManifest(name) {
  const { version, license } = JSON.parse(readFileSync(join(root, "ts/package.json"), "utf8"));
  const [os, cpu, abi] = name.split("-");
  return {
    name: `@blazen/node-${name}`,
    version,
    description: `The core of blazen as a Node addon for ${name}.`,
    license,
    engines: { node: ">=20" },
    os: [os],
    cpu: [cpu],
    ...(os === "linux" ? { libc: [abi === "gnu" ? "glibc" : "musl"] } : {}),
    main: `blazen.${name}.node`,
    files: [`blazen.${name}.node`],
  };
}

/** Development loads the packages that users install: node_modules/@blazen holds links to the built ones. */
export function links() {
  const scope = join(root, "node_modules/@blazen");
  mkdirSync(scope, { recursive: true });
  for (const [name, target] of [
    [`node-${triple()}`, `bindings/node/npm/${triple()}`],
    ["wasm", "bindings/wasm"],
  ]) {
    const link = join(scope, name);
    if (existsSync(link)) continue;
    rmSync(link, { force: true });
    symlinkSync(join(root, target), link, "junction");
  }
}

export const facade = () =>
  part("facade", {
    inputs: ["ts/src", "ts/tsup.config.ts", "ts/tsconfig.json", "ts/package.json", "tsconfig.base.json", "package-lock.json"],
    outputs: ["ts/dist/node.js", "ts/dist/node.cjs", "ts/dist/browser.js", "ts/dist/node.d.ts"],
    work() {
      rmSync(join(root, "ts/dist"), { recursive: true, force: true });
      run("npx", ["tsup"], { cwd: join(root, "ts"), remedy: "The facade could not be built: the compiler's last lines are above." });
    },
  });

/** Makes sure of the target wasm32-unknown-unknown; @returns the environment to compile for it in */
export function wasmEnvironment() {
  const env = { CARGO_TARGET_DIR: join(root, "target/wasm") };
  const remedy =
    "The Rust target wasm32-unknown-unknown is missing: run `rustup target add wasm32-unknown-unknown` where the network allows it, and run this again.";
  if (windows) {
    run("rustup", ["target", "add", "wasm32-unknown-unknown"], { remedy });
    return env;
  }
  // What the script does goes to stderr at once: it may take minutes.
  const { status, stdout: assignments } = spawnSync("bash", ["tools/wasm-target.sh"], { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  if (status !== 0) throw new SetupError(remedy);
  const toolchain = /RUSTUP_TOOLCHAIN=(\S+)/.exec(assignments)?.[1];
  return {
    ...env,
    ...(toolchain === undefined ? {} : { RUSTUP_TOOLCHAIN: toolchain }),
    ...(assignments.includes("PATH=") ? { PATH: `/usr/bin:${process.env.PATH}` } : {}),
  };
}

/** Compiles the core to WebAssembly and writes the package @blazen/wasm. */
export const wasmModule = (rustc) =>
  part("WASM module", {
    inputs: [
      ...CORE,
      "bindings/wasm/src",
      "bindings/wasm/Cargo.toml",
      "bindings/wasm/package.json",
      "tools/wasm-bindgen/src",
      "tools/wasm-bindgen/Cargo.lock",
      "tools/wasm-package.mjs",
      `=${rustc}`,
    ],
    outputs: ["bindings/wasm/pkg/blazen.wasm", "bindings/wasm/pkg/inline.js"],
    async work() {
      const env = wasmEnvironment();
      run("cargo", ["build", "--locked", "--profile", "wasm", "--target", "wasm32-unknown-unknown", "-p", "blazen-wasm"], {
        env,
        remedy: "The WASM module could not be built: the compiler's last lines are above.",
      });
      const out = join(root, "target/wasm/bindgen");
      run(join(tools, executable("debug/wasm-bindgen-tool")), [join(root, "target/wasm/wasm32-unknown-unknown/wasm/blazen_wasm.wasm"), out]);
      const { writePackage } = await import("./wasm-package.mjs");
      await writePackage(out, join(root, "bindings/wasm/pkg"));
    },
  });

/** wasm-bindgen's library instead of its command line and wasm-pack: under a minute instead of nine. */
export const wasmBindgen = (rustc) =>
  part("wasm-bindgen", {
    inputs: ["tools/wasm-bindgen/src", "tools/wasm-bindgen/Cargo.toml", "tools/wasm-bindgen/Cargo.lock", `=${rustc}`],
    outputs: [executable("target/tools/debug/wasm-bindgen-tool")],
    work: () =>
      run("cargo", ["build", "--locked", "--manifest-path", "tools/wasm-bindgen/Cargo.toml"], {
        env: { CARGO_TARGET_DIR: tools },
        remedy: "wasm-bindgen could not be built: check the network (crates are needed), and run this again.",
      }),
  });

/** Where Chromium is: CHROMIUM, or what Debian installs. */
export function chromiumPath() {
  const places = [
    process.env.CHROMIUM,
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
  ];
  return places.find((place) => place !== undefined && existsSync(place));
}

/** How tests start it: the options of Playwright's `launch`. */
export const chromiumLaunch = () => ({
  executablePath: chromiumPath() ?? "chromium",
  args: [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});

export async function chromium() {
  if (chromiumPath() !== undefined) return;
  const missing = new SetupError("Chromium is missing: install it (Debian: apt-get install chromium), or set CHROMIUM to its path, and run this again.");
  if (process.platform !== "linux" || spawnSync("apt-get", ["--version"]).status !== 0) throw missing;
  await part("Chromium", {
    inputs: ["=chromium"],
    outputs: ["/usr/bin/chromium"],
    work() {
      const asRoot = process.getuid?.() === 0 ? [] : ["sudo"];
      const apt = (...args) =>
        run([...asRoot, "apt-get"][0], [...asRoot.slice(1), ...(asRoot.length ? ["apt-get"] : []), ...args], {
          env: { DEBIAN_FRONTEND: "noninteractive" },
          remedy: missing.message,
        });
      apt("update", "-qq");
      apt("install", "-y", "-qq", "--no-install-recommends", "chromium");
    },
  });
}
