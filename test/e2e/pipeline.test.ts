import {
  type Context,
  DefinitionError,
  InputRequestEvent,
  LoopLimitError,
  Pipeline,
  ProgressEvent,
  StartEvent,
  StepError,
  StopEvent,
  subworkflow,
  TimeoutError,
  Workflow,
} from "blazen";
import { VirtualClock } from "blazen/testing";
import { describe, expect, test } from "vitest";
import { Done, each, Paid, single, stop } from "./children";
import { deferred } from "./deferred";
import { caught, isSettled, observed, turns } from "./support";

// biome-ignore lint/suspicious/noExplicitAny: these tests are about what happens, test/types about types
type Any = any;
/** A workflow that does something with its input, which is in `data` where it is no object. */
const does = (name: string, change: (input: Any, ctx: Context) => unknown, options = {}): Any =>
  single(name, async (start, ctx) => stop(await change("data" in start ? start["data"] : start, ctx)), options);
const add = (n: number) => does(`add ${n}`, (input) => input + n);
const pipeline = (name = "pipeline", options = {}): Any => new Pipeline(name, options);
/** Waits until it is told to stop. */
const idle = () => does("idle", (_, { signal }) => new Promise((resolve) => signal.addEventListener("abort", resolve)));
/** What the stream of a run that is over shows. */
const shown = async (handler: Any, what: (item: Any) => unknown): Promise<unknown[]> => {
  const items: unknown[] = [];
  for await (const item of handler.stream()) items.push(what(item));
  return items;
};

describe("stages (11.2)", () => {
  test("the previous result is the next input; `input` maps it, with the pipeline's input and the results by stage", async () => {
    const greet = does("greet", ({ name }) => `Hello, ${name}`);
    const list = does("list", ({ items }) => items);
    const all = pipeline()
      .stage("greet", greet)
      .map("length", (greeting: string) => greeting.length)
      .stage("list", list, { input: (length: number, { input, results }: Any) => ({ items: [length, input.name, results.greet, results.length] }) });
    expect(await all.run({ name: "Ada" })).toEqual([10, "Ada", "Hello, Ada", 10]);
  });

  test("`when` is asked before `input`; a skipped stage passes the previous result on, and has it as its result", async () => {
    const asked: unknown[] = [];
    const input = (previous: unknown) => {
      asked.push(["input", previous]);
      return previous;
    };
    const when = (yes: boolean) => (previous: unknown) => {
      asked.push(["when", previous]);
      return yes;
    };
    const all = pipeline()
      .stage("one", add(1))
      .stage("two", add(2), { when: when(false), input })
      .stage("three", add(3), { when: when(true), input })
      .map("end", (end: number, { results }: Any) => ({ end, ...results }));
    expect(await all.run(0)).toEqual({ end: 4, one: 1, two: 1, three: 4 });
    expect(asked).toEqual([
      ["when", 1],
      ["when", 1],
      ["input", 1],
    ]);
  });

  test("results go on as they are, live objects too (1.4)", async () => {
    const live = { call: () => 1 };
    const given: unknown[] = [];
    const all = pipeline()
      .map("open", () => live)
      .map("use", (previous: unknown, { results }: Any) => given.push(previous, results.open) && previous);
    expect(await all.run(null)).toBe(live);
    expect(given).toEqual([live, live]);
  });

  test("a map may be asynchronous; what it throws fails the pipeline, which names it", async () => {
    expect(
      await pipeline()
        .map("later", async (n: number) => n + 1)
        .run(1),
    ).toBe(2);
    const thrown = new RangeError("no");
    const error = (await caught(
      pipeline("maps")
        .map("fails", () => {
          throw thrown;
        })
        .run(1),
    )) as StepError;
    expect(error).toMatchObject({ name: "StepError", step: "fails", cause: thrown, message: 'Pipeline "maps": stage "fails" failed: no' });
  });

  test("a failing stage names itself and its workflow", async () => {
    const bad = does("bad", () => {
      throw new Error("boom");
    });
    const error = (await caught(pipeline("outer").stage("inner", pipeline("inner").stage("work", bad)).run({}))) as StepError;
    expect(error.step).toBe("inner");
    expect(error.message).toBe('Pipeline "outer": stage "inner" failed: Pipeline "inner": stage "work" failed: Workflow "bad": step "work" failed: boom');
  });

  test("`retry` tries the stage again, each time in a child run of its own; `timeout` is the child run's", async () => {
    const runs: string[] = [];
    const flaky = does("flaky", (input, { runId }) => {
      if (runs.push(runId) < 3) throw new Error("again");
      return input;
    });
    expect(
      await pipeline()
        .stage("flaky", flaky, { retry: { maxAttempts: 3, initial: 0 } })
        .run(7, { runId: "r" }),
    ).toBe(7);
    expect(runs).toEqual(["r/0/flaky", "r/0/flaky#2", "r/0/flaky#3"]);

    const clock = new VirtualClock();
    const result = caught(
      pipeline()
        .stage(
          "slow",
          does("slow", () => new Promise(() => {})),
          { timeout: 100 },
        )
        .run(1, { clock }),
    );
    await clock.advance(99);
    expect(await isSettled(result)).toBe(false);
    await clock.advance(1);
    expect(((await result) as StepError).cause).toBeInstanceOf(TimeoutError);
  });

  test("a stage's timeout stands still while the child only waits for an answer, or the run is paused (5.2)", async () => {
    const clock = new VirtualClock();
    const go = deferred<void>();
    const asks = does("asks", async (_, ctx) => {
      const answer = await ctx.requestInput({ prompt: "?" });
      await go.promise;
      return answer;
    });
    const handler = observed(pipeline().stage("asks", asks, { timeout: 100 }).start(1, { clock })) as Any;
    await clock.advance(1_000);
    await handler.respond(handler.pendingInputs[0].id, "yes");
    await clock.advance(60);
    await handler.pause({ mode: "now" });
    await clock.advance(1_000);
    handler.resume();
    await clock.advance(30);
    expect(handler.status).toBe("running");
    await clock.advance(10);
    expect(((await caught(handler.result())) as StepError).cause).toBeInstanceOf(TimeoutError);
  });
});

