import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { CancelledError, type Context, collect, DefinitionError, event, StartEvent, StepError, StopEvent, UnserializableError, Workflow } from "blazen";
import { describe, expect, test } from "vitest";

class Work extends event("Work")<{ n: number }> {}
class Done extends event("Done")<{ n: number }> {}
class Look extends event("Look") {}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const stop = (result: unknown) => new StopEvent({ result });
const gate = () => {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
};

describe("a step is a transaction (4.1)", () => {
  test("it reads its own writes, others see them with the events it returns", async () => {
    const seen: unknown[] = [];
    const wrote = gate();
    const looked = gate();
    const workflow = new Workflow("commit")
      .step("write", StartEvent, async (_, ctx) => {
        ctx.state.set("n", 1);
        seen.push(["own", ctx.state.get("n")]);
        wrote.open();
        await looked.opened;
        return new Look();
      })
      .step("watch", StartEvent, async (_, ctx) => {
        await wrote.opened;
        seen.push(["other, before", ctx.state.get("n"), ctx.state.has("n"), [...ctx.state.keys()]]);
        looked.open();
      })
      .step("after", Look, (_, ctx) => {
        seen.push(["consumer", ctx.state.get("n")]);
        return stop(seen);
      });
    expect(await workflow.run({})).toEqual([
      ["own", 1],
      ["other, before", undefined, false, []],
      ["consumer", 1],
    ]);
  });

  test("it reads the latest committed state, not that of its start", async () => {
    const committed = gate();
    const workflow = new Workflow("latest")
      .step("reader", StartEvent, async (_, ctx) => {
        expect(ctx.state.get("n")).toBe(undefined);
        await committed.opened;
        return stop(ctx.state.get("n"));
      })
      .step("writer", StartEvent, (_, ctx) => {
        ctx.state.set("n", 1);
        return new Look();
      })
      .step("then", Look, () => committed.open());
    expect(await workflow.run({})).toBe(1);
  });

  test("writes come with nothing, with one event, with a fan-out", async () => {
    const workflow = new Workflow("shapes", { state: { nothing: 0, fan: 0, work: 0 } })
      .step("nothing", StartEvent, (_, ctx) => {
        ctx.state.set("nothing", 1);
      })
      .step("fan", StartEvent, (_, ctx) => {
        ctx.state.set("fan", 1);
        return [new Work({ n: 1 }), new Work({ n: 2 }), new Work({ n: 3 })];
      })
      .step("work", Work, async ({ n }, ctx) => {
        ctx.state.update("work", (sum) => sum + n);
        return new Done({ n });
      })
      .step("end", collect(Done, { of: "fan" }), (_, { state }) => stop([state.get("nothing"), state.get("fan"), state.get("work")]));
    for (let i = 0; i < 3; i++) expect(await workflow.run({})).toEqual([1, 1, 6]);
  });

  test("if it throws none of it remains; session writes do", async () => {
    const boom = new Error("boom");
    let seen: Context | undefined;
    const handler = new Workflow("throws", { state: { n: 0, list: [] as number[] } })
      .step("watch", StartEvent, (_, ctx) => {
        seen = ctx as never;
        return new Promise<null>(() => {});
      })
      .step("fail", StartEvent, async (_, ctx) => {
        ctx.state.set("n", 1);
        ctx.state.update("list", (list) => [...list, 1]);
        ctx.state.delete("n");
        ctx.session.set("mark", "made");
        await turn();
        throw boom;
      })
      .step("end", "Never", () => stop(0))
      .start({});
    await expect(handler.result()).rejects.toMatchObject({ code: "STEP_FAILED", cause: boom });
    expect([seen?.state.get("n"), seen?.state.get("list"), seen?.session.get("mark")]).toEqual([0, [], "made"]);
  });

  test("a wrong return value commits nothing", async () => {
    let seen: Context | undefined;
    const handler = new Workflow("wrong")
      .step("watch", StartEvent, (_, ctx) => {
        seen = ctx;
        return new Promise<null>(() => {});
      })
      .step("wrong", StartEvent, (_, ctx) => {
        ctx.state.set("n", 1);
        return "text" as never;
      })
      .start({});
    await expect(handler.result()).rejects.toMatchObject({ code: "STEP_RETURN" });
    expect(seen?.state.has("n")).toBe(false);
  });
});

