// Runs in the browser's own database: what stores promise, pages that go in the middle, other tabs, and failures.
import { type CheckpointStore, FencedError, IndexedDbStore, StoreError } from "blazen";
import { storeConformance } from "blazen/testing";
import { afterEach, describe, expect, test, vi } from "vitest";
import { ITEMS, stored } from "./stored-workflow";

let names = 0;
let name = "";
const fresh = () => {
  name = `blazen-test-${Date.now()}-${names++}`;
  return new IndexedDbStore(name);
};
const caught = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.fail("it resolved"),
    (error) => error,
  );
/** What a request to the database itself gives. */
const given = <T>(request: IDBRequest<T>) =>
  new Promise<T>((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
const head = { status: "queued", requests: [], inbox: 0, stream: 0, at: 1 } as const;
const add = (store: CheckpointStore, runId: string, base = new Uint8Array(8)) => store.create({ runId, workflow: "flow", version: 1, head, base });

afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  await given(indexedDB.deleteDatabase(name));
});

describe("IndexedDbStore", () => {
  for (const { name: rule, run } of storeConformance(fresh, { reopen: () => new IndexedDbStore(name) })) test(rule, run);
});

describe("a run", () => {
  test("is gone on with when its page is gone in the middle: what was under way is done again, and nothing else", async () => {
    fresh();
    const worker = new Worker(new URL("./stored.worker.ts", import.meta.url), { type: "module" });
    const begun: number[] = [];
    await new Promise<void>((resolve) => {
      worker.onmessage = ({ data }) => {
        begun.push(data);
        if (data === 3) resolve();
      };
      worker.postMessage({ name, hold: 3 });
    });
    worker.terminate();
    expect(begun).toEqual([0, 1, 2, 3]);

    const store = new IndexedDbStore(name);
    const workflow = stored((n) => begun.push(n));
    const [handler] = await vi.waitUntil(async () => {
      const handlers = await workflow.recover(store);
      return handlers.length > 0 && handlers;
    });
    expect(await handler!.result()).toEqual([ITEMS, 15]);
    expect(begun).toEqual([0, 1, 2, 3, 3, 4, 5]);
    await store.close();
    // The page after that finds the result.
    const next = new IndexedDbStore(name);
    expect(await workflow.run({}, { store: next, runId: "r" })).toEqual([ITEMS, 15]);
    await next.close();
  });

  test("waits for a person over a reload, and is answered by way of the store", async () => {
    const first = fresh();
    const handler = stored(() => {}, { asks: true }).start({}, { store: first, runId: "asks" });
    await vi.waitUntil(async () => (await first.info("asks"))?.status === "waiting");
    // A page that goes closes its connection, and its lease ends.
    await first.release([{ runId: "asks", epoch: 1 }]);
    await first.close();
    expect(handler.status).toBe("waiting");

    const store = new IndexedDbStore(name);
    const workflow = stored(() => {}, { asks: true });
    const attached = workflow.attach(store, "asks");
    await attached.respond("q", "yes");
    await using _worker = workflow.worker(store);
    expect(await attached.result()).toEqual(["yes", 15]);
    await store.close();
  });

  test("is enqueued, and a worker does it", async () => {
    const store = fresh();
    const workflow = stored(() => {});
    const ids = await Promise.all(["a", "b", "c"].map((runId) => workflow.enqueue(store, {}, { runId })));
    const workers = [workflow.worker(store, { concurrency: 2 }), workflow.worker(new IndexedDbStore(name))];
    const results = ids.map((runId) => workflow.attach(store, runId).result());
    expect(await Promise.all(results)).toEqual(ids.map(() => [ITEMS, 15]));
    await Promise.all(workers.map((worker) => worker.stop()));
    expect((await Array.fromAsync(store.list({ status: "completed" }))).map(({ runId }) => runId)).toEqual(ids);
    await store.close();
  });
});

