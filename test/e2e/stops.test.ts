import { all, collect, event, type Handler, StartEvent, StopEvent, Workflow } from "blazen";
import fc from "fast-check";
import { expect, test } from "vitest";

// A run that is stopped at random moments, and goes on from its text or in place, ends as one that was not.

class Page extends event("Page")<{ n: number; depth: number }> {}
class Note extends event("Note")<{ key: number }> {}
class Part extends event("Part")<{ n: number }> {}
class Pair extends event("Pair")<{ key: number }> {}
class Sum extends event("Sum")<{ n: number; parts: number[] }> {}
class Late extends event("Late")<{ n: number }> {}

interface Shape {
  readonly width: number;
  readonly depth: number;
  readonly keys: number;
  readonly limit: number;
  readonly generator: boolean;
  readonly kinds: readonly ("sync" | "async" | "waits")[];
}
const shapes: fc.Arbitrary<Shape> = fc.record({
  width: fc.integer({ min: 0, max: 3 }),
  depth: fc.integer({ min: 0, max: 2 }),
  keys: fc.integer({ min: 1, max: 3 }),
  limit: fc.integer({ min: 0, max: 3 }),
  generator: fc.boolean(),
  kinds: fc.array(fc.constantFrom("sync" as const, "async" as const, "waits" as const), { minLength: 1, maxLength: 4 }),
});

/** What the steps of all runs share: who waits, and what happened outside of them. */
class World {
  readonly waiting: (() => void)[] = [];
  waits(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }
}

