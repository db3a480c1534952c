import { CancelledError, collect, DefinitionError, event, RunOverError, StartEvent, StopEvent, Workflow } from "blazen";
import { VirtualClock } from "blazen/testing";
import { describe, expect, test } from "vitest";
import { deferred } from "./deferred";
import { caught, isSettled, observed, turns } from "./support";

class Work extends event("Work")<{ n: number }> {}
class Done extends event("Done")<{ n: number }> {}
class Go extends event("Go") {}

const stop = <R>(result: R) => new StopEvent({ result });
const DAY = 24 * 3600 * 1000;
const empty = { stopped: [], ignored: [] };

describe("cancel, whatever the steps wait for (5.3)", () => {
  test("sleeps, questions and what listens to the signal reject with a CancelledError whose cause is the reason", async () => {
    const clock = new VirtualClock();
    const reason = new Error("enough");
    const seen: Record<string, unknown> = {};
    const handler = new Workflow("waits")
      .step("sleeps", StartEvent<{ n: number }>, async (_, ctx) => {
        seen["sleep"] = await caught(ctx.sleep(DAY));
        return null;
      })
      .step("asks", StartEvent<{ n: number }>, async (_, ctx) => {
        seen["ask"] = await caught(ctx.requestInput({ prompt: "?", timeout: DAY }));
        return null;
      })
      .step("listens", StartEvent<{ n: number }>, async (_, ctx) => {
        await new Promise<void>((resolve) => ctx.signal.addEventListener("abort", () => resolve()));
        seen["signal"] = ctx.signal.reason;
        return stop(1);
      })
      .step("passes it on", StartEvent<{ n: number }>, async (_, ctx) => {
        await ctx.sleep(DAY);
        return null;
      })
      .start({ n: 1 }, { clock });
    await turns();
    const report = await handler.cancel(reason);
    expect(report).toEqual({ stopped: ["sleeps", "asks", "listens", "passes it on"], ignored: [] });
    expect(Object.keys(seen).sort()).toEqual(["ask", "signal", "sleep"]);
    for (const error of Object.values(seen)) {
      expect(error).toBeInstanceOf(CancelledError);
      expect((error as CancelledError).cause).toBe(reason);
    }
    expect(clock.waiting).toBe(false);
    expect(handler.pendingInputs).toEqual([]);
    expect(await caught(handler.result())).toMatchObject({ code: "CANCELLED", cause: reason, report, runId: handler.runId });
  });

  test("one that waits to be tried again is stopped; so is one that has not begun, and it is not called", async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const handler = new Workflow("delays")
      .step("fan", StartEvent<{ n: number }>, () => [0, 1].map((n) => new Work({ n })))
      .step("fails", StartEvent<{ n: number }>, { retry: 3 }, () => {
        log.push("fails");
        throw new Error("boom");
      })
      .step("work", Work, { concurrency: 1 }, async ({ n }, ctx) => {
        log.push(`work ${n}`);
        await ctx.sleep(DAY);
        return stop(1);
      })
      .start({ n: 1 }, { clock });
    await turns();
    const report = await handler.cancel();
    expect([...report.stopped].sort()).toEqual(["fails", "work"]);
    expect(report.ignored).toEqual([]);
    await clock.advance(DAY);
    expect(log).toEqual(["fails", "work 0"]);
    expect(await caught(handler.result())).toMatchObject({ code: "CANCELLED", report });
    expect(clock.waiting).toBe(false);
  });

  test("a run that only waits is cancelled at once", async () => {
    const asks = new Workflow("asks").step("ask", StartEvent<{ n: number }>, async (_, ctx) => stop(await ctx.requestInput({ prompt: "?" }))).start({ n: 1 });
    const waits = new Workflow("external", { external: [Go] })
      .step("begin", StartEvent<{ n: number }>, () => null)
      .step("go", Go, () => stop(1))
      .start({ n: 1 });
    expect([asks.status, waits.status]).toEqual(["waiting", "waiting"]);
    expect(await waits.cancel("why")).toEqual(empty);
    expect(await asks.cancel("why")).toEqual({ stopped: ["ask"], ignored: [] });
    for (const handler of [asks, waits]) {
      expect(handler.status).toBe("cancelled");
      expect(await caught(handler.result())).toMatchObject({ code: "CANCELLED", cause: "why" });
    }
  });

  test("nothing that is waiting for its event loop turn starts any more", async () => {
    const seen: number[] = [];
    const handler = observed(
      new Workflow("chain")
        .step("begin", StartEvent<{ n: number }>, async () => new Work({ n: 0 }))
        .step("work", Work, async ({ n }) => {
          seen.push(n);
          return n < 3 ? new Work({ n: n + 1 }) : stop(n);
        })
        .start({ n: 1 }),
    );
    await handler.cancel();
    expect(seen).toEqual([]);
  });
});

