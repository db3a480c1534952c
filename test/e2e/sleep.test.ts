import { CancelledError, collect, DefinitionError, event, StartEvent, type StepError, StopEvent, Workflow } from "blazen";
import { VirtualClock } from "blazen/testing";
import { describe, expect, test } from "vitest";
import { deferred } from "./deferred";
import { caught, entries, isSettled, turns } from "./support";

class Work extends event("Work")<{ n: number }> {}
class Done extends event("Done")<{ n: number }> {}
class Go extends event("Go") {}

const stop = <R>(result: R) => new StopEvent({ result });
const DAY = 24 * 3600 * 1000;
const begin = Date.UTC(2000, 0, 1);

/** Sleeps one time after the other, and says when it woke. */
const sleeper = (clock: VirtualClock, times: readonly number[], log: string[] = []) =>
  new Workflow("sleeper").step("sleep", StartEvent<{ n: number }>, async (_, ctx) => {
    for (const ms of times) {
      await ctx.sleep(ms);
      log.push(`${ctx.attempt}: ${clock.now() - begin}`);
    }
    return stop(clock.now() - begin);
  });

describe("ctx.sleep and ctx.sleepUntil (5.4)", () => {
  test("wake at their time, not before; the run is running meanwhile", async () => {
    const clock = new VirtualClock();
    const handler = sleeper(clock, [1_000, 500]).start({ n: 1 }, { clock });
    await clock.advance(999);
    expect(handler.status).toBe("running");
    await clock.advance(1);
    await clock.advance(499);
    expect(handler.status).toBe("running");
    await clock.advance(1);
    expect(await handler.result()).toBe(1_500);
    expect(clock.waiting).toBe(false);
  });

  test("until a date; one of the past is over at once", async () => {
    const clock = new VirtualClock();
    const result = new Workflow("until")
      .step("sleep", StartEvent<{ n: number }>, async (_, ctx) => {
        const times: number[] = [];
        for (const until of [begin + 5, begin - 5, 0, begin + 5, begin + DAY]) {
          await ctx.sleepUntil(new Date(until));
          times.push(clock.now() - begin);
        }
        return stop(times);
      })
      .run({ n: 1 }, { clock });
    expect(await clock.until(result)).toEqual([5, 5, 5, 5, DAY]);
  });

  test.each([0, -1, Number.NEGATIVE_INFINITY])("%s ms are over at once", async (ms) => {
    const clock = new VirtualClock();
    const handler = sleeper(clock, [ms]).start({ n: 1 }, { clock });
    await turns();
    expect(await handler.result()).toBe(0);
  });

  test("fractions are rounded up, so that none is too short", async () => {
    const clock = new VirtualClock();
    const result = sleeper(clock, [0.25]).run({ n: 1 }, { clock });
    expect(await clock.until(result)).toBe(1);
  });

  test("a month, a century, for ever", async () => {
    for (const ms of [31 * DAY, 36_500 * DAY]) {
      const clock = new VirtualClock();
      const handler = sleeper(clock, [ms]).start({ n: 1 }, { clock });
      await clock.advance(ms - 1);
      expect(handler.status).toBe("running");
      await clock.advance(1);
      expect(await handler.result()).toBe(ms);
    }
    for (const ms of [Number.POSITIVE_INFINITY, Number.MAX_VALUE]) {
      const clock = new VirtualClock();
      const handler = sleeper(clock, [ms]).start({ n: 1 }, { clock });
      await clock.advance(1e6 * DAY);
      expect(handler.status).toBe("running");
      expect(await handler.cancel()).toEqual({ stopped: ["sleep"], ignored: [] });
      expect(clock.waiting).toBe(false);
    }
  });

  test.each([
    ["sleep", Number.NaN],
    ["sleep", "1"],
    ["sleep", undefined],
    ["sleep", 1n],
    ["sleepUntil", new Date(Number.NaN)],
    ["sleepUntil", 5],
    ["sleepUntil", undefined],
  ] as const)("ctx.%s(%s) is a DefinitionError that names the step", async (method, value) => {
    const workflow = new Workflow("bad").step("mine", StartEvent<{ n: number }>, async (_, ctx) => {
      await ctx[method](value as never);
      return stop(1);
    });
    const { cause } = (await caught(workflow.run({ n: 1 }))) as StepError;
    expect(cause).toBeInstanceOf(DefinitionError);
    expect(cause).toMatchObject({ code: "DEFINITION", step: "mine", runId: expect.any(String), message: expect.stringContaining(`ctx.${method}`) });
  });

  test("several at once in one step, in many steps; those due together wake in the order of their calls", async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const result = new Workflow("several")
      .step("fan", StartEvent<{ n: number }>, () => [0, 1, 2].map((n) => new Work({ n })))
      .step("work", Work, async ({ n }, ctx) => {
        const sleep = (ms: number) => ctx.sleep(ms).then(() => log.push(`${clock.now() - begin}: ${n}, ${ms}`));
        await Promise.all([sleep(30), sleep(10), sleep(20), sleep(10)]);
        return new Done({ n });
      })
      .step("end", collect(Done, { of: "fan" }), () => stop(log))
      .run({ n: 1 }, { clock });
    expect(await clock.until(result)).toEqual(
      [10, 20, 30].flatMap((ms) => [0, 1, 2].flatMap((n) => (ms === 10 ? [0, 0] : [0]).map(() => `${ms}: ${n}, ${ms}`))),
    );
  });

  test("one that nobody awaits holds nothing up, and is gone with its step", async () => {
    const clock = new VirtualClock();
    const handler = new Workflow("alone", { external: [Go] })
      .step("sleep", StartEvent<{ n: number }>, (_, ctx) => void ctx.sleep(DAY))
      .step("end", Go, () => stop(1))
      .start({ n: 1 }, { clock });
    await turns();
    expect(handler.status).toBe("waiting");
    expect(clock.waiting).toBe(false);
    await handler.send(new Go());
    expect(await handler.result()).toBe(1);
  });

  test("a step that goes on waking late is not woken twice: the clock was set back meanwhile", async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const handler = sleeper(clock, [1_000, 1_000], log).start({ n: 1 }, { clock });
    await turns();
    clock.set(begin - DAY);
    await clock.advance(DAY + 999);
    expect(log).toEqual([]);
    await clock.advance(1);
    expect(log).toEqual(["1: 1000"]);
    await clock.advance(1_000);
    expect(await handler.result()).toBe(2_000);
    expect(clock.waiting).toBe(false);
  });

  test("a clock that is set ahead wakes what is due when time goes on", async () => {
    const clock = new VirtualClock();
    const handler = sleeper(clock, [DAY]).start({ n: 1 }, { clock });
    await turns();
    clock.set(begin + 2 * DAY);
    expect(await clock.until(handler.result())).toBe(2 * DAY);
  });

  test("a synchronous step may begin one that goes on after it, as long as others run", async () => {
    const clock = new VirtualClock();
    const seen: unknown[] = [];
    const result = new Workflow("sync")
      .step("sleep", StartEvent<{ n: number }>, (_, ctx) => {
        ctx.sleep(10).catch((error: unknown) => seen.push(error));
        return new Work({ n: 1 });
      })
      .step("work", Work, async (_, ctx) => {
        await ctx.sleep(20);
        return stop(clock.now() - begin);
      })
      .run({ n: 1 }, { clock });
    expect(await clock.until(result)).toBe(20);
    expect(seen).toEqual([expect.any(CancelledError)]);
  });
});