function build(shape: Shape, world: World) {
  const { width, depth, keys, limit, generator, kinds } = shape;
  const pool = limit === 0 ? {} : { concurrency: { pool: "shared", limit } };
  const pages = (depth: number) => Array.from({ length: width }, (_, n) => new Page({ n, depth }));
  const kind = (n: number) => kinds[n % kinds.length]!;
  const committed = (invocation: string) => (log: Record<string, number>) => ({ ...log, [invocation]: (log[invocation] ?? 0) + 1 });
  return new Workflow("stopped", { state: { pages: 0, parts: 0, notes: 0, log: {} as Record<string, number> } })
    .step("fan", StartEvent<{ n: number }>, async function* (_, ctx) {
      for (const page of pages(depth)) {
        if (generator) await world.waits();
        ctx.state.update("log", committed(`${ctx.invocationId} ${page.n}`));
        yield page;
      }
    })
    .step("page", Page, pool, async ({ n, depth }, ctx) => {
      const effect = await ctx.once("effect", () => ({ n }));
      ctx.state.update("pages", (pages) => pages + 1);
      ctx.state.update("log", committed(ctx.invocationId));
      void ctx.sendEvent(new Note({ key: n % keys }), { id: `note of ${ctx.invocationId}` });
      if (kind(n) !== "sync") await (kind(n) === "waits" ? world.waits() : undefined);
      return depth > 0 ? pages(depth - 1) : [new Part({ n: effect.n }), new Part({ n: -effect.n })];
    })
    .step("part", Part, pool, ({ n }, ctx) => {
      ctx.state.update("parts", (parts) => parts + 1);
      ctx.state.update("log", committed(ctx.invocationId));
      const sum = new Sum({ n, parts: [n] });
      // Of some events it is synchronous.
      return (kind(n + 100) === "waits" ? world.waits().then(() => sum) : sum) as Promise<Sum>;
    })
    .step("inner", collect(Sum, { of: "page" }), (sums, ctx) => {
      ctx.state.update("log", committed(ctx.invocationId));
      return new Late({ n: sums.reduce((sum, { n }) => sum + Math.abs(n) + 1, 0) });
    })
    .step("join", all(Note, Note, { by: ({ key }) => key }), (_, ctx) => {
      ctx.state.update("notes", (notes) => notes + 2);
      ctx.state.update("log", committed(ctx.invocationId));
      return new Pair({ key: 0 });
    })
    .step("pair", Pair, pool, async (_, ctx) => {
      if (kind(3) === "waits") await world.waits();
      ctx.state.update("log", committed(ctx.invocationId));
    })
    .step("end", collect(Late, { of: "fan" }), (late, ctx) => {
      const { state } = ctx;
      const log = state.get("log");
      return new StopEvent({
        result: {
          late: late.map(({ n }) => n).sort((a, b) => a - b),
          counts: { pages: state.get("pages"), parts: state.get("parts") },
          often: Object.values(log).filter((times) => times !== 1),
        },
      });
    });
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const over = (handler: Handler) => !["running", "waiting", "paused"].includes(handler.status);

/** Lets all steps that wait go on, in an order that the numbers give, and stops the run in between. */
async function drive(make: (world: World) => unknown, numbers: readonly number[], stops: boolean) {
  const world = new World();
  const build = () => make(world) as { start(input: object): Handler; resume(snapshot: string | Uint8Array): Handler };
  let handler = build().start({ n: 1 });
  const old: Handler[] = [];
  let at = 0;
  const next = (below: number) => numbers[at++ % numbers.length]! % below;
  for (let rounds = 0; !over(handler); rounds++) {
    expect(rounds, "the run does not end").toBeLessThan(5_000);
    if (stops && old.length < 8 && next(3) === 0) {
      const mode = next(2) === 0 ? ("now" as const) : ("drain" as const);
      const pausing = handler.pause({ mode, timeout: 0 }).catch(() => undefined);
      // What settles meanwhile is taken up later.
      for (let some = next(3); some > 0; some--) world.waiting.splice(next(Math.max(1, world.waiting.length)), 1)[0]?.();
      if (next(2) === 0) await turn();
      const snapshot = await pausing;
      if (snapshot === undefined) continue;
      if (next(3) === 0) handler.resume();
      else {
        const text = next(2) === 0 ? String(snapshot) : snapshot.toBytes();
        // Steps of the old run that wait do so for ever.
        world.waiting.length = 0;
        const resumed = build().resume(text);
        expect((await resumed.snapshot()).toBytes()).toEqual(snapshot.toBytes());
        old.push(handler);
        handler = resumed;
      }
    }
    const { waiting } = world;
    if (waiting.length > 0) waiting.splice(next(waiting.length), 1)[0]!();
    await turn();
  }
  const result = await handler.result();
  for (const one of old) await one.cancel(undefined, { grace: 0 });
  return result;
}

const options = { numRuns: Number(process.env["BLAZEN_RUNS"] ?? 150), endOnFailure: false };
const choices = fc.array(fc.nat({ max: 1000 }), { minLength: 5, maxLength: 60 });

test("it ends as if nothing had happened", { timeout: 120_000 }, async () => {
  const property = fc.asyncProperty(shapes, choices, async (shape, numbers) => {
    const make = (world: World) => build(shape, world);
    const plain = await drive(make, numbers, false);
    const stopped = await drive(make, numbers, true);
    expect(stopped).toEqual(plain);
    expect(stopped).toMatchObject({ often: [] });
  });
  await fc.assert(property, options);
});

/** Rounds that end when some have won; the others are aborted, wherever they are. */
function race(width: number, first: number, limit: number, rest: "cancel" | "ignore", world: World) {
  const pool = { concurrency: { pool: "shared", limit } };
  const commit = (ctx: { invocationId: string; state: { update(key: "log", fn: (log: string[]) => string[]): void } }) =>
    ctx.state.update("log", (log) => [...log, ctx.invocationId]);
  return new Workflow("race", { state: { log: [] as string[], winners: [] as number[][] } })
    .step("fan", [StartEvent<{ n: number }>, Late], async function* ({ n }, ctx) {
      for (let at = 0; at < width; at++) {
        yield new Page({ n: at, depth: n });
        if (n === 2) await world.waits();
      }
      commit(ctx);
    })
    .step("page", Page, pool, async ({ n }, ctx) => {
      await ctx.once("effect", () => n);
      if (n % 2 === 0) await world.waits();
      commit(ctx);
      return [new Part({ n }), new Part({ n: n + 100 })];
    })
    .step("part", Part, pool, async ({ n }, ctx) => {
      if (n % 3 === 0) await world.waits();
      commit(ctx);
      return new Sum({ n, parts: [] });
    })
    .step("inner", collect(Sum, { of: "page", first: 1 }), async ([sum], ctx) => {
      if (sum!.n % 2 === 1) await world.waits();
      commit(ctx);
      return new Pair({ key: sum!.n });
    })
    .step("win", collect(Pair, { of: "fan", first, rest }), pool, async (pairs, ctx) => {
      const winners = ctx.state.get("winners");
      ctx.state.update("winners", (winners) => [...winners, pairs.map(({ key }) => key)]);
      commit(ctx);
      return winners.length < 3 ? new Late({ n: winners.length }) : new StopEvent({ result: [ctx.state.get("winners"), ctx.state.get("log")] });
    });
}

test("races end, with as many winners as there should be", { timeout: 120_000 }, async () => {
  const shape = fc.record({
    width: fc.integer({ min: 0, max: 4 }),
    first: fc.integer({ min: 1, max: 3 }),
    limit: fc.integer({ min: 1, max: 3 }),
    rest: fc.constantFrom("cancel" as const, "ignore" as const),
  });
  const property = fc.asyncProperty(shape, choices, async ({ width, first, limit, rest }, numbers) => {
    const [winners, log] = (await drive((world) => race(width, first, limit, rest, world), numbers, true)) as [number[][], string[]];
    expect(winners.length).toBe(4);
    for (const one of winners) {
      expect(one.length).toBe(Math.min(first, width));
      expect(new Set(one.map((key) => key % 100)).size).toBe(one.length);
    }
    expect(new Set(log).size).toBe(log.length);
  });
  await fc.assert(property, options);
});
