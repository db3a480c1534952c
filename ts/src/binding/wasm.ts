import { glue } from "@blazen/wasm/glue";
import type { Binding } from "./types";

/** A fresh instance of the core's module. */
export function wasmBinding(module: WebAssembly.Module): Binding {
  const core = glue();
  const { memory } = core.initSync({ module });
  const offset = core.bufferOffset();
  const words = core.bufferWords();
  let view = new Int32Array(memory.buffer, offset, words);
  return {
    kind: "wasm",
    buffer() {
      if (view.length === 0) view = new Int32Array(memory.buffer, offset, words);
      return view;
    },
    exchange: core.exchange,
    compile: core.compile,
    drop: core.dropPlan,
    lastError: core.lastError,
  };
}
