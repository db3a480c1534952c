import {
  collect,
  DefinitionError,
  StalledError,
  StartEvent,
  StepError,
  StepFailedEvent,
  subworkflow,
  TimeoutError,
  UnhandledEventError,
  Workflow,
} from "blazen";
import { VirtualClock } from "blazen/testing";
import { describe, expect, test } from "vitest";
import { around, Done, each, Page, Part, single, stop } from "./children";
import { deferred } from "./deferred";
import { caught, isSettled, observed, turns } from "./support";

describe("a workflow as a step (11.1)", () => {
  test("the child gets what `input` gives, and the step returns what `output` gives", async () => {
    const child = single("child", ({ n }) => stop((n as number) + 1));
    const outer = new Workflow("outer")
      .step(
        "child",
        StartEvent<{ n: number }>,
        subworkflow(child, { input: ({ n }) => ({ n: n * 10 }), output: (result, { n }) => new Done({ result: [result, n] }) }),
      )
      .step("end", Done, ({ result }) => stop(result));
    expect(await outer.run({ n: 4 })).toEqual([41, 4]);
  });

  test("a result is the very object that the child's StopEvent has (1.4)", async () => {
    const live = { connection: () => 1 };
    expect(await around(single("child", () => stop(live))).run({})).toBe(live);
  });

  test("its state is its own, and so is its session unless it inherits", async () => {
    const seen: unknown[] = [];
    const child = new Workflow("child", { state: { count: 1 }, session: "live" }).step("work", "StartEvent", (_, ctx) => {
      ctx.state.update("count", (count) => (count as number) + 1);
      seen.push(ctx.state.has("outer"), ctx.session.get("secret"));
      return stop(null);
    });
    const outer = (session?: "inherit") =>
      new Workflow("outer", { session: "live" })
        .step("first", "StartEvent", (_, ctx) => {
          ctx.state.set("outer", true);
          ctx.session.set("secret", 42);
          return new Page({ n: 1 });
        })
        .step("child", Page, subworkflow(child as never, { input: () => ({}), output: () => new Done({ result: 0 }), ...(session && { session }) }))
        .step("end", Done, (_, ctx) => stop([...ctx.state.keys()]));
    expect(await outer().run({} as never)).toEqual(["outer"]);
    expect(await outer("inherit").run({} as never)).toEqual(["outer"]);
    expect(seen).toEqual([false, undefined, false, 42]);
  });

  test("its joins, collects and ids of sent events are its own: children of one workflow do not mix", async () => {
    const child = new Workflow("child")
      .step("fan", StartEvent<{ n: number }>, ({ n }, ctx) => {
        void ctx.sendEvent(new Part({ n: 100 }), { id: "once" });
        void ctx.sendEvent(new Part({ n: 100 }), { id: "once" });
        return [new Part({ n }), new Part({ n: n + 1 })];
      })
      .step("sum", collect(Part), (parts) => stop(parts.reduce((sum, { n }) => sum + n, 0)));
    expect(await each(child, [1, 10, 20]).run({})).toEqual([103, 121, 141]);
  });

  test("run ids are the opener's invocation and the step's name, and invocation ids go by them", async () => {
    const child = single("child", (_, ctx) => stop([ctx.runId, ctx.invocationId, ctx.workflowName]));
    const [runId, invocationId, name] = (await around(child).run({}, { runId: "r" })) as string[];
    expect([runId, invocationId?.startsWith("r/0/child/"), name]).toEqual(["r/0/child", true, "child"]);
  });

  test("what it shows is on the parent's stream with its path; its StopEvent is not", async () => {
    const inner = single("inner", async (_, ctx) => {
      await ctx.writeEventToStream(new Part({ n: 1 }));
      return stop(1);
    });
    const handler = around(around(inner, {}, "middle")).start({}, { runId: "r" });
    await handler.result();
    const items: unknown[] = [];
    for await (const { event, path, runId } of handler.stream()) items.push([event.type, path, runId]);
    expect(items).toEqual([
      ["Part", ["child", "child"], expect.stringMatching(/^r\/0\/child\/\d+\/child$/)],
      ["blazen::StopEvent", [], "r"],
    ]);
  });

  test("a workflow may run itself, a hundred deep, and is stored there", async () => {
    const down: Workflow<{ n: number }, number> = new Workflow("down")
      .step("begin", StartEvent<{ n: number }>, async ({ n }, ctx) =>
        n === 0 ? stop(await ctx.requestInput<number>({ prompt: "how deep?" })) : new Page({ n: n - 1 }),
      )
      .step(
        "deeper",
        Page,
        subworkflow(() => down, { input: ({ n }: Page) => ({ n }), output: (depth) => stop(depth + 1) }),
      ) as never;
    const handler = down.start({ n: 100 });
    while (handler.pendingInputs.length === 0) await turns(1);
    const resumed = down.resume(String(await handler.pause()));
    for (const one of [handler, resumed]) {
      one.resume();
      while (one.pendingInputs.length === 0) await turns(1);
      expect(one.pendingInputs[0]?.path).toEqual(Array(100).fill("deeper"));
      await one.respond(one.pendingInputs[0]!.id, 0);
      expect(await one.result()).toBe(100);
    }
  });

  test("what is no workflow is refused by name", async () => {
    expect(() => subworkflow(7 as never, { input: () => 1, output: () => new Done({ result: 1 }) })).toThrow(DefinitionError);
    expect(() =>
      subworkflow(
        single("a", () => stop(1)),
        { input: 1 as never, output: () => new Done({ result: 1 }) },
      ),
    ).toThrow('"input"');
    const error = await caught(around(() => ({ name: "no", run: () => 1 })).run({}));
    expect(error).toBeInstanceOf(StepError);
    expect((error as StepError).message).toContain("give a Workflow or a Pipeline");
    const direct = subworkflow(
      single("a", () => stop(1)),
      { input: () => ({}), output: () => new Done({ result: 1 }) },
    );
    const wrapped = single("wrapped", (start, ctx) => direct(start, ctx as never));
    expect(((await caught(wrapped.run({}))) as Error).message).toContain("whole function");
  });
});

