import { getEventListeners } from "node:events";
import { collect, event, type Handler, InputRequestEvent, InputResponseEvent, StartEvent, StepFailedEvent, StopEvent, Workflow } from "blazen";
import { VirtualClock } from "blazen/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { turns } from "./support";

// Runs that fail, sleep, ask and are tried again, while the clock jumps and they are paused, resumed and answered: each ends in one
// state, or waits for answers only; nothing that was committed runs twice, each reader ends, and nothing is left.

class Work extends event("Work")<{ n: number }> {}
class Done extends event("Done")<{ n: number; ok: boolean }> {}
class Note extends event("Note")<{ of: string }> {}
class Poke extends event("Poke")<{ n: number }> {}

type Action = "sleep" | "ask" | "expires" | "gate" | "commit" | "once" | "send" | "write" | "turn";
interface Behaviour {
  readonly actions: readonly Action[];
  /** Failures before it succeeds. */
  readonly fails: number;
  /** It returns a question first. */
  readonly asks: boolean;
}
interface Shape {
  readonly works: readonly Behaviour[];
  readonly attempts: number;
  readonly initial: number;
  readonly limit: number;
  readonly timeout: number | undefined;
  readonly runTimeout: number | undefined;
  readonly handled: boolean;
}
const behaviours: fc.Arbitrary<Behaviour> = fc.record({
  actions: fc.array(fc.constantFrom<Action>("sleep", "sleep", "ask", "expires", "gate", "commit", "once", "send", "write", "turn"), { maxLength: 5 }),
  fails: fc.integer({ min: 0, max: 3 }),
  asks: fc.boolean(),
});
const shapes: fc.Arbitrary<Shape> = fc.record({
  works: fc.array(behaviours, { minLength: 1, maxLength: 4 }),
  attempts: fc.integer({ min: 1, max: 4 }),
  initial: fc.constantFrom(0, 1, 100),
  limit: fc.integer({ min: 0, max: 2 }),
  timeout: fc.constantFrom(undefined, undefined, 50),
  runTimeout: fc.constantFrom(undefined, undefined, undefined, 400),
  handled: fc.boolean(),
});

/** What the runs of one test share. */
class World {
  readonly gates: (() => void)[] = [];
  /** Attempts that run. */
  readonly active = new Set<object>();
  readonly failures = new Map<string, number>();
  readonly effects = new Map<string, number>();
  resumes = 0;
}

const add = (counts: Map<string, number>, key: string) => {
  counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts.get(key)!;
};

function build(shape: Shape, world: World) {
  const { works, attempts, initial, limit, timeout, runTimeout, handled } = shape;
  const committed = (invocation: string) => (log: Record<string, number>) => ({ ...log, [invocation]: (log[invocation] ?? 0) + 1 });
  const workflow = new Workflow("waits", {
    state: { log: {} as Record<string, number>, notes: {} as Record<string, number> },
    external: [Poke],
    ...(runTimeout === undefined ? {} : { timeout: runTimeout }),
  })
    .step("fan", StartEvent<{ n: number }>, () => works.map((_, n) => new Work({ n })))
    .step(
      "work",
      Work,
      { retry: { maxAttempts: attempts, initial }, ...(timeout === undefined ? {} : { timeout }), ...(limit === 0 ? {} : { concurrency: limit }) },
      async ({ n }, ctx) => {
        world.active.add(ctx);
        try {
          const { actions, fails, asks } = works[n]!;
          for (const [at, action] of actions.entries()) {
            const key = `${ctx.invocationId} ${at}`;
            if (action === "sleep") await ctx.sleep(20 * (n + at + 1));
            else if (action === "ask") expect(await ctx.requestInput({ prompt: key, schema: z.number().min(0) })).toBeGreaterThanOrEqual(0);
            else if (action === "expires")
              await ctx.requestInput({ prompt: key, timeout: 30 }).catch((error) => expect(["TIMEOUT", "CANCELLED"]).toContain(error.code));
            else if (action === "gate")
              await new Promise<void>((resolve) => {
                if (ctx.signal.aborted) return resolve();
                world.gates.push(resolve);
                ctx.signal.addEventListener("abort", () => resolve());
              });
            else if (action === "commit") await ctx.commit();
            else if (action === "once") expect(await ctx.once(`${at}`, () => add(world.effects, key))).toBeGreaterThanOrEqual(1);
            else if (action === "send") await ctx.sendEvent(new Note({ of: key }), { id: key });
            else if (action === "write") await ctx.writeEventToStream(new Note({ of: key }));
            else await turns(1);
          }
          if (add(world.failures, ctx.invocationId) <= fails) throw new Error("on purpose");
          ctx.state.update("log", committed(ctx.invocationId));
          return asks ? new InputRequestEvent({ prompt: "done?", metadata: n, id: `done ${n}` }) : new Done({ n, ok: true });
        } finally {
          world.active.delete(ctx);
        }
      },
    )
    .step("heard", InputResponseEvent, ({ request }, ctx) => {
      ctx.state.update("log", committed(ctx.invocationId));
      return new Done({ n: request.metadata as number, ok: true });
    })
    .step("note", Note, ({ of }, ctx) => ctx.state.update("notes", committed(of)))
    .step("poke", Poke, () => null)
    .step("end", collect(Done, { of: "fan" }), (done, ctx) => {
      const often = [...Object.values(ctx.state.get("log")), ...Object.values(ctx.state.get("notes"))].filter((times) => times !== 1);
      return new StopEvent({ result: { done: done.map(({ n, ok }) => [n, ok] as const), often } });
    });
  if (handled) workflow.step("failed", StepFailedEvent, ({ event }) => new Done({ n: (event as Work).n, ok: false }));
  return workflow;
}
type Result = { done: [number, boolean][]; often: number[] };