describe("grace (5.3)", () => {
  const deaf = () => {
    const gate = deferred<void>();
    const clock = new VirtualClock();
    const handler = observed(
      new Workflow("deaf")
        .step("deaf", StartEvent<{ n: number }>, async () => {
          await gate.promise;
          return stop(1);
        })
        .start({ n: 1 }, { clock }),
    );
    return { gate, clock, handler };
  };

  test("is 1,000 ms; what has not settled then is ignored", async () => {
    const { clock, handler, gate } = deaf();
    const cancelling = handler.cancel();
    expect(handler.status).toBe("cancelled");
    await clock.advance(999);
    expect(await isSettled(cancelling)).toBe(false);
    expect(await isSettled(handler.result())).toBe(false);
    await clock.advance(1);
    expect(await cancelling).toEqual({ stopped: [], ignored: ["deaf"] });
    gate.resolve();
    await turns();
    expect(await caught(handler.result())).toMatchObject({ report: { ignored: ["deaf"] } });
    expect(clock.waiting).toBe(false);
  });

  test("is over as soon as every step has settled", async () => {
    const { clock, handler, gate } = deaf();
    const cancelling = handler.cancel("why", { grace: 5_000 });
    await clock.advance(100);
    gate.resolve();
    expect(await cancelling).toEqual({ stopped: ["deaf"], ignored: [] });
    expect(clock.waiting).toBe(false);
  });

  test("of 0 still lets steps that stop at once be told as stopped", async () => {
    const polite = new Workflow("polite").step("polite", StartEvent<{ n: number }>, async (_, ctx) => {
      await new Promise<void>((resolve) => ctx.signal.addEventListener("abort", () => resolve()));
      return stop(1);
    });
    for (const clock of [undefined, new VirtualClock()]) {
      const handler = polite.start({ n: 1 }, clock === undefined ? {} : { clock });
      expect(await handler.cancel(undefined, { grace: 0 })).toEqual({ stopped: ["polite"], ignored: [] });
    }
    const { handler } = deaf();
    expect(await handler.cancel(undefined, { grace: 0 })).toEqual({ stopped: [], ignored: ["deaf"] });
  });

  test("Infinity waits for as long as they take", async () => {
    const { clock, handler, gate } = deaf();
    const cancelling = handler.cancel(undefined, { grace: Number.POSITIVE_INFINITY });
    await clock.advance(1e9);
    expect(await isSettled(cancelling)).toBe(false);
    gate.resolve();
    expect(await cancelling).toEqual({ stopped: ["deaf"], ignored: [] });
  });

  test.each([-1, Number.NaN, "5", null])("of %s is a DefinitionError, and the run goes on", async (grace) => {
    const { handler, gate } = deaf();
    const error = await caught(handler.cancel(undefined, { grace: grace as number }));
    expect(error).toBeInstanceOf(DefinitionError);
    expect(error).toMatchObject({ runId: handler.runId, message: expect.stringContaining('"grace"') });
    gate.resolve();
    expect(await handler.result()).toBe(1);
  });
});

