import { all, collect, DefinitionError, event, StalledError, StartEvent, StepError, StepReturnError, StopEvent, UnhandledEventError, Workflow } from "blazen";
import { describe, expect, test } from "vitest";

class Work extends event("Work")<{ n: number }> {}
class Done extends event("Done")<{ n: number }> {}
class Ping extends event("Ping") {}
const gate = () => {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
};

describe("fan-out and collect (2.5)", () => {
  test("collects in branch order, whatever order the branches end in", async () => {
    const gates = [gate(), gate(), gate()];
    const workflow = new Workflow("order")
      .step("fan", StartEvent, () => gates.map((_, n) => new Work({ n })))
      .step("work", Work, async ({ n }) => {
        await gates[n]!.opened;
        gates[n - 1]?.open();
        return new Done({ n });
      })
      .step("sum", collect(Done, { of: "fan" }), (done) => new StopEvent({ result: done.map(({ n }) => n) }));
    const result = workflow.run({});
    gates[2]!.open();
    expect(await result).toEqual([0, 1, 2]);
  });

  test("an empty array is a fan-out of nothing", async () => {
    const workflow = new Workflow("none")
      .step("fan", StartEvent, () => [] as Work[])
      .step("work", Work, ({ n }) => new Done({ n }))
      .step("sum", collect(Done, { of: "fan" }), (done) => new StopEvent({ result: done.length }));
    expect(await workflow.run({})).toBe(0);
  });

  test("100,000 branches", async () => {
    const workflow = new Workflow("many")
      .step("fan", StartEvent<{ size: number }>, ({ size }) => Array.from({ length: size }, (_, n) => new Work({ n })))
      .step("work", Work, ({ n }) => new Done({ n }))
      .step("sum", collect(Done, { of: "fan" }), (done) => new StopEvent({ result: done.every(({ n }, at) => n === at) && done.length }));
    expect(await workflow.run({ size: 100_000 })).toBe(100_000);
  });

  test("first: the losers' signals are aborted and what they return is dropped", async () => {
    const aborted: number[] = [];
    const workflow = new Workflow("race")
      .step("fan", StartEvent, () => [new Work({ n: 0 }), new Work({ n: 1 }), new Work({ n: 2 })])
      .step("work", Work, async ({ n }, ctx) => {
        if (n === 1) return new Done({ n });
        await new Promise<void>((resolve) => ctx.signal.addEventListener("abort", () => resolve()));
        aborted.push(n);
        return new Done({ n });
      })
      .step("win", collect(Done, { of: "fan", first: 1 }), async (done) => {
        await new Promise((resolve) => setImmediate(resolve));
        return new StopEvent({ result: done.map(({ n }) => n) });
      });
    expect(await workflow.run({})).toEqual([1]);
    expect(aborted.sort()).toEqual([0, 2]);
  });

  test("over the whole run, and in groups", async () => {
    const groups: number[][] = [];
    const workflow = new Workflow("groups")
      .step("fan", StartEvent, () => [1, 2, 3, 4].map((n) => new Work({ n })))
      .step("group", collect(Work, { count: 2 }), (work) => {
        groups.push(work.map(({ n }) => n));
        return new Done({ n: work.length });
      })
      .step("all", collect(Done), (done) => new StopEvent({ result: done.map(({ n }) => n) }));
    expect(await workflow.run({})).toEqual([2, 2]);
    expect(groups).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });
});

