import { BlazenState, InputRequestEvent, InputResponseEvent, resource, StartEvent, type StepError, subworkflow, UnhandledEventError, Workflow } from "blazen";
import { describe, expect, test } from "vitest";
import { around, Done, each, Page, Paid, Part, single, stop } from "./children";
import { deferred } from "./deferred";
import { caught, isSettled, observed, read, turns } from "./support";

describe("questions and events from outside", () => {
  test("a child's question is answered through the parent's handler", async () => {
    const asks = single("asks", async (_, ctx) => stop(await ctx.requestInput({ prompt: "name?" })));
    const handler = each(asks, [1, 2]).start({}, { runId: "r" });
    await turns();
    expect(handler.status).toBe("waiting");
    const pending = handler.pendingInputs;
    expect(pending.map(({ prompt, path }) => [prompt, path])).toEqual([
      ["name?", ["child"]],
      ["name?", ["child"]],
    ]);
    expect(pending.every(({ runId }) => /^r\/\d+\/child$/.test(runId))).toBe(true);
    await handler.respond(pending[1]!.id, "second");
    await handler.respond(pending[0]!.id, "first");
    expect(await handler.result()).toEqual(["first", "second"]);
  });

  test("also after a resume, and a returned question keeps the author's id behind the path", async () => {
    const asks = () =>
      new Workflow("asks")
        .step("ask", "StartEvent", () => new InputRequestEvent({ prompt: "pay?", id: "pay", answer: Paid }))
        .step("paid", Paid, ({ sum }) => stop(sum));
    const handler = around(asks()).start({});
    const snapshot = await handler.pause();
    const resumed = around(asks()).resume(String(snapshot));
    expect(resumed.pendingInputs).toMatchObject([{ id: "child/pay", prompt: "pay?", path: ["child"] }]);
    await resumed.respond("child/pay", { sum: 12 });
    expect(await resumed.result()).toBe(12);
  });

  test("a question whose answer no step of the child accepts fails the child", async () => {
    const asks = single("asks", () => new InputRequestEvent({ prompt: "?", answer: Paid }));
    expect(((await caught(around(asks).run({}))) as StepError).cause).toBeInstanceOf(UnhandledEventError);
    const heard = single("heard", () => new InputRequestEvent({ prompt: "?" })).step("answer", InputResponseEvent, ({ response }) => stop(response));
    const handler = around(heard).start({});
    await handler.respond(handler.pendingInputs[0]!.id, "yes");
    expect(await handler.result()).toBe("yes");
  });

  test("an event from outside reaches every run that declares its type", async () => {
    const waits = new Workflow("waits", { external: [Paid] }).step("begin", "StartEvent", () => undefined).step("paid", Paid, ({ sum }) => stop(sum));
    const handler = each(waits, [1, 2]).start({});
    await turns();
    expect(handler.status).toBe("waiting");
    await handler.send(new Paid({ sum: 5 }), { id: "a" });
    expect(await handler.result()).toEqual([5, 5]);
    const none = observed(around(single("none", () => new Promise(() => {}))).start({}));
    expect(await caught(none.send(new Paid({ sum: 1 })))).toBeInstanceOf(UnhandledEventError);
    await none.cancel(undefined, { grace: 0 });
  });
});

