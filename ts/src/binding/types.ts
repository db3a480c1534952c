/** Runs in a SQLite file: requests in JSON, with bytes beside it. */
export interface SqliteRuns {
  request(text: string, bytes: Uint8Array): Promise<{ readonly failure?: string | undefined; readonly text: string; readonly bytes: Uint8Array }>;
  close(): void;
}

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
  /** The snapshot of a run in its binary form, of which `document` is the host's part. Like the calls below undefined when `lastError` tells why not. */
  save(run: number, document: Uint8Array, blob: Uint8Array): Uint8Array | undefined;
  /** JSON: what the host must give for the next delta of a run whose base was saved. */
  changed(run: number): string | undefined;
  /** What has changed in a run since its last base or delta; `document` is the host's part of it. */
  delta(run: number, document: Uint8Array, blob: Uint8Array): Uint8Array | undefined;
  /** The snapshot that a base and the deltas after it make, which stand in `parts` one after the other. */
  merge(parts: Uint8Array, lengths: Uint32Array): Uint8Array | undefined;
  /** The binary form of a snapshot in any form. */
  parse(source: Uint8Array): Uint8Array | undefined;
  /** The text form. */
  text(snapshot: Uint8Array): string | undefined;
  /** JSON of what the host keeps of a snapshot: docs/internal/boundary.md. */
  document(snapshot: Uint8Array): string | undefined;
  /** The snapshot with the events, entries and names of steps in `upgrade`. */
  upgrade(snapshot: Uint8Array, upgrade: Uint8Array, blob: Uint8Array): Uint8Array | undefined;
  /** The handle of a run that goes on with its first exchange, or the negative number of an error. `children`: the plans of its child runs, in the order of `document`. */
  restore(plan: number, snapshot: Uint8Array, children: Uint32Array): number;
  /** The member of a run that its snapshot has lost; empty: none. */
  verify(plan: number, run: number, snapshot: Uint8Array, unbegun: Uint32Array): string | undefined;
  /** Opens runs in a SQLite file, where the carrier can. */
  readonly openSqlite?: (path: string) => SqliteRuns;
  /** A hash of bytes, the same everywhere. */
  digest(bytes: Uint8Array): string;
}
