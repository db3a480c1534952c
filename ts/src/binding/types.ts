/** The core as a carrier offers it; docs/internal/boundary.md tells what goes through the buffer. */
export interface Binding {
  readonly kind: "native" | "wasm";
  /** How the session goes where the workflow does not say (6.3). */
  readonly session: "json" | "live";
  /** The shared words. WASM gives a new view when its memory grew; the old one has length 0 then. */
  buffer(): Int32Array;
  exchange(): void;
  /** A plan's id, or the negative number of an error that `lastError` tells. */
  compile(definition: string): number;
  drop(plan: number): void;
  /** JSON: `{ code, message, step?, lacking? }`. */
  lastError(): string;
}
