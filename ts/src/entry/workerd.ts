import module from "@blazen/wasm/blazen.wasm";
import { instantiate } from "@blazen/wasm/glue";
import { provide } from "../binding/load";
import { wasmBinding } from "../binding/wasm";

provide([{ name: "wasm", load: () => wasmBinding(instantiate(module)) }]);

export * from "../index";
