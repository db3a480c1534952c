import type { Binding, SqliteRuns } from "./types";

/** What the Node addon exports. */
export interface Addon {
  buffer(): ArrayBuffer;
  exchangeFunction(): () => void;
  compile(definition: string): number;
  dropPlan(plan: number): void;
  lastError(): string;
  save(run: number, document: Uint8Array, blob: Uint8Array): Uint8Array | null;
  changed(run: number): string | null;
  delta(run: number, document: Uint8Array, blob: Uint8Array): Uint8Array | null;
  merge(parts: Uint8Array, lengths: Uint32Array): Uint8Array | null;
  parse(source: Uint8Array): Uint8Array | null;
  text(snapshot: Uint8Array): string | null;
  document(snapshot: Uint8Array): string | null;
  upgrade(snapshot: Uint8Array, upgrade: Uint8Array, blob: Uint8Array): Uint8Array | null;
  restore(plan: number, snapshot: Uint8Array, children: Uint32Array): number;
  verify(plan: number, run: number, snapshot: Uint8Array, unbegun: Uint32Array): string | null;
  digest(bytes: Uint8Array): string;
  readonly SqliteRuns: new (path: string) => SqliteRuns;
}

export function nativeBinding(addon: Addon): Binding {
  const view = new Int32Array(addon.buffer());
  return {
    kind: "native",
    session: "json",
    buffer: () => view,
    exchange: addon.exchangeFunction(),
    compile: addon.compile,
    drop: addon.dropPlan,
    lastError: addon.lastError,
    save: (run, document, blob) => addon.save(run, document, blob) ?? undefined,
    changed: (run) => addon.changed(run) ?? undefined,
    delta: (run, document, blob) => addon.delta(run, document, blob) ?? undefined,
    merge: (parts, lengths) => addon.merge(parts, lengths) ?? undefined,
    parse: (source) => addon.parse(source) ?? undefined,
    text: (snapshot) => addon.text(snapshot) ?? undefined,
    document: (snapshot) => addon.document(snapshot) ?? undefined,
    upgrade: (snapshot, upgrade, blob) => addon.upgrade(snapshot, upgrade, blob) ?? undefined,
    restore: addon.restore,
    verify: (plan, run, snapshot, unbegun) => addon.verify(plan, run, snapshot, unbegun) ?? undefined,
    digest: addon.digest,
    openSqlite: (path) => new addon.SqliteRuns(path),
  };
}
