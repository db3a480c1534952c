import { StoreError } from "./errors";

/** What a store keeps where, each with the key of its entries. */
export interface Tables {
  /** By id. */
  readonly runs: IDBObjectStore;
  /** A run's base and deltas, by id and sequence. */
  readonly pieces: IDBObjectStore;
  /** By id and number. */
  readonly messages: IDBObjectStore;
  /** Of streams, by id and offset. */
  readonly items: IDBObjectStore;
}

const NAMES = ["runs", "pieces", "messages", "items"] as const;
const VERSION = 1;

/** What became of the database, and what to do, by the name of a DOMException. */
const REMEDIES: Record<string, string> = {
  QuotaExceededError: "there is no room left for this site: delete runs that are over, or free space on the device",
  VersionError: "another tab runs a newer version of blazen, which has changed the database: reload this page",
  SecurityError: "this page may not store data: allow it in the browser's settings, or use a MemoryStore",
  NotFoundError: "the database is another program's: choose another name",
};
const ELSE = "the browser has failed to use the database: try again, and use a MemoryStore where it never works, as in some private windows";

/** A database of IndexedDB: opened when it is first used, and again when the browser has closed it. */
export class Database {
  #opening: Promise<IDBDatabase> | undefined = undefined;
  #closed = false;

  constructor(private readonly name: string) {}

  /** All that `work` asks for in one transaction, which is on disk when this resolves; it waits for nothing else. @throws (as a rejection) StoreError */
  async transact<T>(mode: "readonly" | "readwrite", work: (tables: Tables) => Promise<T>): Promise<T> {
    let transaction: IDBTransaction | undefined;
    try {
      const database = await this.#open();
      transaction = database.transaction(NAMES, mode, { durability: "strict" });
      const over = end(transaction);
      const tables = Object.fromEntries(NAMES.map((name) => [name, transaction!.objectStore(name)])) as unknown as Tables;
      const result = await work(tables);
      await over;
      return result;
    } catch (error) {
      throw this.#failure(transaction?.error ?? abort(transaction, error));
    }
  }

  /** What was asked for before is done first. */
  async close(): Promise<void> {
    this.#closed = true;
    (await this.#opening?.catch(() => undefined))?.close();
  }

  #open(): Promise<IDBDatabase> {
    if (this.#closed) throw new StoreError(`The store "${this.name}" was closed.`);
    const again = () => {
      this.#opening = undefined;
    };
    this.#opening ??= open(this.name, again).catch((error: unknown) => {
      again();
      throw error;
    });
    return this.#opening;
  }

  #failure(cause: unknown): unknown {
    if (cause instanceof StoreError || !(cause instanceof DOMException)) return cause;
    return new StoreError(`The store "${this.name}": ${REMEDIES[cause.name] ?? ELSE} (${cause.name}: ${cause.message}).`, { cause });
  }
}

/** @param gone called when the connection is no more: somebody deletes or changes the database, or the browser has closed it */
function open(name: string, gone: () => void): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, VERSION);
    request.onupgradeneeded = () => makeTables(request.result);
    request.onerror = () => reject(request.error);
    let blocked = false;
    request.onblocked = () => {
      blocked = true;
      reject(new StoreError(`The store "${name}": another tab has an older version of it open. Close that tab, or reload it.`));
    };
    request.onsuccess = () => {
      const database = request.result;
      if (blocked) return database.close();
      const leave = () => {
        database.close();
        gone();
      };
      // Else the tab that wants to change it would wait for this one.
      database.onversionchange = leave;
      database.onclose = leave;
      resolve(database);
    };
  });
}

function makeTables(database: IDBDatabase): void {
  const runs = database.createObjectStore("runs", { keyPath: "runId" });
  // A run without `due` or `toldTo` is not in these.
  runs.createIndex("due", ["workflow", "due"]);
  runs.createIndex("told", "toldTo");
  database.createObjectStore("pieces");
  const messages = database.createObjectStore("messages", { keyPath: ["runId", "number"] });
  database.createObjectStore("items", { keyPath: ["runId", "offset"] });
  messages.createIndex("id", ["runId", "id"], { unique: true });
}

/** What a request gives. */
export function given<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function end(transaction: IDBTransaction): Promise<void> {
  const over = new Promise<void>((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });
  // Whatever has failed first tells of it.
  over.catch(() => {});
  return over;
}

/** Undoes what was done in it. @returns the reason */
function abort(transaction: IDBTransaction | undefined, reason: unknown): unknown {
  try {
    transaction?.abort();
  } catch {
    // It is over already.
  }
  return reason;
}
