import { module } from "@blazen/wasm";
import { provide } from "../binding/load";
import { wasmBinding } from "../binding/wasm";

provide([{ name: "wasm", load: () => wasmBinding(module()) }]);
export * from "../index";
