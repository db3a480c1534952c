import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  binding,
  type CheckpointStore,
  type Commit,
  DefinitionError,
  FencedError,
  InputRequestEvent,
  InputResponseEvent,
  SqliteStore,
  StopEvent,
  StoreError,
  Workflow,
} from "blazen";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { BUSY_RESULT, busy } from "./busy";
import { deferred } from "./deferred";
import { type Disk, killAtEachWrite, kills } from "./process";
import { caught, turns } from "./support";

const folder = mkdtempSync(join(tmpdir(), "blazen-sqlite-"));
const opened: SqliteStore[] = [];
let files = 0;

const path = () => join(folder, `${files++}.db`);
function open(file = path()): SqliteStore {
  const store = new SqliteStore(file);
  opened.push(store);
  return store;
}
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** As if the lease of who had the run were over. */
async function letGo(store: CheckpointStore, runId = "r"): Promise<void> {
  await store.release([{ runId, epoch: (await store.read(runId))!.epoch }]);
}

/** What a request to the store says is wrong. */
const trouble = async (store: SqliteStore) => (await caught(store.read("r"))) as StoreError & { cause: { kind: string } };

test("what is no path of a file is refused", () => {
  for (const bad of ["", undefined, 7, ":memory:"]) expect(() => new SqliteStore(bad as string)).toThrow(DefinitionError);
});

