import {
  all,
  collect,
  event,
  type Handler,
  RunOverError,
  resource,
  SessionPauseError,
  type Snapshot,
  StartEvent,
  StepError,
  StopEvent,
  UnserializableError,
  Workflow,
} from "blazen";
import { describe, expect, test } from "vitest";
import { deferred } from "./deferred";
import { caught, entries, isSettled, read } from "./support";

class Work extends event("Work")<{ n: number }> {}
class Done extends event("Done")<{ n: number }> {}
class Look extends event("Look")<{ n: number }> {}
class Paid extends event("Paid")<{ id: string }> {}

const turn = () => new Promise<void>((resolve) => setTimeout(resolve, 1));

/** One step that waits for a gate, and then writes and stops. */
function waiter(gate: Promise<unknown>, log: string[] = []) {
  return new Workflow("waiter", { external: [Paid], state: { sum: 0 } })
    .step("first", StartEvent<{ n: number }>, async ({ n }, ctx) => {
      log.push(`first ${ctx.attempt}`);
      ctx.state.set("sum", n);
      await gate;
      return new Work({ n: n + 1 });
    })
    .step("last", Work, ({ n }, ctx) => {
      log.push("last");
      return new StopEvent({ result: [n, ctx.state.get("sum")] });
    })
    .step("paid", Paid, ({ id }) => {
      log.push(`paid ${id}`);
    });
}