describe("joins (2.4)", () => {
  class Paid extends event("Paid")<{ order: string | number }> {}
  class Packed extends event("Packed")<{ order: string | number }> {}

  test('complete a set per key; 1 and "1" differ', async () => {
    const workflow = new Workflow("keys")
      .step("split", StartEvent, () => [new Paid({ order: 1 }), new Packed({ order: "1" }), new Paid({ order: "1" }), new Packed({ order: 1 })])
      .step("ship", all(Paid, Packed, { by: (event) => event.order }), ([paid, packed]) => new Done({ n: paid.order === packed.order ? 1 : 0 }))
      .step("end", collect(Done), (done) => new StopEvent({ result: done.map(({ n }) => n) }));
    expect(await workflow.run({})).toEqual([1, 1]);
  });

  test("a key function that throws fails the joining step, with its error as cause", async () => {
    const boom = new Error("boom");
    const workflow = new Workflow("bad-key")
      .step("split", StartEvent, () => new Paid({ order: 1 }))
      .step(
        "ship",
        all(Paid, Packed, {
          by: () => {
            throw boom;
          },
        }),
        () => new StopEvent({ result: 1 }),
      );
    const error = await workflow.run({}).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(StepError);
    expect((error as StepError).step).toBe("ship");
    expect((error as StepError).cause).toBe(boom);
  });

  test("a join that never completes is a stall that says what it lacks", async () => {
    const workflow = new Workflow("half")
      .step("split", StartEvent, () => new Paid({ order: 1 }))
      .step("ship", all(Paid, Packed), () => new StopEvent({ result: 1 }));
    const error = await workflow.run({}).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(StalledError);
    expect((error as StalledError).lacking.join()).toMatch(/ship.*Packed/);
  });
});

describe("generators (2.1)", () => {
  test("emit each yield at once, as branches of a fan-out", async () => {
    const second = gate();
    const workflow = new Workflow("generator")
      .step("fan", StartEvent, async function* () {
        yield new Work({ n: 1 });
        await second.opened;
        yield new Work({ n: 2 });
      })
      .step("work", Work, ({ n }) => {
        if (n === 1) second.open();
        return new Done({ n });
      })
      .step("sum", collect(Done, { of: "fan" }), (done) => new StopEvent({ result: done.map(({ n }) => n) }));
    expect(await workflow.run({})).toEqual([1, 2]);
  });

  test("that throw fail their step", async () => {
    const workflow = new Workflow("throws")
      // biome-ignore lint/correctness/useYield: it fails before it yields
      .step("fan", StartEvent, async function* (): AsyncGenerator<Work, void> {
        throw new RangeError("no");
      })
      .step("work", Work, () => new StopEvent({ result: 1 }));
    await expect(workflow.run({})).rejects.toMatchObject({ code: "STEP_FAILED", step: "fan", cause: expect.any(RangeError) });
  });
});

describe("concurrency (2.3)", () => {
  test.each([
    ["an own limit", 3, 3],
    ["a shared pool", { pool: "net", limit: 2 }, 2],
  ])("%s is kept, and used in full", async (_name, concurrency, limit) => {
    let running = 0;
    let most = 0;
    const workflow = new Workflow("limit")
      .step("fan", StartEvent, () => Array.from({ length: 20 }, (_, n) => new Work({ n })))
      .step("work", Work, { concurrency }, async ({ n }) => {
        most = Math.max(most, ++running);
        await Promise.resolve();
        running--;
        return new Done({ n });
      })
      .step("sum", collect(Done, { of: "fan" }), (done) => new StopEvent({ result: done.length }));
    expect(await workflow.run({})).toBe(20);
    expect(most).toBe(limit);
  });

  test("two limits for one pool are a DefinitionError", async () => {
    const workflow = new Workflow("pools")
      .step("a", StartEvent, { concurrency: { pool: "p", limit: 1 } }, () => new Ping())
      .step("b", Ping, { concurrency: { pool: "p", limit: 2 } }, () => new StopEvent({ result: 1 }));
    await expect(workflow.run({})).rejects.toThrow(DefinitionError);
  });
});

