import { DefinitionError, StoreError } from "./errors";
import { Database, given, type Tables } from "./indexeddb";
import {
  type CheckpointStore,
  type Claim,
  type Commit,
  type CommitResult,
  isOver,
  isWanted,
  type Message,
  type NewRun,
  type RunFilter,
  type RunHead,
  type RunInfo,
  type StoredItem,
  type StoredMessage,
  type StoredRun,
} from "./store";
import { describe } from "./values";

/** Items of a stream that are kept. */
const ITEMS = 10_000;
/** Runs in a list that are asked for at a time. */
const PAGE = 1000;
/** The most that IndexedDB takes as a limit. */
const MOST = 0xffff_ffff;

/** A run in the database. */
interface Row {
  readonly runId: string;
  readonly workflow: string;
  readonly version: number;
  readonly head: RunHead;
  readonly epoch: number;
  readonly sequence: number;
  readonly owner: string | undefined;
  /** When the owner's lease is over, in ms since 1970; 0: nobody goes on with it. */
  readonly leaseEnd: number;
  /** How many messages it has not taken: their numbers go on from the head's `inbox`. */
  readonly said: number;
}

type Ref = { readonly runId: string; readonly epoch: number };

/**
 * Keeps runs in the browser's IndexedDB (12), where they outlive the page: reloaded, or opened again tomorrow, it goes on with them. All tabs
 * and workers of a site may share one. What it has answered is as durable as the browser can make it; the browser may delete what a site
 * keeps when the device is short of space, unless `navigator.storage.persist()` was granted.
 *
 * @example
 * const store = new IndexedDbStore("my-runs");
 * await workflow.run(input, { store });
 */
export class IndexedDbStore implements CheckpointStore {
  readonly #database: Database;

  /**
   * @param name of the database, which is made when it is first used
   * @param now the time in ms since 1970; for tests
   * @throws DefinitionError for what is no name, StoreError where there is no IndexedDB
   */
  constructor(
    name: string,
    private readonly now: () => number = Date.now,
  ) {
    if (typeof name !== "string" || name === "") throw new DefinitionError(`IndexedDbStore: the name is a non-empty string, not ${describe(name)}.`);
    if (typeof indexedDB === "undefined") throw new StoreError("IndexedDbStore needs a browser's IndexedDB, and there is none here. Use another store.");
    this.#database = new Database(name);
  }

  create({ runId, workflow, version, head, base, owner }: NewRun): Promise<boolean> {
    return this.#write(async ({ runs, pieces }) => {
      if ((await given(runs.getKey(runId))) !== undefined) return false;
      const leaseEnd = owner === undefined ? 0 : this.now() + owner.leaseMs;
      put(runs, { runId, workflow, version, head, epoch: 1, sequence: 0, owner: owner?.name, leaseEnd, said: 0 });
      pieces.put(base.slice(), [runId, 0]);
      return true;
    });
  }

  claim({ workflow, owner, leaseMs, limit, runId, released }: Claim): Promise<StoredRun[]> {
    return this.#write(async (tables) => {
      const now = this.now();
      const mine = (row: Row) => released !== true || (row.owner === owner && row.leaseEnd === 0);
      let rows: Row[];
      if (runId === undefined) {
        const due = tables.runs.index("due").getAll(IDBKeyRange.bound([workflow], [workflow, now]), released ? MOST : Math.min(limit, MOST));
        rows = (await given(due)).map(asRow).filter(mine).slice(0, limit);
      } else {
        const row = await find(tables, runId);
        const free = row?.workflow === workflow && row.leaseEnd <= now && !isOver(row.head) && mine(row);
        rows = free ? [row] : [];
      }
      return Promise.all(
        rows.map((row) => {
          const claimed = { ...row, epoch: row.epoch + 1, owner, leaseEnd: now + leaseMs };
          put(tables.runs, claimed);
          return stored(tables, claimed);
        }),
      );
    });
  }

  append(commits: readonly Commit[]): Promise<CommitResult[]> {
    return this.#write(async (tables) => {
      const results: CommitResult[] = [];
      for (const commit of commits) results.push(await appendOne(tables, commit));
      return results;
    });
  }

  renew(runs: readonly Ref[], leaseMs: number): Promise<boolean[]> {
    return this.#write((tables) => lease(tables, runs, this.now() + leaseMs));
  }

  async release(runs: readonly Ref[]): Promise<void> {
    await this.#write((tables) => lease(tables, runs, 0));
  }

  push(runId: string, { id, body }: Message): Promise<"stored" | "known" | "over" | "unknown"> {
    return this.#write(async (tables) => {
      const row = await find(tables, runId);
      if (row === undefined) return "unknown";
      if (isOver(row.head)) return "over";
      if ((await given(tables.messages.index("id").getKey([runId, id]))) !== undefined) return "known";
      tables.messages.put({ runId, number: row.head.inbox + row.said, id, body });
      put(tables.runs, { ...row, said: row.said + 1 });
      return "stored";
    });
  }

  read(runId: string): Promise<StoredRun | undefined> {
    return this.#read(async (tables) => {
      const row = await find(tables, runId);
      return row === undefined ? undefined : stored(tables, row);
    });
  }

  info(runId: string): Promise<RunInfo | undefined> {
    return this.#read(async (tables) => {
      const row = await find(tables, runId);
      return row === undefined ? undefined : info(row);
    });
  }

  told(owner: string): Promise<readonly string[]> {
    return this.#read(async ({ runs }) => (await given(runs.index("told").getAllKeys(owner))) as string[]);
  }

  messages(runId: string): Promise<readonly StoredMessage[]> {
    return this.#read((tables) => messagesOf(tables, runId));
  }

  items(runId: string, from: number, limit: number): Promise<readonly StoredItem[]> {
    return this.#read(async ({ items }) => {
      const found: StoredItem[] = await given(items.getAll(IDBKeyRange.bound([runId, from], [runId, []]), limit));
      return found.map(({ offset, text }) => ({ offset, text: String(text) }));
    });
  }

  async *list(filter: RunFilter = {}): AsyncGenerator<RunInfo> {
    let after = "";
    for (;;) {
      const rows = await this.#read(async ({ runs }) => (await given(runs.getAll(IDBKeyRange.lowerBound(after, true), PAGE))).map(asRow));
      for (const row of rows) if (isWanted(info(row), filter)) yield info(row);
      if (rows.length < PAGE) return;
      after = rows.at(-1)!.runId;
    }
  }

  delete(runId: string): Promise<boolean> {
    return this.#write(async (tables) => {
      const row = await find(tables, runId);
      if (row === undefined || !isOver(row.head)) return false;
      tables.runs.delete(runId);
      tables.pieces.delete(all(runId));
      tables.messages.delete(all(runId));
      tables.items.delete(all(runId));
      return true;
    });
  }

  /** What was asked for before is done first; what is asked for after is refused. */
  close(): Promise<void> {
    return this.#database.close();
  }

  #read<T>(work: (tables: Tables) => Promise<T>): Promise<T> {
    return this.#database.transact("readonly", work);
  }
  #write<T>(work: (tables: Tables) => Promise<T>): Promise<T> {
    return this.#database.transact("readwrite", work);
  }
}

