import { collect, event, type Handler, InputRequestEvent, InputResponseEvent, type Snapshot, StartEvent, StopEvent, Workflow } from "blazen";
import { VirtualClock } from "blazen/testing";
import { describe, expect, test } from "vitest";
import { deferred } from "./deferred";
import { turns } from "./support";

// All ways in which two and three calls of a handler can come between the turns of a small run: one step of it asks, one returns a question,
// one sleeps, one is tried again, one takes a while (7.1).

class Task extends event("Task")<{ name: "asks" | "returns" | "sleeps" | "retries" | "slow" }> {}
class Done extends event("Done")<{ name: string }> {}
class Poke extends event("Poke") {}

interface State {
  commits: Record<string, number>;
  pokes: number;
}
interface Result extends State {
  done: string[];
}

const once = (name: string) => (commits: Record<string, number>) => ({ ...commits, [name]: (commits[name] ?? 0) + 1 });

const build = (gate: Promise<void>) =>
  new Workflow("small", { external: [Poke], state: { commits: {}, pokes: 0 } as State })
    .step("fan", StartEvent<{ n: number }>, () => (["asks", "returns", "sleeps", "retries", "slow"] as const).map((name) => new Task({ name })))
    .step("task", Task, { retry: { maxAttempts: 2, initial: 5 } }, async ({ name }, ctx) => {
      ctx.state.update("commits", once(name));
      if (name === "returns") return new InputRequestEvent({ prompt: "b", id: "b" });
      if (name === "asks") expect(await ctx.requestInput({ prompt: "a" })).toBe(1);
      if (name === "sleeps") await ctx.sleep(10);
      if (name === "slow") await gate;
      if (name === "retries" && ctx.attempt === 1) throw new Error("on purpose");
      return new Done({ name });
    })
    .step("heard", InputResponseEvent, (_, ctx) => {
      ctx.state.update("commits", once("heard"));
      return new Done({ name: "returns" });
    })
    .step("poke", Poke, (_, ctx) => ctx.state.update("pokes", (n) => n + 1))
    .step(
      "end",
      collect(Done, { of: "fan" }),
      (done, ctx) => new StopEvent({ result: { done: done.map(({ name }) => name), commits: ctx.state.get("commits"), pokes: ctx.state.get("pokes") } }),
    );
const whole = {
  done: ["asks", "returns", "sleeps", "retries", "slow"],
  commits: { asks: 1, returns: 1, sleeps: 1, retries: 1, slow: 1, heard: 1 },
};

const CALLS = ["pause now", "pause drain", "resume", "snapshot", "cancel", "respond a", "respond b", "send"] as const;
type Call = (typeof CALLS)[number];
type Schedule = readonly (readonly [call: Call, turn: number])[];
/** Turns of the run between which the calls come. */
const TURNS = 5;

/** What became of a call. */
interface Outcome {
  readonly call: Call;
  /** What the run was when it came. */
  readonly before: string;
  /** Whether the question that a step returns had been asked by then. */
  readonly asked: boolean;
  settled: boolean;
  value?: unknown;
  code?: string;
}

const isOver = (status: string) => ["completed", "failed", "cancelled"].includes(status);

async function play(schedule: Schedule): Promise<void> {
  const clock = new VirtualClock();
  const gate = deferred<void>();
  const handler = build(gate.promise).start({ n: 1 }, { clock });
  const result = handler.result().catch((error: { code: string }) => error.code);
  const [a] = handler.pendingInputs.filter(({ prompt }) => prompt === "a");
  const outcomes: Outcome[] = [];
  let asked = false;
  const make = (call: Call): void => {
    asked ||= handler.pendingInputs.some(({ id }) => id === "b");
    const outcome: Outcome = { call, before: handler.status, asked, settled: false };
    outcomes.push(outcome);
    if (call === "resume") {
      outcome.settled = true;
      return handler.resume();
    }
    const calls = {
      "pause now": () => handler.pause({ mode: "now" }),
      "pause drain": () => handler.pause(),
      snapshot: () => handler.snapshot(),
      cancel: () => handler.cancel("why", { grace: 2 }),
      "respond a": () => handler.respond(a!.id, 1),
      "respond b": () => handler.respond("b", 1),
      send: () => handler.send(new Poke()),
    };
    (calls[call]() as Promise<unknown>).then(
      (value) => Object.assign(outcome, { settled: true, value }),
      (error: { code: string }) => Object.assign(outcome, { settled: true, code: error.code }),
    );
  };
  const passing = [
    () => Promise.resolve(),
    () => turns(1),
    () => {
      gate.resolve();
      return turns(1);
    },
    () => clock.advance(5),
    () => clock.advance(5),
  ];
  for (let turn = 0; turn < TURNS; turn++) {
    for (const [call, when] of schedule) if (when === turn) make(call);
    await passing[turn]!();
  }
  // It is let go on to its end.
  for (let rounds = 0; !isOver(handler.status); rounds++) {
    expect(rounds, "it does not end").toBeLessThan(10);
    handler.resume();
    for (const { id } of handler.pendingInputs) await handler.respond(id, 1);
    await clock.advance(10);
  }
  await clock.advance(5);
  check(schedule, outcomes, handler.status, await result);
  expect(clock.waiting, "a timer is left").toBe(false);
  const snapshots = new Set(outcomes.flatMap(({ value }) => (value !== null && typeof value === "object" && "toBytes" in value ? [value as Snapshot] : [])));
  for (const snapshot of snapshots) await goOn(snapshot);
}