describe("what a step may return (2.1)", () => {
  test.each([
    ["a string", "Greet", /the string "Greet"/],
    ["an object without a type", { name: "x" }, /an object without a type/],
    ["a number in an array", [1], /the number 1/],
    ["a function", () => 1, /a function|the function/],
    ["an instance of another class", new Map(), /an instance of Map/],
  ])("%s is a StepReturnError that names the step", async (_name, value, message) => {
    const workflow = new Workflow("bad").step("only", StartEvent, () => value as never).step("end", "Never", () => new StopEvent({ result: 1 }));
    const error = await workflow.run({}).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(StepReturnError);
    expect((error as StepReturnError).step).toBe("only");
    expect((error as Error).message).toMatch(message);
  });

  test("a type outside emits, returned or sent, fails the run even where the step catches it", async () => {
    const returned = new Workflow("emits")
      .step("only", StartEvent, { emits: [StopEvent] }, () => new Ping() as never)
      .step("ping", Ping, () => new StopEvent({ result: 1 }));
    await expect(returned.run({} as never)).rejects.toThrow(/"emits" does not name/);
    let thrown: unknown;
    const sent = new Workflow("emits")
      .step("only", StartEvent, { emits: [StopEvent] }, async (_, ctx) => {
        try {
          await ctx.sendEvent(new Ping());
        } catch (error) {
          thrown = error;
        }
        return new StopEvent({ result: 1 });
      })
      .step("ping", Ping, () => new StopEvent({ result: 2 }));
    await expect(sent.run({})).rejects.toThrow(StepReturnError);
    expect(thrown).toBeInstanceOf(StepReturnError);
  });

  test("a throw is a StepError whose cause is the very object", async () => {
    const thrown = { not: "an Error" };
    const workflow = new Workflow("throws").step("only", StartEvent, (): StopEvent<number> => {
      throw thrown;
    });
    const error = await workflow.run({}).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(StepError);
    expect((error as StepError).cause).toBe(thrown);
  });

  test("any thenable is awaited", async () => {
    const workflow = new Workflow("thenable").step(
      "only",
      StartEvent,
      // biome-ignore lint/suspicious/noThenProperty: it is what is tested
      () => ({ then: (ok: (value: unknown) => void) => ok(new StopEvent({ result: 5 })) }) as unknown as Promise<StopEvent<number>>,
    );
    expect(await workflow.run({})).toBe(5);
  });
});

describe("unhandled events (3.3)", () => {
  const build = (unhandledEvents: "error" | "ignore" | "stream") =>
    new Workflow("unhandled", { unhandledEvents })
      .step("first", StartEvent, () => [new Work({ n: 1 }), { type: "Unknown" }])
      .step("work", Work, () => new StopEvent({ result: "ended" }));
  test("fail the run by default, naming the type and the step", async () => {
    const error = await build("error")
      .run({} as never)
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(UnhandledEventError);
    expect((error as UnhandledEventError).eventType).toBe("Unknown");
    expect((error as Error).message).toContain('step "first"');
  });
  test.each(["ignore", "stream"] as const)("%s lets the run go on", async (policy) => {
    expect(await build(policy).run({} as never)).toBe("ended");
  });
});

describe("sendEvent (2.5, 4.2)", () => {
  test("routes while the step goes on, stays in its branch, and an id is sent once", async () => {
    const workflow = new Workflow("send")
      .step("fan", StartEvent, () => [new Work({ n: 1 }), new Work({ n: 2 })])
      .step("work", Work, async ({ n }, ctx) => {
        void ctx.sendEvent(new Done({ n }));
        await ctx.sendEvent(new Done({ n: 10 }), { id: "once" });
        return null;
      })
      .step("sum", collect(Done, { of: "fan" }), (done) => new StopEvent({ result: done.map(({ n }) => n) }));
    expect(await workflow.run({})).toEqual([1, 10, 2]);
  });

  test("a context is dead after its attempt", async () => {
    let send: (() => Promise<void>) | undefined;
    const workflow = new Workflow("dead").step("only", StartEvent, (_, ctx) => {
      send = () => ctx.sendEvent(new Ping());
      return new StopEvent({ result: ctx.stepName });
    });
    expect(await workflow.run({})).toBe("only");
    expect(() => send?.()).toThrow(expect.objectContaining({ code: "CANCELLED" }));
  });
});