describe("pause (7.1)", () => {
  test("a drain lets running steps settle and commit, and dispatches nothing", async () => {
    const gate = deferred<void>();
    const log: string[] = [];
    const handler = waiter(gate.promise, log).start({ n: 1 });
    const pausing = handler.pause();
    expect(await isSettled(pausing)).toBe(false);
    expect(handler.status).toBe("running");
    gate.resolve();
    const snapshot = await pausing;
    expect(handler.status).toBe("paused");
    expect(log).toEqual(["first 1"]);
    expect(entries(snapshot, "invocation")).toEqual([]);
    expect(entries(snapshot, "queue")).toEqual([{ event: 1, from: "first" }]);
    expect(read(snapshot)["state/sum"]).toBe(1);
    expect(await isSettled(handler.result())).toBe(false);
    handler.resume();
    expect(log).toEqual(["first 1", "last"]);
    expect(await handler.result()).toEqual([2, 1]);
  });

  test('"now" waits for nothing: what runs is unsettled, without its writes', async () => {
    const gate = deferred<void>();
    const log: string[] = [];
    const handler = waiter(gate.promise, log).start({ n: 1 });
    const pausing = handler.pause({ mode: "now" });
    expect(handler.status).toBe("paused");
    const snapshot = await pausing;
    expect(entries(snapshot, "invocation")).toEqual([{ seq: 0, step: "first", attempts: 1, event: 0 }]);
    expect(read(snapshot)["state/sum"]).toBe(0);
    gate.resolve();
    await turn();
    expect(log).toEqual(["first 1"]);
    handler.resume();
    expect(await handler.result()).toEqual([2, 1]);
    const again: string[] = [];
    expect(await waiter(Promise.resolve(), again).resume(snapshot).result()).toEqual([2, 1]);
    expect(again).toEqual(["first 2", "last"]);
  });

  test("a drain goes on as now after its timeout; the shortest counts, and none is too long", async () => {
    const never = new Promise<void>(() => {});
    const handler = waiter(never).start({ n: 1 });
    const begun = performance.now();
    const [one, two, three] = [handler.pause({ timeout: 20_000 }), handler.pause({ timeout: 20 }), handler.pause({ timeout: 10_000 })];
    const snapshot = await two;
    expect(performance.now() - begun).toBeLessThan(5_000);
    expect(await one).toBe(snapshot);
    expect(await three).toBe(snapshot);
    expect(entries(snapshot, "invocation").length).toBe(1);
    await handler.cancel(undefined, { grace: 0 });
    const other = waiter(never).start({ n: 1 });
    for (const timeout of [Infinity, 2 ** 31, Number.MAX_VALUE]) expect(await isSettled(other.pause({ timeout }))).toBe(false);
    const zero = await other.pause({ timeout: 0 });
    expect(entries(zero, "invocation").length).toBe(1);
    await other.cancel(undefined, { grace: 0 });
  });

  test("bad options are refused, and the run goes on", async () => {
    const handler = waiter(Promise.resolve()).start({ n: 1 });
    for (const options of [null, 3, { mode: "soon" }, { timeout: -1 }, { timeout: "1" }, { timeout: Number.NaN }])
      expect(await caught(handler.pause(options as never))).toMatchObject({ code: "DEFINITION", runId: handler.runId });
    expect(await handler.result()).toEqual([2, 1]);
  });

  test('"now" ends a pending drain, and both give the same snapshot', async () => {
    const handler = waiter(new Promise(() => {})).start({ n: 1 });
    const drain = handler.pause();
    expect(await isSettled(drain)).toBe(false);
    const now = handler.pause({ mode: "now" });
    expect(await drain).toBe(await now);
    await handler.cancel(undefined, { grace: 0 });
  });

  test("a second pause gives the same snapshot, unless something was sent in between", async () => {
    const gate = deferred<void>();
    const log: string[] = [];
    const handler = waiter(gate.promise, log).start({ n: 1 });
    const first = await handler.pause({ mode: "now" });
    gate.resolve();
    await turn();
    expect(await handler.pause()).toBe(first);
    expect(await handler.pause({ mode: "now" })).toBe(first);
    await handler.send(new Paid({ id: "a" }), { id: "1" });
    const [second, third] = await Promise.all([handler.pause(), handler.pause({ mode: "now" })]);
    expect(second).toBe(third);
    expect(String(second)).not.toBe(String(first));
    expect(entries(second, "sent")).toEqual(["1"]);
    expect(entries(second, "queue").length).toBe(1);
    expect(log).toEqual(["first 1"]);
    handler.resume();
    expect(await handler.result()).toEqual([2, 1]);
    expect(log).toEqual(["first 1", "paid a", "last"]);
  });

  test("what is sent during a drain is in its snapshot", async () => {
    const gate = deferred<void>();
    const handler = waiter(gate.promise).start({ n: 1 });
    const pausing = handler.pause();
    await handler.send(new Paid({ id: "a" }));
    gate.resolve();
    const snapshot = await pausing;
    expect(entries(snapshot, "queue").length).toBe(2);
    expect(await handler.pause()).toBe(snapshot);
    await handler.cancel();
  });

  test("from within a step, not awaited: it settles and commits first", async () => {
    let pausing: Promise<Snapshot> | undefined;
    const late: { handler?: Handler } = {};
    for (const mode of ["drain", "now"] as const) {
      for (const asynchronous of [false, true]) {
        const log: string[] = [];
        const build = (pauses: boolean) =>
          new Workflow("inside", { state: { n: 0 } })
            .step("begin", StartEvent<{ n: number }>, async () => {
              await turn();
              return new Look({ n: 0 });
            })
            .step("pauses", Look, ((_, ctx) => {
              log.push(`pauses ${ctx.attempt}`);
              ctx.state.set("n", 7);
              if (pauses) pausing = late.handler!.pause({ mode });
              return asynchronous ? turn().then(() => new Work({ n: 1 })) : new Work({ n: 1 });
            }) as (event: Look, ctx: { attempt: number; state: { set(key: "n", value: number): void } }) => Work)
            .step("other", Look, () => {
              log.push("other");
            })
            .step("end", Work, (_, ctx) => new StopEvent({ result: ctx.state.get("n") }));
        late.handler = build(true).start({ n: 0 }) as Handler;
        for (let turns = 0; pausing === undefined && turns < 100; turns++) await turn();
        const snapshot = await pausing!;
        pausing = undefined;
        await turn();
        expect(late.handler.status).toBe("paused");
        expect(log).toEqual(["pauses 1"]);
        const unsettled = entries(snapshot, "invocation").map(({ step, attempts }) => [step, attempts]);
        const other = ["other", undefined];
        expect(unsettled).toEqual(mode === "now" ? [["pauses", 1], other] : [other]);
        expect(read(snapshot)["state/n"]).toBe(mode === "now" ? 0 : 7);
        expect(await build(false).resume(String(snapshot)).result()).toBe(7);
        expect(log).toEqual(mode === "now" ? ["pauses 1", "pauses 2", "other"] : ["pauses 1", "other"]);
        log.length = 0;
        late.handler.resume();
        expect(await late.handler.result()).toBe(7);
        expect(log).toEqual(["other"]);
      }
    }
  });

  test("resuming a run that is not paused changes nothing, at any time", async () => {
    const gate = deferred<void>();
    const log: string[] = [];
    const handler = waiter(gate.promise, log).start({ n: 1 });
    handler.resume();
    handler.resume();
    gate.resolve();
    expect(await handler.result()).toEqual([2, 1]);
    handler.resume();
    expect(log).toEqual(["first 1", "last"]);
    const snapshot = await waiter(new Promise(() => {}))
      .start({ n: 1 })
      .pause({ mode: "now" });
    const resumed = waiter(Promise.resolve()).resume(snapshot);
    resumed.resume();
    resumed.resume();
    expect(await resumed.result()).toEqual([2, 1]);
  });

  test("paused during the first, synchronous, step: start has not returned, or just has", async () => {
    const build = () =>
      new Workflow("sync")
        .step("first", StartEvent<{ n: number }>, ({ n }) => new Work({ n }))
        .step("second", Work, async ({ n }) => new Done({ n: n + 1 }))
        .step("third", Done, ({ n }) => new StopEvent({ result: n }));
    const handler = build().start({ n: 1 });
    const snapshot = await handler.pause();
    expect(entries(snapshot, "queue").length).toBe(1);
    expect(await build().resume(snapshot).result()).toBe(2);
    handler.resume();
    expect(await handler.result()).toBe(2);
  });

  test("pause, resume and pause in one tick", async () => {
    const gate = deferred<void>();
    const log: string[] = [];
    const handler = waiter(gate.promise, log).start({ n: 1 });
    const one = handler.pause();
    handler.resume();
    const two = handler.pause();
    handler.resume();
    const three = handler.pause({ mode: "now" });
    handler.resume();
    const four = handler.pause();
    expect(String(await one)).toBe(String(await two));
    expect(String(await three)).toBe(String(await two));
    gate.resolve();
    const drained = await four;
    expect(entries(drained, "invocation")).toEqual([]);
    handler.resume();
    handler.resume();
    const five = handler.pause();
    expect(await handler.result().catch((error) => error)).toEqual([2, 1]);
    expect(await caught(five)).toBeInstanceOf(RunOverError);
    expect(log).toEqual(["first 1", "last"]);
  });

  test("what an attempt did while the run was paused waits for the second resume, too", async () => {
    const gate = deferred<void>();
    const handler = waiter(gate.promise).start({ n: 1 });
    await handler.pause({ mode: "now" });
    gate.resolve();
    await turn();
    handler.resume();
    const again = await handler.pause({ mode: "now" });
    expect(entries(again, "invocation").length).toBe(1);
    expect(read(again)["state/sum"]).toBe(0);
    await turn();
    expect(handler.status).toBe("paused");
    handler.resume();
    const drained = await handler.pause();
    expect(entries(drained, "invocation")).toEqual([]);
    expect(read(drained)["state/sum"]).toBe(1);
    handler.resume();
    expect(await handler.result()).toEqual([2, 1]);
  });

  test("arrays of different types that a step returned while the run was paused keep their types", async () => {
    const gate = deferred<void>();
    const handler = new Workflow("types")
      .step("fan", StartEvent<{ n: number }>, () => [0, 1, 2, 3].map((n) => new Look({ n })))
      .step("both", Look, async ({ n }) => {
        if (n > 0) await gate.promise;
        return n % 2 === 0 ? [new Work({ n }), new Work({ n })] : [new Done({ n }), new Done({ n })];
      })
      .step("work", Work, (work) => new Paid({ id: `work ${work.type} ${work.n}` }))
      .step("done", Done, (done) => new Paid({ id: `done ${done.type} ${done.n}` }))
      .step("end", collect(Paid, { of: "fan" }), (paid) => new StopEvent({ result: paid.map(({ id }) => id) }))
      .start({ n: 0 });
    await turn();
    await handler.pause({ mode: "now" });
    gate.resolve();
    await turn();
    handler.resume();
    expect(await handler.result()).toEqual([0, 0, 1, 1, 2, 2, 3, 3].map((n) => (n % 2 === 0 ? `work Work ${n}` : `done Done ${n}`)));
  });

  test("a resume ends a drain: who waits for it gets the run as it is", async () => {
    const gate = deferred<void>();
    const handler = waiter(gate.promise).start({ n: 1 });
    const pausing = handler.pause();
    await turn();
    handler.resume();
    expect(entries(await pausing, "invocation").length).toBe(1);
    gate.resolve();
    expect(await handler.result()).toEqual([2, 1]);
  });

  test("a paused run is cancelled: result rejects, and what has settled while it was paused is not waited for", async () => {
    const gate = deferred<void>();
    const build = () =>
      new Workflow("cancelled", { state: { a: 0 } })
        .step("fan", StartEvent<{ n: number }>, () => [new Work({ n: 0 }), new Work({ n: 1 }), new Work({ n: 2 })])
        .step("work", Work, async ({ n }, ctx) => {
          ctx.state.update("a", (a) => a + 1);
          await (n === 2 ? new Promise(() => {}) : gate.promise);
          if (n === 1) throw new Error("of 1");
          return null;
        })
        .step("end", collect(Done, { of: "fan" }), () => new StopEvent({ result: 0 }));
    const handler = build().start({ n: 0 });
    const snapshot = await handler.pause({ mode: "now" });
    gate.resolve();
    await turn();
    const report = await handler.cancel("enough", { grace: 20 });
    expect(report.stopped).toEqual(["work", "work"]);
    expect(report.ignored).toEqual(["work"]);
    expect(await caught(handler.result())).toMatchObject({ code: "CANCELLED", cause: "enough", report });
    expect(handler.status).toBe("cancelled");
    expect(await caught(handler.pause())).toBeInstanceOf(RunOverError);
    expect(await caught(handler.snapshot())).toBeInstanceOf(RunOverError);
    expect(await snapshot).toBe(snapshot);

    const quick = waiter(gate.promise).start({ n: 0 });
    await quick.pause({ mode: "now" });
    await turn();
    const begun = performance.now();
    expect(await quick.cancel(undefined, { grace: 20_000 })).toEqual({ stopped: ["first"], ignored: [] });
    expect(performance.now() - begun).toBeLessThan(5_000);
  });

  test("cancelled during a drain: pause rejects, and so it does for a signal", async () => {
    const handler = waiter(new Promise(() => {})).start({ n: 1 });
    // Nobody looks at one of them.
    void handler.pause();
    const pausing = handler.pause();
    await handler.cancel(undefined, { grace: 0 });
    expect(await caught(pausing)).toBeInstanceOf(RunOverError);
    const controller = new AbortController();
    const other = waiter(new Promise(() => {})).start({ n: 1 }, { signal: controller.signal });
    const snapshot = await other.pause({ mode: "now" });
    controller.abort("signal");
    expect(await caught(other.result())).toMatchObject({ code: "CANCELLED", cause: "signal" });
    const resumed = waiter(Promise.resolve()).resume(snapshot, { signal: AbortSignal.abort("before") });
    expect(await caught(resumed.result())).toMatchObject({ code: "CANCELLED", cause: "before" });
    const second = new AbortController();
    const also = waiter(new Promise(() => {})).resume(snapshot, { signal: second.signal });
    second.abort("at once");
    expect(await caught(also.result())).toMatchObject({ code: "CANCELLED", cause: "at once" });
  });

  test("a StopEvent returned during a drain is in the snapshot; a resume finishes", async () => {
    const gate = deferred<void>();
    const build = () =>
      new Workflow("stops").step("only", StartEvent<{ n: number }>, async ({ n }) => {
        await gate.promise;
        return new StopEvent({ result: { n } });
      });
    const handler = build().start({ n: 5 });
    const pausing = handler.pause();
    gate.resolve();
    const snapshot = await pausing;
    expect(handler.status).toBe("paused");
    expect(entries(snapshot, "event").map(({ type }) => type)).toEqual(["blazen::StopEvent"]);
    expect(await build().resume(snapshot).result()).toEqual({ n: 5 });
    handler.resume();
    expect(await handler.result()).toEqual({ n: 5 });
  });

  test("a step that fails during a drain: pause rejects with RunOverError, result with its failure", async () => {
    const gate = deferred<void>();
    const handler = waiter(gate.promise).start({ n: 1 });
    const pausing = handler.pause();
    const failure = new Error("no");
    gate.reject(failure);
    expect(await caught(handler.result())).toMatchObject({ code: "STEP_FAILED", cause: failure });
    expect(await caught(pausing)).toBeInstanceOf(RunOverError);
    expect(handler.status).toBe("failed");
  });

  test("a step that fails while the run is paused fails it when it goes on", async () => {
    const gate = deferred<void>();
    const handler = waiter(gate.promise).start({ n: 1 });
    const snapshot = await handler.pause({ mode: "now" });
    gate.reject(new Error("no"));
    await turn();
    expect(handler.status).toBe("paused");
    expect(await handler.pause()).toBe(snapshot);
    handler.resume();
    expect(await caught(handler.result())).toBeInstanceOf(StepError);
    expect(await waiter(Promise.resolve()).resume(snapshot).result()).toEqual([2, 1]);
  });

  test("the run is over for the core, and not yet for the host: there is nothing to store", async () => {
    const answers: Promise<unknown>[] = [];
    const late: { handler?: Handler } = {};
    const workflow = new Workflow("over")
      .step("first", StartEvent<{ n: number }>, async () => {
        await turn();
        return new Look({ n: 0 });
      })
      .step("stop", Look, () => new StopEvent({ result: 1 }))
      .step("after", Look, () => {
        answers.push(late.handler!.snapshot(), late.handler!.pause({ mode: "now" }), late.handler!.pause());
        late.handler!.resume();
        answers.push(late.handler!.pause({ mode: "now" }));
      });
    late.handler = workflow.start({ n: 0 }) as Handler;
    const errors = late.handler.result().then(() => Promise.all(answers.map(caught)));
    expect((await errors).map((error) => (error as RunOverError).code)).toEqual(answers.map(() => "RUN_OVER"));
    expect(await late.handler.result()).toBe(1);
  });

  test("5,000 branches are paused in the middle: the core has more commands than fit the buffer", async () => {
    for (const asynchronous of [false, true]) {
      let called = 0;
      let paused: Promise<Snapshot> | undefined;
      const late: { handler?: Handler } = {};
      const build = (pauseAt: number) =>
        new Workflow("wide", { state: { count: 0 } })
          .step("fan", StartEvent<{ n: number }>, async ({ n }) => {
            await turn();
            return Array.from({ length: n }, (_, n) => new Work({ n }));
          })
          .step("work", Work, (({ n }: Work, ctx: { state: { update(key: "count", fn: (count: number) => number): void } }) => {
            called++;
            ctx.state.update("count", (count) => count + 1);
            if (called === pauseAt) paused = late.handler!.pause();
            return asynchronous ? Promise.resolve(new Done({ n })) : new Done({ n });
          }) as (event: Work) => Done)
          .step(
            "end",
            collect(Done, { of: "fan" }),
            (done, ctx) => new StopEvent({ result: [done.every(({ n }, at) => n === at), done.length, ctx.state.get("count")] }),
          );
      late.handler = build(2_000).start({ n: 5_000 }) as Handler;
      for (let turns = 0; paused === undefined && turns < 1000; turns++) await turn();
      const snapshot = await paused!;
      const before = called;
      expect(before).toBeLessThan(5_000);
      expect(entries(snapshot, "invocation").length + entries(snapshot, "queue").length).toBeGreaterThanOrEqual(5_000 - before);
      const text = String(snapshot);
      const resumed = build(-1).resume(text);
      expect(String(await resumed.snapshot())).toBe(text);
      expect(await resumed.result()).toEqual([true, 5_000, 5_000]);
      expect(called).toBe(5_000);
      called = before;
      late.handler.resume();
      expect(await late.handler.result()).toEqual([true, 5_000, 5_000]);
      expect(called).toBe(5_000);
    }
  });

  test("a drain takes time in proportion to the steps that run, not to what waits as well", async () => {
    const gate = deferred<void>();
    const size = 20_000;
    let called = 0;
    const late: { handler?: Handler; paused?: Promise<Snapshot> } = {};
    const workflow = new Workflow("long")
      .step("fan", StartEvent<{ n: number }>, async () => {
        await turn();
        return Array.from({ length: size }, (_, n) => new Work({ n }));
      })
      .step("work", Work, async () => {
        if (++called === size / 2) late.paused = late.handler!.pause();
        await gate.promise;
        return null;
      })
      .step("end", collect(Done, { of: "fan" }), () => new StopEvent({ result: 0 }));
    late.handler = workflow.start({ n: 0 }) as Handler;
    for (let turns = 0; late.paused === undefined && turns < 1000; turns++) await turn();
    const begun = performance.now();
    gate.resolve();
    const snapshot = await late.paused!;
    expect(performance.now() - begun).toBeLessThan(3_000);
    expect(entries(snapshot, "invocation").length + entries(snapshot, "queue").length).toBe(size / 2);
    await late.handler.cancel();
  });

  test("a run that waits for events from outside", async () => {
    const build = () =>
      new Workflow("waits", { external: [Paid] })
        .step("open", StartEvent<{ n: number }>, () => null)
        .step("paid", Paid, ({ id }) => (id === "last" ? new StopEvent({ result: id }) : null));
    const handler = build().start({ n: 1 });
    expect(handler.status).toBe("waiting");
    const snapshot = await handler.pause();
    expect(handler.status).toBe("paused");
    handler.resume();
    expect(handler.status).toBe("waiting");
    await handler.send(new Paid({ id: "a" }));
    await handler.pause();
    handler.resume();
    const resumed = build().resume(String(snapshot));
    await turn();
    expect(resumed.status).toBe("waiting");
    expect(String(await resumed.pause())).toBe(String(snapshot));
    await resumed.send(new Paid({ id: "last" }));
    expect(resumed.status).toBe("paused");
    expect(await isSettled(resumed.result())).toBe(false);
    resumed.resume();
    expect(await resumed.result()).toBe("last");
    await handler.send(new Paid({ id: "last" }));
    expect(await handler.result()).toBe("last");
  });

  test("a resumed run is paused and sent to before its first step", async () => {
    const snapshot = await waiter(new Promise(() => {}))
      .start({ n: 1 })
      .pause({ mode: "now" });
    const log: string[] = [];
    const resumed = waiter(Promise.resolve(), log).resume(snapshot);
    const paused = await resumed.pause();
    expect(String(paused)).toBe(String(snapshot));
    await turn();
    expect(log).toEqual([]);
    await resumed.send(new Paid({ id: "x" }));
    await turn();
    expect(log).toEqual([]);
    const more = await resumed.pause({ mode: "now" });
    expect(entries(more, "queue").length).toBe(1);
    resumed.resume();
    expect(await resumed.result()).toEqual([2, 1]);
    expect(log).toEqual(["first 2", "paid x", "last"]);
    const twice: string[] = [];
    expect(await waiter(Promise.resolve(), twice).resume(more).result()).toEqual([2, 1]);
    expect(twice).toEqual(["first 2", "paid x", "last"]);
  });

  test("pools: what waits for a place waits on, in order", async () => {
    const build = (gates: Promise<unknown>[], log: number[]) =>
      new Workflow("pool")
        .step("fan", StartEvent<{ n: number }>, ({ n }) => Array.from({ length: n }, (_, n) => new Work({ n })))
        .step("work", Work, { concurrency: 2 }, async ({ n }) => {
          log.push(n);
          await gates[n];
          return new Done({ n });
        })
        .step("end", collect(Done, { of: "fan" }), (done) => new StopEvent({ result: done.length }));
    const log: number[] = [];
    const handler = build([Promise.resolve(), new Promise(() => {})], log).start({ n: 6 });
    const pausing = handler.pause({ timeout: 5 });
    const snapshot = await pausing;
    expect(log).toEqual([0, 1]);
    expect(entries(snapshot, "invocation").map(({ state = "running", attempts = 0 }) => `${state} ${attempts}`)).toEqual([
      "running 1",
      "running 0",
      ...Array(3).fill("waiting 0"),
    ]);
    const again: number[] = [];
    expect(await build([], again).resume(snapshot).result()).toBe(6);
    expect(again).toEqual([1, 2, 3, 4, 5]);
    await handler.cancel(undefined, { grace: 0 });
  });

  test("a collect that had enough: the aborted keep their place, and are not called again", async () => {
    const gate = deferred<void>();
    const log: string[] = [];
    const build = (slow: Promise<unknown>) =>
      new Workflow("first")
        .step("fan", StartEvent<{ n: number }>, () => [new Work({ n: 0 }), new Work({ n: 1 }), new Work({ n: 2 })])
        .step("work", Work, { concurrency: 2 }, async ({ n }, ctx) => {
          log.push(`work ${n} ${ctx.attempt}`);
          await ctx.once("effect", () => n);
          if (n > 0) await slow;
          return new Done({ n });
        })
        .step("win", collect(Done, { of: "fan", first: 1 }), () => new Look({ n: 0 }))
        .step("late", Look, { concurrency: 1 }, async (_, ctx) => {
          log.push(`late ${ctx.attempt}`);
          await slow;
          return new StopEvent({ result: "won" });
        });
    const handler = build(gate.promise).start({ n: 0 });
    for (let turns = 0; !log.includes("late 1") && turns < 100; turns++) await turn();
    const snapshot = await handler.pause({ mode: "now" });
    expect(entries(snapshot, "invocation").map(({ step, state }) => [step, state])).toContainEqual(["work", "aborted"]);
    log.length = 0;
    const resumed = build(new Promise(() => {})).resume(snapshot);
    expect(String(await resumed.snapshot())).toBe(String(snapshot));
    await turn();
    expect(log).toEqual(["late 2"]);
    const later = await resumed.pause({ mode: "now" });
    // Nobody asks for the results of what was aborted.
    expect(Object.keys(read(later)).filter((key) => key.startsWith("once/"))).toEqual([]);
    expect(await build(Promise.resolve()).resume(String(later)).result()).toBe("won");
    gate.resolve();
    await handler.cancel(undefined, { grace: 0 });
    await resumed.cancel(undefined, { grace: 0 });
  });

  test("a drain does not wait for what was aborted", async () => {
    const handler = new Workflow("aborted", { external: [Paid] })
      .step("fan", StartEvent<{ n: number }>, () => [new Work({ n: 0 }), new Work({ n: 1 })])
      .step("work", Work, async ({ n }) => (n === 0 ? new Done({ n }) : new Promise<never>(() => {})))
      .step("win", collect(Done, { of: "fan", first: 1 }), () => null)
      .step("paid", Paid, ({ id }) => new StopEvent({ result: id }))
      .start({ n: 0 });
    await turn();
    expect(handler.status).toBe("waiting");
    expect(entries(await handler.pause(), "invocation")).toMatchObject([{ step: "work", state: "aborted" }]);
    handler.resume();
    await handler.send(new Paid({ id: "a" }));
    expect(await handler.result()).toBe("a");
  });

  test("a generator paused between its yields, in place and resumed, several times", async () => {
    const gates = Array.from({ length: 5 }, () => deferred<void>());
    const build = (free: number) =>
      new Workflow("generates", { state: { yields: 0 } })
        .step("fan", StartEvent<{ n: number }>, async function* (_, ctx) {
          for (let n = 0; n < 5; n++) {
            if (n >= free) await gates[n]!.promise;
            ctx.state.update("yields", (yields) => yields + 1);
            yield new Work({ n });
          }
        })
        .step("work", Work, ({ n }) => new Done({ n }))
        .step("end", collect(Done, { of: "fan" }), (done, ctx) => new StopEvent({ result: [done.map(({ n }) => n), ctx.state.get("yields")] }));
    const handler = build(2).start({ n: 0 });
    await turn();
    let snapshot = await handler.pause({ mode: "now" });
    expect(entries(snapshot, "invocation")).toMatchObject([{ step: "fan", yields: 2, attempts: 1 }]);
    gates[2]!.resolve();
    await turn();
    handler.resume();
    await turn();
    const later = await handler.pause({ mode: "now" });
    expect(entries(later, "invocation")).toMatchObject([{ yields: 3, attempts: 1 }]);
    for (let free = 3; free < 5; free++) {
      const resumed = build(free).resume(String(snapshot));
      await turn();
      snapshot = await resumed.pause({ mode: "now" });
      expect(entries(snapshot, "invocation")).toMatchObject([{ yields: free, attempts: free - 1 }]);
      await resumed.cancel(undefined, { grace: 0 });
    }
    for (const gate of gates) gate.resolve();
    handler.resume();
    expect(await handler.result()).toEqual([[0, 1, 2, 3, 4], 5]);
    expect(await build(5).resume(later).result()).toEqual([[0, 1, 2, 3, 4], 5]);
  });

  test("a drain lets a generator end", async () => {
    const handler = new Workflow("generates")
      .step("fan", StartEvent<{ n: number }>, async function* () {
        for (let n = 0; n < 3; n++) {
          await turn();
          yield new Work({ n });
        }
      })
      .step("work", Work, ({ n }) => new Done({ n }))
      .step("end", collect(Done, { of: "fan" }), (done) => new StopEvent({ result: done.length }))
      .start({ n: 0 });
    const snapshot = await handler.pause();
    expect(entries(snapshot, "queue").length).toBe(3);
    handler.resume();
    expect(await handler.result()).toBe(3);
  });
});

