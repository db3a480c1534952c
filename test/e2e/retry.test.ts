import { all, collect, DefinitionError, event, type RetryPolicy, StartEvent, StepError, StepReturnError, StopEvent, Workflow } from "blazen";
import { VirtualClock } from "blazen/testing";
import { describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { deferred } from "./deferred";
import { caught, entries, read, turns } from "./support";

class Work extends event("Work")<{ n: number }> {}
class Done extends event("Done")<{ n: number }> {}
class Checked extends event("Checked", z.object({ n: z.number() })) {}
class Go extends event("Go")<{ n?: number }> {}

const stop = <R>(result: R) => new StopEvent({ result });

/** A step that fails so many times. */
const failing = (retry: number | RetryPolicy, fails = Number.POSITIVE_INFINITY, error: unknown = new Error("boom")) => {
  const clock = new VirtualClock();
  const begin = clock.now();
  /** When the attempts began. */
  const times: number[] = [];
  const workflow = new Workflow("failing").step("try", StartEvent<{ n: number }>, { retry }, (_, ctx) => {
    times.push(clock.now() - begin);
    expect(ctx.attempt).toBe(times.length);
    if (times.length <= fails) throw error;
    return stop(ctx.attempt);
  });
  return { clock, times, workflow, run: () => clock.until(workflow.run({ n: 1 }, { clock })) };
};
const differences = (times: readonly number[]) => times.slice(1).map((time, at) => time - times[at]!);

describe("retry (2.3)", () => {
  test("a number counts attempts in all; the delay is 100 ms and doubles", async () => {
    const { run, times } = failing(5, 4);
    expect(await run()).toBe(5);
    expect(differences(times)).toEqual([100, 200, 400, 800]);
  });

  test("when all have failed the run fails with the last error; `attempts` says how many there were (5.1)", async () => {
    const error = { not: "an Error" };
    const { run, times, clock } = failing(3, 9, error);
    const failure = (await caught(run())) as StepError;
    expect(failure).toBeInstanceOf(StepError);
    expect(failure).toMatchObject({ code: "STEP_FAILED", step: "try", attempts: 3 });
    expect(failure.cause).toBe(error);
    expect(times).toHaveLength(3);
    expect(clock.waiting).toBe(false);
  });

  test("one attempt is none more; without the option there is one, too", async () => {
    for (const retry of [1, { maxAttempts: 1 }]) {
      const { run, times } = failing(retry);
      expect(await caught(run())).toMatchObject({ attempts: 1 });
      expect(times).toHaveLength(1);
    }
  });

  test("initial and max: no delay is longer, not the first either", async () => {
    const doubling = failing({ maxAttempts: 6, initial: 10, max: 45 }, 5);
    await doubling.run();
    expect(differences(doubling.times)).toEqual([10, 20, 40, 45, 45]);
    const capped = failing({ maxAttempts: 3, initial: 100, max: 45 }, 2);
    await capped.run();
    expect(differences(capped.times)).toEqual([45, 45]);
    const long = failing({ maxAttempts: 12, initial: 1_000 }, 11);
    await long.run();
    expect(differences(long.times).slice(4)).toEqual([16_000, 30_000, 30_000, 30_000, 30_000, 30_000, 30_000]);
  });

  test("fixed: the same delay each time; 0 is at once", async () => {
    const fixed = failing({ maxAttempts: 4, backoff: "fixed", initial: 70 }, 3);
    await fixed.run();
    expect(differences(fixed.times)).toEqual([70, 70, 70]);
    const atOnce = failing({ maxAttempts: 100, initial: 0 }, 99);
    expect(await atOnce.run()).toBe(100);
    expect(atOnce.clock.now()).toBe(new VirtualClock().now());
  });

  test("fractions of a millisecond are rounded, and Infinity attempts go on", async () => {
    const { run, times } = failing({ maxAttempts: Number.POSITIVE_INFINITY, initial: 1.4, backoff: "fixed" }, 200);
    expect(await run()).toBe(201);
    expect(new Set(differences(times))).toEqual(new Set([1]));
  });

  test("jitter takes a random part off, at most its share", async () => {
    const all: number[] = [];
    for (let round = 0; round < 20; round++) {
      const { run, times } = failing({ maxAttempts: 3, initial: 1_000, backoff: "fixed", jitter: 0.5 }, 2);
      await run();
      all.push(...differences(times));
    }
    for (const delay of all) {
      expect(delay).toBeGreaterThanOrEqual(500);
      expect(delay).toBeLessThanOrEqual(1_000);
    }
    expect(new Set(all).size).toBeGreaterThan(1);
  });

  test("retryOn says which errors are worth another attempt, and gets the very object", async () => {
    const error = new Error("boom");
    const retryOn = vi.fn(() => false);
    const no = failing({ maxAttempts: 3, retryOn }, 9, error);
    expect(await caught(no.run())).toMatchObject({ attempts: 1, cause: error });
    expect(retryOn.mock.calls).toEqual([[error]]);
    const { run } = failing({ maxAttempts: 3, retryOn: (given) => given === error }, 1, error);
    expect(await run()).toBe(2);
  });

  test("what retryOn itself throws is what the step fails with, and no reason to try again", async () => {
    const wrong = new Error("of retryOn");
    const { run, times } = failing({
      maxAttempts: 3,
      retryOn: () => {
        throw wrong;
      },
    });
    const failure = (await caught(run())) as StepError;
    expect(failure.cause).toBe(wrong);
    expect(times).toHaveLength(1);
  });

  test("in a delay an invocation gives up its place; it gets another when the delay is over", async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const gates = [deferred<void>(), deferred<void>(), deferred<void>()];
    const handler = new Workflow("places")
      .step("fan", StartEvent<{ n: number }>, () => [0, 1, 2].map((n) => new Work({ n })))
      .step("work", Work, { concurrency: 1, retry: { maxAttempts: 2, initial: 100 } }, async ({ n }, ctx) => {
        log.push(`${n}.${ctx.attempt}`);
        if (n === 0 && ctx.attempt === 1) throw new Error("boom");
        await gates[n]!.promise;
        return new Done({ n });
      })
      .step("end", collect(Done, { of: "fan" }), (done) => stop(done.map(({ n }) => n)))
      .start({ n: 1 }, { clock });
    await turns();
    expect(log).toEqual(["0.1", "1.1"]);
    // The delay is over, and the place is taken.
    await clock.advance(150);
    expect(log).toEqual(["0.1", "1.1"]);
    gates[1]!.resolve();
    await turns();
    // First come, first served: 2 has waited for longer.
    expect(log).toEqual(["0.1", "1.1", "2.1"]);
    gates[2]!.resolve();
    await turns();
    expect(log).toEqual(["0.1", "1.1", "2.1", "0.2"]);
    gates[0]!.resolve();
    expect(await handler.result()).toEqual([0, 1, 2]);
  });

  test("so it does after a resume: the order of those who wait for a place is kept (7.2)", async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const make = () =>
      new Workflow("line")
        .step("fan", StartEvent<{ n: number }>, () => [0, 1, 2].map((n) => new Work({ n })))
        .step("work", Work, { concurrency: 1, retry: { maxAttempts: 2, initial: 10 } }, async ({ n }, ctx) => {
          log.push(`${n}.${ctx.attempt}`);
          if (n === 0 && ctx.attempt === 1) throw new Error("boom");
          await ctx.sleep(100);
          return new Done({ n });
        })
        .step("end", collect(Done, { of: "fan" }), (done) => stop(done.map(({ n }) => n)));
    const handler = make().start({ n: 1 }, { clock });
    await clock.advance(50);
    const resumed = make().resume(String(await handler.pause()), { clock });
    expect(await clock.until(resumed.result())).toEqual([0, 1, 2]);
    expect(log).toEqual(["0.1", "1.1", "1.2", "2.1", "0.2"]);
    await handler.cancel();
  });

  test("an invocation that sleeps, asks or runs keeps its place", async () => {
    const clock = new VirtualClock();
    const log: number[] = [];
    const handler = new Workflow("keeps")
      .step("fan", StartEvent<{ n: number }>, () => [0, 1, 2].map((n) => new Work({ n })))
      .step("work", Work, { concurrency: 1 }, async ({ n }, ctx) => {
        log.push(n);
        if (n === 0) await ctx.sleep(1_000);
        if (n === 1) await ctx.requestInput({ prompt: "?" });
        return new Done({ n });
      })
      .step("end", collect(Done, { of: "fan" }), () => stop(log))
      .start({ n: 1 }, { clock });
    await clock.advance(999);
    expect(log).toEqual([0]);
    await clock.advance(1);
    expect(log).toEqual([0, 1]);
    await clock.advance(1e6);
    expect(log).toEqual([0, 1]);
    await handler.respond(handler.pendingInputs[0]!.id, 1);
    expect(await handler.result()).toEqual([0, 1, 2]);
  });

  const bad: [string, unknown, RegExp][] = [
    ["no attempt", 0, /attempts/],
    ["a part of one", 1.5, /attempts/],
    ["a text", "3", /"retry"/],
    ["null", null, /"retry"/],
    ["no maxAttempts", { initial: 1 }, /attempts/],
    ["too many attempts", 2 ** 30, /attempts/],
    ["NaN attempts", Number.NaN, /attempts/],
    ["another backoff", { maxAttempts: 2, backoff: "linear" }, /"backoff"/],
    ["a negative delay", { maxAttempts: 2, initial: -1 }, /"initial"/],
    ["NaN as the longest delay", { maxAttempts: 2, max: Number.NaN }, /"max"/],
    ["a jitter above 1", { maxAttempts: 2, jitter: 1.1 }, /"jitter"/],
    ["a jitter below 0", { maxAttempts: 2, jitter: -0.1 }, /"jitter"/],
    ["a retryOn that is no function", { maxAttempts: 2, retryOn: true }, /"retryOn"/],
    ["another field", { maxAttempts: 2, delay: 3 }, /"delay"/],
  ];
  test.each(bad)("%s is a DefinitionError that names the step", (_, retry, message) => {
    const make = () => new Workflow("w").step("mine", StartEvent, { retry: retry as number }, () => null);
    expect(make).toThrow(DefinitionError);
    expect(make).toThrow(message);
    expect(make).toThrow(expect.objectContaining({ step: "mine", message: expect.stringContaining('"mine"') }));
  });

  const badTimeouts = [0, -1, Number.NaN, "5", null, {}];
  test.each(badTimeouts)("a timeout of %s is a DefinitionError that names the step", (timeout) => {
    const make = () => new Workflow("w").step("mine", StartEvent, { timeout: timeout as number }, () => null);
    expect(make).toThrow(DefinitionError);
    expect(make).toThrow(expect.objectContaining({ step: "mine", message: expect.stringMatching(/"mine".*"timeout"/) }));
  });
  test.each(badTimeouts)("a run's timeout of %s is a DefinitionError", (timeout) => {
    expect(() => new Workflow("w", { timeout: timeout as number })).toThrow(DefinitionError);
  });
});

