import { BlazenState, CallbackFieldStore, CancelledError, event, StartEvent, StepError, StepFailedEvent, StopEvent, TimeoutError, Workflow } from "blazen";
import { VirtualClock } from "blazen/testing";
import { describe, expect, test } from "vitest";
import { deferred } from "./deferred";
import { caught, entries, observed, read, turns } from "./support";

class Work extends event("Work")<{ n: number }> {}
class Go extends event("Go") {}

const stop = <R>(result: R) => new StopEvent({ result });
const never = <T>() => new Promise<T>(() => {});

describe("an attempt's timeout (5.2)", () => {
  test("aborts its signal and fails it, with a TimeoutError that says whose", async () => {
    const clock = new VirtualClock();
    const reasons: unknown[] = [];
    const handler = observed(
      new Workflow("slow")
        .step("slow", StartEvent<{ n: number }>, { timeout: 1_000 }, (_, ctx) => {
          ctx.signal.addEventListener("abort", () => reasons.push(ctx.signal.reason));
          return never<StopEvent>();
        })
        .start({ n: 1 }, { clock }),
    );
    await clock.advance(999);
    expect([handler.status, reasons.length]).toEqual(["running", 0]);
    await clock.advance(1);
    const error = (await caught(handler.result())) as StepError;
    expect(error).toBeInstanceOf(StepError);
    expect(error).toMatchObject({ code: "STEP_FAILED", step: "slow", attempts: 1, runId: handler.runId });
    expect(error.cause).toBeInstanceOf(TimeoutError);
    expect(error.cause).toMatchObject({ code: "TIMEOUT", step: "slow", runId: handler.runId, message: expect.stringContaining("1000") });
    expect(reasons).toEqual([error.cause]);
    expect(clock.waiting).toBe(false);
  });

  test("each attempt has the whole of it; what a late one returns, throws or does is nothing (4.6)", async () => {
    const clock = new VirtualClock();
    const late = [deferred<StopEvent<string>>(), deferred<StopEvent<string>>()];
    const dead: unknown[] = [];
    const handler = observed(
      new Workflow("late", { state: { n: 0 } })
        .step("slow", StartEvent<{ n: number }>, { timeout: 1_000, retry: { maxAttempts: 3, initial: 10, backoff: "fixed" } }, async (_, ctx) => {
          if (ctx.attempt === 3) return stop(`attempt 3, ${ctx.state.get("n")}`);
          ctx.state.set("n", ctx.attempt);
          const result = await late[ctx.attempt - 1]!.promise;
          for (const use of [
            () => ctx.state.set("n", 9),
            () => ctx.sendEvent(new Go()),
            () => ctx.commit(),
            () => ctx.sleep(1),
            () => ctx.requestInput({ prompt: "?" }),
          ])
            try {
              await use();
              dead.push("nothing thrown");
            } catch (error) {
              dead.push(error);
            }
          return result;
        })
        .step("go", Go, () => null)
        .start({ n: 1 }, { clock }),
    );
    await clock.advance(1_010);
    late[0]!.resolve(stop("too late"));
    await clock.advance(999);
    expect(handler.status).toBe("running");
    await clock.advance(11);
    expect(await handler.result()).toBe("attempt 3, 0");
    late[1]!.reject(new Error("much too late"));
    await turns();
    expect(dead).toHaveLength(5);
    for (const error of dead) expect(error).toBeInstanceOf(CancelledError);
    expect(clock.waiting).toBe(false);
  });

  test("a step that listens to its signal may stop; what it had committed stays", async () => {
    const clock = new VirtualClock();
    const handler = observed(
      new Workflow("polite", { state: { committed: 0, staged: 0 } })
        .step("slow", StartEvent<{ n: number }>, { timeout: 100 }, async (_, ctx) => {
          ctx.state.set("committed", 1);
          await ctx.commit();
          ctx.state.set("staged", 1);
          await new Promise<void>((resolve) => ctx.signal.addEventListener("abort", () => resolve()));
          throw ctx.signal.reason;
        })
        .step("failed", StepFailedEvent, ({ error }, ctx) => stop([(error as Error).name, ctx.state.get("committed"), ctx.state.get("staged")]))
        .start({ n: 1 }, { clock }),
    );
    expect(await clock.until(handler.result())).toEqual(["TimeoutError", 1, 0]);
  });

  test("a quick attempt leaves no timer", async () => {
    const clock = new VirtualClock();
    const handler = observed(
      new Workflow("quick", { external: [Go] })
        .step("sync", StartEvent<{ n: number }>, { timeout: 100 }, () => new Work({ n: 1 }))
        .step("async", Work, { timeout: 100 }, async () => null)
        .step("end", Go, { timeout: 100 }, () => stop(1))
        .start({ n: 1 }, { clock }),
    );
    await turns();
    expect([handler.status, clock.waiting]).toEqual(["waiting", false]);
    await handler.send(new Go());
    expect(await handler.result()).toBe(1);
    expect(clock.waiting).toBe(false);
  });

  test("Infinity and more days than a host's timer takes are allowed", async () => {
    const clock = new VirtualClock();
    const month = 31 * 24 * 3600 * 1000;
    const handler = observed(
      new Workflow("long")
        .step("none", StartEvent<{ n: number }>, { timeout: Number.POSITIVE_INFINITY }, () => never<null>())
        .step("month", StartEvent<{ n: number }>, { timeout: month }, () => never<StopEvent>())
        .start({ n: 1 }, { clock }),
    );
    await clock.advance(month - 1);
    expect(handler.status).toBe("running");
    await clock.advance(1);
    expect(await caught(handler.result())).toMatchObject({ step: "month", cause: { code: "TIMEOUT" } });
  });

  test("stands still while the invocation is parked, and goes on with what is left", async () => {
    const clock = new VirtualClock();
    const handler = observed(
      new Workflow("parked")
        .step("slow", StartEvent<{ n: number }>, { timeout: 1_000 }, async (_, ctx) => {
          await Promise.all([ctx.sleep(5_000), ctx.sleep(3_000)]);
          await ctx.requestInput({ prompt: "?" });
          return never<StopEvent>();
        })
        .start({ n: 1 }, { clock }),
    );
    await clock.advance(5_000);
    await clock.advance(1e6);
    await handler.respond(handler.pendingInputs[0]!.id, 1);
    await clock.advance(999);
    expect(handler.status).toBe("running");
    await clock.advance(1);
    expect(await caught(handler.result())).toMatchObject({ cause: { code: "TIMEOUT" } });
  });

  test("counts on between two sleeps", async () => {
    const clock = new VirtualClock();
    const gates = [deferred<void>(), deferred<void>()];
    const handler = observed(
      new Workflow("between")
        .step("slow", StartEvent<{ n: number }>, { timeout: 1_000 }, async (_, ctx) => {
          await gates[0]!.promise;
          await ctx.sleep(10_000);
          await gates[1]!.promise;
          return stop(1);
        })
        .start({ n: 1 }, { clock }),
    );
    await clock.advance(600);
    gates[0]!.resolve();
    await clock.advance(10_000);
    await clock.advance(399);
    expect(handler.status).toBe("running");
    await clock.advance(1);
    expect(await caught(handler.result())).toMatchObject({ cause: { code: "TIMEOUT" } });
  });

  test("stands still while the run is paused; a resumed attempt has the whole of it", async () => {
    const clock = new VirtualClock();
    const make = () => new Workflow("paused").step("slow", StartEvent<{ n: number }>, { timeout: 1_000 }, () => never<StopEvent>());
    const handler = observed(make().start({ n: 1 }, { clock }));
    await clock.advance(700);
    const snapshot = await handler.pause({ mode: "now" });
    expect(clock.waiting).toBe(false);
    await clock.advance(10_000);
    const resumed = observed(make().resume(snapshot, { clock }));
    await clock.advance(900);
    handler.resume();
    await clock.advance(99);
    expect([handler.status, resumed.status]).toEqual(["running", "running"]);
    await clock.advance(1);
    expect([handler.status, resumed.status]).toEqual(["running", "failed"]);
    await clock.advance(199);
    expect(handler.status).toBe("running");
    await clock.advance(1);
    expect(handler.status).toBe("failed");
    for (const one of [handler, resumed]) expect(await caught(one.result())).toMatchObject({ cause: { code: "TIMEOUT" } });
  });

  test("goes on during a drain, which it ends", async () => {
    const clock = new VirtualClock();
    const handler = observed(
      new Workflow("drain")
        .step("slow", StartEvent<{ n: number }>, { timeout: 1_000, retry: { maxAttempts: 2, initial: 50 } }, () => never<StopEvent>())
        .start({ n: 1 }, { clock }),
    );
    const pausing = handler.pause();
    await clock.advance(1_000);
    expect(entries(await pausing, "invocation")).toMatchObject([{ attempts: 1, failures: 1 }]);
    await handler.cancel();
    expect(clock.waiting).toBe(false);
  });

  test("of a generator: what it has yielded stays, and its late yields are dropped", async () => {
    const clock = new VirtualClock();
    const gate = deferred<void>();
    const seen: number[] = [];
    const handler = observed(
      new Workflow("generator", { external: [Go] })
        .step("fan", StartEvent<{ n: number }>, { timeout: 100 }, async function* () {
          yield new Work({ n: 1 });
          await gate.promise;
          yield new Work({ n: 2 });
        })
        .step("work", Work, ({ n }) => void seen.push(n))
        .step("failed", StepFailedEvent, () => null)
        .step("end", Go, () => stop(seen))
        .start({ n: 1 }, { clock }),
    );
    await clock.advance(100);
    gate.resolve();
    await turns();
    expect(handler.status).toBe("waiting");
    await handler.send(new Go());
    expect(await handler.result()).toEqual([1]);
  });

  test("an attempt that waits for a place does not use it up", async () => {
    const clock = new VirtualClock();
    const handler = observed(
      new Workflow("place")
        .step("fan", StartEvent<{ n: number }>, () => [1, 2].map((n) => new Work({ n })))
        .step("work", Work, { concurrency: 1, timeout: 1_000 }, async ({ n }, ctx) => {
          await ctx.sleep(5_000);
          return n === 2 ? stop(1) : null;
        })
        .start({ n: 1 }, { clock }),
    );
    expect(await clock.until(handler.result())).toBe(1);
  });

  test("on the system's clock, too", async () => {
    const workflow = new Workflow("real").step("slow", StartEvent<{ n: number }>, { timeout: 5, retry: { maxAttempts: 2, initial: 1 } }, () =>
      never<StopEvent>(),
    );
    expect(await caught(workflow.run({ n: 1 }))).toMatchObject({ attempts: 2, cause: { code: "TIMEOUT" } });
  });
});