describe("parallel", () => {
  const fail = (message: string) =>
    does("fails", () => {
      throw new Error(message);
    });
  /** Says when it is told to stop, and takes its time. */
  const cleanup = (log: string[], until?: Promise<unknown>) =>
    does("slow", async (_, { signal }) => {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      await until;
      log.push("cleaned up");
    });

  test("all: every branch gets the same input, and the results come by branch", async () => {
    expect(
      await pipeline()
        .parallel("both", { a: add(1), b: add(2) })
        .run(10),
    ).toEqual({ a: 11, b: 12 });
  });

  test("all: the first failure fails the stage, and aborts the others", async () => {
    const log: string[] = [];
    const error = (await caught(
      pipeline()
        .parallel("both", { a: fail("no"), b: cleanup(log) })
        .run(1),
    )) as StepError;
    expect(error).toMatchObject({ step: "both", message: expect.stringContaining("no") });
    await turns();
    expect(log).toEqual(["cleaned up"]);
  });

  test("settled: each branch's outcome", async () => {
    const result = await pipeline()
      .parallel("both", { a: add(1), b: fail("no") }, { join: "settled" })
      .run(1);
    expect(result).toEqual({ a: { status: "fulfilled", value: 2 }, b: { status: "rejected", reason: expect.any(StepError) } });
  });

  test("first: the winner; the losers are cancelled, and their cleanup is waited for", async () => {
    const log: string[] = [];
    const go = deferred<void>();
    const result = pipeline()
      .parallel("race", { slow: cleanup(log, go.promise), quick: add(1) }, { join: "first" })
      .map("after", (won: unknown) => [won, ...log])
      .run(1);
    expect(await isSettled(result)).toBe(false);
    go.resolve();
    expect(await result).toEqual([{ branch: "quick", result: 2 }, "cleaned up"]);
  });

  test("first: a loser that does not stop is waited for no longer than the grace", async () => {
    const clock = new VirtualClock();
    const deaf = does("deaf", () => new Promise(() => {}));
    const result = pipeline()
      .parallel("race", { deaf, quick: add(1) }, { join: "first" })
      .run(1, { clock });
    await clock.advance(999);
    expect(await isSettled(result)).toBe(false);
    await clock.advance(1);
    expect(await result).toEqual({ branch: "quick", result: 2 });
  });

  test("a cancel in that time waits for them too, and names those that do not stop (5.3)", async () => {
    const clock = new VirtualClock();
    const deaf = does("deaf", () => new Promise(() => {}));
    const handler = observed(
      pipeline()
        .parallel("race", { deaf, quick: add(1) }, { join: "first" })
        .start(1, { clock }),
    ) as Any;
    await turns();
    const report = handler.cancel("enough", { grace: 50 });
    await clock.advance(50);
    expect((await report).ignored).toEqual(["work"]);
  });

  test("quorum: as many as are needed; it fails when so many cannot be any more, with every cause", async () => {
    const some = await pipeline()
      .parallel("some", { a: add(1), b: fail("b"), c: add(3), d: idle() }, { join: { quorum: 2 } })
      .run(1);
    expect(some).toEqual({ a: 2, c: 4 });
    const error = (await caught(
      pipeline()
        .parallel("some", { a: fail("a"), b: fail("b"), c: add(1) }, { join: { quorum: 2 } })
        .run(1),
    )) as StepError;
    expect((error.cause as AggregateError).errors.map((one: Error) => (one.cause as Error).message)).toEqual(["a", "b"]);
    const none = (await caught(
      pipeline()
        .parallel("race", { a: fail("a"), b: fail("b") }, { join: "first" })
        .run(1),
    )) as StepError;
    expect((none.cause as AggregateError).errors).toHaveLength(2);
  });

  test("branches have their names in path and run id", async () => {
    const says = does("says", (_, ctx) => ctx.writeEventToStream(new Done({ result: 1 })).then(() => ctx.runId));
    const handler = pipeline().parallel("both", { a: says, "b/2": says }).start(1, { runId: "r" });
    expect(await handler.result()).toEqual({ a: "r/0/both/a", "b/2": "r/0/both/b%2F2" });
    expect((await shown(handler, ({ event, path }) => [event.type, path])).filter(([type]: Any) => type === "Done")).toEqual([
      ["Done", ["both", "a"]],
      ["Done", ["both", "b/2"]],
    ]);
  });
});