describe("commit points over a pause (4.2)", () => {
  const build = (gate: Promise<unknown>, log: string[]) =>
    new Workflow("points", { state: { sum: 0 } })
      .step("sends", StartEvent<{ n: number }>, async (_, ctx) => {
        log.push(`sends ${ctx.attempt}`);
        ctx.state.update("sum", (sum) => sum + 1);
        void ctx.sendEvent(new Work({ n: 1 }), { id: "work 1" });
        ctx.state.update("sum", (sum) => sum + 10);
        void ctx.commit({ id: "commit 1" });
        ctx.state.update("sum", (sum) => sum + 100);
        await gate;
        void ctx.sendEvent(new Work({ n: 2 }), { id: "work 2" });
        ctx.state.update("sum", (sum) => sum + 1000);
        return new Done({ n: 3 });
      })
      .step("work", Work, ({ n }) => {
        log.push(`work ${n}`);
      })
      .step("end", Done, (_, ctx) => new StopEvent({ result: ctx.state.get("sum") }));

  test("ids that the run knows change nothing, nor do the writes staged for them", async () => {
    const log: string[] = [];
    const handler = build(new Promise(() => {}), log).start({ n: 0 });
    await turn();
    const snapshot = await handler.pause({ mode: "now" });
    expect(read(snapshot)["state/sum"]).toBe(11);
    expect(entries(snapshot, "sent")).toEqual(["work 1", "commit 1"]);
    expect(log).toEqual(["sends 1", "work 1"]);
    const again: string[] = [];
    expect(await build(Promise.resolve(), again).resume(snapshot).result()).toBe(1111);
    expect(again).toEqual(["sends 2", "work 2"]);
    await handler.cancel(undefined, { grace: 0 });
  });

  test("what is sent and committed while the run is paused is taken up in order when it goes on", async () => {
    const log: string[] = [];
    const gate = deferred<void>();
    const handler = build(gate.promise, log).start({ n: 0 });
    const snapshot = await handler.pause({ mode: "now" });
    gate.resolve();
    await turn();
    expect(await handler.pause()).toBe(snapshot);
    handler.resume();
    expect(await handler.result()).toBe(1111);
    expect(log).toEqual(["sends 1", "work 1", "work 2"]);
  });

  test("a commit point during a pause holds what was written before it, not after", async () => {
    const gate = deferred<void>();
    const handler = new Workflow("prefix", { state: { a: 0 } })
      .step("writes", StartEvent<{ n: number }>, async (_, ctx) => {
        await gate.promise;
        ctx.state.set("a", 1);
        void ctx.sendEvent(new Look({ n: 0 }));
        ctx.state.set("a", 2);
        await new Promise(() => {});
      })
      .step("look", Look, (_, ctx) => new StopEvent({ result: ctx.state.get("a") }))
      .start({ n: 0 });
    await handler.pause({ mode: "now" });
    gate.resolve();
    await turn();
    handler.resume();
    expect(await handler.result()).toBe(1);
  });

  test("one id twice during a pause: the second and its writes are dropped", async () => {
    const gate = deferred<void>();
    const log: number[] = [];
    const handler = new Workflow("twice", { state: { a: 0 } })
      .step("writes", StartEvent<{ n: number }>, async (_, ctx) => {
        await gate.promise;
        ctx.state.update("a", (a) => a + 1);
        void ctx.sendEvent(new Work({ n: 1 }), { id: "one" });
        ctx.state.update("a", (a) => a + 10);
        void ctx.sendEvent(new Work({ n: 2 }), { id: "one" });
        return new Done({ n: 0 });
      })
      .step("work", Work, ({ n }) => {
        log.push(n);
      })
      .step("end", Done, (_, ctx) => new StopEvent({ result: ctx.state.get("a") }))
      .start({ n: 0 });
    await handler.pause({ mode: "now" });
    gate.resolve();
    await turn();
    handler.resume();
    expect(await handler.result()).toBe(1);
    expect(log).toEqual([1]);
  });

  test("ids of send are known after a resume", async () => {
    const log: string[] = [];
    const handler = waiter(new Promise(() => {}), log).start({ n: 1 });
    await handler.send(new Paid({ id: "a" }), { id: "1" });
    const snapshot = await handler.pause({ mode: "now" });
    const resumed = waiter(turn(), log).resume(snapshot);
    await resumed.send(new Paid({ id: "b" }), { id: "1" });
    await resumed.send(new Paid({ id: "c" }), { id: "2" });
    expect(await resumed.result()).toEqual([2, 1]);
    expect(log).toEqual(["first 1", "paid a", "first 2", "paid c", "last"]);
    await handler.cancel(undefined, { grace: 0 });
  });
});

