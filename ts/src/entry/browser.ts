import { instance } from "@blazen/wasm";
import { provide } from "../binding/load";
import { wasmBinding } from "../binding/wasm";

provide([{ name: "wasm", load: () => wasmBinding(instance()) }]);

export * from "../index";