describe("commit points (4.2)", () => {
  test("sendEvent commits what was written so far and the event, at once", async () => {
    const seen: unknown[] = [];
    const workflow = new Workflow("send")
      .step("work", StartEvent, async (_, ctx) => {
        ctx.state.set("n", 1);
        ctx.sendEvent(new Look());
        ctx.state.set("n", 2);
        await turn();
        seen.push(["own", ctx.state.get("n")]);
        ctx.sendEvent(new Look());
        return new Work({ n: 0 });
      })
      .step("look", Look, (_, ctx) => void seen.push(["look", ctx.state.get("n")]))
      .step("end", Work, () => stop(seen));
    expect(await workflow.run({})).toEqual([
      ["look", 1],
      ["own", 2],
      ["look", 2],
    ]);
  });

  test("what was committed stays when the step fails later", async () => {
    let seen: Context | undefined;
    const handler = new Workflow("later")
      .step("watch", StartEvent, (_, ctx) => {
        seen = ctx;
        return new Promise<null>(() => {});
      })
      .step("fail", StartEvent, async (_, ctx) => {
        ctx.state.set("a", 1);
        await ctx.commit();
        ctx.state.set("b", 1);
        throw new Error("boom");
      })
      .start({});
    await expect(handler.result()).rejects.toThrow(StepError);
    expect([...seen!.state.keys()]).toEqual(["a"]);
  });

  test("commit does so without an event", async () => {
    const looked = gate();
    const workflow = new Workflow("commit")
      .step("watch", StartEvent, async (_, ctx) => {
        await turn();
        const seen = ctx.state.get("n");
        looked.open();
        return new Done({ n: seen as number });
      })
      .step("write", StartEvent, async (_, ctx) => {
        ctx.state.set("n", 1);
        ctx.commit();
        ctx.state.set("n", 2);
        await looked.opened;
      })
      .step("end", Done, ({ n }, ctx) => stop([n, ctx.state.get("n")]));
    expect(await workflow.run({})).toEqual([1, 1]);
  });

  test("one whose id the run knows changes nothing, the writes staged for it included", async () => {
    const looks: unknown[] = [];
    const workflow = new Workflow("ids")
      .step("work", StartEvent, async (_, ctx) => {
        ctx.state.set("n", 1);
        await ctx.sendEvent(new Look(), { id: "a" });
        ctx.state.set("n", 2);
        ctx.state.update<number>("m", () => 2);
        await ctx.sendEvent(new Look(), { id: "a" });
        expect([ctx.state.get("n"), ctx.state.has("m")]).toEqual([1, false]);
        ctx.state.set("n", 3);
        await ctx.commit({ id: "a" });
        expect(ctx.state.get("n")).toBe(1);
        ctx.state.set("n", 4);
        await ctx.commit({ id: "b" });
        ctx.state.set("n", 5);
        await ctx.commit({ id: "b" });
        ctx.state.set("n", 6);
        await ctx.sendEvent(new Look(), { id: "b" });
        return new Work({ n: ctx.state.get("n") as number });
      })
      .step("look", Look, (_, ctx) => void looks.push(ctx.state.get("n")))
      .step("end", Work, ({ n }) => stop([n, looks]));
    expect(await workflow.run({})).toEqual([4, [1]]);
  });

  test("ids of handler.send and of ctx.sendEvent are one set (1.8)", async () => {
    const sent = gate();
    const looks: string[] = [];
    const handler = new Workflow("one-set", { external: [Look] })
      .step("work", StartEvent, async (_, ctx) => {
        await sent.opened;
        ctx.state.set("n", 1);
        await ctx.sendEvent(new Look(), { id: "a" });
        return new Work({ n: ctx.state.has("n") ? 1 : 0 });
      })
      .step("look", Look, () => void looks.push("look"))
      .step("end", Work, ({ n }) => stop([n, looks.length]))
      .start({});
    await handler.send(new Look(), { id: "a" });
    sent.open();
    expect(await handler.result()).toEqual([0, 1]);
  });

  test("ids are checked", async () => {
    const workflow = new Workflow("bad-ids").step("work", StartEvent, (_, ctx) => {
      expect(() => ctx.commit({ id: "" })).toThrow(DefinitionError);
      expect(() => ctx.commit({ id: 1 as never })).toThrow(DefinitionError);
      return stop(1);
    });
    expect(await workflow.run({})).toBe(1);
  });

  test("a generator's yield is one", async () => {
    const seen: unknown[] = [];
    const workflow = new Workflow("yield")
      .step("read", StartEvent, async function* (_, ctx) {
        for (const n of [1, 2]) {
          ctx.state.set("n", n);
          yield new Work({ n });
        }
        ctx.state.set("n", 3);
      })
      .step("work", Work, ({ n }, ctx) => {
        seen.push([n, ctx.state.get("n")]);
        return new Done({ n });
      })
      .step("end", collect(Done, { of: "read" }), (_, ctx) => stop([...seen, ctx.state.get("n")]));
    expect(await workflow.run({})).toEqual([[1, 1], [2, 2], 3]);
  });

  test("a failed one fails the attempt, awaited or not, and commits nothing", async () => {
    const boom = new Error("boom");
    const points: [string, (ctx: Context) => unknown][] = [
      ["sendEvent", (ctx) => void ctx.sendEvent(new Look())],
      ["commit", (ctx) => void ctx.commit()],
      ["caught", (ctx) => ctx.commit().catch(() => {})],
      ["awaited", (ctx) => ctx.sendEvent(new Look())],
      ["one after it", (ctx) => [ctx.commit(), ctx.state.set("b", 1), ctx.commit()][0]],
      ["settling", () => {}],
    ];
    for (const [name, point] of points) {
      let seen: Context | undefined;
      let looks = 0;
      const handler = new Workflow(name)
        .step("watch", StartEvent, (_, ctx) => {
          seen = ctx;
          return new Promise<null>(() => {});
        })
        .step("work", StartEvent, async (_, ctx) => {
          ctx.state.set("a", 1);
          ctx.state.update("n", () => {
            throw boom;
          });
          await point(ctx);
          return [new Look()];
        })
        .step("look", Look, () => void looks++)
        .start({});
      await expect(handler.result(), name).rejects.toMatchObject({ code: "STEP_FAILED", step: "work", cause: boom });
      expect([looks, [...seen!.state.keys()]], name).toEqual([0, []]);
    }
  });

  test("a generator's failed yield fails it", async () => {
    const boom = new Error("boom");
    const workflow = new Workflow("bad-yield")
      .step("read", StartEvent, async function* (_, ctx) {
        ctx.state.update("n", () => {
          throw boom;
        });
        yield new Work({ n: 1 });
      })
      .step("work", Work, () => stop("routed"));
    await expect(workflow.run({})).rejects.toMatchObject({ code: "STEP_FAILED", cause: boom });
  });
});

