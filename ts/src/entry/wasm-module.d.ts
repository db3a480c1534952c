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
    save(run: number, document: Uint8Array, blob: Uint8Array): Uint8Array | undefined;
    changed(run: number): string | undefined;
    delta(run: number, document: Uint8Array, blob: Uint8Array): Uint8Array | undefined;
    merge(parts: Uint8Array, lengths: Uint32Array): Uint8Array | undefined;
    parse(source: Uint8Array): Uint8Array | undefined;
    text(snapshot: Uint8Array): string | undefined;
    document(snapshot: Uint8Array): string | undefined;
    upgrade(snapshot: Uint8Array, upgrade: Uint8Array, blob: Uint8Array): Uint8Array | undefined;
    restore(plan: number, snapshot: Uint8Array): number;
    verify(plan: number, run: number, snapshot: Uint8Array, unbegun: Uint32Array): string | undefined;
    digest(bytes: Uint8Array): string;
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