const over = (handler: Handler<unknown>) => !["running", "waiting", "paused"].includes(handler.status);

async function drive(shape: Shape, numbers: readonly number[]) {
  const world = new World();
  const clock = new VirtualClock();
  const make = () =>
    build(shape, world) as unknown as {
      start(input: object, options: object): Handler<Result>;
      resume(from: string | Uint8Array, options: object): Handler<Result>;
    };
  let ends = 0;
  /** The caller's, on which nothing is to be left. */
  const { signal } = new AbortController();
  const options = { clock, signal, streamRetention: 2 };
  let reading = 0;
  const read = async (handler: Handler<Result>) => {
    reading++;
    let expected: number | undefined;
    try {
      for await (const { offset } of handler.stream()) {
        expect(offset).toBe(expected ?? offset);
        expected = offset + 1;
        // So slow that steps which write have to wait.
        await turns(1);
      }
    } catch (error) {
      expect(["CANCELLED", "STEP_FAILED", "TIMEOUT"], `${error}`).toContain((error as { code: string }).code);
    }
    reading--;
  };
  const watched = (handler: Handler<Result>) => {
    const count = () => void (handler === current && ends++);
    handler.result().then(count, count);
    void read(handler);
    return handler;
  };
  let current: Handler<Result> = make().start({ n: 1 }, options);
  watched(current);
  let at = 0;
  const next = (below: number) => numbers[at++]! % below;
  let answering = 0;
  /** One that is given before its step has run again waits for that. */
  const answer = (choice: number) => {
    const handler = current;
    const pending = handler.pendingInputs;
    const one = pending[choice % Math.max(1, pending.length)];
    if (one === undefined) return;
    const respond = async (response: number, ...refusals: string[]) => {
      answering++;
      try {
        await handler.respond(one.id, response);
      } catch (error) {
        expect([...refusals, "ALREADY_ANSWERED", "UNKNOWN_REQUEST", "RUN_OVER"]).toContain((error as { code: string }).code);
      }
      answering--;
    };
    if (choice % 3 === 0) void respond(-1, "INVALID_RESPONSE");
    void respond(choice);
  };
  const open = (choice: number) => world.gates.splice(choice % Math.max(1, world.gates.length), 1)[0]?.();
  const stop = async (how: number, resume: number) => {
    const pausing = current.pause(how % 2 === 0 ? { mode: "now" } : { timeout: 10 * (how % 3) }).catch(({ code }) => void expect(code).toBe("RUN_OVER"));
    if (how % 3 === 0) open(how);
    if (how % 5 === 0) answer(resume);
    await clock.advance(30);
    const snapshot = await pausing;
    if (snapshot === undefined || over(current)) return;
    if (resume % 3 === 0) return current.resume();
    // What became part of it since.
    const latest = await current.pause();
    const old = current;
    world.gates.length = 0;
    current = make().resume(resume % 3 === 1 ? String(latest) : latest.toBytes(), options);
    watched(current);
    expect((await current.snapshot()).toBytes()).toEqual(latest.toBytes());
    world.resumes++;
    await old.cancel("old", { grace: 0 });
  };

  while (at + 3 < numbers.length && !over(current)) {
    const what = next(12);
    if (what < 3) await clock.advance(next(60));
    else if (what < 5) answer(next(1000));
    else if (what < 7) open(next(1000));
    else if (what < 10) await stop(next(1000), next(1000));
    else if (what === 10) clock.set(clock.now() + 20 * (next(7) - 3));
    else if (next(8) === 0) await current.cancel("why", { grace: 0 });
    else await current.send(new Poke({ n: 1 })).catch(({ code }) => expect(code).toBe("RUN_OVER"));
    await turns();
    const idle = () => !over(current) && !clock.waiting && world.gates.length === 0;
    // Steps may need turns of the host, one after the other.
    for (let rounds = 0; rounds < 30 && idle() && current.status === "running"; rounds++) await turns();
    if (idle()) {
      expect(current.status, "nothing but an answer can make it go on").toBe("waiting");
      expect(current.pendingInputs.length).toBeGreaterThan(0);
    }
  }
  // Now it is let go on to its end.
  for (let rounds = 0; !over(current); rounds++) {
    expect(rounds, "it does not end").toBeLessThan(300);
    answer(1 + 3 * rounds);
    open(0);
    await clock.advance(100);
    await turns();
  }
  await turns(6);
  expect(answering, "an answer is left").toBe(0);
  expect(ends, "its end was told once").toBe(1);
  expect(clock.waiting, "a timer is left").toBe(false);
  expect(world.active.size, "an attempt is left").toBe(0);
  for (let rounds = 0; rounds < 20 && reading > 0; rounds++) await turns();
  expect(reading, "a reader has not ended").toBe(0);
  expect(getEventListeners(signal, "abort"), "a listener is left").toEqual([]);
  expect(current.pendingInputs).toEqual([]);
  for (const times of world.effects.values()) expect(times).toBeLessThanOrEqual(1 + world.resumes);
  const outcome = await current.result().then(
    (result) => ({ result }),
    (error) => ({ error }),
  );
  return { ...outcome, status: current.status, resumes: world.resumes } as {
    result?: Result;
    error?: { code: string; cause?: unknown; step?: string };
    status: string;
    resumes: number;
  };
}