describe("parallel writes (4.3)", () => {
  test("of two that write one key the later commit wins", async () => {
    const gates = [gate(), gate()];
    const workflow = new Workflow("later-wins")
      .step("fan", StartEvent, () => [new Work({ n: 0 }), new Work({ n: 1 })])
      .step("work", Work, async ({ n }, ctx) => {
        ctx.state.set("who", n);
        await gates[n]!.opened;
        gates[n - 1]?.open();
        return new Done({ n });
      })
      .step("end", collect(Done, { of: "fan" }), (_, ctx) => stop(ctx.state.get("who")));
    const result = workflow.run({});
    gates[1]!.open();
    expect(await result).toBe(0);
  });

  test("updates are never lost", async () => {
    const workflow = new Workflow("counter", { state: { count: 0, log: [] as number[] } })
      .step("fan", StartEvent<{ size: number }>, ({ size }) => Array.from({ length: size }, (_, n) => new Work({ n })))
      .step("work", Work, async ({ n }, ctx) => {
        ctx.state.update("count", (count) => count + 1);
        if (n % 2 === 0) await turn();
        ctx.state.update("log", (log) => [...log, n]);
        return new Done({ n });
      })
      .step("end", collect(Done, { of: "fan" }), (_, { state }) => stop([state.get("count"), [...state.get("log")].sort((a, b) => a - b)]));
    expect(await workflow.run({ size: 100 })).toEqual([100, Array.from({ length: 100 }, (_, n) => n)]);
  });

  test("very many updates in one step", async () => {
    const workflow = new Workflow("many", { state: { count: 0 } })
      .step("count", StartEvent, (_, ctx) => {
        for (let at = 0; at < 100_000; at++) ctx.state.update("count", (count) => count + 1);
        return new Look();
      })
      .step("look", Look, (_, ctx) => stop(ctx.state.get("count")));
    expect(await workflow.run({})).toBe(100_000);
  });

  test("a function that updates what it is given is refused, and a read before that ends", async () => {
    let calls = 0;
    let read: unknown;
    const workflow = new Workflow("impure", { state: { n: 1 } }).step("work", StartEvent, (_, ctx) => {
      const change = (n: number): number => {
        calls++;
        ctx.state.update("n", change);
        return n + 1;
      };
      ctx.state.update("n", change);
      read = ctx.state.get("n");
      return stop(null);
    });
    await expect(workflow.run({})).rejects.toMatchObject({ code: "STEP_FAILED", cause: { code: "DEFINITION" } });
    expect([read, calls]).toEqual([2, 2]);
  });

  test("a step's own get after update applies its updates to the latest committed value", async () => {
    const committed = gate();
    const workflow = new Workflow("own-get", { state: { n: 1 } })
      .step("update", StartEvent, async (_, { state }) => {
        state.update("n", (n) => n + 10);
        const before = state.get("n");
        await committed.opened;
        const after = state.get("n");
        state.set("n", 5);
        state.update("n", (n) => n * 2);
        state.update("n", (n) => n + 1);
        return new Done({ n: before + 1000 * after + 1_000_000 * state.get("n") });
      })
      .step("write", StartEvent, (_, ctx) => {
        ctx.state.set("n", 100);
        return new Look();
      })
      .step("then", Look, () => committed.open())
      .step("end", Done, ({ n }, ctx) => stop([n, ctx.state.get("n")]));
    expect(await workflow.run({})).toEqual([11_110_011, 11]);
  });

  test("update after delete begins anew, and delete after update removes", async () => {
    const workflow = new Workflow("deleted", { state: { a: 1, b: 1 } as Record<string, number> })
      .step("work", StartEvent, (_, { state }) => {
        state.delete("a");
        state.update<number>("a", (a) => (a ?? 10) + 1);
        state.update<number>("b", (b) => (b ?? 0) + 1);
        state.delete("b");
        return new Look();
      })
      .step("end", Look, (_, { state }) => stop([state.get("a"), state.has("b")]));
    expect(await workflow.run({})).toEqual([11, false]);
  });

  test("an update that gives what cannot be stored fails its step, with the path", async () => {
    const workflow = new Workflow("unstorable").step("work", StartEvent, (_, ctx) => {
      ctx.state.update("a", () => ({ f: () => {} }));
      return stop(1);
    });
    const error = (await workflow.run({}).catch((error: unknown) => error)) as StepError;
    expect(error).toBeInstanceOf(StepError);
    expect(error.cause).toBeInstanceOf(UnserializableError);
    expect((error.cause as UnserializableError).path).toBe("state.a.f");
  });

  test("an update that is not pure is told so", async () => {
    const workflow = new Workflow("impure").step("work", StartEvent, (_, ctx) => {
      ctx.state.update("a", () => ctx.state.set("b", 1));
      return stop(1);
    });
    await expect(workflow.run({})).rejects.toMatchObject({ cause: { code: "DEFINITION", message: expect.stringMatching(/pure/) } });
  });
});