describe("pause, snapshot and resume", () => {
  test("a drain waits for the child's steps, not for the step that waits for them", async () => {
    const go = deferred<void>();
    const child = () =>
      new Workflow("child")
        .step("first", "StartEvent", async () => {
          await go.promise;
          return new Page({ n: 1 });
        })
        .step("second", Page, () => stop("second ran"));
    const handler = around(child()).start({});
    const paused = handler.pause();
    expect(await isSettled(paused)).toBe(false);
    go.resolve(undefined);
    const snapshot = await paused;
    expect(await around(child()).resume(snapshot).result()).toBe("second ran");
    handler.resume();
    expect(await handler.result()).toBe("second ran");
  });

  test("what has not settled runs again with the next attempt, what has does not", async () => {
    const calls: unknown[] = [];
    const hang = deferred<void>();
    const child = (wait: boolean) =>
      single("child", async ({ n }, ctx) => {
        calls.push([n, ctx.attempt]);
        if (wait && n === 2) await hang.promise;
        return stop((n as number) * 10);
      });
    const handler = observed(each(child(true), [1, 2, 3]).start({}));
    await turns();
    const snapshot = await handler.pause({ mode: "now" });
    expect(calls).toEqual([
      [1, 1],
      [2, 1],
      [3, 1],
    ]);
    expect(await each(child(false), [1, 2, 3]).resume(snapshot).result()).toEqual([10, 20, 30]);
    expect(calls.slice(3)).toEqual([[2, 2]]);
    hang.resolve(undefined);
    await handler.cancel();
  });

  test("the child's state, results of once, sent ids and waits are in it", async () => {
    const effects: string[] = [];
    const child = () =>
      new Workflow("child", { state: { log: [] as string[] } })
        .step("work", StartEvent<{ n: number }>, async ({ n }, ctx) => {
          ctx.state.update("log", (log) => [...log, `work ${n}`]);
          await ctx.sendEvent(new Part({ n }), { id: "part" });
          const made = await ctx.once("effect", () => effects.push("effect"));
          const said = await ctx.requestInput({ prompt: "go on?" });
          return new Done({ result: [made, said] });
        })
        .step("part", Part, ({ n }, ctx) => ctx.state.update("log", (log) => [...log, `part ${n}`]))
        .step("end", Done, ({ result }, ctx) => stop([result, ctx.state.get("log")]));
    const handler = around(child()).start({ n: 7 });
    await turns();
    const resumed = around(child()).resume(String(await handler.pause()));
    await turns();
    await resumed.respond(resumed.pendingInputs[0]!.id, "yes");
    expect(await resumed.result()).toEqual([
      [1, "yes"],
      ["work 7", "part 7"],
    ]);
    expect(effects).toEqual(["effect"]);
  });

  test("an instance in the child's state is restored before its steps run", async () => {
    class Agent extends BlazenState {
      static override readonly meta = { name: "Agent", transient: ["live"] };
      turns = 0;
      live = "new";
      restore() {
        this.live = "restored";
      }
    }
    const child = () =>
      new Workflow("child", { types: [Agent] }).step("work", "StartEvent", async (_, ctx) => {
        if (ctx.attempt === 1) {
          ctx.set("agent", new Agent());
          await ctx.commit();
        }
        await ctx.requestInput({ prompt: "?" });
        return stop(ctx.get<Agent>("agent")?.live);
      });
    const handler = around(child()).start({});
    await turns();
    const resumed = around(child()).resume(await handler.pause());
    await turns();
    await resumed.respond(resumed.pendingInputs[0]!.id, 1);
    expect(await resumed.result()).toBe("restored");
  });

  test("a child run whose step is gone, has no child any more, or whose workflow is another is refused", async () => {
    const asks = (name = "asks", version = 1) => single(name, async (_, ctx) => stop(await ctx.requestInput({ prompt: "?" })), { version });
    const handler = around(asks()).start({});
    await turns();
    const snapshot = await handler.pause();
    const refusal = (workflow: { resume(snapshot: unknown): unknown }) => {
      try {
        workflow.resume(snapshot);
      } catch (error) {
        return error as Error;
      }
      throw new Error("it was resumed");
    };
    const plain = new Workflow("outer").step("child", "StartEvent", () => stop(1));
    expect(refusal(plain as never)).toMatchObject({ code: "SNAPSHOT", message: expect.stringContaining("has no child runs any more") });
    expect(refusal(around(asks("other")) as never)).toMatchObject({ code: "SNAPSHOT", message: expect.stringContaining('"asks"') });
    expect(refusal(around(asks("asks", 2)) as never)).toMatchObject({ code: "SNAPSHOT", message: expect.stringContaining("version") });
    const gone = new Workflow("asks").step("another", "StartEvent", () => stop(1));
    expect(refusal(around(gone) as never)).toMatchObject({ code: "SNAPSHOT", message: expect.stringContaining('the step "work"') });
  });

  test("it grows with what is live, not with what has finished", async () => {
    const gate = deferred<void>();
    const child = single("child", async ({ n }) => {
      if (n === 0) await gate.promise;
      return stop(null);
    });
    const sizes = [];
    for (const count of [10, 1_000]) {
      const others = deferred<void>();
      let left = count - 1;
      const outer = new Workflow("many")
        .step("fan", "StartEvent", () => Array.from({ length: count }, (_, n) => new Page({ n })))
        .step("child", Page, subworkflow(child, { input: ({ n }: Page) => ({ n }), output: () => new Done({ result: 0 }) }))
        .step("count", Done, () => {
          if (--left === 0) others.resolve();
        });
      const handler = observed(outer.start({} as never));
      await others.promise;
      await turns();
      sizes.push(String(await handler.snapshot()).length);
      await handler.cancel(undefined, { grace: 0 });
    }
    expect(sizes[1]! - sizes[0]!).toBeLessThan(50);
    gate.resolve(undefined);
  });

  test("no entries of a child run are left when it is over", async () => {
    const child = new Workflow("child", { state: { a: 1 } })
      .step("work", "StartEvent", async (_, ctx) => {
        await ctx.sendEvent(new Part({ n: 1 }), { id: "part" });
        return stop(1);
      })
      .step("part", Part, () => undefined);
    const outer = new Workflow("outer")
      .step("child", "StartEvent", subworkflow(child as never, { input: () => ({}), output: () => new Done({ result: 0 }) }))
      .step("wait", Done, async (_, ctx) => stop(await ctx.requestInput({ prompt: "?" })));
    const handler = observed(outer.start({} as never));
    await turns();
    const keys = Object.keys(read(await handler.pause()));
    expect(keys.filter((key) => /^(child|flow)\//.test(key))).toEqual([]);
    await handler.cancel();
  });
});

describe("resources (6.5)", () => {
  test("are closed when the child run is over, before its parent goes on", async () => {
    const log: string[] = [];
    const connection = resource({ open: () => log.push("open"), close: () => void log.push("close") });
    const child = single("child", async (_, ctx) => {
      await ctx.session.use(connection);
      return stop("done");
    });
    const outer = new Workflow("outer")
      .step("child", "StartEvent", subworkflow(child, { input: () => ({}), output: (result) => new Done({ result }) }))
      .step("end", Done, () => {
        log.push("parent");
        return stop(log);
      });
    expect(await outer.run({} as never)).toEqual(["open", "close", "parent"]);
  });
});

test("a child's lifecycle is told with that of its run (10.6)", async () => {
  const handler = around(single("child", async () => stop(1))).start({}, { runId: "r" });
  const told: unknown[] = [];
  for await (const { kind, step, invocationId } of handler.observe()) if (kind === "settled") told.push([step, invocationId]);
  expect(told).toEqual([
    ["work", expect.stringMatching(/^r\/0\/child\/\d+$/)],
    ["child", "r/0"],
    ["end", expect.stringMatching(/^r\/\d+$/)],
  ]);
});