describe("loop", () => {
  test("each round gets the result of the one before, until it is enough", async () => {
    const rounds: unknown[] = [];
    const until = (result: number, round: number) => rounds.push([result, round]) && result > 3;
    expect(
      await pipeline()
        .loop("count", add(1), { until, max: 9, input: (n: number) => n * 1 })
        .run(1),
    ).toBe(4);
    expect(rounds).toEqual([
      [2, 1],
      [3, 2],
      [4, 3],
    ]);
  });

  test("`input` maps the first round only; retries count per round; run ids differ", async () => {
    const ids: string[] = [];
    let failures = 0;
    const flaky = does("flaky", (n, { runId }) => {
      ids.push(runId);
      if (failures++ % 2 === 0) throw new Error("again");
      return n + 1;
    });
    const options = { until: (n: number) => n >= 13, max: 5, input: (n: number) => n + 10, retry: { maxAttempts: 2, initial: 0 } };
    expect(await pipeline().loop("l", flaky, options).run(1, { runId: "r" })).toBe(13);
    expect(new Set(ids).size).toBe(4);
  });

  test("after `max` rounds it fails with LoopLimitError, or passes the last result on", async () => {
    const error = (await caught(
      pipeline("p")
        .loop("l", add(1), { until: () => false, max: 3 })
        .run(0),
    )) as StepError;
    expect(error.cause).toBeInstanceOf(LoopLimitError);
    expect(error.cause).toMatchObject({ code: "LOOP_LIMIT", runId: expect.any(String) });
    let runs = 0;
    const counts = does("counts", () => runs++);
    await caught(
      pipeline()
        .loop("l", counts, { until: () => false, max: 2, retry: { maxAttempts: 3, initial: 0 } })
        .run(0),
    );
    expect(runs).toBe(2);
    expect(
      await pipeline()
        .loop("l", add(1), { until: () => false, max: 3, onMax: "pass" })
        .run(0),
    ).toBe(3);
  });
});

