// Whatever is asked of it, the SQLite store answers what the store in memory does.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { binding, type CheckpointStore, MemoryStore, type RunHead, type RunInfo, SqliteStore } from "blazen";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "blazen-model-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const runId = fc.constantFrom("a", "b", "c", "d");
const workflow = fc.constantFrom("flow", "other");
const name = fc.constantFrom("x", "y");
const time = fc.constantFrom(1000, 2000, 4e12);
/** Over at once, or in years. */
const leaseMs = fc.constantFrom(0, 1e11);
const bytes = fc.uint8Array({ maxLength: 5 });
const status = fc.constantFrom("queued", "running", "waiting", "waiting", "paused", "completed", "failed", "cancelled") as fc.Arbitrary<RunHead["status"]>;
const head = fc.record({
  status,
  deadline: fc.option(time, { nil: undefined }),
  requests: fc.array(fc.string({ maxLength: 2 }), { maxLength: 2 }),
  inbox: fc.constant(0),
  stream: fc.nat(),
  at: time,
  outcome: fc.option(fc.string(), { nil: undefined }),
});
const filter = fc.record({ status, workflow, dueBy: time, unchangedSince: time }, { requiredKeys: [] });
const kind = fc.constantFrom("base" as const, "delta" as const, "head" as const);

/** What is asked; an epoch or a sequence is said by how far it is from the right one. */
const request = fc.oneof(
  fc.record({ op: fc.constant("create" as const), runId, workflow, head, base: bytes, owner: fc.option(fc.record({ name, leaseMs }), { nil: undefined }) }),
  fc.record({ op: fc.constant("claim" as const), workflow, owner: name, leaseMs, runId: fc.option(runId, { nil: undefined }), released: fc.boolean() }),
  fc.record({ op: fc.constant("append" as const), runId, kind, bytes, head, taken: fc.nat(2), fenced: fc.constantFrom(0, 0, 0, 1, -1) }),
  fc.record({ op: fc.constant("renew" as const), runId, leaseMs, fenced: fc.constantFrom(0, 0, 1) }),
  fc.record({ op: fc.constant("release" as const), runId, fenced: fc.constantFrom(0, 0, 1) }),
  fc.record({ op: fc.constant("push" as const), runId, message: fc.record({ id: fc.constantFrom("m", "n", "o"), body: fc.string() }) }),
  fc.record({ op: fc.constant("list" as const), filter }),
  fc.record({ op: fc.constant("delete" as const), runId }),
);
type Request = typeof request extends fc.Arbitrary<infer R> ? R : never;

/** A lease is told by when it is over, which no two clocks say alike. */
function comparable<T extends RunInfo | undefined>(info: T): unknown {
  return info === undefined ? undefined : JSON.parse(JSON.stringify({ ...info, leaseEnd: info.leaseEnd > 0 }));
}

async function answer(store: CheckpointStore, asked: Request): Promise<unknown> {
  switch (asked.op) {
    case "create":
      return store.create({ ...asked, version: 1 });
    case "claim": {
      const claimed = await store.claim({ ...asked, limit: 10 });
      return claimed.map(comparable).sort((a, b) => ((a as RunInfo).runId < (b as RunInfo).runId ? -1 : 1));
    }
    case "append": {
      const run = await store.read(asked.runId);
      const taken = Math.min(asked.taken, run?.messages.length ?? 0);
      const place = { epoch: (run?.epoch ?? 1) + asked.fenced, sequence: (run?.sequence ?? 0) + 1 };
      return store.append([{ ...asked, ...place, head: { ...asked.head, inbox: (run?.inbox ?? 0) + taken } }]);
    }
    case "renew":
    case "release": {
      const owned = [{ runId: asked.runId, epoch: ((await store.read(asked.runId))?.epoch ?? 1) + asked.fenced }];
      return asked.op === "renew" ? store.renew(owned, asked.leaseMs) : store.release(owned);
    }
    case "push":
      return store.push(asked.runId, asked.message);
    case "list":
      return (await Array.fromAsync(store.list(asked.filter))).map(comparable);
    case "delete":
      return store.delete(asked.runId);
  }
}

async function state(store: CheckpointStore): Promise<unknown> {
  const runs: unknown[] = [];
  for (const id of ["a", "b", "c", "d"]) runs.push([comparable(await store.read(id)), comparable(await store.info(id)), await store.messages(id)]);
  return { runs, told: [[...(await store.told("x"))].sort(), [...(await store.told("y"))].sort()] };
}

let files = 0;
const second = () => (binding === "native" ? new SqliteStore(join(folder, `${files++}.db`)) : new MemoryStore());

test("two stores answer alike", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(request, { minLength: 5, maxLength: 40 }), async (requests) => {
      const [model, store] = [new MemoryStore(), second()];
      try {
        for (const [at, asked] of requests.entries()) {
          const expected = (await answer(model, asked)) ?? null;
          expect((await answer(store, asked)) ?? null, `answer ${at} to ${asked.op}`).toEqual(expected);
          expect(await state(store), `after ${at}: ${asked.op}`).toEqual(await state(model));
        }
      } finally {
        await store.close();
      }
    }),
    { numRuns: 40 },
  );
});