describe("what is tried again, and what of it remains (4.1, 4.2, 4.4, 5.1)", () => {
  const again = { maxAttempts: 2, initial: 0 };

  test("none of a failed attempt's writes and events; its session, its commit points and once-results", async () => {
    let effects = 0;
    const handler = new Workflow("remains", { state: { staged: 0, committed: 0 }, session: "live" })
      .step("try", StartEvent<{ n: number }>, { retry: again }, async (_, ctx) => {
        const seen = [ctx.state.get("staged"), ctx.state.get("committed"), ctx.session.get("s")];
        const result = await ctx.once("effect", () => ++effects);
        ctx.state.update("committed", (n) => n + 1);
        await ctx.sendEvent(new Work({ n: ctx.attempt }), { id: "sent" });
        ctx.state.set("staged", ctx.attempt);
        ctx.session.set("s", ctx.attempt);
        if (ctx.attempt === 1) throw new Error("boom");
        return stop([seen, result, ctx.invocationId.split("/")[1]]);
      })
      .step("work", Work, () => null)
      .start({ n: 1 });
    expect(await handler.result()).toEqual([[0, 1, 1], 1, "0"]);
    expect(effects).toBe(1);
  });

  test("an effect that failed is run again", async () => {
    let effects = 0;
    const result = await new Workflow("effect")
      .step("try", StartEvent<{ n: number }>, { retry: again }, async (_, ctx) => {
        const n = await ctx.once("effect", () => {
          effects++;
          if (effects === 1) throw new Error("boom");
          return effects;
        });
        return stop(n);
      })
      .run({ n: 1 });
    expect(result).toBe(2);
  });

  test("the same event, by identity, and the invocation's id; a new context, the old one is dead (4.6)", async () => {
    const seen: { event: unknown; id: string; ctx: { sendEvent(event: Work): unknown; attempt: number } }[] = [];
    await new Workflow("same")
      .step("try", StartEvent<{ n: number }>, { retry: again }, (event, ctx) => {
        seen.push({ event, id: ctx.invocationId, ctx });
        if (ctx.attempt === 1) throw new Error("boom");
        return stop(1);
      })
      .step("work", Work, () => null)
      .run({ n: 1 });
    const [one, two] = seen;
    expect(one!.event).toBe(two!.event);
    expect(one!.id).toBe(two!.id);
    expect(one!.ctx).not.toBe(two!.ctx);
    expect([one!.ctx.attempt, two!.ctx.attempt]).toEqual([1, 2]);
    expect(() => one!.ctx.sendEvent(new Work({ n: 1 }))).toThrow(expect.objectContaining({ code: "CANCELLED", step: "try" }));
  });

  test("a joined and a collected set, the very objects", async () => {
    const seen: unknown[][] = [];
    const result = await new Workflow("sets")
      .step("fan", StartEvent<{ n: number }>, () => [new Work({ n: 1 }), new Go({ n: 2 })])
      .step("join", all(Work, Go), { retry: again }, (set, ctx) => {
        seen.push(set);
        if (ctx.attempt === 1) throw new Error("boom");
        return new Done({ n: 3 });
      })
      .step("collect", collect(Done), { retry: again }, (set, ctx) => {
        seen.push(set);
        if (ctx.attempt === 1) throw new Error("boom");
        return stop(set.map(({ n }) => n));
      })
      .run({ n: 1 });
    expect(result).toEqual([3]);
    expect(seen[0]).toEqual(seen[1]);
    expect(seen[0]![0]).toBe(seen[1]![0]);
    expect(seen[2]![0]).toBe(seen[3]![0]);
  });

  test("a schema that refuses what is returned fails the attempt, and is retried", async () => {
    const result = await new Workflow("schema")
      .step("try", StartEvent<{ n: number }>, { retry: again }, (_, ctx) => ({ type: "Checked" as const, n: ctx.attempt === 1 ? "no" : 5 }))
      .step("checked", Checked, ({ n }) => stop(n))
      .run({ n: 1 } as never);
    expect(result).toBe(5);
  });

  test("a wrong return value, or a type outside emits, never is", async () => {
    let attempts = 0;
    const wrong = new Workflow("wrong").step("try", StartEvent<{ n: number }>, { retry: again }, () => {
      attempts++;
      return 3 as never;
    });
    expect(await caught(wrong.run({ n: 1 }))).toBeInstanceOf(StepReturnError);
    const emits = new Workflow("emits")
      .step("try", StartEvent<{ n: number }>, { retry: again, emits: [StopEvent] }, () => {
        attempts++;
        return new Work({ n: 1 });
      })
      .step("work", Work, () => stop(1));
    expect(await caught(emits.run({ n: 1 }))).toBeInstanceOf(StepReturnError);
    expect(attempts).toBe(2);
  });

  test("a generator goes on where it was: what it has yielded stays and is not yielded again (2.1)", async () => {
    const yielded: string[] = [];
    const result = await new Workflow("generator", { state: { log: [] as number[] } })
      .step("fan", StartEvent<{ n: number }>, { retry: { maxAttempts: 3, initial: 0 } }, async function* (_, ctx) {
        for (let n = 0; n < 4; n++) {
          if (n === 2 && ctx.attempt < 3) throw new Error("boom");
          ctx.state.update("log", (log) => [...log, n]);
          yielded.push(`${n}.${ctx.attempt}`);
          yield new Work({ n });
        }
      })
      .step("work", Work, ({ n }) => new Done({ n }))
      .step("end", collect(Done, { of: "fan" }), (done, ctx) => stop([done.map(({ n }) => n), ctx.state.get("log")]))
      .run({ n: 1 });
    expect(result).toEqual([
      [0, 1, 2, 3],
      [0, 1, 2, 3],
    ]);
    expect(yielded).toEqual(["0.1", "1.1", "0.2", "1.2", "0.3", "1.3", "2.3", "3.3"]);
  });

  test("a function of update that throws at the commit fails the attempt, which is retried", async () => {
    const result = await new Workflow("update", { state: { n: 1 } })
      .step("try", StartEvent<{ n: number }>, { retry: again }, (_, ctx) => {
        ctx.state.update("n", (n) => {
          if (ctx.attempt === 1) throw new Error("boom");
          return n + 1;
        });
        return new Work({ n: 1 });
      })
      .step("work", Work, (_, ctx) => stop(ctx.state.get("n")))
      .run({ n: 1 });
    expect(result).toBe(2);
  });
});