describe("the loser of a fan-out (2.5c)", () => {
  test("commits nothing: neither when it settles nor with what it sends, yields or commits", async () => {
    const ended = gate();
    const sent: number[] = [];
    const workflow = new Workflow("race", { state: { wins: [] as number[] } })
      .step("fan", StartEvent, () => [0, 1, 2, 3, 4].map((n) => new Work({ n })))
      .step("work", Work, async ({ n }, ctx) => {
        if (n > 0) await ended.opened;
        ctx.state.update("wins", (wins) => [...wins, n]);
        if (n === 1) await ctx.commit();
        if (n === 2) await ctx.commit({ id: "mine" });
        if (n === 3) await ctx.sendEvent(new Done({ n }));
        if (n === 4) throw new Error("dropped");
        return new Done({ n });
      })
      .step("win", collect(Done, { of: "fan", first: 1 }), async ([done], ctx) => {
        sent.push(done!.n);
        ended.open();
        await turn();
        // The id was not taken by the one that lost.
        ctx.state.set("mine", true);
        await ctx.commit({ id: "mine" });
        return stop([sent, ctx.state.get("wins"), ctx.state.get("mine")]);
      });
    expect(await workflow.run({})).toEqual([[0], [0], true]);
  });

  test("nor one that settles before it is told", async () => {
    const opened = gate();
    const race = new Workflow("race", { state: { wins: [] as number[] } })
      .step("fan", StartEvent, () => [0, 1].map((n) => new Work({ n })))
      .step("work", Work, async ({ n }, ctx) => {
        ctx.state.update("wins", (wins) => [...wins, n]);
        await opened.opened;
        return new Done({ n });
      })
      .step("win", collect(Done, { of: "fan", first: 1 }), (_, ctx) => stop(ctx.state.get("wins")));
    // While a chain of steps of another run has used up the host's patience, what settles is taken up at its next turn.
    let over = false;
    const spin = new Workflow("spin").step("first", StartEvent, () => new Look()).step("spin", Look, () => (over ? stop(1) : new Look()));
    const raced = race.run({});
    const spun = spin.run({});
    opened.open();
    const wins = await raced;
    over = true;
    await spun;
    expect(wins).toEqual([0]);
  });

  test("nor one that begins after the fan-out has ended", async () => {
    // All branches are synchronous: the core has called for them before the first has won.
    const workflow = new Workflow("late", { state: { ran: [] as number[] } })
      .step("fan", StartEvent, () => [0, 1, 2].map((n) => new Work({ n })))
      .step("work", Work, ({ n }, ctx) => {
        ctx.state.update("ran", (ran) => [...ran, n]);
        return new Done({ n });
      })
      .step("win", collect(Done, { of: "fan", first: 1 }), (_, ctx) => stop(ctx.state.get("ran")));
    expect(await workflow.run({})).toEqual([0]);
  });
});

