// Random trees of workflows and pipelines, compared with what a few lines of recursion say they give.
import { collect, event, InputRequestEvent, Pipeline, StartEvent, StopEvent, subworkflow, Workflow } from "blazen";
import fc from "fast-check";
import { expect, test } from "vitest";
import { turns } from "./support";

class Part extends event("Part")<{ n: number; at: number }> {}
class Got extends event("Got")<{ n: number }> {}
class Said extends event("Said")<{ n: number }> {}

/** What a program does with a number. */
type Tree =
  | { readonly kind: "work"; readonly add: number; readonly how: "sync" | "async" | "asks" | "sleeps" | "request" | "retried" }
  | { readonly kind: "child"; readonly inner: Tree }
  | { readonly kind: "fan"; readonly inner: Tree; readonly count: number }
  | { readonly kind: "stages"; readonly inner: readonly Tree[] }
  | { readonly kind: "parallel"; readonly inner: readonly Tree[] }
  | { readonly kind: "loop"; readonly inner: Tree; readonly rounds: number };

const trees = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.record({
      kind: fc.constant("work" as const),
      add: fc.integer({ min: 1, max: 9 }),
      how: fc.constantFrom("sync", "async", "asks", "sleeps", "request", "retried"),
    }) as fc.Arbitrary<Tree>,
    fc.record({ kind: fc.constant("child" as const), inner: tie("tree") }) as fc.Arbitrary<Tree>,
    fc.record({ kind: fc.constant("fan" as const), inner: tie("tree"), count: fc.integer({ min: 0, max: 3 }) }) as fc.Arbitrary<Tree>,
    fc.record({ kind: fc.constant("stages" as const), inner: fc.array(tie("tree"), { minLength: 1, maxLength: 3 }) }) as fc.Arbitrary<Tree>,
    fc.record({ kind: fc.constant("parallel" as const), inner: fc.array(tie("tree"), { minLength: 1, maxLength: 3 }) }) as fc.Arbitrary<Tree>,
    fc.record({ kind: fc.constant("loop" as const), inner: tie("tree"), rounds: fc.integer({ min: 1, max: 3 }) }) as fc.Arbitrary<Tree>,
  ),
})).tree;

/** The answer to a question about a number. */
const answer = (n: number) => n + 1000;

/** What it gives, and how often each of its leaves has run to its end. */
function expected(tree: Tree, n: number, ends: Map<Tree, number>): number {
  switch (tree.kind) {
    case "work":
      ends.set(tree, (ends.get(tree) ?? 0) + 1);
      return (tree.how === "asks" || tree.how === "request" ? answer(n) : n) + tree.add;
    case "child":
      return expected(tree.inner, n, ends);
    case "fan":
      return Array.from({ length: tree.count }, (_, at) => expected(tree.inner, n + at, ends)).reduce((sum, one) => sum + one, 0);
    case "stages":
      return tree.inner.reduce((at, inner) => expected(inner, at, ends), n);
    case "parallel":
      return tree.inner.reduce((sum, inner) => sum + expected(inner, n, ends), 0);
    case "loop":
      return Array.from({ length: tree.rounds }).reduce<number>((at) => expected(tree.inner, at, ends), n);
  }
}

// biome-ignore lint/suspicious/noExplicitAny: the trees have no types
type Any = any;

/** What of a run can be seen from outside. */
interface Seen {
  readonly ends: Map<Tree, number>;
}

function build(tree: Tree, seen: Seen): Any {
  switch (tree.kind) {
    case "work":
      return work(tree, seen);
    case "child":
      return new Workflow("child")
        .step(
          "child",
          StartEvent<{ data: number }>,
          subworkflow(build(tree.inner, seen), { input: ({ data }: Any) => data, output: (n: number) => new Got({ n }) }),
        )
        .step("end", Got, ({ n }) => new StopEvent({ result: n }));
    case "fan":
      return new Workflow("fan")
        .step("fan", "StartEvent", ({ data }: Any) => Array.from({ length: tree.count }, (_, at) => new Part({ n: data, at })))
        .step("child", Part, subworkflow(build(tree.inner, seen), { input: ({ n, at }: Part) => n + at, output: (n: number) => new Got({ n }) }))
        .step("sum", collect(Got, { of: "fan" }), (all) => new StopEvent({ result: all.reduce((sum, { n }) => sum + n, 0) }));
    case "stages":
      return tree.inner.reduce((all: Any, inner, at) => all.stage(`stage ${at}`, build(inner, seen)), new Pipeline("stages"));
    case "parallel": {
      const branches = Object.fromEntries(tree.inner.map((inner, at) => [`branch ${at}`, build(inner, seen)]));
      return (new Pipeline("parallel") as Any)
        .parallel("all", branches)
        .map("sum", (results: Record<string, number>) => Object.values(results).reduce((a, b) => a + b, 0));
    }
    case "loop":
      return (new Pipeline("loop") as Any).loop("rounds", build(tree.inner, seen), { until: (_: number, round: number) => round === tree.rounds, max: 9 });
  }
}