const runs = { numRuns: Number(process.env["BLAZEN_RUNS"] ?? 200), endOnFailure: false, timeout: 20_000 };
const choices = fc.array(fc.nat({ max: 1000 }), { minLength: 5, maxLength: 80 });

test("every run ends in one state, commits once and leaves nothing (5, 7, 9)", { timeout: 240_000 }, async () => {
  const seen: Record<string, number> = {};
  const property = fc.asyncProperty(shapes, choices, async (shape, numbers) => {
    const { status, result, error, resumes } = await drive(shape, numbers);
    seen[status] = (seen[status] ?? 0) + 1;
    const certain = shape.timeout === undefined;
    if (status === "completed") {
      expect(result!.often).toEqual([]);
      expect(result!.done.map(([n]) => n)).toEqual(shape.works.map((_, n) => n));
      if (certain)
        for (const [n, ok] of result!.done) {
          const { fails } = shape.works[n]!;
          if (fails < shape.attempts) expect(ok, `work ${n} had attempts left`).toBe(true);
          else if (resumes === 0) expect(ok, `work ${n} had no attempt left`).toBe(false);
        }
    } else if (status === "failed") {
      expect(["STEP_FAILED", "TIMEOUT"], `${error}`).toContain(error!.code);
      if (error!.code === "TIMEOUT") expect(shape.runTimeout).toBeDefined();
      else expect([shape.handled, error!.step]).toEqual([false, "work"]);
      if (error!.code === "STEP_FAILED" && certain) expect(shape.works.some(({ fails }) => fails >= shape.attempts)).toBe(true);
    } else expect([status, error!.code, error!.cause]).toEqual(["cancelled", "CANCELLED", "why"]);
  });
  await fc.assert(property, runs);
  for (const status of ["completed", "failed"]) expect(seen[status], status).toBeGreaterThan(0);
});
