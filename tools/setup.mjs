// Sets up what the commands of this repository need; safe to repeat. `--test`: also what only the tests need.
import { checkRust, chromium, facade, links, nativeAddon, npmPackages, SetupError, wasmBindgen, wasmModule } from "./parts.mjs";

export async function setup({ test = false } = {}) {
  const [major] = process.versions.node.split(".");
  if (Number(major) < 20) throw new SetupError(`Node ${process.versions.node} is too old: 20 or newer is needed.`);
  const rustc = checkRust();
  await npmPackages();
  await nativeAddon(rustc);
  if (test) {
    await wasmBindgen(rustc);
    await wasmModule(rustc);
    await chromium();
  }
  links();
  await facade();
}

try {
  await setup({ test: process.argv.includes("--test") });
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  if (typeof error.cause === "string") console.error(error.cause);
  console.error(`setup: ${error.message}`);
  process.exitCode = 1;
}