describe("once over a pause (4.4)", () => {
  test("its results go with the run, and an effect under way runs again after a resume", async () => {
    const log: string[] = [];
    const gate = deferred<void>();
    const build = () =>
      new Workflow("once")
        .step("first", StartEvent<{ n: number }>, async (_, ctx) => {
          const one = await ctx.once("one", () => {
            log.push("one");
            return { value: new Date(1) };
          });
          const two = await ctx.once("two/2 %", async () => {
            log.push("two");
            await gate.promise;
            return new Uint8Array([1, 2]);
          });
          return new Done({ n: one.value.getTime() + two.length });
        })
        .step("end", Done, ({ n }) => new StopEvent({ result: n }));
    const handler = build().start({ n: 0 });
    await turn();
    const snapshot = await handler.pause({ mode: "now" });
    gate.resolve();
    await turn();
    const during = await handler.snapshot();
    expect(Object.keys(read(snapshot)).filter((key) => key.startsWith("once/"))).toEqual(["once/0/one"]);
    expect(Object.keys(read(during)).filter((key) => key.startsWith("once/"))).toEqual(["once/0/one", "once/0/two%2F2%20%25"]);
    handler.resume();
    expect(await handler.result()).toBe(3);
    expect(log).toEqual(["one", "two"]);
    expect(await build().resume(snapshot).result()).toBe(3);
    expect(log).toEqual(["one", "two", "two"]);
    expect(await build().resume(during.toBytes()).result()).toBe(3);
    expect(log).toEqual(["one", "two", "two"]);
  });
});