describe("who hears of it (5.3, 13)", () => {
  test("a second cancel gives the first report, also while the first is under way", async () => {
    const clock = new VirtualClock();
    const handler = observed(new Workflow("twice").step("deaf", StartEvent<{ n: number }>, () => new Promise<StopEvent>(() => {})).start({ n: 1 }, { clock }));
    const one = handler.cancel("first", { grace: 100 });
    const two = handler.cancel("second", { grace: 0 });
    await clock.advance(100);
    expect(await one).toBe(await two);
    expect(await handler.cancel("third")).toBe(await one);
    expect(await caught(handler.result())).toMatchObject({ cause: "first" });
  });

  test("after another end the report is empty", async () => {
    const failed = observed(
      new Workflow("failed")
        .step("only", StartEvent<{ n: number }>, () => {
          throw new Error("boom");
        })
        .start({ n: 1 }),
    );
    const completed = new Workflow("completed").step("only", StartEvent<{ n: number }>, () => stop(1)).start({ n: 1 });
    expect([await failed.cancel(), await completed.cancel()]).toEqual([empty, empty]);
    expect([failed.status, completed.status]).toEqual(["failed", "completed"]);
  });

  test("nobody need look at the result of a run that was cancelled through its handler, or by `await using`", async () => {
    const unhandled: unknown[] = [];
    const listen = (reason: unknown) => void unhandled.push(reason);
    process.on("unhandledRejection", listen);
    try {
      const workflow = new Workflow("quiet").step("sleep", StartEvent<{ n: number }>, async (_, ctx) => {
        await ctx.sleep(DAY);
        return stop(1);
      });
      await workflow.start({ n: 1 }).cancel("why");
      {
        await using handler = workflow.start({ n: 1 });
        expect(handler.status).toBe("running");
      }
      await turns(5);
      expect(unhandled).toEqual([]);
    } finally {
      process.off("unhandledRejection", listen);
    }
  });

  test("what a step throws after the cancel is nobody's error", async () => {
    const handler = observed(
      new Workflow("throws")
        .step("throws", StartEvent<{ n: number }>, async (_, ctx) => {
          await new Promise<void>((resolve) => ctx.signal.addEventListener("abort", () => resolve()));
          throw new Error("while stopping");
        })
        .start({ n: 1 }),
    );
    expect(await handler.cancel("why")).toEqual({ stopped: ["throws"], ignored: [] });
    expect(await caught(handler.result())).toMatchObject({ code: "CANCELLED", cause: "why" });
  });

  test("a context is dead from then on (4.6)", async () => {
    const clock = new VirtualClock();
    const dead: unknown[] = [];
    const handler = observed(
      new Workflow("dead", { state: { n: 1 } })
        .step("works", StartEvent<{ n: number }>, async (_, ctx) => {
          await new Promise<void>((resolve) => ctx.signal.addEventListener("abort", () => resolve()));
          const uses = [
            () => ctx.sleep(1),
            () => ctx.sleepUntil(new Date(0)),
            () => ctx.requestInput({ prompt: "?" }),
            () => ctx.sendEvent(new Go()),
            () => ctx.once("a", () => 1),
            () => ctx.commit(),
            () => ctx.state.set("n", 2),
          ];
          for (const use of uses) {
            try {
              use();
              dead.push(`not dead: ${use}`);
            } catch (error) {
              dead.push((error as CancelledError).code);
            }
          }
          dead.push(ctx.state.get("n"), ctx.stepName, ctx.attempt);
          return null;
        })
        .step("go", Go, () => stop(1))
        .start({ n: 1 }, { clock }),
    );
    await handler.cancel();
    expect(dead).toEqual([...Array.from({ length: 7 }, () => "CANCELLED"), 1, "works", 1]);
  });
});