describe("a pipeline is a workflow (11.3)", () => {
  test("it can be a stage of another, and a step", async () => {
    const inner = pipeline("inner").stage("one", add(1)).stage("two", add(2));
    expect(
      await pipeline()
        .stage("inner", inner)
        .loop("more", inner, { until: (n: number) => n > 20, max: 9 })
        .run(10),
    ).toBe(22 - 3 + 3);
    const step = new Workflow("steps").step(
      "inner",
      StartEvent<{ n: number }>,
      subworkflow(inner, { input: ({ n }: { n: number }) => n, output: (result) => new StopEvent({ result }) }),
    );
    expect(await step.run({ n: 1 })).toBe(4);
  });

  test("paused in the middle of a stage it goes on in the middle of it; finished stages never run again", async () => {
    const log: string[] = [];
    const make = (open: Promise<unknown>) =>
      pipeline()
        .stage(
          "first",
          does("first", () => log.push("first")),
        )
        .stage(
          "second",
          new Workflow("second")
            .step("a", "StartEvent", () => new Done({ result: log.push("a") }))
            .step("b", Done, async () => {
              await open;
              log.push("b");
              return stop("b");
            }),
        )
        .map("third", (previous: string) => `${previous}, third`);
    const handler = observed(make(new Promise(() => {})).start(1)) as Any;
    await turns();
    const snapshot = await handler.pause({ mode: "now" });
    expect(await make(Promise.resolve()).resume(String(snapshot)).result()).toBe("b, third");
    expect(log).toEqual(["first", "a", "b"]);
    await handler.cancel(undefined, { grace: 0 });
  });

  test("after a crash in the middle of a parallel stage only the branches run that had not finished", async () => {
    const ran: string[] = [];
    const branch = (name: string, until?: Promise<unknown>) =>
      does(name, async (n) => {
        await until;
        ran.push(name);
        return `${name} ${n}`;
      });
    const make = (open: Promise<unknown> | undefined, join: unknown) =>
      pipeline().parallel("all", { a: branch("a"), b: branch("b", open), c: branch("c") }, { join });
    for (const join of ["all", "settled", { quorum: 3 }]) {
      ran.length = 0;
      const handler = observed(make(new Promise(() => {}), join).start(1)) as Any;
      await turns();
      const snapshot = String(await handler.snapshot());
      await handler.cancel(undefined, { grace: 0 });
      expect(ran).toEqual(["a", "c"]);
      expect(JSON.stringify(await make(undefined, join).resume(snapshot).result())).toContain('"c 1"');
      expect(ran).toEqual(["a", "c", "b"]);
    }
  });

  test("a loop keeps its count", async () => {
    const rounds: number[] = [];
    const make = () =>
      pipeline().loop(
        "ask",
        does("ask", async (n, ctx) => n + Number(await ctx.requestInput({ prompt: `${n}` }))),
        { until: (_: number, round: number) => rounds.push(round) && round === 3, max: 3 },
      );
    let handler = make().start(0);
    for (let round = 1; round <= 3; round++) {
      await turns();
      handler = make().resume(String(await handler.pause()));
      await turns();
      await handler.respond(handler.pendingInputs[0].id, round);
    }
    expect(await handler.result()).toBe(6);
    expect(rounds).toEqual([1, 2, 3]);
  });

  test("one that has gained stages loads old snapshots, wherever they were added", async () => {
    const ran: string[] = [];
    const note = (name: string) =>
      does(name, (n) => {
        ran.push(name);
        return n;
      });
    const asks = does("asks", async (n, ctx) => n + (await ctx.requestInput<number>({ prompt: "?" })));
    const handler = observed(pipeline().stage("asks", asks).stage("last", note("last")).start(1)) as Any;
    await turns();
    const snapshot = String(await handler.pause());
    const grown = pipeline()
      .stage("front", note("front"))
      .stage("asks", asks)
      .stage("between", note("between"))
      .stage("last", note("last"))
      .map("end", (n: number, { results }: Any) => [n, results.front]);
    const resumed = grown.resume(snapshot);
    await turns();
    expect(resumed.progress).toEqual({ stage: "asks", index: 1, total: 5, percent: 20 });
    await resumed.respond(resumed.pendingInputs[0].id, 1);
    expect(await resumed.result()).toEqual([2, undefined]);
    expect(ran).toEqual(["between", "last"]);
    await handler.cancel(undefined, { grace: 0 });
  });

  test("branches are known by their names, and stages that have ended do not run again where they have changed places", async () => {
    const asks = does("asks", (_, ctx) => ctx.requestInput({ prompt: ctx.runId }));
    const ran: string[] = [];
    const note = (name: string) =>
      does(name, (n) => {
        ran.push(name);
        return n;
      });
    const handler = observed(
      pipeline().stage("one", note("one")).stage("two", note("two")).parallel("both", { a: asks, b: asks }).start(1, { runId: "r" }),
    ) as Any;
    await turns();
    const resumed = pipeline()
      .stage("one", note("one"))
      .parallel("both", { b: asks, a: asks })
      .stage("two", note("two"))
      .resume(String(await handler.pause()));
    await turns();
    for (const { id, prompt } of resumed.pendingInputs) await resumed.respond(id, prompt);
    expect(await resumed.result()).toEqual({ a: "r/4/both/a", b: "r/4/both/b" });
    expect(ran).toEqual(["one", "two"]);
    await handler.cancel();
  });

  test("a stage that `migrate` gives another name goes on under its run id", async () => {
    const asks = does("asks", (_, ctx) => ctx.requestInput({ prompt: ctx.runId }));
    const handler = observed(pipeline().stage("old", asks).start(1, { runId: "r" })) as Any;
    await turns();
    const migrate = { 1: (old: Any) => ({ ...old, steps: { old: "new" } }) };
    const resumed = pipeline("pipeline", { version: 2, migrate })
      .stage("new", asks)
      .resume(String(await handler.pause()));
    await turns();
    expect(resumed.pendingInputs).toMatchObject([{ id: "r/0/old/1/0", runId: "r/0/old", path: ["new"] }]);
    await resumed.respond("r/0/old/1/0", "yes");
    expect(await resumed.result()).toBe("yes");
    await handler.cancel();
  });

  test("one whose present stage is gone, or lost the branch that goes on, is refused", async () => {
    const asks = does("asks", (_, ctx) => ctx.requestInput({ prompt: "?" }));
    const handler = pipeline().stage("one", add(1)).parallel("two", { a: asks, b: asks }).start(1);
    await turns();
    const snapshot = await handler.pause();
    expect(() => pipeline().stage("one", add(1)).resume(snapshot)).toThrow('"two"');
    expect(() => pipeline().stage("one", add(1)).parallel("two", { a: asks, b: asks, c: asks }).resume(snapshot)).toThrow('a branch "c" now');
    expect(() => pipeline().stage("one", add(1)).stage("two", asks).resume(snapshot)).toThrow('no branch "a"');
    expect(() => pipeline().stage("one", add(1)).parallel("two", { a: asks }).resume(snapshot)).toThrow('no branch "b"');
    observed(handler as Any);
    await handler.cancel();
  });

  test("a loop over a pipeline whose stage runs a fan-out of sub-workflows, one of which waits for a person", async () => {
    const approve = () =>
      new Workflow("approve")
        .step("ask", StartEvent<{ n: number }>, ({ n }) => (n === 2 ? new InputRequestEvent({ prompt: "pay?", answer: Paid }) : new Paid({ sum: n })))
        .step("paid", Paid, ({ sum }) => stop(sum));
    const make = (): Any => {
      const inner = pipeline("inner")
        .stage("fan", each(approve(), [1, 2, 3]), { input: () => ({}) })
        .map("sum", (sums: number[], { input }: Any) => input + sums.reduce((a, b) => a + b, 0));
      return pipeline("outer").loop("rounds", inner, { until: (n: number) => n > 200, max: 5 });
    };
    let handler = make().start(0);
    for (const sum of [30, 300]) {
      await turns();
      handler = make().resume(String(await handler.pause()));
      await turns();
      expect(handler.pendingInputs).toMatchObject([{ prompt: "pay?", path: ["rounds", "fan", "child"] }]);
      await handler.respond(handler.pendingInputs[0].id, { sum });
    }
    expect(await handler.result()).toBe(34 + 304);
  });
});

