import { CancelledError, DefinitionError, event, RunOverError, StalledError, StartEvent, StopEvent, UnhandledEventError, Workflow } from "blazen";
import { describe, expect, test } from "vitest";

class Shipped extends event("Shipped")<{ parcel: string }> {}
class Ping extends event("Ping")<{ n: number }> {}

describe("start and run (1.3, 3.7)", () => {
  test("the first step runs inside start", () => {
    const seen: string[] = [];
    const handler = new Workflow("sync")
      .step("only", StartEvent, (_, ctx) => {
        seen.push(ctx.stepName);
        return new StopEvent({ result: ctx.runId });
      })
      .start({});
    expect(seen).toEqual(["only"]);
    expect(handler.status).toBe("completed");
    return expect(handler.result()).resolves.toBe(handler.runId);
  });

  test("run ids are unique, or given", async () => {
    const workflow = new Workflow("ids").step("only", StartEvent, (_, ctx) => new StopEvent({ result: ctx.runId }));
    const [a, b] = await Promise.all([workflow.run({}), workflow.run({})]);
    expect(a).not.toBe(b);
    expect(await workflow.run({}, { runId: "mine" })).toBe("mine");
  });

  test("a run started inside a step begins when that step's synchronous part has returned", async () => {
    const order: string[] = [];
    const inner = new Workflow("inner").step("inner", StartEvent, () => {
      order.push("inner");
      return new StopEvent({ result: 1 });
    });
    const outer = new Workflow("outer").step("outer", StartEvent, async () => {
      const result = inner.run({});
      order.push("outer");
      return new StopEvent({ result: await result });
    });
    expect(await outer.run({})).toBe(1);
    expect(order).toEqual(["outer", "inner"]);
  });

  test("the first StopEvent ends the run: signals are aborted, late results ignored (3.4)", async () => {
    let late: AbortSignal | undefined;
    const workflow = new Workflow("stop")
      .step("slow", StartEvent, async (_, ctx) => {
        late = ctx.signal;
        await new Promise<void>((resolve) => ctx.signal.addEventListener("abort", () => resolve()));
        return new StopEvent({ result: "late" });
      })
      .step("fast", StartEvent, () => new StopEvent({ result: "first" }));
    expect(await workflow.run({})).toBe("first");
    expect(late?.aborted).toBe(true);
    expect(late?.reason).toBeInstanceOf(CancelledError);
  });

  test("a chain of synchronous steps leaves the host its turns (3.6)", async () => {
    let turns = 0;
    let over = false;
    const tick = () => {
      turns++;
      if (!over) setImmediate(tick);
    };
    const workflow = new Workflow("spin")
      .step("first", StartEvent, () => new Ping({ n: 0 }))
      .step("spin", Ping, ({ n }) => (turns > 3 ? new StopEvent({ result: n }) : new Ping({ n: n + 1 })));
    setImmediate(tick);
    expect(await workflow.run({})).toBeGreaterThan(0);
    over = true;
  });

  test("10,000 runs at once", async () => {
    const workflow = new Workflow("many")
      .step("first", StartEvent<{ n: number }>, async ({ n }) => new Ping({ n }))
      .step("last", Ping, async ({ n }) => new StopEvent({ result: n }));
    const results = await Promise.all(Array.from({ length: 10_000 }, (_, n) => workflow.run({ n })));
    expect(results.every((result, n) => result === n)).toBe(true);
  });
});

describe("events from outside (1.8)", () => {
  const order = () =>
    new Workflow("order", { external: [Shipped] })
      .step("begin", StartEvent<{ id: string }>, () => null)
      .step("done", Shipped, (shipped) => new StopEvent({ result: shipped.parcel }));

  test("a run with nothing left to do waits for them", async () => {
    const handler = order().start({ id: "o1" });
    expect(handler.status).toBe("waiting");
    await handler.send(new Shipped({ parcel: "p1" }), { id: "shipment-1" });
    expect(await handler.result()).toBe("p1");
    expect(handler.status).toBe("completed");
    await expect(handler.send(new Shipped({ parcel: "p2" }))).rejects.toThrow(RunOverError);
  });

  test("another type is the sender's error, and the run goes on", async () => {
    const handler = order().start({ id: "o1" });
    await expect(handler.send(new Ping({ n: 1 }))).rejects.toThrow(UnhandledEventError);
    await handler.send({ type: "Shipped", parcel: "p2" } as never);
    expect(await handler.result()).toBe("p2");
  });

  test("an id is routed once", async () => {
    const counted = new Workflow("count", { external: [Ping, Shipped] })
      .step("begin", StartEvent, () => null)
      .step("ping", Ping, (ping) => void seen.push(ping.n))
      .step("end", Shipped, () => new StopEvent({ result: seen }));
    const seen: number[] = [];
    const handler = counted.start({});
    await handler.send(new Ping({ n: 1 }), { id: "a" });
    await handler.send(new Ping({ n: 2 }), { id: "a" });
    await handler.send(new Ping({ n: 3 }), { id: "b" });
    await handler.send(new Shipped({ parcel: "" }));
    expect(await handler.result()).toEqual([1, 3]);
  });
});