describe("sleeps of an attempt that is tried again (5.4)", () => {
  test("a retry does not repeat one that is over, and waits for the rest of one that is not", async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const fails = deferred<void>();
    const handler = new Workflow("retry")
      .step("sleep", StartEvent<{ n: number }>, { retry: { maxAttempts: 3, initial: 0 } }, async (_, ctx) => {
        await ctx.sleep(1_000);
        log.push(`first ${ctx.attempt} ${clock.now() - begin}`);
        const second = ctx.sleep(1_000);
        if (ctx.attempt === 1) await fails.promise;
        await second;
        log.push(`second ${ctx.attempt} ${clock.now() - begin}`);
        if (ctx.attempt === 2) throw new Error("boom");
        await ctx.sleep(5);
        return stop(log);
      })
      .start({ n: 1 }, { clock });
    await clock.advance(1_400);
    fails.reject(new Error("boom"));
    await clock.advance(0);
    expect(log).toEqual(["first 1 1000", "first 2 1400"]);
    expect(await clock.until(handler.result())).toEqual(["first 1 1000", "first 2 1400", "second 2 2000", "first 3 2000", "second 3 2000"]);
    expect(clock.now() - begin).toBe(2_005);
  });

  test("in call order: a retry that sleeps for another time gets the sleep that was at its place", async () => {
    const clock = new VirtualClock();
    const result = new Workflow("place")
      .step("sleep", StartEvent<{ n: number }>, { retry: { maxAttempts: 2, initial: 0 } }, async (_, ctx) => {
        await ctx.sleep(ctx.attempt === 1 ? 100 : DAY);
        if (ctx.attempt === 1) throw new Error("boom");
        await ctx.sleep(50);
        return stop(clock.now() - begin);
      })
      .run({ n: 1 }, { clock });
    expect(await clock.until(result)).toBe(150);
  });
});

