import {
  CancelledError,
  codec,
  event,
  FencedError,
  IndexedDbStore,
  InputRequestEvent,
  InputResponseEvent,
  MemoryStore,
  Pipeline,
  RunExistsError,
  type RunInfo,
  StopEvent,
  StoreError,
  subworkflow,
  UnserializableError,
  Workflow,
  type WorkflowOptions,
} from "blazen";
import { VirtualClock } from "blazen/testing";
import { describe, expect, test } from "vitest";
import { busy } from "./busy";
import { deferred } from "./deferred";
import { killAtEachWrite, kills, Process } from "./process";
import { caught, observed, turns } from "./support";

class Item extends event("Item")<{ n: number }> {}
class Next extends event("Next")<{ n: number }> {}

/** A disk, whose clock passes all leases when a process is gone. */
function disk(): { store: MemoryStore; later(): void } {
  let time = 1_000_000;
  return {
    store: new MemoryStore(() => time),
    later() {
      time += 3_600_000;
    },
  };
}

describe("a run with a store (12.1)", () => {
  test("gives its result, which the store has; a second run of its id gives a copy and calls no step", async () => {
    const { store } = disk();
    const effects: string[] = [];
    const result = await busy(effects).run({}, { store, runId: "r" });
    expect(result).toEqual({ n: 17, count: 3, rounds: 4 });
    expect(await store.read("r")).toMatchObject({ status: "completed", workflow: "busy", bytes: [] });
    const again = await busy(effects).run({}, { store, runId: "r" });
    expect(again).toEqual(result);
    expect(again).not.toBe(result);
    expect(effects).toHaveLength(3);
  });

  test("a run that is there and not over is refused", async () => {
    const { store } = disk();
    const hold = deferred<void>();
    const holds = new Workflow("holds").step("wait", "StartEvent", async () => {
      await hold.promise;
      return new StopEvent({ result: 1 });
    });
    const first = holds.run({}, { store, runId: "r" });
    expect(await caught(holds.run({}, { store, runId: "r" }))).toBeInstanceOf(RunExistsError);
    expect(await caught(new Workflow("other").step("a", "StartEvent", () => new StopEvent({ result: 2 })).run({}, { store, runId: "r" }))).toMatchObject({
      code: "RUN_EXISTS",
    });
    hold.resolve();
    expect(await first).toBe(1);
  });

  test("strict: nothing goes on from what is not on disk", async () => {
    const process = new Process(disk().store);
    const gate = deferred<void>();
    process.onAppend = (number) => (number === 0 ? gate.promise : undefined);
    const called: string[] = [];
    const run = new Workflow("two")
      .step("one", "StartEvent", () => {
        called.push("one");
        return new Next({ n: 1 });
      })
      .step("two", Next, () => {
        called.push("two");
        return new StopEvent({ result: called.length });
      })
      .run({}, { store: process });
    await turns();
    expect(called).toEqual(["one"]);
    gate.resolve();
    expect(await run).toBe(2);
  });

  test("what cannot be stored fails where it is emitted, and so does such a result", async () => {
    const { store } = disk();
    const emits = new Workflow("emits")
      .step("one", "StartEvent", () => new Next({ n: (() => 1) as never }))
      .step("two", Next, () => new StopEvent({ result: 1 }));
    expect(await caught(emits.run({}, { store }))).toMatchObject({ code: "STEP_FAILED", step: "one", cause: expect.any(UnserializableError) });
    const gives = new Workflow("gives").step("one", "StartEvent", () => new StopEvent({ result: () => 1 }));
    expect(await caught(gives.run({}, { store }))).toMatchObject({ code: "STEP_FAILED", cause: expect.any(UnserializableError) });
  });

  test("a store that fails ends the run, loudly; what it has stays", async () => {
    const process = new Process(disk().store);
    process.onAppend = (number) => {
      if (number === 2) throw new Error("disk full");
      return undefined;
    };
    const error = await caught(busy([]).run({}, { store: process, runId: "r" }));
    expect(error).toBeInstanceOf(StoreError);
    expect(error).toMatchObject({ code: "STORE", runId: "r", cause: { message: "disk full" } });
    expect(await process.disk.read("r")).toMatchObject({ status: "running", sequence: 2 });
  });

  test("a store that fails at the very end: the run has not ended, and is recovered", async () => {
    const { store, later } = disk();
    const process = new Process(store);
    process.onAppend = (_, [commit]) => {
      if (commit!.head.status === "completed") throw new Error("disk full");
      return undefined;
    };
    const ended = () => new Workflow("ended").step("end", "StartEvent", () => new StopEvent({ result: 1 }));
    expect(await caught(ended().run({}, { store: process, runId: "r" }))).toBeInstanceOf(StoreError);
    later();
    const [handler] = await ended().recover(new Process(store));
    expect(await handler!.result()).toBe(1);
  });

  test("relaxed: a write that fails while the run ends is told of, at whatever moment it does", async () => {
    for (let late = 0; late < 20; late++) {
      const process = new Process(disk().store);
      const [goOn, write] = [deferred<void>(), deferred<void>()];
      process.onAppend = (_, commits) => {
        if (commits[0]!.kind === "head") throw new Error("disk full");
        return write.promise;
      };
      const run = new Workflow("ends")
        .step("one", "StartEvent", (_, ctx) => {
          void ctx.commit();
          return goOn.promise.then(() => new StopEvent({ result: 1 }));
        })
        .run({}, { store: process, durability: "relaxed" });
      const failure = caught(run);
      await turns();
      goOn.resolve();
      for (let turn = 0; turn < late; turn++) await undefined;
      write.reject(new Error("disk full"));
      expect(await failure, `${late} microtasks late`).toMatchObject({ code: "STORE" });
    }
  });

  test.each([{ every: 3 }, { every: 5000 }, { ms: 600_000 }])("relaxed, %j: the run is a bounded distance ahead of its store", async (checkpoint) => {
    const process = new Process(disk().store);
    const gate = deferred<void>();
    process.onAppend = () => gate.promise;
    let called = 0;
    const run = new Workflow("far")
      .step("one", "StartEvent", () => new Next({ n: 1 }))
      .step("two", Next, ({ n }) => {
        called++;
        return n < 3000 ? new Next({ n: n + 1 }) : new StopEvent({ result: n });
      })
      .run({}, { store: process, durability: "relaxed", checkpoint });
    await turns(50);
    expect(called).toBeGreaterThan(900);
    expect(called).toBeLessThanOrEqual(1000);
    gate.resolve();
    expect(await run).toBe(3000);
  });

  test("strict: commit points and answers are over when they are on disk (4.2)", async () => {
    const process = new Process(disk().store);
    const told: string[] = [];
    const handler = new Workflow("points")
      .step("one", "StartEvent", async (_, ctx) => {
        for (const point of ["commit", "send", "ask"] as const) {
          if (point === "commit") await ctx.commit();
          else if (point === "send") await ctx.sendEvent(new Item({ n: 1 }));
          else await ctx.requestInput({ prompt: "go on?" });
          told.push(point);
        }
        return new StopEvent({ result: told });
      })
      .step("two", Item, () => {})
      .start({}, { store: process });
    let gate = deferred<void>();
    process.onAppend = () => gate.promise;
    const pass = async () => {
      const { resolve } = gate;
      gate = deferred<void>();
      resolve();
      await turns();
    };
    await turns();
    expect(told).toEqual([]);
    await pass();
    expect(told).toEqual(["commit"]);
    await pass();
    expect(told[1]).toBe("send");
    while (handler.pendingInputs.length === 0) await pass();
    const answered = handler.respond(handler.pendingInputs[0]!.id, true).then(() => told.push("answered"));
    await turns();
    expect(told).not.toContain("answered");
    process.onAppend = undefined;
    gate.resolve();
    await answered;
    await handler.result();
  });

  test("a browser's store says that there is no browser", () => {
    expect(() => new IndexedDbStore("runs")).toThrow(StoreError);
    expect(() => new IndexedDbStore("runs")).toThrow(/there is none here. Use another store/);
  });

  test("strict: cancelling does not wait for a step that waits for what is not stored any more (5.3)", async () => {
    const process = new Process(disk().store);
    const gate = deferred<void>();
    process.onAppend = () => gate.promise;
    const failed: unknown[] = [];
    const handler = observed(
      new Workflow("waits")
        .step("one", "StartEvent", async (_, ctx) => {
          const first = ctx.once("first", () => 1);
          await turns();
          // The write that goes on has the first alone.
          failed.push(await caught(ctx.once("second", () => 2)));
          return new StopEvent({ result: await first });
        })
        .start({}, { store: process }),
    );
    await turns(6);
    const cancelling = handler.cancel("enough", { grace: 20_000 });
    gate.resolve();
    expect(await cancelling).toEqual({ stopped: ["one"], ignored: [] });
    expect(failed).toEqual([expect.any(CancelledError)]);
  });

  test("values of the session with a codec are in the checkpoints, as they are by then (12.2)", async () => {
    class Tally {
      constructor(readonly count: number) {}
    }
    const tally = codec(Tally, { name: "Tally", encode: ({ count }) => count, decode: (count: number) => new Tally(count) });
    const { store, later } = disk();
    const process = new Process(store);
    // Verified: base and deltas are the snapshot that could be taken.
    const counts = () =>
      new Workflow("counts", { session: "live", types: [tally], verify: true } as WorkflowOptions<object>)
        .step("begin", "StartEvent", (_, ctx) => {
          ctx.session.set("tally", new Tally(0));
          ctx.session.set("gone", new Tally(0));
          ctx.session.set("mine", () => 1);
          return new Next({ n: 0 });
        })
        .step("next", Next, async ({ n }, ctx) => {
          ctx.session.set("tally", new Tally(n + 1));
          if (n === 2) ctx.session.delete("gone");
          if (n < 5) return new Next({ n: n + 1 });
          await ctx.requestInput({ prompt: "?" });
          return new StopEvent({ result: [ctx.session.get<Tally>("tally")?.count, ctx.session.has("gone"), ctx.session.has("mine")] });
        });
    const first = counts().start({}, { store: process });
    while (first.status !== "waiting") await turns();
    await turns();
    process.dead = true;
    later();
    const [again] = await counts().recover(new Process(store), { runId: first.runId });
    await turns();
    // The step runs again, and sets it again: what it did not do again is as it was stored.
    await again!.respond(again!.pendingInputs[0]!.id, 1);
    expect(await again!.result()).toEqual([6, false, false]);
  });

  test("observers are told of checkpoints (10.6)", async () => {
    const handler = busy([]).start({}, { store: disk().store });
    const kinds: string[] = [];
    for await (const { kind, durationMs } of handler.observe()) if (kind === "checkpointed") kinds.push(typeof durationMs);
    expect(kinds.length).toBeGreaterThan(5);
    expect(new Set(kinds)).toEqual(new Set(["number"]));
  });

  test("bad options", async () => {
    const { store } = disk();
    const workflow = busy([]);
    const code = async (options: object) => ((await caught(workflow.run({}, options))) as { code: string }).code;
    expect(await code({ store: {} })).toBe("DEFINITION");
    expect(await code({ durability: "relaxed" })).toBe("DEFINITION");
    expect(await code({ store, durability: "loose" })).toBe("DEFINITION");
    expect(await code({ store, checkpoint: { every: 2 } })).toBe("DEFINITION");
    expect(await code({ store, durability: "relaxed", checkpoint: { every: 0 } })).toBe("DEFINITION");
  });
});

