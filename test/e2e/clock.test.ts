import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { DefinitionError, event, StartEvent, StopEvent, Workflow } from "blazen";
import { type Clock, VirtualClock } from "blazen/testing";
import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { caught, isSettled, turns } from "./support";

class Go extends event("Go") {}

const stop = <R>(result: R) => new StopEvent({ result });
const DAY = 24 * 3600 * 1000;

/** A clock that counts its alarms. */
class Counting implements Clock {
  time = 1_000;
  alarms = new Set<{ at: number; callback: () => void }>();
  calls = 0;
  most = 0;
  now(): number {
    return this.time;
  }
  after(ms: number, callback: () => void): () => void {
    const alarm = { at: this.time + ms, callback };
    this.alarms.add(alarm);
    this.calls++;
    this.most = Math.max(this.most, this.alarms.size);
    return () => this.alarms.delete(alarm);
  }
  /** Rings once. */
  ring(): void {
    for (const alarm of this.alarms) {
      this.alarms.delete(alarm);
      this.time = Math.max(this.time, alarm.at);
      return alarm.callback();
    }
  }
}

const sleeper = (woke: (ms: number) => void = () => {}) =>
  new Workflow("sleeper").step("sleep", StartEvent<{ ms: number }>, async ({ ms }, ctx) => {
    await ctx.sleep(ms);
    woke(ms);
    return stop(ms);
  });

describe("one clock, one alarm (9.3)", () => {
  test("100,000 sleeping runs have one alarm between them, and wake in the order of their deadlines", { timeout: 120_000 }, async () => {
    const clock = new Counting();
    const order: number[] = [];
    const workflow = sleeper((ms) => order.push(ms));
    const count = 100_000;
    const results = Array.from({ length: count }, (_, n) => workflow.run({ ms: 1 + ((n * 7_919) % 1_000) }, { clock }));
    expect([clock.most, clock.alarms.size]).toEqual([1, 1]);
    // It was set anew only for an earlier deadline.
    expect(clock.calls).toBeLessThan(1_000);
    while (clock.alarms.size > 0) {
      clock.ring();
      await turns(1);
    }
    const given = await Promise.all(results);
    expect(given).toHaveLength(count);
    expect(order).toHaveLength(count);
    expect(order.every((ms, at) => at === 0 || order[at - 1]! <= ms)).toBe(true);
    expect(clock.most).toBe(1);
  });

  test("those that end before are gone: the last one leaves no alarm", async () => {
    const clock = new Counting();
    const handlers = Array.from({ length: 1_000 }, (_, n) => sleeper().start({ ms: DAY + n }, { clock }));
    for (const handler of handlers.slice(1)) await handler.cancel();
    expect(clock.alarms.size).toBe(1);
    await handlers[0]!.cancel();
    expect(clock.alarms.size).toBe(0);
  });

  test("timers ring in order, whatever is set and cleared between", async () => {
    const sleeps = fc.array(fc.tuple(fc.integer({ min: 1, max: 50 }), fc.boolean()), { minLength: 1, maxLength: 60 });
    const property = fc.asyncProperty(sleeps, async (all) => {
      const clock = new VirtualClock();
      const order: number[] = [];
      const workflow = sleeper((ms) => order.push(ms));
      const handlers = all.map(([ms]) => workflow.start({ ms }, { clock }));
      for (const [at, [, cancelled]] of all.entries()) if (cancelled) await handlers[at]!.cancel();
      await clock.advance(50);
      expect(order).toEqual(all.flatMap(([ms, cancelled]) => (cancelled ? [] : [ms])).sort((a, b) => a - b));
      expect(clock.waiting).toBe(false);
    });
    await fc.assert(property, { numRuns: 50 });
  });

  test("an alarm that comes too early wakes nobody; one that comes late wakes all that are due", async () => {
    const clock = new Counting();
    const woken: number[] = [];
    for (const ms of [10, 20, 30]) sleeper((ms) => woken.push(ms)).start({ ms }, { clock });
    const [early] = clock.alarms;
    clock.alarms.clear();
    early!.callback();
    await turns();
    expect([woken, clock.alarms.size]).toEqual([[], 1]);
    clock.time += 25;
    clock.ring();
    await turns();
    expect(woken).toEqual([10, 20]);
    clock.ring();
    await turns();
    expect(woken).toEqual([10, 20, 30]);
    expect(clock.alarms.size).toBe(0);
  });

  test("clocks are apart", async () => {
    const [one, two] = [new VirtualClock(), new VirtualClock()];
    const handlers = [one, two].map((clock) => sleeper().start({ ms: 10 }, { clock }));
    await one.advance(10);
    expect(handlers.map(({ status }) => status)).toEqual(["completed", "running"]);
    expect([one.waiting, two.waiting]).toEqual([false, true]);
    await handlers[1]!.cancel();
  });

  test.each([null, 5, {}, { now: () => 1 }, { after: () => () => {} }])("a clock that is none is a DefinitionError: %o", (clock) => {
    const workflow = sleeper();
    expect(() => workflow.start({ ms: 1 }, { clock: clock as never })).toThrow(DefinitionError);
  });
});