describe("ids and attempts (4.5)", () => {
  test("invocation ids are unique over all runs, and attempts count from 1", async () => {
    const ids: string[] = [];
    const workflow = new Workflow("ids")
      .step("fan", StartEvent, (_, ctx) => {
        ids.push(ctx.invocationId);
        return [new Work({ n: 0 }), new Work({ n: 1 })];
      })
      .step("work", Work, ({ n }, ctx) => {
        expect([ctx.attempt, ctx.invocationId]).toEqual([1, ctx.invocationId]);
        expect(ctx.invocationId.startsWith(`${ctx.runId}/`)).toBe(true);
        ids.push(ctx.invocationId);
        return new Done({ n });
      })
      .step("end", collect(Done, { of: "fan" }), () => stop(1));
    await workflow.run({});
    await workflow.run({}, { runId: "mine" });
    expect(new Set(ids).size).toBe(6);
    expect(ids.slice(3)).toEqual(["mine/0", "mine/1", "mine/2"]);
  });
});

describe("a step that never settles (5.5)", () => {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as () => void;

  test.each(["over", "failed", "cancelled", "first"] as const)("%s: it keeps neither the run nor what the run holds", async (end) => {
    const contexts: Context[] = [];
    const held: WeakRef<object>[] = [];
    const hold = (): object => {
      const object = { big: new Array(1000).fill(0) };
      held.push(new WeakRef(object));
      return object;
    };
    const begin = () =>
      new Workflow(end, { session: "live", external: [Look] })
        .step("deaf", [StartEvent, Work], (_, ctx) => {
          contexts.push(ctx);
          ctx.session.set("live", hold());
          ctx.state.update("n", () => 1);
          ctx.commit();
          return new Promise<null>(() => {});
        })
        .step("fan", StartEvent, () => [new Work({ n: 1 }), new Done({ n: 1 })])
        .step("first", collect(Done, { of: "fan", first: 1 }), () => (end === "first" ? new Look() : null))
        .step("look", Look, (_, ctx) => {
          ctx.state.update("m", () => hold() && 1);
          if (end === "failed") throw new Error("boom");
          return stop(1);
        })
        .start({});
    await (async () => {
      const handler = begin();
      if (end === "over" || end === "failed") await handler.send(new Look());
      if (end === "cancelled") await handler.cancel(undefined, { grace: 0 });
      await handler.result().catch(() => {});
    })();
    for (let i = 0; i < 20 && held.some((ref) => ref.deref() !== undefined); i++) {
      await turn();
      gc();
    }
    expect(contexts.length).toBeGreaterThan(0);
    expect(held.map((ref) => ref.deref())).toEqual(held.map(() => undefined));
    expect(contexts.map((ctx) => ctx.state.get("n"))).toEqual(contexts.map(() => undefined));
  });
});