describe("resources over a pause (6.5)", () => {
  test("closed in reverse order once no unsettled attempt holds them, and opened again by the next use", async () => {
    const log: string[] = [];
    const one = resource({ open: () => log.push("open one"), close: () => void log.push("close one") });
    const two = resource({ open: () => log.push("open two"), close: async () => void log.push("close two") });
    const build = (gate: Promise<unknown>) =>
      new Workflow("resources", { external: [Paid] })
        .step("uses", StartEvent<{ n: number }>, async (_, ctx) => {
          await ctx.session.use(one);
          await ctx.session.use(two);
          return new Work({ n: 0 });
        })
        .step("holds", Work, async (_, ctx) => {
          await ctx.session.use(two);
          await gate;
          return null;
        })
        .step("ends", Paid, async (_, ctx) => {
          await ctx.session.use(one);
          return new StopEvent({ result: "end" });
        });
    const gate = deferred<void>();
    const handler = build(gate.promise).start({ n: 0 });
    await turn();
    const snapshot = await handler.pause({ mode: "now" });
    expect(log).toEqual(["open one", "open two", "close one"]);
    handler.resume();
    gate.resolve();
    await turn();
    await handler.pause();
    expect(log).toEqual(["open one", "open two", "close one", "close two"]);
    await handler.send(new Paid({ id: "a" }));
    handler.resume();
    expect(await handler.result()).toBe("end");
    expect(log.slice(4)).toEqual(["open one", "close one"]);
    log.length = 0;
    const resumed = build(Promise.resolve()).resume(snapshot);
    await turn();
    expect(log).toEqual(["open two"]);
    await resumed.send(new Paid({ id: "a" }));
    expect(await resumed.result()).toBe("end");
    expect(log).toEqual(["open two", "open one", "close one", "close two"]);
  });

  test("one that cannot be closed rejects the pause, and the run goes on", async () => {
    const failure = new Error("stuck");
    let fails = true;
    const bad = resource({
      open: () => 1,
      close: () => {
        if (fails) throw failure;
      },
    });
    const handler = new Workflow("stuck", { external: [Paid] })
      .step("uses", StartEvent<{ n: number }>, async (_, ctx) => {
        await ctx.session.use(bad);
        return null;
      })
      .step("ends", Paid, () => new StopEvent({ result: "end" }))
      .start({ n: 0 });
    await turn();
    expect(await caught(handler.pause())).toBe(failure);
    expect(handler.status).toBe("waiting");
    fails = false;
    await handler.send(new Paid({ id: "a" }));
    expect(await handler.result()).toBe("end");
  });
});