describe("the system's clock", () => {
  afterEach(() => void vi.useRealTimers());

  test("sleeps of more than 24.8 days; a machine that slept is noticed within a minute", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
    const set = vi.spyOn(globalThis, "setTimeout");
    const month = sleeper().start({ ms: 31 * DAY });
    const year = sleeper().start({ ms: 365 * DAY });
    await vi.advanceTimersByTimeAsync(31 * DAY - 1);
    expect(month.status).toBe("running");
    await vi.advanceTimersByTimeAsync(1);
    await turns();
    expect(month.status).toBe("completed");
    vi.setSystemTime(Date.now() + 400 * DAY);
    await vi.advanceTimersByTimeAsync(60_000);
    await turns();
    expect(year.status).toBe("completed");
    expect(Math.max(...set.mock.calls.map(([, ms]) => ms ?? 0))).toBeLessThanOrEqual(60_000);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("a clock that is set back makes nobody wake early", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
    const handler = sleeper().start({ ms: 1_000 });
    vi.setSystemTime(Date.now() - 10_000);
    await vi.advanceTimersByTimeAsync(10_999);
    await turns();
    expect(handler.status).toBe("running");
    await vi.advanceTimersByTimeAsync(60_000);
    await turns();
    expect(handler.status).toBe("completed");
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("VirtualClock", () => {
  test("begins in 2000, or when it is told; passes only when it is told", async () => {
    expect(new VirtualClock().now()).toBe(Date.UTC(2000, 0, 1));
    expect(new VirtualClock(5).now()).toBe(5);
    const clock = new VirtualClock(new Date("2030-01-01"));
    expect(clock.now()).toBe(Date.UTC(2030, 0, 1));
    const handler = sleeper().start({ ms: 10 }, { clock });
    await turns(10);
    expect([clock.now(), clock.waiting, handler.status]).toEqual([Date.UTC(2030, 0, 1), true, "running"]);
    await handler.cancel();
  });

  test("advance lets all that is due happen in its order, with what that causes on the way", async () => {
    const clock = new VirtualClock(0);
    const log: string[] = [];
    const ring = (name: string) => () => void log.push(`${name} ${clock.now()}`);
    clock.after(20, ring("b"));
    clock.after(10, () => {
      ring("a")();
      clock.after(5, ring("caused"));
      clock.after(100, ring("later"));
    });
    const never = clock.after(12, ring("never"));
    never();
    await clock.advance(50);
    expect(log).toEqual(["a 10", "caused 15", "b 20"]);
    expect(clock.now()).toBe(50);
    expect(clock.waiting).toBe(true);
    await clock.advance(60);
    expect(log.at(-1)).toBe("later 110");
    expect(clock.waiting).toBe(false);
  });

  test("what is due at once needs no time to pass; prevented, it does not happen", async () => {
    const clock = new VirtualClock(0);
    const log: string[] = [];
    clock.after(0, () => log.push("zero"));
    clock.after(-5, () => log.push("past"));
    clock.after(0, () => log.push("never"))();
    expect(log).toEqual([]);
    await turns();
    expect(log).toEqual(["zero", "past"]);
    expect([clock.now(), clock.waiting]).toEqual([0, false]);
  });

  test("until gives what the promise gives, and goes on only as far as needed", async () => {
    const clock = new VirtualClock(0);
    const results = [100, 50].map((ms) => sleeper().run({ ms }, { clock }));
    expect(await clock.until(results[1]!)).toBe(50);
    expect(clock.now()).toBe(50);
    expect(await isSettled(results[0]!)).toBe(false);
    expect(await clock.until(results[0]!)).toBe(100);
    expect(await caught(clock.until(Promise.reject(new Error("no"))))).toMatchObject({ message: "no" });
    // Where nothing is due it waits for what comes.
    const handler = new Workflow("waits", { external: [Go] })
      .step("begin", StartEvent<{ n: number }>, () => null)
      .step("go", Go, async (_, ctx) => {
        await ctx.sleep(5);
        return stop("gone");
      })
      .start({ n: 1 }, { clock });
    const until = clock.until(handler.result());
    await turns();
    await handler.send(new Go());
    expect(await until).toBe("gone");
    expect(clock.now()).toBe(105);
  });
});

/** Runs a program in a process of its own; gives what it wrote, if it ended by itself in time. */
function program(source: string): string {
  const header = `
    import { event, InputRequestEvent, InputResponseEvent, StartEvent, StopEvent, Workflow } from "blazen";
    const HOUR = 3600_000;
    const stop = (result) => new StopEvent({ result });
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
    const turn = () => new Promise((resolve) => setImmediate(resolve));
  `;
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--expose-gc", "--input-type=module", "-e", header + source], {
    cwd: fileURLToPath(new URL("../..", import.meta.url)),
    encoding: "utf8",
    timeout: 20_000,
  });
  expect([status, stderr]).toEqual([0, ""]);
  return stdout.trim();
}

describe("a process ends when nothing is left to do", () => {
  test("runs that are over leave no timer, whatever they had waited for", () => {
    const written = program(`
      const workflow = new Workflow("all", { timeout: HOUR })
        .step("sleeps", StartEvent, { timeout: HOUR }, async (_, ctx) => { await ctx.sleep(HOUR); })
        .step("asks", StartEvent, { timeout: HOUR }, async (_, ctx) => { await ctx.requestInput({ prompt: "?", timeout: HOUR }); })
        .step("fails", StartEvent, { retry: { maxAttempts: 3, initial: HOUR, max: HOUR } }, () => { throw new Error("boom"); })
        .step("ends", StartEvent, async (start) => {
          await turn();
          if (start.how === "fails") throw new Error("boom");
          return start.how === "stops" ? stop(1) : null;
        });
      for (const how of ["stops", "fails", "cancelled"]) {
        const handler = workflow.start({ how });
        const before = timers();
        if (how === "cancelled") await handler.cancel();
        await handler.result().catch(() => {});
        console.log(how, before > 0, timers());
      }
    `);
    expect(written.split("\n")).toEqual(["stops true 0", "fails true 0", "cancelled true 0"]);
  });

  test("a run that only waits for answers, or is paused, keeps none alive; one that sleeps does", () => {
    const written = program(`
      const asks = new Workflow("asks", { timeout: HOUR })
        .step("ask", StartEvent, { timeout: HOUR }, async (_, ctx) => stop(await ctx.requestInput({ prompt: "?" })));
      const sleeps = new Workflow("sleeps").step("sleep", StartEvent, async (start, ctx) => { await ctx.sleep(start.ms); console.log("woke"); return stop(1); });
      const [waiting, paused, sleeping] = [asks.start({}), sleeps.start({ ms: HOUR }), sleeps.start({ ms: 30 })];
      await turn();
      await paused.pause();
      console.log(waiting.status, paused.status, timers());
      process.on("exit", () => console.log("exit", waiting.status, paused.status, sleeping.status));
    `);
    expect(written.split("\n")).toEqual(["waiting paused 1", "woke", "exit waiting paused completed"]);
  });

  test("nothing holds a run that is over, or only waits and is forgotten", () => {
    const written = program(`
      const refs = [];
      class Held {}
      const make = (sleeps) => new Workflow("held", { timeout: HOUR, session: "live" })
        .step("holds", StartEvent, { timeout: HOUR }, async (_, ctx) => {
          const held = new Held();
          refs.push(new WeakRef(held));
          ctx.session.set("held", held);
          if (sleeps) await ctx.sleep(HOUR);
          else await ctx.requestInput({ prompt: "?" });
          return stop(1);
        });
      await (async () => {
        const sleeping = make(true).start({});
        const asking = make(false).start({});
        await turn();
        await sleeping.cancel();
        await sleeping.result().catch(() => {});
        console.log(sleeping.status, asking.status);
      })();
      for (let i = 0; i < 20 && refs.some((ref) => ref.deref() !== undefined); i++) { await turn(); gc(); }
      console.log(refs.map((ref) => ref.deref() === undefined).join(" "));
    `);
    expect(written.split("\n")).toEqual(["cancelled waiting", "true true"]);
  });

  test("no listener is left on a caller's signal (5.3)", () => {
    const written = program(`
      import { getEventListeners } from "node:events";
      const controller = new AbortController();
      const workflow = new Workflow("signal").step("sleep", StartEvent, async (start, ctx) => {
        if (start.fails) throw new Error("boom");
        await ctx.sleep(1);
        return stop(1);
      });
      const { signal } = controller;
      await workflow.run({}, { signal });
      await workflow.run({ fails: true }, { signal }).catch(() => {});
      const cancelled = workflow.start({}, { signal });
      await cancelled.cancel();
      const paused = workflow.start({}, { signal });
      const snapshot = await paused.pause();
      await paused.cancel();
      const resumed = workflow.resume(snapshot, { signal });
      await resumed.result();
      console.log(getEventListeners(signal, "abort").length, timers());
    `);
    expect(written).toBe("0 0");
  });
});
