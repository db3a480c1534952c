import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { event, type Handler, InputRequestEvent, InputResponseEvent, StartEvent, StopEvent, Workflow } from "blazen";
import { afterEach, describe, expect, test } from "vitest";
import { caught, entries, observed, read } from "./support";

// Steps that re-emit for ever never starve control, nor the host (3.6).

class Spin extends event("Spin")<{ n: number }> {}
class Poke extends event("Poke")<{ n: number }> {}

const stop = <R>(result: R) => new StopEvent({ result });

const running: Handler<unknown>[] = [];
afterEach(async () => {
  for (const handler of running.splice(0)) await handler.cancel(undefined, { grace: 0 });
});

/** Ten steps, each of which takes the next event of its chain from another, for ever. */
function spinning(kind: "sync" | "async" | "settled", chains = 10) {
  const turned = { times: 0 };
  const workflow = new Workflow("spinning", { external: [Poke], state: { pokes: [] as number[], answers: [] as unknown[] } })
    .step("fan", StartEvent<{ n: number }>, () => [
      new InputRequestEvent({ prompt: "?", id: "q" }),
      ...Array.from({ length: chains }, (_, n) => new Spin({ n })),
    ])
    .step("heard", InputResponseEvent, ({ response }, ctx) => {
      ctx.state.update("answers", (answers) => [...answers, response]);
    })
    .step("poke", Poke, ({ n }, ctx) => {
      ctx.state.update("pokes", (pokes) => [...pokes, n]);
      return n < 0 ? stop(ctx.state.get("pokes")) : null;
    });
  const spin = ({ n }: Spin) => {
    turned.times++;
    return new Spin({ n });
  };
  if (kind === "sync") workflow.step("spin", Spin, spin);
  else if (kind === "async") workflow.step("spin", Spin, async (event) => spin(event));
  else
    workflow.step("spin", Spin, async (event) => {
      for (let awaited = 0; awaited < 5; awaited++) await undefined;
      return spin(event);
    });
  const begin = () => {
    const handler = observed(workflow.start({ n: 1 } as never)) as unknown as Handler<number[]>;
    running.push(handler);
    return handler;
  };
  return { workflow, begin, turned };
}

/** Milliseconds that a call may take while all that spins goes on: generous, where the promise is that of a few. */
const SOON = 2_000;
const soon = async <T>(promise: Promise<T>): Promise<T> => {
  const begun = performance.now();
  const value = await promise;
  expect(performance.now() - begun).toBeLessThan(SOON);
  return value;
};