describe("snapshot while the run goes on (7.1)", () => {
  test("while a step is on the stack: it counts as not settled, and all that waits is there", async () => {
    const taken: Promise<Snapshot>[] = [];
    const late: { handler?: Handler } = {};
    const log: string[] = [];
    const build = (takes: boolean) =>
      new Workflow("stack", { state: { n: 0 } })
        .step("begin", StartEvent<{ n: number }>, async () => {
          await turn();
          return Array.from({ length: 5 }, (_, n) => new Work({ n }));
        })
        .step("work", Work, ({ n }, ctx) => {
          log.push(`work ${n} ${ctx.attempt}`);
          ctx.state.update("n", (n) => n + 1);
          if (takes && n === 2) taken.push(late.handler!.snapshot());
          return new Done({ n });
        })
        .step("end", collect(Done, { of: "begin" }), (done, ctx) => new StopEvent({ result: [done.length, ctx.state.get("n")] }));
    late.handler = build(true).start({ n: 0 }) as Handler;
    expect(await late.handler.result()).toEqual([5, 5]);
    const snapshot = await taken[0]!;
    expect(entries(snapshot, "invocation").map(({ attempts = 0 }) => attempts)).toEqual([1, 0, 0]);
    log.length = 0;
    const resumed = build(false).resume(String(snapshot));
    expect(String(await resumed.snapshot())).toBe(String(snapshot));
    expect(await resumed.result()).toEqual([5, 5]);
    expect(log).toEqual(["work 2 2", "work 3 1", "work 4 1"]);
  });

  test("of a fan-out that is larger than the buffer: the order of calls stays", async () => {
    const late: { handler?: Handler } = {};
    const seen: number[] = [];
    const taken: Promise<Snapshot>[] = [];
    const build = (takes: boolean) =>
      new Workflow("order")
        .step("begin", StartEvent<{ n: number }>, async () => {
          await turn();
          return Array.from({ length: 9_000 }, (_, n) => new Work({ n }));
        })
        .step("work", Work, ({ n }) => {
          seen.push(n);
          if (takes && n % 3_000 === 1) taken.push(late.handler!.snapshot());
          return n === 8_999 ? new Done({ n }) : null;
        })
        .step("end", collect(Done, { of: "begin" }), () => new StopEvent({ result: seen.length }));
    late.handler = build(true).start({ n: 0 }) as Handler;
    expect(await late.handler.result()).toBe(9_000);
    expect(seen).toEqual(Array.from({ length: 9_000 }, (_, n) => n));
    for (const [at, snapshot] of (await Promise.all(taken)).entries()) {
      seen.length = 0;
      await build(false).resume(snapshot).result();
      expect(seen).toEqual(Array.from({ length: 9_000 - (at * 3_000 + 1) }, (_, n) => at * 3_000 + 1 + n));
    }
  });
});