/** Each call settles, and as it may. */
function check(schedule: Schedule, outcomes: readonly Outcome[], status: string, result: unknown): void {
  let cancelled = false;
  const answered = { a: false, b: false };
  let pokes = 0;
  for (const { call, before, asked, settled, value, code } of outcomes) {
    const over = isOver(before);
    expect(settled, `${call} does not settle`).toBe(true);
    switch (call) {
      case "pause now":
      case "snapshot":
        expect(code).toBe(over ? "RUN_OVER" : undefined);
        break;
      case "pause drain":
        // The run may end, or be cancelled, before the drain has ended.
        if (over) expect(code).toBe("RUN_OVER");
        else if (code !== undefined) expect([code, schedule.some(([call]) => call === "cancel")]).toEqual(["RUN_OVER", true]);
        break;
      case "cancel":
        expect(value).toMatchObject({ stopped: expect.any(Array), ignored: expect.any(Array) });
        cancelled ||= !over;
        break;
      case "respond a":
      case "respond b": {
        const request = call === "respond a" ? "a" : "b";
        if (request === "b" && !asked) {
          expect(code).toBe("UNKNOWN_REQUEST");
          break;
        }
        expect(code).toBe(over && !answered[request] ? "RUN_OVER" : undefined);
        answered[request] ||= !over;
        break;
      }
      case "send":
        expect(code).toBe(over ? "RUN_OVER" : undefined);
        if (!over) pokes++;
    }
  }
  if (cancelled) return expect([status, result]).toEqual(["cancelled", "CANCELLED"]);
  expect(status).toBe("completed");
  expect(result).toEqual({ ...whole, pokes });
  samePauses(outcomes);
}

/** Pauses with nothing in between that changes the run give the same snapshot. */
function samePauses(outcomes: readonly Outcome[]): void {
  let same: unknown;
  for (const { call, value } of outcomes) {
    if (call === "pause now" || call === "pause drain") {
      if (same !== undefined) expect(value, "another snapshot").toBe(same);
      same = value;
    } else if (call !== "snapshot") same = undefined;
  }
}

/** A snapshot that was taken on the way: equal at once, and then to the same end. */
async function goOn(snapshot: Snapshot): Promise<void> {
  const clock = new VirtualClock(new VirtualClock().now() + 7);
  const handler = build(Promise.resolve()).resume(snapshot, { clock }) as Handler<Result>;
  const result = handler.result();
  expect((await handler.snapshot()).toBytes()).toEqual(snapshot.toBytes());
  for (let rounds = 0; !isOver(handler.status); rounds++) {
    expect(rounds, "the resumed run does not end").toBeLessThan(10);
    const answers = handler.pendingInputs.map(({ id }) => handler.respond(id, 1));
    await clock.advance(10);
    await Promise.all(answers);
  }
  const { pokes, ...rest } = await result;
  expect(rest).toEqual(whole);
  expect(pokes).toBeLessThanOrEqual(3);
  expect(clock.waiting, "a timer of the resumed run is left").toBe(false);
}

/** All sequences of so many calls after the given ones, at the same turn as the last or later. */
function* schedules(count: number, before: Schedule): Generator<Schedule> {
  if (count === 0) return yield before;
  for (const call of CALLS) for (let turn = before.at(-1)?.[1] ?? 0; turn < TURNS; turn++) yield* schedules(count - 1, [...before, [call, turn]]);
}

describe.each([2, 3])("%i calls, at all turns of the run", (count) => {
  test.each(CALLS)("the first is %s", { timeout: 120_000 }, async (first) => {
    const wrong: string[] = [];
    let played = 0;
    for (let turn = 0; turn < TURNS; turn++)
      for (const schedule of schedules(count - 1, [[first, turn]])) {
        played++;
        await play(schedule).catch((error: Error) => wrong.push(`${schedule.map(([call, turn]) => `${call} at ${turn}`).join(", ")}: ${error.message}`));
        if (wrong.length >= 5) break;
      }
    expect(wrong).toEqual([]);
    expect(played).toBe(count === 2 ? 8 * 15 : 64 * 35);
  });
});