describe("progress (11.4)", () => {
  test("says stage, index, total and percent, and appears on the stream when a stage starts and ends", async () => {
    const go = deferred<void>();
    const all = pipeline()
      .stage("one", add(1))
      .stage("two", add(2), { when: () => false })
      .map("three", () => go.promise)
      .loop("four", add(0), { until: (_: number, round: number) => round === 3, max: 3 });
    const handler = all.start(1);
    await turns();
    expect(handler.progress).toEqual({ stage: "three", index: 2, total: 4, percent: 50 });
    go.resolve();
    await handler.result();
    const events = await shown(handler, ({ event, path }) => event instanceof ProgressEvent && [event.stage, event.percent, path]);
    expect(events).toEqual([
      ["one", 0, []],
      ["one", 25, []],
      ["two", 25, []],
      ["two", 50, []],
      ["three", 50, []],
      ["three", 75, []],
      ["four", 75, []],
      ["four", 100, []],
      false,
    ]);
    expect(handler.progress).toEqual({ stage: "four", index: 3, total: 4, percent: 100 });
  });

  test("of a pipeline within another it has the path of that; a workflow has none", async () => {
    const handler = pipeline()
      .stage(
        "inner",
        pipeline("inner").map("m", (n: number) => n),
      )
      .start(1);
    await handler.result();
    expect(await shown(handler, ({ event, path }) => [event.stage, path])).toEqual([
      ["inner", []],
      ["m", ["inner"]],
      ["m", ["inner"]],
      ["inner", []],
      [undefined, []],
    ]);
    expect(add(1).start(1).progress).toBeUndefined();
  });

  test("is not published again by a resume", async () => {
    const make = () =>
      pipeline().stage(
        "asks",
        does("asks", (_, ctx) => ctx.requestInput({ prompt: "?" })),
      );
    const handler = make().start(1);
    await turns();
    const resumed = make().resume(await handler.pause());
    await turns();
    await resumed.respond(resumed.pendingInputs[0].id, 1);
    await resumed.result();
    expect(await shown(resumed, ({ offset, event }) => [offset, event.type, event.percent])).toEqual([
      [2, "blazen::ProgressEvent", 100],
      [3, "blazen::StopEvent", undefined],
    ]);
  });
});

