import {
  type CheckpointStore,
  type Commit,
  collect,
  event,
  FencedError,
  InputRequestEvent,
  InputResponseEvent,
  MemoryStore,
  Pipeline,
  RunExistsError,
  StopEvent,
  StoreError,
  subworkflow,
  UnserializableError,
  Workflow,
} from "blazen";
import { describe, expect, test } from "vitest";
import { deferred } from "./deferred";
import { caught, turns } from "./support";

class Item extends event("Item")<{ n: number }> {}
class Squared extends event("Squared")<{ n: number }> {}
class Next extends event("Next")<{ n: number }> {}

/** A process: what it says to the store reaches it until it is killed. */
class Process implements CheckpointStore {
  dead = false;
  appends = 0;
  /** Called before each append; the process dies in it, or after it. */
  onAppend: ((number: number, commits: readonly Commit[]) => "before" | "after" | undefined | Promise<void>) | undefined = undefined;
  constructor(readonly disk: MemoryStore) {}

  #live<T>(call: () => Promise<T>): Promise<T> {
    return this.dead ? new Promise(() => {}) : call();
  }
  create(run: Parameters<MemoryStore["create"]>[0]) {
    return this.#live(() => this.disk.create(run));
  }
  claim(claim: Parameters<MemoryStore["claim"]>[0]) {
    return this.#live(() => this.disk.claim(claim));
  }
  append(commits: readonly Commit[]) {
    return this.#live(async () => {
      const dies = await this.onAppend?.(this.appends++, commits);
      if (dies === "before") this.dead = true;
      const results = this.dead ? [] : await this.disk.append(commits);
      if (dies === "after") this.dead = true;
      return this.#live(async () => results);
    });
  }
  renew(runs: Parameters<MemoryStore["renew"]>[0], leaseMs: number) {
    return this.#live(() => this.disk.renew(runs, leaseMs));
  }
  release(runs: Parameters<MemoryStore["release"]>[0]) {
    return this.#live(() => this.disk.release(runs));
  }
  push(runId: string, message: Parameters<MemoryStore["push"]>[1]) {
    return this.#live(() => this.disk.push(runId, message));
  }
  read(runId: string) {
    return this.#live(() => this.disk.read(runId));
  }
  info(runId: string) {
    return this.#live(() => this.disk.info(runId));
  }
  told(owner: string) {
    return this.#live(() => this.disk.told(owner));
  }
  messages(runId: string) {
    return this.#live(() => this.disk.messages(runId));
  }
  list(filter?: Parameters<MemoryStore["list"]>[0]) {
    return this.disk.list(filter);
  }
  delete(runId: string) {
    return this.#live(() => this.disk.delete(runId));
  }
  async close() {}
}

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

/** A fan-out, a collect, state, effects that are to happen once, and a loop. */
function busy(effects: string[]) {
  return new Workflow("busy", { types: [] })
    .step("fan", "StartEvent", (_, ctx) => {
      ctx.set("begun", true);
      return [1, 2, 3].map((n) => new Item({ n }));
    })
    .step("square", Item, async ({ n }, ctx) => {
      const squared = await ctx.once("square", () => {
        effects.push(`square ${n}`);
        return n * n;
      });
      ctx.state.update("count", (count: number | undefined) => (count ?? 0) + 1);
      return new Squared({ n: squared });
    })
    .step("sum", collect(Squared, { of: "fan" }), (squares) => new Next({ n: squares.reduce((sum, { n }) => sum + n, 0) }))
    .step("loop", Next, ({ n }, ctx) => {
      ctx.state.update("rounds", (rounds: number | undefined) => (rounds ?? 0) + 1);
      if (n < 17) return new Next({ n: n + 1 });
      ctx.state.delete("begun");
      return new StopEvent({ result: { n, count: ctx.get("count"), rounds: ctx.get("rounds") } });
    });
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
  const kinds = ["before", "after"] as const;
  const policies = [{ durability: "strict" as const }, { durability: "relaxed" as const }, { durability: "relaxed" as const, checkpoint: { every: 3 } }];

  test.each(policies.flatMap((policy) => kinds.map((kind) => [JSON.stringify(policy), kind, policy] as const)))(
    "%s: killed %s any write, the run ends as if it had not been",
    async (_, kind, policy) => {
      for (let at = 0; ; at++) {
        const { store, later } = disk();
        const effects: string[] = [];
        const first = new Process(store);
        let died = false;
        const kill = deferred<void>();
        first.onAppend = (number) => {
          if (number !== at) return undefined;
          died = true;
          kill.resolve();
          return kind;
        };
        const run = busy(effects).run({}, { store: first, runId: "r", ...policy });
        const ended = await Promise.race([run, kill.promise]);
        if (!died) {
          expect(ended).toEqual({ n: 17, count: 3, rounds: 4 });
          expect(at).toBeGreaterThan(0);
          break;
        }
        await turns();
        later();
        const second = new Process(store);
        const handlers = await busy(effects).recover(second);
        const stored = await store.read("r");
        const result = handlers[0] === undefined ? await busy(effects).run({}, { store: second, runId: "r" }) : await handlers[0].result();
        expect(result, `killed at ${at}, ${stored?.status}`).toEqual({ n: 17, count: 3, rounds: 4 });
        // An effect whose record was on disk does not happen again; strict has each on disk before its step goes on.
        const repeated = effects.length - new Set(effects).size;
        expect(repeated).toBeLessThanOrEqual(3);
        expect((await store.read("r"))?.status).toBe("completed");
      }
    },
  );

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
