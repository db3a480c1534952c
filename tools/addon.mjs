// node tools/addon.mjs RUST_TARGET [flags of napi build]: builds the addon for one machine into bindings/node/npm.
import { buildAddon } from "./parts.mjs";

const NAMES = {
  "x86_64-unknown-linux-gnu": "linux-x64-gnu",
  "aarch64-unknown-linux-gnu": "linux-arm64-gnu",
  "x86_64-unknown-linux-musl": "linux-x64-musl",
  "aarch64-unknown-linux-musl": "linux-arm64-musl",
  "x86_64-apple-darwin": "darwin-x64",
  "aarch64-apple-darwin": "darwin-arm64",
  "x86_64-pc-windows-msvc": "win32-x64-msvc",
  "aarch64-pc-windows-msvc": "win32-arm64-msvc",
};
const [target, ...flags] = process.argv.slice(2);
if (!(target in NAMES)) {
  console.error(`addon: there is no target "${target}". Targets: ${Object.keys(NAMES).join(", ")}.`);
  process.exit(2);
}
buildAddon(NAMES[target], ["--target", target, ...flags]);