describe("definition", () => {
  test("duplicate names, bad options and an empty pipeline are refused", async () => {
    const one = add(1);
    const refused = (define: () => unknown) => {
      expect(define).toThrow(DefinitionError);
      return expect(define);
    };
    refused(() =>
      pipeline()
        .stage("a", one)
        .map("a", () => 1),
    ).toThrow('a stage "a" already');
    refused(() => pipeline().stage("", one)).toThrow("non-empty");
    refused(() => pipeline().stage("a", 7)).toThrow("give a Workflow or a Pipeline");
    refused(() => pipeline().stage("a", one, { retries: 2 })).toThrow('no option "retries"');
    refused(() => pipeline().stage("a", one, { timeout: -1 })).toThrow('"timeout"');
    refused(() => pipeline().stage("a", one, { when: 1 })).toThrow('"when"');
    refused(() => pipeline().parallel("a", {})).toThrow("branches");
    refused(() => pipeline().parallel("a", { b: one }, { join: "some" })).toThrow('"join"');
    refused(() => pipeline().parallel("a", { b: one }, { join: { quorum: 2 } })).toThrow("from 1 to 1");
    refused(() => pipeline().loop("a", one, { max: 2 })).toThrow('"until"');
    refused(() => pipeline().loop("a", one, { until: () => true, max: 0 })).toThrow('"max"');
    refused(() => pipeline().map("a", 1)).toThrow("function");
    refused(() => pipeline().start(1)).toThrow("no stages");
    refused(() => pipeline("p", { external: [Paid] })).toThrow('"external"');
    refused(() => pipeline().stage("a", new Workflow("empty")).start(1)).toThrow('Workflow "empty"');
    const promises = pipeline().stage("a", one, { input: async () => 1 });
    expect(((await caught(promises.run(1))) as StepError).cause).toMatchObject({ code: "DEFINITION", message: expect.stringContaining("gave a promise") });
    expect(await caught(pipeline().run(1))).toBeInstanceOf(DefinitionError);
    const begun = pipeline().stage("a", one);
    await begun.run(1);
    refused(() => begun.map("b", () => 1)).toThrow("comes too late");
  });

  test("a stage may have any name, also those that objects have already", async () => {
    const odd = ["__proto__", "constructor", "1", "a/b"].reduce((all, name) => all.stage(name, add(1)), pipeline());
    expect(await odd.map("end", (n: number, { results }: Any) => [n, Object.keys(results).sort()]).run(0)).toEqual([
      4,
      ["1", "__proto__", "a/b", "constructor"],
    ]);
  });
});