describe("recovery (12.3)", () => {
  test.each(kills)("%s: killed %s any write, the run ends as if it had not been", (_, kind, policy) => killAtEachWrite(kind, policy, disk));

  test("an owner that was taken for dead is fenced, though it has come to the end of the run", async () => {
    const { store, later } = disk();
    const first = new Process(store);
    const second = new Process(store);
    const workflow = busy([]);
    let result: unknown;
    first.onAppend = async (_, commits) => {
      if (commits[0]!.kind !== "head") return;
      later();
      const [handler] = await busy([]).recover(second);
      result = await handler!.result();
    };
    expect(await caught(workflow.run({}, { store: first, runId: "r" }))).toBeInstanceOf(FencedError);
    expect(result).toEqual({ n: 17, count: 3, rounds: 4 });
    expect(await store.read("r")).toMatchObject({ status: "completed" });
  });

  test("an owner that was taken for dead is fenced, and the run is none the worse", async () => {
    const { store, later } = disk();
    const first = new Process(store);
    const second = new Process(store);
    const holds = [deferred<void>(), deferred<void>()];
    let calls = 0;
    const workflow = () =>
      new Workflow("holds").step("wait", "StartEvent", async () => {
        await holds[calls++]!.promise;
        return new StopEvent({ result: calls });
      });
    const handler = workflow().start({}, { store: first, runId: "r" });
    await turns();
    later();
    const [recovered] = await workflow().recover(second);
    await turns();
    expect(calls).toBe(2);
    holds[0]!.resolve();
    expect(await caught(handler.result())).toBeInstanceOf(FencedError);
    holds[1]!.resolve();
    expect(await recovered!.result()).toBe(2);
    expect(await store.read("r")).toMatchObject({ status: "completed", epoch: 2 });
  });

  test("a recovered run has the clock that it is given: a sleep goes on for what is left of it", async () => {
    const { store, later } = disk();
    const workflow = () =>
      new Workflow("sleeps").step("sleep", "StartEvent", async (_, ctx) => {
        await ctx.sleep(1000);
        return new StopEvent({ result: "awake" });
      });
    const start = new Date(999_000);
    const first = new Process(store);
    const clock = new VirtualClock(start);
    workflow().start({}, { store: first, runId: "r", clock });
    await turns();
    first.dead = true;
    later();
    const other = new VirtualClock(Number(start) + 400);
    const [handler] = await workflow().recover(store, { clock: other });
    await other.advance(599);
    expect(handler!.status).not.toBe("completed");
    await other.advance(1);
    expect(await handler!.result()).toBe("awake");
    await expect(workflow().recover(store, { clock: {} as never })).rejects.toMatchObject({ code: "DEFINITION" });
  });

  test("children, questions and pipelines come back too", async () => {
    const { store, later } = disk();
    const asks = () =>
      new Workflow("asks")
        .step("ask", "StartEvent", () => new InputRequestEvent({ prompt: "?", id: "q" }))
        .step("answer", InputResponseEvent, ({ response }) => new StopEvent({ result: response }));
    const doubles = () =>
      new Workflow("doubles").step("double", "StartEvent", (start) => new StopEvent({ result: 2 * (start as unknown as { data: number }).data }));
    const around = () =>
      new Workflow("around")
        .step("child", "StartEvent", subworkflow(asks(), { input: () => ({}), output: (n) => new Next({ n: n as number }) }))
        .step("end", Next, ({ n }) => new StopEvent({ result: n }));
    const pipeline = () => new Pipeline("pipeline").stage("ask", around()).stage("double", doubles() as never, { input: ((n: unknown) => n) as never });
    const first = pipeline().start({} as never, { store: new Process(store), runId: "r" });
    await turns(50);
    expect(first.status).toBe("waiting");
    expect(await store.read("r")).toMatchObject({ status: "waiting", requests: ["ask/child/q"] });
    later();
    const second = new Process(store);
    // One that waits for a person is claimed by whoever wants to answer, and not by a worker.
    expect(await pipeline().recover(second)).toEqual([]);
    const [handler] = await pipeline().recover(second, { runId: "r" });
    await handler!.respond("ask/child/q", 21);
    expect(await handler!.result()).toBe(42);
    expect(await pipeline().recover(second, { runId: "r" })).toEqual([]);
  });

  test("a shorter lease is renewed at its own pace, also where runs go on already", async () => {
    const inTime = deferred<boolean>();
    class Store extends MemoryStore {
      override async renew(runs: Parameters<MemoryStore["renew"]>[0], leaseMs: number) {
        const later = await this.info("later");
        if (runs.some(({ runId }) => runId === "later")) inTime.resolve(later!.leaseEnd > Date.now());
        return super.renew(runs, leaseMs);
      }
    }
    const store = new Store();
    const end = deferred<void>();
    const holds = new Workflow("holds").step("wait", "StartEvent", async () => {
      await end.promise;
      return new StopEvent({ result: 1 });
    });
    const first = holds.start({}, { store, runId: "first" });
    while ((await store.info("first")) === undefined) await turns();
    await holds.enqueue(store, {}, { runId: "later" });
    const [handler] = await holds.recover(store, { leaseMs: 1_000 });
    expect(await inTime.promise).toBe(true);
    end.resolve();
    expect(await Promise.all([first.result(), handler!.result()])).toEqual([1, 1]);
  });

  test("one run alone, of several", async () => {
    const { store, later } = disk();
    for (const runId of ["r1", "r2"]) await busy([]).enqueue(store, {}, { runId });
    const handlers = await busy([]).recover(store, { runId: "r2" });
    expect(handlers.map(({ runId }) => runId)).toEqual(["r2"]);
    expect(await handlers[0]!.result()).toEqual({ n: 17, count: 3, rounds: 4 });
    later();
    expect(await busy([]).recover(store, { runId: "nobody's" })).toEqual([]);
    expect(await caught(busy([]).recover(store, { runId: "" }))).toMatchObject({ code: "DEFINITION" });
  });
});