describe("failure in a child run", () => {
  const boom = new TypeError("boom");
  const failing = () =>
    single("failing", () => {
      throw boom;
    });

  test("fails the step that opened it: the error names both workflows and steps", async () => {
    const error = (await caught(around(failing()).run({}))) as StepError;
    expect(error).toBeInstanceOf(StepError);
    expect(error.step).toBe("child");
    expect(error.message).toContain('Workflow "outer": step "child" failed: Workflow "failing": step "work" failed: boom');
    expect((error.cause as StepError).step).toBe("work");
    expect((error.cause as StepError).cause).toBe(boom);
  });

  test("a child's StepFailedEvent stays in the child; the opener's goes to the parent", async () => {
    const inside = failing().step("failed", StepFailedEvent, ({ error }) => stop(["handled", error]));
    expect(await around(inside).run({})).toEqual(["handled", boom]);
    const outside = around(failing()).step("failed", StepFailedEvent, ({ step, error }) => stop([step, (error as StepError).cause]));
    expect(await outside.run({})).toEqual(["child", boom]);
  });

  test("a retry of the step is a new child run, with a run id and state of its own", async () => {
    const ids: string[] = [];
    const child = new Workflow("child", { state: { tried: 0 } }).step("work", "StartEvent", (_, ctx) => {
      ids.push(ctx.runId);
      ctx.state.update("tried", (tried) => tried + 1);
      void ctx.commit();
      if (ids.length < 3) throw new Error("again");
      return stop(ctx.state.get("tried"));
    });
    const outer = new Workflow("outer").step(
      "child",
      "StartEvent",
      { retry: { maxAttempts: 3, initial: 0 } },
      subworkflow(child as never, { input: () => ({}), output: (result) => stop(result) }),
    );
    expect(await outer.run({} as never, { runId: "r" })).toBe(1);
    expect(ids).toEqual(["r/0/child", "r/0/child#2", "r/0/child#3"]);
  });

  test("a child that stalls, or emits what nobody accepts, says so", async () => {
    const stalled = (await caught(around(single("idle", () => undefined)).run({}))) as StepError;
    expect(stalled.cause).toBeInstanceOf(StalledError);
    expect(stalled.message).toContain('Workflow "idle"');
    const open = (await caught(around(single("open", () => new Page({ n: 1 }))).run({}))) as StepError;
    expect(open.cause).toBeInstanceOf(UnhandledEventError);
  });

  test("its running steps are told by their signals, with the failure as cause", async () => {
    const told = deferred<unknown>();
    const child = new Workflow("child")
      .step("fan", "StartEvent", () => [new Page({ n: 1 }), new Part({ n: 2 })])
      .step("slow", Page, (_, ctx) => {
        ctx.signal.addEventListener("abort", () => told.resolve(ctx.signal.reason));
        return new Promise<undefined>(() => {});
      })
      .step("fails", Part, () => {
        throw boom;
      });
    const error = (await caught(around(child).run({}))) as StepError;
    expect((await told.promise) as Error).toMatchObject({ name: "CancelledError", cause: error.cause });
  });

  test("the child's own timeout counts; the step's stands still while it waits (5.2)", async () => {
    const clock = new VirtualClock();
    const slow = single("slow", () => new Promise(() => {}), { timeout: 100 });
    const outer = new Workflow("outer").step(
      "child",
      "StartEvent",
      { timeout: 10 },
      subworkflow(slow, { input: () => ({}), output: (result) => stop(result) }),
    );
    const result = observed({ result: () => caught(outer.run({} as never, { clock })) }).result();
    await clock.advance(50);
    expect(await isSettled(result)).toBe(false);
    await clock.advance(60);
    expect(((await result) as StepError).cause).toBeInstanceOf(TimeoutError);
  });

  test("time in which a step waits to be tried again counts, also after a resume; one that is withdrawn then does not (5.2)", async () => {
    const clock = new VirtualClock();
    const make = () =>
      new Workflow("child", { timeout: 100 })
        .step("fan", "StartEvent", () => [new Page({ n: 1 }), new Part({ n: 2 })])
        .step("fails", Page, { retry: { maxAttempts: 2, initial: 1_000_000, max: 1_000_000 } }, () => {
          throw boom;
        })
        .step("wins", Part, async (_, ctx) => new Done({ result: await ctx.requestInput({ prompt: "?" }) }))
        .step("first", collect(Done, { first: 1, of: "fan" }), async (_, ctx) => stop(await ctx.requestInput({ prompt: "and now?" })));
    const handler = observed(around(make()).start({}, { clock }));
    await clock.advance(50);
    const resumed = observed(around(make()).resume(String(await handler.pause()), { clock }));
    await clock.advance(40);
    await resumed.respond(resumed.pendingInputs[0]!.id, 1);
    await clock.advance(1_000);
    expect(resumed.status).toBe("waiting");
    await resumed.respond(resumed.pendingInputs[0]!.id, 2);
    expect(await resumed.result()).toBe(2);
    const late = observed(around(make()).resume(String(await handler.pause()), { clock }));
    await clock.advance(60);
    expect(((await caught(late.result())) as StepError).cause).toBeInstanceOf(TimeoutError);
    await handler.cancel();
  });

  test("time in which it only waits for an answer does not count (5.2)", async () => {
    const clock = new VirtualClock();
    const asks = single("asks", async (_, ctx) => stop(await ctx.requestInput({ prompt: "?" })), { timeout: 100 });
    const handler = around(asks).start({}, { clock });
    await clock.advance(1_000);
    await handler.respond(handler.pendingInputs[0]!.id, "late");
    expect(await handler.result()).toBe("late");
  });
});