describe("cancel (5.3)", () => {
  test("aborts the signals, waits for the steps and reports", async () => {
    const reason = new Error("enough");
    let seen: unknown;
    const handler = new Workflow("cancel")
      .step("polite", StartEvent, async (_, ctx) => {
        await new Promise<void>((resolve) => ctx.signal.addEventListener("abort", () => resolve()));
        seen = ctx.signal.reason;
        return null;
      })
      .step("deaf", StartEvent, () => new Promise<null>(() => {}))
      .step("end", "Never", () => new StopEvent({ result: 1 }))
      .start({});
    const report = await handler.cancel(reason, { grace: 20 });
    expect(report).toEqual({ stopped: ["polite"], ignored: ["deaf"] });
    expect(handler.status).toBe("cancelled");
    expect(seen).toBeInstanceOf(CancelledError);
    expect((seen as CancelledError).cause).toBe(reason);
    await expect(handler.result()).rejects.toMatchObject({ code: "CANCELLED", cause: reason, report });
    expect(await handler.cancel()).toBe(report);
  });

  test("after the end gives an empty report", async () => {
    const handler = new Workflow("over").step("only", StartEvent, () => new StopEvent({ result: 1 })).start({});
    expect(await handler.cancel()).toEqual({ stopped: [], ignored: [] });
    expect(await handler.result()).toBe(1);
  });

  test("a signal aborted beforehand: no step runs", async () => {
    let ran = false;
    const workflow = new Workflow("before").step("only", StartEvent, () => {
      ran = true;
      return new StopEvent({ result: 1 });
    });
    await expect(workflow.run({}, { signal: AbortSignal.abort("no") })).rejects.toMatchObject({ code: "CANCELLED", cause: "no" });
    expect(ran).toBe(false);
  });

  test("by the caller's signal, on which nothing is left", async () => {
    const controller = new AbortController();
    const { signal } = controller;
    let listeners = 0;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = ((...args: Parameters<typeof add>) => {
      listeners++;
      add(...args);
    }) as typeof add;
    signal.removeEventListener = ((...args: Parameters<typeof remove>) => {
      listeners--;
      remove(...args);
    }) as typeof remove;
    const workflow = new Workflow("signal").step("only", StartEvent, async (_, ctx) => {
      await new Promise<void>((resolve) => ctx.signal.addEventListener("abort", () => resolve()));
      return new StopEvent({ result: 1 });
    });
    const result = workflow.run({}, { signal });
    controller.abort("stop");
    await expect(result).rejects.toThrow(CancelledError);
    expect(listeners).toBe(0);
  });

  test("await using cancels a run that is not over", async () => {
    const workflow = new Workflow("using", { external: [Shipped] })
      .step("begin", StartEvent, () => null)
      .step("end", Shipped, () => new StopEvent({ result: 1 }));
    let handler: ReturnType<typeof workflow.start> | undefined;
    {
      await using inner = workflow.start({});
      handler = inner;
    }
    expect(handler?.status).toBe("cancelled");
  });
});

describe("definition errors (2.6)", () => {
  test.each([
    ["a duplicate step name", () => new Workflow("w").step("a", StartEvent, () => null).step("a", StartEvent, () => null), /step "a" already/],
    ["an unknown option", () => new Workflow("w").step("a", StartEvent, { retries: 1 } as never, () => null), /no option "retries"/],
    ["a bad limit", () => new Workflow("w").step("a", StartEvent, { concurrency: 0 }, () => null), /"concurrency"/],
    ["accepts undefined", () => new Workflow("w").step("a", undefined as never, () => null), /Step "a".*no event type/],
    ["no function", () => new Workflow("w").step("a", StartEvent, {} as never), /function/],
    ["a workflow without a name", () => new Workflow(""), /name/],
  ])("%s throws at once", (_name, make, message) => {
    expect(make).toThrow(DefinitionError);
    expect(make).toThrow(message);
  });

  test.each([
    ["no step for StartEvent", new Workflow("w").step("a", Ping, () => new StopEvent({ result: 1 })), /StartEvent/],
    ["no steps", new Workflow("w"), /StartEvent/],
    [
      "a workflow that can never stop",
      new Workflow("w").step("a", StartEvent, { emits: [Ping] }, () => new Ping({ n: 1 })).step("b", Ping, { emits: [] }, () => null),
      /StopEvent/,
    ],
  ])("%s rejects the first run", async (_name, workflow, message) => {
    const error = await workflow.run({} as never).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(DefinitionError);
    expect((error as Error).message).toMatch(message);
  });

  test("a step after the first run comes too late", async () => {
    const workflow = new Workflow("late").step("only", StartEvent, () => new StopEvent({ result: 1 }));
    await workflow.run({});
    expect(() => workflow.step("more", Ping, () => null)).toThrow(/too late/);
  });

  test("a definition with 10,000 steps works", async () => {
    const workflow = new Workflow("long");
    workflow.step("s0", StartEvent, () => ({ type: "E1" }));
    for (let n = 1; n < 9_999; n++) workflow.step(`s${n}`, `E${n}`, () => ({ type: `E${n + 1}` }));
    workflow.step("s9999", "E9999", () => new StopEvent({ result: "end" }));
    expect(await workflow.run({})).toBe("end");
  });

  test("nothing left to do and no StopEvent is a stall, noticed at once (3.5)", async () => {
    await expect(
      new Workflow("stall")
        .step("only", StartEvent, () => null)
        .step("end", Ping, () => new StopEvent({ result: 1 }))
        .run({}),
    ).rejects.toThrow(StalledError);
  });
});