function work(tree: Tree & { kind: "work" }, { ends }: Seen): Any {
  const end = (n: number) => {
    ends.set(tree, (ends.get(tree) ?? 0) + 1);
    return new StopEvent({ result: n + tree.add });
  };
  const retry = tree.how === "retried" ? { maxAttempts: 2, initial: 0 } : 1;
  const workflow = new Workflow("work").step("work", StartEvent<{ data: number }>, { retry }, async ({ data: n }, ctx) => {
    const failed = ctx.state.get("failed");
    switch (tree.how) {
      case "asks":
        return end(await ctx.requestInput({ prompt: `${n}` }));
      case "request":
        return new InputRequestEvent({ prompt: `${n}`, answer: Said });
      case "sleeps":
        await ctx.sleep(1);
        return end(n);
      case "retried":
        if (failed === undefined) {
          ctx.state.set("failed", true);
          await ctx.commit();
          throw new Error("once");
        }
        return end(n);
      case "async":
        await null;
        return end(n);
      default:
        return end(n);
    }
  });
  return workflow.step("said", Said, ({ n }) => end(n));
}

/** Plays a tree, stopping it now and then to go on from its text. */
async function play(tree: Tree, stops: readonly boolean[], verify: boolean): Promise<void> {
  const ends = new Map<Tree, number>();
  const result = expected(tree, 1, ends);
  const seen: Seen = { ends: new Map() };
  // The outermost is asked to verify: so every commit at any depth is.
  const make = () => {
    const inner = build(tree, seen);
    return new Workflow("root", { verify })
      .step("root", StartEvent<{ n: number }>, subworkflow(inner, { input: ({ n }: Any) => n, output: (n: number) => new Got({ n }) }))
      .step("end", Got, ({ n }) => new StopEvent({ result: n }));
  };
  let handler = make().start({ n: 1 });
  handler.result().catch(() => {});
  const abandoned: (typeof handler)[] = [];
  for (let at = 0; handler.status === "running" || handler.status === "waiting"; at++) {
    if (stops[at % stops.length] === true && at < 200) {
      const snapshot = await handler.pause().catch(() => undefined);
      if (snapshot === undefined) break;
      abandoned.push(handler);
      const text = String(snapshot);
      handler = make().resume(at % 2 === 0 ? text : snapshot.toBytes());
      handler.result().catch(() => {});
      // Stored again before it goes on it is the same (7.3).
      expect(String(await handler.snapshot())).toBe(text);
    }
    const [pending] = handler.pendingInputs;
    if (pending === undefined) await turns(1);
    else await handler.respond(pending.id, pending.id.includes("/") ? answer(Number(pending.prompt)) : { n: answer(Number(pending.prompt)) });
  }
  expect(await handler.result()).toBe(result);
  expect(handler.pendingInputs).toEqual([]);
  // Each leaf has come to its end as often as it should: nothing was lost, and nothing done twice.
  for (const [leaf, count] of ends) expect(seen.ends.get(leaf)).toBe(count);
  for (const one of abandoned) await one.cancel(undefined, { grace: 0 });
}

test("a random tree gives what recursion gives, however often it is stored on the way (11)", { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(trees, fc.array(fc.boolean(), { minLength: 1, maxLength: 12 }), (tree, stops) => play(tree, stops, false)),
    { numRuns: 1500 },
  );
});

test("also where each commit is verified", { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(trees, fc.array(fc.boolean(), { minLength: 1, maxLength: 12 }), (tree, stops) => play(tree, stops, true)),
    { numRuns: 500 },
  );
});