describe.each(["sync", "async", "settled"] as const)("ten chains that never end, %s", (kind) => {
  test("timers and I/O of the host go on, every few milliseconds", async () => {
    const { begin, turned } = spinning(kind);
    begin();
    const gaps: number[] = [];
    let last = performance.now();
    for (let tick = 0; tick < 20; tick++) {
      const before = turned.times;
      await sleep(1);
      const now = performance.now();
      gaps.push(now - last);
      last = now;
      expect(turned.times).toBeGreaterThan(before);
    }
    // The median, as a busy machine may stop any process for a while.
    expect(gaps.sort((a, b) => a - b)[10]).toBeLessThan(200);
    expect((await soon(readFile(new URL(import.meta.url)))).length).toBeGreaterThan(0);
  });

  test("cancel takes effect at once", async () => {
    const { begin, turned } = spinning(kind);
    const handler = begin();
    await sleep(5);
    const cancelling = handler.cancel("why");
    const { times } = turned;
    expect(handler.status).toBe("cancelled");
    await soon(cancelling);
    expect(await caught(handler.result())).toMatchObject({ code: "CANCELLED", cause: "why" });
    await sleep(5);
    // Those that were called before may have turned once more.
    expect(turned.times - times).toBeLessThanOrEqual(10);
  });

  test("pause takes effect at once, in both modes; every chain is in the snapshot, once", async () => {
    for (const mode of ["drain", "now"] as const) {
      const { begin, turned, workflow } = spinning(kind);
      const handler = begin();
      await sleep(5);
      const snapshot = await soon(handler.pause({ mode }));
      const { times } = turned;
      await sleep(5);
      expect(turned.times - times).toBeLessThanOrEqual(10);
      expect(handler.status).toBe("paused");
      const waiting = [...entries(snapshot, "queue"), ...entries(snapshot, "invocation")];
      expect(waiting).toHaveLength(10);
      const events = (waiting as { event: number }[]).map(({ event }) => (read(snapshot)[`event/${event}`] as { payload: { n: number } }).payload.n);
      expect(events.sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      handler.resume();
      await sleep(5);
      expect(turned.times).toBeGreaterThan(times);
      await soon(handler.cancel());
      const resumed = observed(workflow.resume(snapshot));
      running.push(resumed);
      const before = turned.times;
      await sleep(5);
      expect(turned.times).toBeGreaterThan(before);
      await soon(resumed.send(new Poke({ n: -1 })));
      expect(await soon(resumed.result())).toEqual([-1]);
    }
  });

  test("a snapshot is taken while they go on", async () => {
    const { begin, turned } = spinning(kind);
    const handler = begin();
    await sleep(5);
    const { times } = turned;
    const snapshot = await soon(handler.snapshot());
    expect([...entries(snapshot, "queue"), ...entries(snapshot, "invocation")]).toHaveLength(10);
    await sleep(5);
    expect(turned.times).toBeGreaterThan(times);
    expect(handler.status).toBe("running");
  });

  test("what is answered and sent is recorded at once, and its steps have their turn among the others", async () => {
    const { begin } = spinning(kind);
    const handler = begin();
    await sleep(2);
    expect(handler.pendingInputs.map(({ id }) => id)).toEqual(["q"]);
    await soon(handler.respond("q", "yes"));
    expect(handler.pendingInputs).toEqual([]);
    for (const n of [1, 2, 3]) await soon(handler.send(new Poke({ n })));
    await sleep(5);
    const snapshot = await soon(handler.pause());
    expect([read(snapshot)["state/answers"], read(snapshot)["state/pokes"]]).toEqual([["yes"], [1, 2, 3]]);
    handler.resume();
    await soon(handler.send(new Poke({ n: -1 })));
    expect(await soon(handler.result())).toEqual([1, 2, 3, -1]);
    expect(handler.status).toBe("completed");
  });

  test("sleeps, timeouts and retries of other runs and of the same one come in time", async () => {
    const { begin } = spinning(kind);
    begin();
    const other = new Workflow("other")
      .step("sleep", StartEvent<{ n: number }>, { timeout: 20_000, retry: { maxAttempts: 2, initial: 5 } }, async (_, ctx) => {
        await ctx.sleep(5);
        if (ctx.attempt === 1) throw new Error("boom");
        return stop(ctx.attempt);
      })
      .run({ n: 1 });
    expect(await soon(other)).toBe(2);
    const late = new Workflow("late", { timeout: 10 })
      .step("spin", [StartEvent<{ n: number }>, Spin], async () => new Spin({ n: 1 }))
      .step("end", Poke, () => stop(1))
      .run({ n: 1 });
    expect(await soon(caught(late))).toMatchObject({ code: "TIMEOUT" });
  });
});

test("a caller's signal cancels, and a thousand spinning runs share the host", async () => {
  const controller = new AbortController();
  const { workflow, turned } = spinning("sync", 1);
  const handlers = Array.from({ length: 1_000 }, () => observed(workflow.start({ n: 1 } as never, { signal: controller.signal })));
  await sleep(20);
  controller.abort("why");
  const { times } = turned;
  for (const handler of handlers) expect(await caught(handler.result())).toMatchObject({ code: "CANCELLED", cause: "why" });
  await sleep(5);
  expect(turned.times).toBe(times);
});
