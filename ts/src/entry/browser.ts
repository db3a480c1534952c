import { instance } from "@blazen/wasm";
import { carrier, provide } from "../binding/load";
import { wasmBinding } from "../binding/wasm";

provide([{ name: "wasm", load: () => wasmBinding(instance()) }]);

export * from "../index";

/** Which carrier the core runs on, here and now; undefined if none could be loaded. */
export const binding = carrier();