describe("a run's timeout (5.2)", () => {
  test("fails it at once, whatever its steps do; their signals are aborted for that cause (5.3)", async () => {
    const clock = new VirtualClock();
    const reasons: unknown[] = [];
    const handler = observed(
      new Workflow("limited", { timeout: 1_000 })
        .step("slow", StartEvent<{ n: number }>, (_, ctx) => {
          ctx.signal.addEventListener("abort", () => reasons.push(ctx.signal.reason));
          return never<StopEvent>();
        })
        .step("sleeps", StartEvent<{ n: number }>, async (_, ctx) => {
          await ctx.sleep(5_000).catch((error: unknown) => reasons.push(error));
          return null;
        })
        .start({ n: 1 }, { clock }),
    );
    await clock.advance(999);
    expect(handler.status).toBe("running");
    await clock.advance(1);
    expect(handler.status).toBe("failed");
    const error = await caught(handler.result());
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error).toMatchObject({ code: "TIMEOUT", runId: handler.runId, message: expect.stringContaining("1000") });
    expect(reasons).toHaveLength(2);
    for (const reason of reasons) {
      expect(reason).toBeInstanceOf(CancelledError);
      expect((reason as CancelledError).cause).toBe(error);
    }
    expect(clock.waiting).toBe(false);
  });

  test("is no failure of a step: nothing is retried or routed", async () => {
    const clock = new VirtualClock();
    let attempts = 0;
    const handler = observed(
      new Workflow("limited", { timeout: 100 })
        .step("slow", StartEvent<{ n: number }>, { retry: 3 }, () => {
          attempts++;
          return never<StopEvent>();
        })
        .step("failed", StepFailedEvent, () => stop("routed"))
        .start({ n: 1 }, { clock }),
    );
    await clock.advance(100);
    expect(await caught(handler.result())).toBeInstanceOf(TimeoutError);
    expect(attempts).toBe(1);
  });

  test("goes on while steps sleep or wait to be tried again", async () => {
    const clock = new VirtualClock();
    const sleeps = new Workflow("sleeps", { timeout: 100 }).step("sleep", StartEvent<{ n: number }>, async (_, ctx) => {
      await ctx.sleep(101);
      return stop(1);
    });
    const retries = new Workflow("retries", { timeout: 100 }).step("try", StartEvent<{ n: number }>, { retry: { maxAttempts: 2, initial: 101 } }, () => {
      throw new Error("boom");
    });
    const runs = [sleeps.start({ n: 1 }, { clock }), retries.start({ n: 1 }, { clock })].map(observed);
    await clock.advance(100);
    for (const run of runs) expect(await caught(run.result())).toBeInstanceOf(TimeoutError);
    expect(clock.waiting).toBe(false);
  });

  test("stands still while the run only waits for input and external events, and goes on with the rest", async () => {
    const clock = new VirtualClock();
    const handler = observed(
      new Workflow("waits", { timeout: 1_000, external: [Go] })
        .step("work", [StartEvent<{ n: number }>, Go], () => null)
        .step("slow", Go, () => never<StopEvent>())
        .start({ n: 1 }, { clock }),
    );
    expect([handler.status, clock.waiting]).toEqual(["waiting", false]);
    await clock.advance(1e6);
    expect(handler.status).toBe("waiting");
    await handler.send(new Go());
    await clock.advance(999);
    expect(handler.status).toBe("running");
    await clock.advance(1);
    expect(await caught(handler.result())).toBeInstanceOf(TimeoutError);
  });

  test("stands still during a pause, and is kept by a snapshot", async () => {
    const clock = new VirtualClock();
    const make = () => new Workflow("paused", { timeout: 1_000 }).step("slow", StartEvent<{ n: number }>, () => never<StopEvent>());
    const handler = observed(make().start({ n: 1 }, { clock }));
    await clock.advance(700);
    const snapshot = await handler.pause({ mode: "now" });
    expect(read(snapshot)["elapsed"]).toBe(700);
    expect(clock.waiting).toBe(false);
    await clock.advance(1e6);
    const resumed = observed(make().resume(String(snapshot), { clock }));
    expect(String(await resumed.snapshot())).toBe(String(snapshot));
    await clock.advance(299);
    expect(resumed.status).toBe("running");
    const again = await resumed.pause({ mode: "now" });
    expect(read(again)["elapsed"]).toBe(999);
    await clock.advance(1e6);
    const last = observed(make().resume(again, { clock }));
    await clock.advance(1);
    expect(await caught(last.result())).toBeInstanceOf(TimeoutError);
    handler.resume();
    await clock.advance(300);
    expect(await caught(handler.result())).toBeInstanceOf(TimeoutError);
    await resumed.cancel(undefined, { grace: 0 });
    expect(clock.waiting).toBe(false);
  });

  test("is that of the workflow that resumes", async () => {
    const clock = new VirtualClock();
    const make = (timeout?: number) =>
      new Workflow("changed", timeout === undefined ? {} : { timeout }).step("slow", StartEvent<{ n: number }>, () => never<StopEvent>());
    const handler = observed(make(1_000).start({ n: 1 }, { clock }));
    await clock.advance(600);
    const snapshot = await handler.pause({ mode: "now" });
    await handler.cancel(undefined, { grace: 0 });
    const none = make().resume(snapshot, { clock });
    await turns();
    expect(clock.waiting).toBe(false);
    // The time that has passed is known all the same.
    expect(read(await none.pause({ mode: "now" }))["elapsed"]).toBe(600);
    await none.cancel(undefined, { grace: 0 });
    const short = observed(make(500).resume(snapshot, { clock }));
    await turns();
    expect(await caught(short.result())).toBeInstanceOf(TimeoutError);
  });

  test("a run that ends in time leaves no timer", async () => {
    const clock = new VirtualClock();
    const workflow = new Workflow("quick", { timeout: 1_000 }).step("only", StartEvent<{ n: number }>, async ({ n }) => {
      if (n > 1) throw new Error("boom");
      return stop(n);
    });
    expect(await workflow.run({ n: 1 }, { clock })).toBe(1);
    expect(await caught(workflow.run({ n: 2 }, { clock }))).toBeInstanceOf(StepError);
    expect(clock.waiting).toBe(false);
  });
});

test("a step that has returned and waits for its commit point can still run out of time", async () => {
  const clock = new VirtualClock();
  const saving = deferred<void>();
  class Doc extends BlazenState {
    static override readonly meta = { name: "Doc", storeBy: { text: new CallbackFieldStore({ saveFn: () => saving.promise, loadFn: () => "" }) } };
    text = "long";
  }
  const workflow = new Workflow("saves", { types: [Doc] }).step("save", StartEvent, { timeout: 1_000 }, (_, ctx) => {
    ctx.set("doc", new Doc());
    void ctx.commit();
    return stop("saved");
  });
  const handler = observed(workflow.start({}, { clock }));
  await clock.advance(1_000);
  saving.resolve();
  const error = (await caught(handler.result())) as StepError;
  expect(error.cause).toBeInstanceOf(TimeoutError);
});