describe("sleeps over a pause and a resume (5.4, 7.1, 7.3)", () => {
  test.each(["drain", "now"] as const)("%s: a drain does not wait for it, and a resumed run waits only for the rest", async (mode) => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const handler = sleeper(clock, [1_000, 7 * DAY], log).start({ n: 1 }, { clock });
    await clock.advance(1_000 + DAY);
    const pausing = handler.pause({ mode });
    expect(await isSettled(pausing)).toBe(true);
    expect(handler.status).toBe("paused");
    expect(clock.waiting).toBe(false);
    const text = String(await pausing);
    await clock.advance(5 * DAY);
    const resumed = sleeper(clock, [1_000, 7 * DAY], log).resume(text, { clock });
    expect(String(await resumed.snapshot())).toBe(text);
    await turns();
    await clock.advance(DAY - 1);
    expect(resumed.status).toBe("running");
    expect(log).toEqual(["1: 1000", `2: ${1_000 + 6 * DAY}`]);
    await clock.advance(1);
    expect(await resumed.result()).toBe(1_000 + 7 * DAY);
    await handler.cancel();
    expect(clock.waiting).toBe(false);
  });

  test("one that was over by the time of the resume is over at once", async () => {
    const clock = new VirtualClock();
    const handler = sleeper(clock, [DAY]).start({ n: 1 }, { clock });
    const text = String(await handler.pause());
    await handler.cancel();
    await clock.advance(30 * DAY);
    const resumed = sleeper(clock, [DAY]).resume(text, { clock });
    await turns();
    expect(await resumed.result()).toBe(30 * DAY);
  });

  test("in place: the deadline goes on during the pause, nothing wakes before the run goes on", async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const handler = sleeper(clock, [1_000, 1_000], log).start({ n: 1 }, { clock });
    const snapshot = await handler.pause();
    await clock.advance(5_000);
    expect(log).toEqual([]);
    expect(await handler.pause()).toBe(snapshot);
    handler.resume();
    await turns();
    expect(log).toEqual(["1: 5000"]);
    await clock.advance(1_000);
    expect(await handler.result()).toBe(6_000);
  });

  test("an attempt that begins a sleep while the run is paused: it counts from then", async () => {
    const clock = new VirtualClock();
    const gate = deferred<void>();
    const handler = new Workflow("late")
      .step("sleep", StartEvent<{ n: number }>, async (_, ctx) => {
        await gate.promise;
        await ctx.sleep(1_000);
        return stop(clock.now() - begin);
      })
      .start({ n: 1 }, { clock });
    await handler.pause({ mode: "now" });
    await clock.advance(500);
    gate.resolve();
    await clock.advance(700);
    handler.resume();
    await clock.advance(299);
    expect(handler.status).toBe("running");
    await clock.advance(1);
    expect(await handler.result()).toBe(1_500);
  });

  test("many sleeps that were stored wake in the order of their deadlines", async () => {
    const clock = new VirtualClock();
    const log: number[] = [];
    const make = () =>
      new Workflow("order")
        .step("fan", StartEvent<{ n: number }>, () => [30, 10, 20, 10].map((n) => new Work({ n })))
        .step("work", Work, async ({ n }, ctx) => {
          await ctx.sleep(n);
          log.push(n);
          return new Done({ n });
        })
        .step("end", collect(Done, { of: "fan" }), (done) => stop(done.map(({ n }) => n)));
    const handler = make().start({ n: 1 }, { clock });
    const snapshot = await handler.pause();
    expect(entries(snapshot, "invocation")).toHaveLength(4);
    await handler.cancel();
    const resumed = make().resume(snapshot, { clock });
    await clock.advance(30);
    expect(await resumed.result()).toEqual([30, 10, 20, 10]);
    expect(log).toEqual([10, 10, 20, 30]);
  });
});
