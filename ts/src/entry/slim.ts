import { instantiate } from "@blazen/wasm/glue";
import { provide } from "../binding/load";
import { wasmBinding } from "../binding/wasm";

/**
 * Gives the core's module to a program that fetches it itself, once, before the first run.
 *
 * @param source `@blazen/wasm/blazen.wasm`: a compiled module, its bytes, its URL, or a response with it
 */
export async function init(source: WebAssembly.Module | BufferSource | URL | Response): Promise<void> {
  const module = source instanceof WebAssembly.Module ? source : await compiled(source);
  provide([{ name: "wasm", load: () => wasmBinding(instantiate(module)) }]);
}

async function compiled(source: BufferSource | URL | Response): Promise<WebAssembly.Module> {
  if (source instanceof URL) return compiled(await fetch(source));
  if (source instanceof Response) return WebAssembly.compile(await source.arrayBuffer());
  return WebAssembly.compile(source);
}

export * from "../index";
