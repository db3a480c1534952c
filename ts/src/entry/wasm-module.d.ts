// The package is built from this repository: its types are stated here, so that the facade compiles without it.
declare module "@blazen/wasm" {
  export interface WasmCore {
    readonly memory: WebAssembly.Memory;
    bufferOffset(): number;
    bufferWords(): number;
    exchange(): void;
    compile(definition: string): number;
    dropPlan(plan: number): void;
    lastError(): string;
  }
  export function instance(): WasmCore;
}
declare module "@blazen/wasm/glue" {
  export function instantiate(module: WebAssembly.Module): import("@blazen/wasm").WasmCore;
}
declare module "@blazen/wasm/blazen.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