// With WebAssembly there is no SqliteStore: store-conformance.test.ts.
if (binding === "native") {
  describe("killed processes (12.3)", () => {
    test.each(kills)("%s: killed %s any write, the run ends as if it had not been", (_, kind, policy) =>
      killAtEachWrite(kind, policy, (): Disk => {
        const store = open();
        return { store, later: () => letGo(store) };
      }),
    );

    test.each(["before", "during", "after"])("killed by the system %s a write", async (kind) => {
      for (const at of [0, 3, 6]) {
        const [file, log] = [path(), path()];
        const child = spawn(process.execPath, [join(import.meta.dirname, "killed.mjs"), file, String(at), kind, log], {
          stdio: ["ignore", "ignore", "inherit"],
        });
        const [, signal] = await once(child, "exit");
        expect(signal, `write ${at}`).toBe("SIGKILL");
        const effects = existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [];
        const store = open(file);
        await letGo(store);
        const [handler] = await busy(effects).recover(store);
        expect(await handler!.result()).toEqual(BUSY_RESULT);
        expect([...new Set(effects)].sort()).toEqual(["square 1", "square 2", "square 3"]);
        expect(await store.read("r")).toMatchObject({ status: "completed", epoch: 2 });
      }
    });
  });

  test("processes share a file; when one is killed the others go on with its runs", async () => {
    const file = path();
    const store = open(file);
    const ids = await Promise.all(Array.from({ length: 30 }, (_, n) => busy([]).enqueue(store, {}, { runId: `r${n}` })));
    const workers = [1, 2, 3].map(() => spawn(process.execPath, [join(import.meta.dirname, "works.mjs"), file], { stdio: ["ignore", "ignore", "inherit"] }));
    const over = async () => (await Array.fromAsync(store.list({ status: "completed" }))).length;
    try {
      while ((await over()) < 5) await turns();
      workers[0]!.kill("SIGKILL");
      while ((await over()) < ids.length) await turns();
    } finally {
      for (const worker of workers) worker.kill("SIGKILL");
      await Promise.all(workers.map((worker) => worker.exitCode ?? worker.signalCode ?? once(worker, "exit")));
    }
    for (const runId of ids) expect(await busy([]).run({}, { store, runId })).toEqual(BUSY_RESULT);
  });

  describe("one file", () => {
    test("runs survive that it is closed, which leaves one file", async () => {
      const file = path();
      const asks = () =>
        new Workflow("asks")
          .step("ask", "StartEvent", () => new InputRequestEvent({ prompt: "?", id: "q" }))
          .step("answer", InputResponseEvent, ({ response }) => new StopEvent({ result: response }));
      const first = open(file);
      await busy([]).enqueue(first, {}, { runId: "r" });
      const asking = asks().start({}, { store: first, runId: "asking" });
      while ((await first.read("asking"))?.status !== "waiting");
      await first.close();
      expect(readdirSync(folder).filter((name) => join(folder, name).startsWith(file))).toHaveLength(1);
      expect(await trouble(first)).toMatchObject({ code: "STORE", cause: { kind: "closed" } });

      const second = open(file);
      expect((await Array.fromAsync(second.list())).map(({ runId, status, requests }) => [runId, status, requests])).toEqual([
        ["asking", "waiting", ["q"]],
        ["r", "queued", []],
      ]);
      const [handler] = await busy([]).recover(second);
      expect(await handler!.result()).toEqual(BUSY_RESULT);
      await second.close();
      expect(await busy([]).run({}, { store: open(file), runId: "r" })).toEqual(BUSY_RESULT);
      await caught(asking.cancel().then(() => asking.result()));
    });

    test("of two connections the one that claimed the run last writes, and the other is fenced", async () => {
      const file = path();
      const [first, second] = [open(file), open(file)];
      const holds = [deferred<void>(), deferred<void>()];
      const begun = [deferred<void>(), deferred<void>()];
      let calls = 0;
      const workflow = () =>
        new Workflow("holds").step("wait", "StartEvent", async () => {
          const call = calls++;
          begun[call]!.resolve();
          await holds[call]!.promise;
          return new StopEvent({ result: call });
        });
      const handler = workflow().start({}, { store: first, runId: "r" });
      await begun[0]!.promise;
      while ((await second.read("r")) === undefined);
      await letGo(second);
      const [recovered] = await workflow().recover(second);
      await begun[1]!.promise;
      holds[0]!.resolve();
      expect(await caught(handler.result())).toBeInstanceOf(FencedError);
      holds[1]!.resolve();
      expect(await recovered!.result()).toBe(1);
      expect(await first.read("r")).toMatchObject({ status: "completed", epoch: 2 });
    });

    test("a write that fails ends the run; when the store is well again it goes on from its last commit", async () => {
      const file = path();
      let writes = 0;
      let fails = -1;
      class Failing extends SqliteStore {
        override async append(commits: readonly Commit[]) {
          if (writes++ === fails) throw new StoreError(`The store ${file}: the disk is full.`, { cause: { kind: "full" } });
          return super.append(commits);
        }
      }
      const store = new Failing(file);
      opened.push(store);
      expect(await busy([]).run({}, { store })).toEqual(BUSY_RESULT);
      const count = writes;
      expect(count).toBeGreaterThan(3);
      for (let at = 0; at < count; at++) {
        [writes, fails] = [0, at];
        const effects: string[] = [];
        const runId = `r${at}`;
        const error = await caught(busy(effects).run({}, { store, runId }));
        expect(error).toBeInstanceOf(StoreError);
        expect(error).toMatchObject({ code: "STORE", cause: { kind: "full" } });
        await letGo(store, runId);
        const [handler] = await busy(effects).recover(store);
        expect(await handler!.result(), `failed at ${at}`).toEqual(BUSY_RESULT);
      }
    });
  });

  test("what was asked before it is closed is done, and what is asked after is refused", async () => {
    const file = path();
    const store = open(file);
    const before = busy([]).enqueue(store, {}, { runId: "r" });
    const closed = [store.close(), store.close()];
    expect(await trouble(store)).toMatchObject({ code: "STORE", cause: { kind: "closed" } });
    await Promise.all(closed);
    expect(await before).toBe("r");
    expect(await open(file).read("r")).toMatchObject({ status: "queued" });
  });

  describe("what goes wrong is told by its kind (12.4)", () => {
    test("a folder that is not there; when it is, the store is well", async () => {
      const file = join(folder, "later", "runs.db");
      const store = open(file);
      const run = await caught(busy([]).run({}, { store }));
      expect(run).toMatchObject({ code: "STORE", cause: { kind: "unopened" } });
      expect((run as Error).message).toContain(`The store ${file}: the file cannot be opened: its folder must exist`);
      mkdirSync(join(folder, "later"));
      expect(await busy([]).run({}, { store })).toEqual(BUSY_RESULT);
    });

    test("a file that is no database", async () => {
      const file = path();
      writeFileSync(file, "a letter to a friend, ".repeat(100));
      const error = await trouble(open(file));
      expect(error.cause.kind).toBe("corrupt");
      expect(error.message).toContain("the file is no SQLite database: choose another");
    });

    test("a page that is damaged", async () => {
      const file = path();
      const store = open(file);
      await Promise.all(Array.from({ length: 100 }, (_, n) => busy([]).enqueue(store, {}, { runId: `r${n}` })));
      await store.close();
      const bytes = readFileSync(file);
      const damaged = Buffer.from(bytes).fill(0xff, bytes.length / 2, bytes.length / 2 + 8192);
      writeFileSync(file, damaged);
      const again = open(file);
      const run = (await caught(busy([]).run({}, { store: again, runId: "r0" }))) as Error;
      expect(run).toMatchObject({ code: "STORE", cause: { kind: "corrupt" } });
      expect(run.message).toMatch(/the database is damaged.*restore it from a backup/i);
      writeFileSync(file, bytes);
      expect(await again.read("r0")).toMatchObject({ status: "queued" });
    });

    test("a database of another program, and one of a newer version", async () => {
      const { DatabaseSync } = await import("node:sqlite");
      const [other, newer] = [path(), path()];
      const theirs = new DatabaseSync(other);
      theirs.exec("CREATE TABLE friends (name TEXT)");
      theirs.close();
      const error = await trouble(open(other));
      expect(error.cause.kind).toBe("unopened");
      expect(error.message).toContain("the file is a database of another program");

      const ours = open(newer);
      await ours.read("r");
      await ours.close();
      const updated = new DatabaseSync(newer);
      updated.exec("PRAGMA user_version = 99");
      updated.close();
      const told = await trouble(open(newer));
      expect(told.cause.kind).toBe("newer");
      expect(told.message).toContain("version 99");
    });

    test("what cannot be asked", async () => {
      const store = open();
      const requests = [
        store.read("\ud800"),
        store.renew([{ runId: "r", epoch: 1.5 }], 1),
        store.claim({ workflow: "w", owner: "o", leaseMs: Number.NaN, limit: 1 }),
      ];
      for (const request of requests) expect(await caught(request)).toMatchObject({ code: "STORE", cause: { kind: "request" } });
      expect(await store.read("r")).toBeUndefined();
    });
  });
}