describe("cancelling", () => {
  test("reaches every step at any depth, and the report names them", async () => {
    const reasons: unknown[] = [];
    const inner = single("inner", (_, ctx) => new Promise((_, reject) => ctx.signal.addEventListener("abort", () => reject(reasons.push(ctx.signal.reason)))));
    const handler = observed(around(around(inner, {}, "middle")).start({}));
    const report = await handler.cancel("enough");
    expect(report.stopped).toContain("work");
    expect(report.ignored).toEqual([]);
    expect(reasons).toMatchObject([{ name: "CancelledError", cause: "enough" }]);
  });

  test("a step that does not stop is reported when the grace is over", async () => {
    const clock = new VirtualClock();
    const handler = observed(around(single("deaf", () => new Promise(() => {}))).start({}, { clock }));
    const report = handler.cancel("enough", { grace: 50 });
    await clock.advance(50);
    expect((await report).ignored).toEqual(["work"]);
  });

  test("a collect that has enough withdraws the child runs of the other branches (2.5c)", async () => {
    const told: unknown[] = [];
    const child = single("child", ({ n }, ctx) => {
      if (n === 2) return stop("won");
      ctx.signal.addEventListener("abort", () => told.push(n));
      return new Promise(() => {});
    });
    const outer = new Workflow("race")
      .step("fan", "StartEvent", () => [1, 2, 3].map((n) => new Page({ n })))
      .step("child", Page, subworkflow(child, { input: ({ n }: Page) => ({ n }), output: (result) => new Done({ result }) }))
      .step("first", collect(Done, { first: 1, of: "fan" }), ([done]) => stop(done!.result));
    expect(await outer.run({} as never)).toBe("won");
    expect(told.sort()).toEqual([1, 3]);
  });

  test("what a step of an ended child run still does changes nothing (4.6)", async () => {
    const go = deferred<void>();
    const late = deferred<unknown>();
    const child = new Workflow("child")
      .step("fan", "StartEvent", () => [new Page({ n: 1 }), new Part({ n: 2 })])
      .step("slow", Page, async (_, ctx) => {
        await go.promise;
        late.resolve(await caught(Promise.resolve().then(() => ctx.sendEvent(new Done({ result: 1 })))));
        return new Done({ result: 1 });
      })
      .step("stops", Part, () => stop("over"));
    const outer = new Workflow("outer")
      .step("child", "StartEvent", subworkflow(child as never, { input: () => ({}), output: (result) => new Done({ result }) }))
      .step("end", Done, async ({ result }) => {
        go.resolve(undefined);
        await late.promise;
        return stop(result);
      });
    expect(await outer.run({} as never)).toBe("over");
    expect(await late.promise).toMatchObject({ name: "CancelledError" });
  });
});