describe("a snapshot that cannot be taken (7.1)", () => {
  class Live extends event("Live")<{ list: unknown[] }> {}
  class Sessions extends event("Sessions") {}

  test("an event, while it is queued, joined, collected, or held by a step: nothing is lost", async () => {
    const gate = deferred<void>();
    const handler = new Workflow("live")
      .step("fan", StartEvent<{ n: number }>, async () => {
        await gate.promise;
        return [new Live({ list: [1, { call: () => 7 }] }), new Work({ n: 1 })];
      })
      .step("join", all(Live, Done), ([live]) => new StopEvent({ result: (live.list[1] as { call(): number }).call() }))
      .step("work", Work, ({ n }) => new Done({ n }))
      .start({ n: 0 });
    const pausing = handler.pause();
    gate.resolve();
    const error = (await caught(pausing)) as UnserializableError;
    expect(error).toBeInstanceOf(UnserializableError);
    expect(error.path).toBe("events[Live].list[1].call");
    expect(error.message).toContain("events[Live].list[1].call");
    expect(await handler.result()).toBe(7);
  });

  test("snapshot() is refused as well, and a refused pause can be tried again", async () => {
    const gate = deferred<void>();
    const handler = new Workflow("again", { external: [Paid] })
      .step("open", StartEvent<{ n: number }>, () => new Live({ list: [() => 1] }))
      .step("use", Live, async () => {
        await gate.promise;
      })
      .step("paid", Paid, () => new StopEvent({ result: 1 }))
      .start({ n: 1 });
    expect(await caught(handler.snapshot())).toBeInstanceOf(UnserializableError);
    expect(await caught(handler.pause({ mode: "now" }))).toBeInstanceOf(UnserializableError);
    expect(await caught(handler.pause({ timeout: 1 }))).toBeInstanceOf(UnserializableError);
    expect(handler.status).toBe("running");
    const drain = handler.pause();
    gate.resolve();
    await drain;
    expect(handler.status).toBe("paused");
    await handler.send(new Paid({ id: "a" }));
    handler.resume();
    expect(await handler.result()).toBe(1);
  });

  test("the session's policies, and resources, which are exempt", async () => {
    const connection = resource({ open: () => ({ live: () => 1 }) });
    for (const policy of ["pickle_or_error", "pickle_or_serialize", "warn_drop", "hard_error"] as const) {
      const build = () =>
        new Workflow("session", { external: [Paid], sessionPausePolicy: policy, session: "live" })
          .step("open", StartEvent<{ n: number }>, async (_, ctx) => {
            await ctx.session.use(connection);
            ctx.session.set("b", () => 1);
            ctx.session.set("a", { call: () => 2 });
            ctx.session.set("plain", { x: 1 });
            return null;
          })
          .step("paid", Paid, (_, ctx) => {
            ctx.session.delete("a");
            ctx.session.delete("b");
            return new Sessions();
          })
          .step("sessions", Sessions, (_, ctx) => new StopEvent({ result: [...ctx.session.keys()] }));
      const handler = build().start({ n: 0 });
      await turn();
      if (policy === "warn_drop") {
        const snapshot = await handler.pause();
        expect(snapshot.droppedSession).toEqual(["a", "b", "plain"]);
        handler.resume();
      } else {
        const error = (await caught(handler.pause())) as SessionPauseError;
        expect(error).toBeInstanceOf(SessionPauseError);
        expect(error.keys).toEqual(policy === "pickle_or_serialize" ? ["a", "b"] : ["a", "b", "plain"]);
        expect(error.message).toContain('"a", "b"');
        expect(await caught(handler.snapshot())).toBeInstanceOf(SessionPauseError);
      }
      expect(handler.status).toBe("waiting");
      await handler.send(new Paid({ id: "a" }));
      expect(await handler.result()).toEqual(["plain"]);
    }
  });

  test("a policy survives the resume by a workflow with another", async () => {
    const build = (sessionPausePolicy: "warn_drop" | "hard_error") =>
      new Workflow("survives", { external: [Paid], sessionPausePolicy, session: "live" })
        .step("open", StartEvent<{ n: number }>, () => null)
        .step("paid", Paid, (_, ctx) => {
          ctx.session.set("a", 1);
        });
    const handler = build("hard_error").start({ n: 0 });
    const resumed = build("warn_drop").resume(await handler.pause());
    await turn();
    await resumed.send(new Paid({ id: "a" }));
    expect(await caught(resumed.pause())).toBeInstanceOf(SessionPauseError);
    await resumed.cancel();
    await handler.cancel();
  });
});

test("a step that settles in the very moment the run goes on settles after what it sent (4.2)", async () => {
  const [sending, settling] = [deferred<void>(), deferred<void>()];
  const handler = new Workflow("moment")
    .step("send", StartEvent, async (_, ctx) => {
      await sending.promise;
      void ctx.sendEvent(new Done({ n: 1 }));
      await settling.promise;
      return null;
    })
    .step("end", Done, ({ n }) => new StopEvent({ result: n }))
    .start({});
  await handler.pause({ mode: "now" });
  sending.resolve();
  await turn();
  settling.resolve();
  await null;
  handler.resume();
  expect(await handler.result()).toBe(1);
});