describe("cancel beside pause, resume, respond and send (7.1)", () => {
  test("a paused run is cancelled: no step goes on", async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const handler = observed(
      new Workflow("paused")
        .step("sleep", StartEvent<{ n: number }>, async (_, ctx) => {
          await ctx.sleep(10).catch((error: unknown) => {
            log.push((error as CancelledError).code);
            throw error;
          });
          return new Work({ n: 1 });
        })
        .step("work", Work, () => {
          log.push("work");
          return stop(1);
        })
        .start({ n: 1 }, { clock }),
    );
    const snapshot = await handler.pause();
    const cancelling = handler.cancel("why");
    expect(handler.status).toBe("cancelled");
    handler.resume();
    expect(await cancelling).toEqual({ stopped: ["sleep"], ignored: [] });
    expect(log).toEqual(["CANCELLED"]);
    for (const late of [handler.pause(), handler.pause({ mode: "now" }), handler.snapshot()]) expect(await caught(late)).toBeInstanceOf(RunOverError);
    expect(String(snapshot)).toContain('"sleep"');
    expect(clock.waiting).toBe(false);
  });

  test("during a drain: the pause rejects with RunOverError", async () => {
    const clock = new VirtualClock();
    const handler = observed(new Workflow("drain").step("deaf", StartEvent<{ n: number }>, () => new Promise<StopEvent>(() => {})).start({ n: 1 }, { clock }));
    const pausing = caught(handler.pause({ timeout: DAY }));
    const cancelling = handler.cancel(undefined, { grace: 10 });
    await clock.advance(10);
    expect(await pausing).toBeInstanceOf(RunOverError);
    expect(await cancelling).toEqual({ stopped: [], ignored: ["deaf"] });
    expect(clock.waiting).toBe(false);
  });

  test("while it is under way nothing can be sent, answered or paused", async () => {
    const clock = new VirtualClock();
    const handler = observed(
      new Workflow("under way", { external: [Go] })
        .step("deaf", StartEvent<{ n: number }>, async (_, ctx) => {
          await ctx.requestInput({ prompt: "?" }).catch(() => {});
          return new Promise<StopEvent>(() => {});
        })
        .step("go", Go, () => stop(1))
        .start({ n: 1 }, { clock }),
    );
    await turns();
    const [{ id } = { id: "" }] = handler.pendingInputs;
    const cancelling = handler.cancel(undefined, { grace: 10 });
    for (const late of [handler.send(new Go()), handler.respond(id, 1), handler.pause(), handler.snapshot()])
      expect(await caught(late)).toMatchObject({ code: "RUN_OVER", runId: handler.runId });
    await clock.advance(10);
    expect(await cancelling).toEqual({ stopped: [], ignored: ["deaf"] });
  });

  test("a run from a snapshot, before it has gone on: nothing runs", async () => {
    const log: string[] = [];
    const make = () =>
      new Workflow("resumed").step("ask", StartEvent<{ n: number }>, async (_, ctx) => {
        log.push(`attempt ${ctx.attempt}`);
        return stop(await ctx.requestInput({ prompt: "?" }));
      });
    const handler = make().start({ n: 1 });
    const snapshot = await handler.pause();
    await handler.cancel();
    const resumed = observed(make().resume(snapshot));
    expect(await resumed.cancel("why")).toEqual(empty);
    await turns();
    expect(log).toEqual(["attempt 1"]);
    const aborted = observed(make().resume(snapshot, { signal: AbortSignal.abort("no") }));
    expect(await caught(aborted.result())).toMatchObject({ code: "CANCELLED", cause: "no" });
    expect(log).toEqual(["attempt 1"]);
  });

  test("by the caller's signal a resumed run is cancelled, too", async () => {
    const clock = new VirtualClock();
    const make = () =>
      new Workflow("signal").step("sleep", StartEvent<{ n: number }>, async (_, ctx) => {
        await ctx.sleep(DAY);
        return stop(1);
      });
    const handler = make().start({ n: 1 }, { clock });
    const snapshot = await handler.pause();
    await handler.cancel();
    const controller = new AbortController();
    const resumed = observed(make().resume(snapshot, { signal: controller.signal, clock }));
    await turns();
    controller.abort("why");
    expect(await caught(resumed.result())).toMatchObject({ code: "CANCELLED", cause: "why", report: { stopped: ["sleep"], ignored: [] } });
    expect(clock.waiting).toBe(false);
  });

  test("from within a step: it goes on to its end, no other starts", async () => {
    const log: string[] = [];
    const late: { cancel?: () => Promise<unknown> } = {};
    const handler = observed(
      new Workflow("within", { external: [Go] })
        .step("begin", StartEvent<{ n: number }>, () => null)
        .step("go", Go, () => {
          void late.cancel?.();
          log.push("go");
          return new Work({ n: 1 });
        })
        .step("work", Work, () => {
          log.push("work");
          return stop(1);
        })
        .start({ n: 1 }),
    );
    late.cancel = () => handler.cancel("why");
    await handler.send(new Go());
    expect(await caught(handler.result())).toMatchObject({ cause: "why", report: { stopped: ["go"], ignored: [] } });
    expect(log).toEqual(["go"]);
  });
});

describe("losers of a fan-out (2.5c, 4.6)", () => {
  test("sleeps, backoffs and questions of theirs end with it", async () => {
    const clock = new VirtualClock();
    const seen: unknown[] = [];
    const attempts: number[] = [];
    const handler = new Workflow("race")
      .step("fan", StartEvent<{ n: number }>, () => [0, 1, 2, 3].map((n) => new Work({ n })))
      .step("work", Work, { retry: { maxAttempts: 5, initial: DAY } }, async ({ n }, ctx) => {
        attempts.push(n);
        if (n === 0) await ctx.sleep(DAY).catch((error: unknown) => void seen.push(error));
        if (n === 1) await ctx.requestInput({ prompt: "?" }).catch((error: unknown) => void seen.push(error));
        if (n === 2) throw new Error("boom");
        if (n === 3) await ctx.sleep(5);
        return new Done({ n });
      })
      .step("win", collect(Done, { of: "fan", first: 1 }), async ([{ n }], ctx) => {
        await ctx.sleep(2 * DAY);
        return stop(n);
      })
      .start({ n: 1 }, { clock });
    await clock.advance(5);
    expect(seen).toEqual([expect.any(CancelledError), expect.any(CancelledError)]);
    expect(handler.pendingInputs).toEqual([]);
    expect(await clock.until(handler.result())).toBe(3);
    expect(attempts).toEqual([0, 1, 2, 3]);
    expect(clock.waiting).toBe(false);
  });
});