describe("an attempt that is over (4.6)", () => {
  const dead = async (end: "settled" | "over" | "cancelled" | "failed") => {
    let ctx!: Context;
    const waiting = gate();
    const handler = new Workflow(end, { state: { n: 1 } as Record<string, unknown>, external: [Look, Done] })
      .step("work", StartEvent, async (_, given) => {
        ctx = given;
        ctx.state.set("own", 1);
        ctx.session.set("s", 1);
        if (end === "settled") return null;
        await waiting.opened;
        return null;
      })
      .step("end", Look, () => stop(1))
      .step("fail", Done, () => {
        throw new Error("boom");
      })
      .start({});
    await turn();
    if (end === "over") await handler.send(new Look());
    if (end === "failed") await handler.send(new Done({ n: 1 }));
    const cancelled = end === "cancelled" ? handler.cancel() : undefined;
    handler.result().catch(() => {});
    return { ctx, handler, waiting, cancelled };
  };

  test.each(["settled", "over", "cancelled", "failed"] as const)("%s: all but fields and reads throws CancelledError", async (end) => {
    const { ctx, handler, waiting, cancelled } = await dead(end);
    const calls: ((ctx: Context) => unknown)[] = [
      (ctx) => ctx.set("a", 1),
      (ctx) => ctx.setBytes("a", new Uint8Array()),
      (ctx) => ctx.sendEvent(new Look()),
      (ctx) => ctx.commit(),
      (ctx) => ctx.once("a", () => 1),
      (ctx) => ctx.state.set("a", 1),
      (ctx) => ctx.state.setBytes("a", new Uint8Array()),
      (ctx) => ctx.state.update("a", () => 1),
      (ctx) => ctx.state.delete("n"),
      (ctx) => ctx.session.set("a", 1),
      (ctx) => ctx.session.delete("s"),
      (ctx) => ctx.session.use({ open: () => 1 }),
    ];
    for (const call of calls) expect(() => call(ctx), String(call)).toThrow(CancelledError);
    expect([ctx.state.get("n"), ctx.state.has("a"), ctx.get("s"), ctx.getBytes("n")]).toEqual([1, false, 1, undefined]);
    expect(ctx.state.has("own")).toBe(end === "settled" || end === "cancelled");
    expect([...ctx.session.keys()]).toEqual(["s"]);
    expect([ctx.runId, ctx.stepName, ctx.attempt, ctx.invocationId]).toEqual([handler.runId, "work", 1, `${handler.runId}/0`]);
    waiting.open();
    await cancelled;
    expect(handler.status).toBe({ settled: "waiting", over: "completed", cancelled: "cancelled", failed: "failed" }[end]);
    await handler.cancel();
  });
});
