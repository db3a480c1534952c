import type { WasmCore } from "@blazen/wasm";
import type { Binding } from "./types";

/** A binding on a fresh instance of the core's module. */
export function wasmBinding(core: WasmCore, session: Binding["session"] = "live"): Binding {
  const offset = core.bufferOffset();
  const words = core.bufferWords();
  let view = new Int32Array(core.memory.buffer, offset, words);
  return {
    kind: "wasm",
    session,
    buffer() {
      if (view.length === 0) view = new Int32Array(core.memory.buffer, offset, words);
      return view;
    },
    exchange: core.exchange,
    compile: core.compile,
    drop: core.dropPlan,
    lastError: core.lastError,
    save: core.save,
    changed: core.changed,
    delta: core.delta,
    merge: core.merge,
    parse: core.parse,
    text: core.text,
    document: core.document,
    upgrade: core.upgrade,
    restore: core.restore,
    verify: core.verify,
    digest: core.digest,
  };
}