describe("workers (12.3)", () => {
  test("runs that are over are archived, and deleted, when they have been over for long enough", async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore(() => clock.now());
    const quick = () => new Workflow("quick").step("end", "StartEvent", () => new StopEvent({ result: 1 }));
    for (const runId of ["old", "kept"]) await quick().run({}, { store, clock, runId });
    await clock.advance(1000);
    await quick().run({}, { store, clock, runId: "new" });
    const archived: string[] = [];
    const archive = ({ runId, outcome }: RunInfo) => {
      archived.push(`${runId} ${outcome}`);
      if (runId === "kept") throw new Error("no room");
    };
    await using worker = quick().worker(store, { clock, retention: { ms: 1000, archive } });
    while ((await store.info("old")) !== undefined) await turns();
    expect(archived).toEqual(['kept {"tree":1}', 'old {"tree":1}']);
    expect((await Array.fromAsync(store.list())).map(({ runId }) => runId)).toEqual(["kept", "new"]);
    expect(worker.running).toBe(0);
  });

  test("recovered runs are let go when the signal is aborted", async () => {
    const { store, later } = disk();
    const asks = () => new Workflow("asks").step("ask", "StartEvent", async (_, ctx) => new StopEvent({ result: await ctx.requestInput({ prompt: "?" }) }));
    const dead = new Process(store);
    asks().start({}, { store: dead, runId: "r" });
    await turns();
    dead.dead = true;
    later();
    const controller = new AbortController();
    const [handler] = await asks().recover(new Process(store), { runId: "r", signal: controller.signal });
    await turns();
    controller.abort();
    expect(await caught(handler!.result())).toBeInstanceOf(FencedError);
    expect((await store.info("r"))?.leaseEnd).toBe(0);
  });

  test("a run that was enqueued is begun by one worker, with others beside it", async () => {
    const { store } = disk();
    const workflow = busy([]);
    const ids = await Promise.all([1, 2, 3, 4, 5].map((n) => workflow.enqueue(store, {}, { runId: `r${n}` })));
    const list = async (status: "queued" | "completed") => (await Array.fromAsync(store.list({ status }))).map(({ runId }) => runId);
    expect(await list("queued")).toEqual(ids);
    const workers = [busy([]).worker(new Process(store), { concurrency: 2 }), busy([]).worker(new Process(store))];
    while ((await list("completed")).length < 5) await turns();
    await Promise.all(workers.map((worker) => worker.stop()));
    for (const id of ids) expect(await workflow.run({}, { store, runId: id })).toEqual({ n: 17, count: 3, rounds: 4 });
    expect(await caught(workflow.enqueue(store, {}, { runId: "r1" }))).toBeInstanceOf(RunExistsError);
  });
});