describe("other tabs", () => {
  test("one that changes the database is not held up; this one says what to do", async () => {
    const store = fresh();
    await add(store, "r");
    const newer = await given(indexedDB.open(name, 2));
    expect(await caught(store.read("r"))).toMatchObject({ code: "STORE", message: expect.stringMatching(/reload this page \(VersionError/) });
    newer.close();
    await store.close();
  });

  test("one that deletes the database is not held up; the store begins anew", async () => {
    const store = fresh();
    await add(store, "r");
    await given(indexedDB.deleteDatabase(name));
    expect(await store.read("r")).toBeUndefined();
    expect(await add(store, "r")).toBe(true);
    await store.close();
  });

  test("one that holds an older version is named", async () => {
    const store = fresh();
    const open = indexedDB.open.bind(indexedDB);
    // There is no older version yet.
    vi.spyOn(indexedDB, "open").mockImplementationOnce((...args) => {
      const request = open(...args);
      queueMicrotask(() => request.dispatchEvent(new Event("blocked")));
      return request;
    });
    expect(await caught(add(store, "r"))).toMatchObject({ code: "STORE", message: expect.stringContaining("Close that tab, or reload it.") });
    // When the tab is gone, the store is well.
    expect(await add(store, "r")).toBe(true);
    await store.close();
  });

  test("a run that another tab took over is fenced here", async () => {
    const store = fresh();
    let go = () => {};
    const held = new Promise<void>((resolve) => {
      go = resolve;
    });
    const workflow = stored((n) => (n === 2 ? held : undefined));
    await workflow.recover(store, { leaseMs: 100 });
    const handler = workflow.start({}, { store, runId: "r" });
    const ended = caught(handler.result());
    await vi.waitUntil(async () => (await store.info("r"))?.leaseEnd !== undefined);
    const other = new IndexedDbStore(name, () => Date.now() + 1_000_000);
    expect(await other.claim({ workflow: "stored", owner: "other", leaseMs: 1000, limit: 1 })).toHaveLength(1);
    go();
    expect(await ended).toBeInstanceOf(FencedError);
    await Promise.all([store.close(), other.close()]);
  });
});

describe("failures", () => {
  test("no room left is said, with what to do; what was there stays", async () => {
    // A bucket of the site with a database and a quota of its own: the page's would be asked for once in 30 seconds.
    const { storageBuckets } = navigator as unknown as { storageBuckets: { open(name: string, options: object): Promise<{ indexedDB: IDBFactory }> } };
    vi.stubGlobal("indexedDB", (await storageBuckets.open("small", { quota: 100_000 })).indexedDB);
    const store = fresh();
    await add(store, "before");
    const error = await caught(add(store, "large", new Uint8Array(1_000_000)));
    expect(error).toBeInstanceOf(StoreError);
    expect(error).toMatchObject({ message: expect.stringMatching(/no room left .*delete runs that are over/), cause: { name: "QuotaExceededError" } });
    expect(await store.read("large")).toBeUndefined();
    expect(await store.read("before")).toMatchObject({ runId: "before", bytes: [new Uint8Array(8)] });
    await store.close();
  });

  test("where the browser permits no database, it says so", async () => {
    const store = fresh();
    vi.spyOn(indexedDB, "open").mockImplementation(() => {
      throw new DOMException("denied", "SecurityError");
    });
    expect(await caught(store.info("r"))).toMatchObject({ code: "STORE", message: expect.stringMatching(/may not store data: .*MemoryStore \(SecurityError/) });
  });

  test("a failed write undoes the whole batch", async () => {
    const store = fresh();
    for (const runId of ["a", "b"]) await add(store, runId);
    const { put } = IDBObjectStore.prototype;
    vi.spyOn(IDBObjectStore.prototype, "put").mockImplementation(function (this: IDBObjectStore, ...args) {
      if (args[0]?.runId === "b") throw new DOMException("failed", "UnknownError");
      return put.apply(this, args);
    });
    const commit = (runId: string) => ({ runId, epoch: 1, sequence: 1, kind: "delta" as const, bytes: new Uint8Array(1), head });
    const error = await caught(store.append([commit("a"), commit("b")]));
    expect(error).toMatchObject({ code: "STORE", message: expect.stringContaining("UnknownError: failed") });
    vi.restoreAllMocks();
    expect(await store.append([commit("a"), commit("b")])).toEqual(["stored", "stored"]);
    await store.close();
  });

  test("what another program has written is refused", async () => {
    const store = fresh();
    await add(store, "r");
    const database = await given(indexedDB.open(name));
    const tables = database.transaction(["runs", "pieces"], "readwrite");
    tables.objectStore("pieces").put("text", ["r", 0]);
    tables.objectStore("runs").put({ runId: "s", workflow: "flow", due: 0, head: { status: "queued", requests: [1] } });
    await new Promise((resolve) => {
      tables.oncomplete = resolve;
    });
    database.close();
    const claim = () => store.claim({ workflow: "flow", owner: "o", leaseMs: 1000, limit: 9 });
    for (const ask of [() => store.read("r"), () => store.info("s"), claim])
      expect(await caught(ask())).toMatchObject({ code: "STORE", message: expect.stringContaining("Something else has written to its database.") });
    expect(await store.info("r")).toMatchObject({ status: "queued", leaseEnd: 0 });
    await store.close();
    // A database of another program's.
    await given(indexedDB.deleteDatabase(name));
    (await given(indexedDB.open(name, 1))).close();
    expect(await caught(new IndexedDbStore(name).info("r"))).toMatchObject({ message: expect.stringContaining("choose another name") });
  });

  test("names, and a store that was closed", async () => {
    expect(() => new IndexedDbStore("")).toThrow(/non-empty string/);
    const store = fresh();
    const added = add(store, "r");
    await store.close();
    await store.close();
    expect(await added).toBe(true);
    expect(await caught(store.info("r"))).toMatchObject({ code: "STORE", message: expect.stringContaining("was closed") });
  });
});