describe("a pause in a delay, and a resume (7.1, 7.3)", () => {
  const build = (log: string[], gate: { wait(): Promise<void> } = { wait: () => Promise.resolve() }, fails = 2) =>
    new Workflow("paused", { state: { effects: 0 } }).step(
      "try",
      StartEvent<{ n: number }>,
      { retry: { maxAttempts: fails + 1, initial: 1_000, backoff: "fixed" } },
      async (_, ctx) => {
        log.push(`attempt ${ctx.attempt}`);
        const effect = await ctx.once("effect", () => {
          log.push("effect");
          return log.length;
        });
        await gate.wait();
        if (log.filter((line) => line === "failed").length < fails) {
          log.push("failed");
          throw new Error("boom");
        }
        return stop([ctx.attempt, effect]);
      },
    );

  test.each(["drain", "now"] as const)("%s: the delay goes on during the pause, and the attempts count on", async (mode) => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const handler = build(log).start({ n: 1 }, { clock });
    await turns();
    await clock.advance(400);
    const snapshot = await handler.pause({ mode });
    expect(clock.waiting).toBe(false);
    expect(entries(snapshot, "invocation")).toMatchObject([{ step: "try", attempts: 1, failures: 1 }]);
    await clock.advance(500);
    const resumed = build(log).resume(String(snapshot), { clock });
    expect(String(await resumed.snapshot())).toBe(String(snapshot));
    await clock.advance(99);
    expect(String(await resumed.snapshot())).toBe(String(snapshot));
    expect(log).toEqual(["attempt 1", "effect", "failed"]);
    await clock.advance(1);
    expect(log.slice(3)).toEqual(["attempt 2", "failed"]);
    await clock.advance(1_000);
    expect(await resumed.result()).toEqual([3, 2]);
    expect(clock.waiting).toBe(false);
    // In place it is due at once.
    log.splice(3);
    handler.resume();
    await turns();
    expect(log.slice(3)).toEqual(["attempt 2", "failed"]);
    await clock.advance(1_000);
    expect(await handler.result()).toEqual([3, 2]);
    expect(log.filter((line) => line === "effect")).toHaveLength(1);
    expect(clock.waiting).toBe(false);
  });

  test("a resume of an attempt that ran uses up an attempt's number and none of the policy", async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const never = { wait: () => new Promise<void>(() => {}) };
    let handler = build(log, never, 1).start({ n: 1 }, { clock });
    for (let resumes = 0; resumes < 4; resumes++) {
      await turns();
      const text = String(await handler.pause({ mode: "now" }));
      await handler.cancel(undefined, { grace: 0 });
      handler = build(log, resumes === 3 ? undefined : never, 1).resume(text, { clock });
    }
    await turns();
    expect(log).toEqual(["attempt 1", "effect", "attempt 2", "attempt 3", "attempt 4", "attempt 5", "failed"]);
    await clock.advance(1_000);
    expect(await handler.result()).toEqual([6, 2]);
  });

  test("when the policy is used up the failure says all attempts, those of resumes too", async () => {
    const clock = new VirtualClock();
    const gates = [deferred<void>(), deferred<void>()];
    const make = (gate: Promise<void>) =>
      new Workflow("used").step("try", StartEvent<{ n: number }>, { retry: { maxAttempts: 2, initial: 0 } }, async (_, ctx) => {
        if (ctx.attempt > 1) await gate;
        throw new Error(`attempt ${ctx.attempt}`);
      });
    const handler = make(gates[0]!.promise).start({ n: 1 }, { clock });
    await clock.advance(0);
    const resumed = make(gates[1]!.promise).resume(await handler.pause({ mode: "now" }), { clock });
    gates[1]!.resolve();
    expect(await caught(resumed.result())).toMatchObject({ attempts: 3, cause: { message: "attempt 3" } });
    await handler.cancel(undefined, { grace: 0 });
  });

  test("an attempt that fails while the run is paused is taken up when it goes on, and its delay counts from then", async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const gate = deferred<void>();
    const handler = build(log, { wait: () => gate.promise }, 1).start({ n: 1 }, { clock });
    await turns();
    await handler.pause({ mode: "now" });
    gate.resolve();
    await clock.advance(10_000);
    expect(entries(await handler.pause(), "invocation")).toMatchObject([{ step: "try", attempts: 1 }]);
    handler.resume();
    await clock.advance(999);
    expect(log.at(-1)).toBe("failed");
    await clock.advance(1);
    expect(await handler.result()).toEqual([2, 2]);
  });

  test("a drain lets a running attempt fail; its delay is in the snapshot", async () => {
    const clock = new VirtualClock();
    const gate = deferred<void>();
    const handler = build([], { wait: () => gate.promise }, 1).start({ n: 1 }, { clock });
    const pausing = handler.pause();
    gate.resolve();
    const snapshot = await pausing;
    expect(entries(snapshot, "invocation")).toMatchObject([{ step: "try", attempts: 1, failures: 1 }]);
    expect(read(snapshot)["state/effects"]).toBe(0);
    expect(clock.waiting).toBe(false);
    await handler.cancel();
  });

  test("a delayed one-time effect, sent ids and the state outlive retries and a resume together", async () => {
    const clock = new VirtualClock();
    const make = () =>
      new Workflow("together", { state: { sent: 0, notes: 0 } })
        .step("try", StartEvent<{ n: number }>, { retry: { maxAttempts: 3, initial: 50 } }, async (_, ctx) => {
          ctx.state.update("sent", (n) => n + 1);
          await ctx.sendEvent(new Work({ n: 1 }), { id: "note" });
          if (ctx.attempt < 3) throw new Error("boom");
          return new Done({ n: ctx.attempt });
        })
        .step("work", Work, (_, ctx) => ctx.state.update("notes", (n) => n + 1))
        .step("end", Done, ({ n }, ctx) => stop([n, ctx.state.get("sent"), ctx.state.get("notes")]));
    const handler = make().start({ n: 1 }, { clock });
    await turns();
    const resumed = make().resume(await handler.pause(), { clock });
    expect(await clock.until(resumed.result())).toEqual([3, 1, 1]);
    await handler.cancel();
  });
});
