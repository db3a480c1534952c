import type { Source } from "./load";
import { type Addon, nativeBinding } from "./native";
import { wasmBinding } from "./wasm";

/** The packages that may hold this machine's addon; the wrong C library fails to load, and only the right one is installed. */
function addonPackages({ platform, arch }: NodeJS.Process): string[] {
  const triples = platform === "linux" ? [`linux-${arch}-gnu`, `linux-${arch}-musl`] : [platform === "win32" ? `win32-${arch}-msvc` : `${platform}-${arch}`];
  return triples.map((triple) => `@blazen/node-${triple}`);
}

/** Native, else WASM, in which a program means the same (6.3); `BLAZEN_BINDING` pins one of them. */
export function nodeSources(require: NodeJS.Require): Source[] {
  const native = addonPackages(process).map((name) => ({ name, load: () => nativeBinding(require(name) as Addon) }));
  const wasm = (session: "json" | "live") => ({
    name: "@blazen/wasm",
    load: () => wasmBinding((require("@blazen/wasm") as typeof import("@blazen/wasm")).instance(), session),
  });
  const pinned = process.env["BLAZEN_BINDING"];
  if (pinned === undefined || pinned === "") return [...native, wasm("json")];
  if (pinned === "native") return native;
  if (pinned === "wasm") return [wasm("live")];
  const refuse = (): never => {
    throw new Error(`BLAZEN_BINDING is "native" or "wasm", not "${pinned}"`);
  };
  return [{ name: "BLAZEN_BINDING", load: refuse }];
}
