import { binding } from "./binding/load";
import type { SqliteRuns } from "./binding/types";
import { DefinitionError, StoreError } from "./errors";
import type { CheckpointStore, Claim, Commit, CommitResult, Message, NewRun, RunFilter, RunInfo, StoredItem, StoredMessage, StoredRun } from "./store";
import { describe } from "./values";

/** Runs that are looked at for a list at a time. */
const PAGE = 1000;
const NO_BYTES = /* @__PURE__ */ new Uint8Array(0);

/** A run as the database tells of it: its bytes stand beside, one piece after the other. */
type Told = Omit<StoredRun, "bytes"> & { readonly lengths: readonly number[] };

/**
 * Keeps runs in a SQLite file (12): all commits that wait go in one transaction and one fsync, by a thread of its own. Several processes of
 * one machine may share the file. Needs the native addon: with the WASM binding there is none.
 *
 * @example
 * const store = new SqliteStore("runs.db");
 * await workflow.run(input, { store });
 */
export class SqliteStore implements CheckpointStore {
  readonly #runs: SqliteRuns;
  #closed: Promise<void> | undefined = undefined;

  /**
   * @param path of the file, which is made when it is first used; its folder is there
   * @throws DefinitionError for what is no path, StoreError without the native addon
   */
  constructor(private readonly path: string) {
    if (typeof path !== "string" || path === "") throw new DefinitionError(`SqliteStore: the path is a non-empty string, not ${describe(path)}.`);
    if (path === ":memory:") throw new DefinitionError("SqliteStore keeps runs in a file: for runs in memory use MemoryStore.");
    const { openSqlite } = binding();
    if (openSqlite === undefined)
      throw new StoreError(
        "SqliteStore needs the native addon, and the core runs on WebAssembly here. Install the addon of this machine, or use another store.",
      );
    this.#runs = openSqlite(path);
  }

  create({ base, ...run }: NewRun): Promise<boolean> {
    return this.#ask({ op: "create", run }, base);
  }
  async claim(claim: Claim): Promise<StoredRun[]> {
    const { answer, bytes } = await this.#request<Told[]>({ op: "claim", claim });
    let at = 0;
    return answer.map((told) => {
      const run = withBytes(told, bytes.subarray(at));
      for (const length of told.lengths) at += length;
      return run;
    });
  }
  append(commits: readonly Commit[]): Promise<CommitResult[]> {
    const told = commits.map(({ bytes, ...commit }) => ({ ...commit, length: bytes.byteLength }));
    return this.#ask({ op: "append", commits: told }, joined(commits.map(({ bytes }) => bytes)));
  }
  renew(runs: readonly { runId: string; epoch: number }[], leaseMs: number): Promise<boolean[]> {
    return this.#ask({ op: "renew", runs, leaseMs });
  }
  release(runs: readonly { runId: string; epoch: number }[]): Promise<void> {
    return this.#ask({ op: "release", runs });
  }
  push(runId: string, message: Message): Promise<"stored" | "known" | "over" | "unknown"> {
    return this.#ask({ op: "push", runId, message });
  }
  async read(runId: string): Promise<StoredRun | undefined> {
    const { answer, bytes } = await this.#request<Told | null>({ op: "read", runId });
    return answer === null ? undefined : withBytes(answer, bytes);
  }
  async info(runId: string): Promise<RunInfo | undefined> {
    return (await this.#ask<RunInfo | null>({ op: "info", runId })) ?? undefined;
  }
  told(owner: string): Promise<readonly string[]> {
    return this.#ask({ op: "told", owner });
  }
  messages(runId: string): Promise<readonly StoredMessage[]> {
    return this.#ask({ op: "messages", runId });
  }
  items(runId: string, from: number, limit: number): Promise<readonly StoredItem[]> {
    return this.#ask({ op: "items", runId, from, limit });
  }
  async *list(filter: RunFilter = {}): AsyncGenerator<RunInfo> {
    let after: string | undefined;
    for (;;) {
      const page: { runs: RunInfo[]; after?: string } = await this.#ask({ op: "list", filter, after, limit: PAGE });
      yield* page.runs;
      after = page.after;
      if (after === undefined) return;
    }
  }
  delete(runId: string): Promise<boolean> {
    return this.#ask({ op: "delete", runId });
  }
  /** What was asked for before is done first; what is asked for after is refused. Resolves when the file is let go. */
  close(): Promise<void> {
    this.#closed ??= this.#runs.request(JSON.stringify({ op: "close" }), NO_BYTES).then(() => this.#runs.close());
    return this.#closed;
  }

  async #ask<T>(request: object, bytes?: Uint8Array): Promise<T> {
    return (await this.#request<T>(request, bytes)).answer;
  }
  async #request<T>(request: object, blob: Uint8Array = NO_BYTES): Promise<{ answer: T; bytes: Uint8Array }> {
    if (this.#closed !== undefined) throw new StoreError(`The store ${this.path} has been closed.`, { cause: { kind: "closed" } });
    const { failure, text, bytes } = await this.#runs.request(JSON.stringify(request), blob);
    if (typeof failure === "string") throw new StoreError(`The store ${this.path}: ${text}.`, { cause: { kind: failure } });
    return { answer: JSON.parse(text) as T, bytes };
  }
}

function withBytes({ lengths, ...run }: Told, bytes: Uint8Array): StoredRun {
  let at = 0;
  const pieces = lengths.map((length) => {
    at += length;
    return new Uint8Array(bytes.subarray(at - length, at));
  });
  return { ...run, bytes: pieces };
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0]!;
  const all = new Uint8Array(pieces.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.byteLength;
  }
  return all;
}