async function appendOne(tables: Tables, { runId, epoch, sequence, kind, bytes, head, items = [] }: Commit): Promise<CommitResult> {
  const { runs, pieces, messages } = tables;
  const row = await find(tables, runId);
  if (row === undefined) return "unknown";
  if (row.epoch !== epoch || row.sequence !== sequence - 1) return "fenced";
  const over = isOver(head);
  if (over || kind === "base") pieces.delete(all(runId));
  if (!over && kind !== "head") pieces.put(bytes.slice(), [runId, sequence]);
  for (const { offset, text } of items) tables.items.put({ runId, offset, text });
  const last = items.at(-1);
  if (last !== undefined) tables.items.delete(IDBKeyRange.bound([runId], [runId, last.offset - ITEMS]));
  const taken = over ? row.said : Math.min(row.said, head.inbox - row.head.inbox);
  if (over) messages.delete(all(runId));
  else if (taken > 0) messages.delete(IDBKeyRange.bound([runId], [runId, head.inbox], false, true));
  put(runs, { ...row, head, sequence, said: row.said - taken, ...(over ? { owner: undefined, leaseEnd: 0 } : {}) });
  return "stored";
}

/** Sets the end of leases. @returns for each run whether it is still the owner's */
async function lease(tables: Tables, runs: readonly Ref[], leaseEnd: number): Promise<boolean[]> {
  const kept: boolean[] = [];
  for (const { runId, epoch } of runs) {
    const row = await find(tables, runId);
    const owned = row?.epoch === epoch && row.leaseEnd > 0;
    if (owned) put(tables.runs, { ...row, leaseEnd });
    kept.push(owned);
  }
  return kept;
}

/** With what the indexes need: when the run may be claimed, and which owner is to hear that it has messages. */
function put(runs: IDBObjectStore, row: Row): void {
  const { head, leaseEnd, said, owner } = row;
  const goes = head.status === "queued" || head.status === "running" || said > 0 ? 0 : head.deadline;
  const due = isOver(head) || goes === undefined ? undefined : Math.max(goes, leaseEnd);
  runs.put({ ...row, due, toldTo: said > 0 && leaseEnd > 0 ? owner : undefined });
}

async function find({ runs }: Tables, runId: string): Promise<Row | undefined> {
  const row: unknown = await given(runs.get(runId));
  return row === undefined ? undefined : asRow(row);
}

/** Any script of the site may have written it. @throws StoreError for what is no run */
function asRow(value: unknown): Row {
  const row = value as Row;
  const { head } = row;
  const texts = [row.runId, row.workflow, head?.status, ...(Array.isArray(head?.requests) ? head.requests : [undefined])];
  const numbers = [row.version, row.epoch, row.sequence, row.leaseEnd, row.said, head?.inbox, head?.stream, head?.at, head?.deadline ?? 0];
  const others = [row.owner ?? "", head?.outcome ?? ""];
  if ([...texts, ...others].every((text) => typeof text === "string") && numbers.every(Number.isFinite)) return row;
  throw new StoreError(`The store holds something that is no run, under the id ${describe(row.runId)}. Something else has written to its database.`);
}

function info({ runId, workflow, version, head, leaseEnd }: Row): RunInfo {
  return { ...head, runId, workflow, version, leaseEnd };
}

async function stored(tables: Tables, row: Row): Promise<StoredRun> {
  const [pieces, messages] = await Promise.all([given(tables.pieces.getAll(all(row.runId))), messagesOf(tables, row.runId)]);
  if (!pieces.every((piece) => piece instanceof Uint8Array))
    throw new StoreError(`The store holds bytes of the run ${row.runId} that are none. Something else has written to its database.`);
  return { ...info(row), epoch: row.epoch, sequence: row.sequence, bytes: pieces, messages };
}

async function messagesOf({ messages }: Tables, runId: string): Promise<StoredMessage[]> {
  const found: StoredMessage[] = await given(messages.getAll(all(runId)));
  return found.map(({ id, body, number }) => ({ id: String(id), body: String(body), number }));
}

/** The keys of all that belongs to a run: arrays come after all numbers. */
function all(runId: string): IDBKeyRange {
  return IDBKeyRange.bound([runId], [runId, []]);
}
