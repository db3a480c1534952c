import { CancelledError, type Context, DefinitionError, event, StartEvent, StopEvent, UnserializableError, Workflow } from "blazen";
import { describe, expect, test } from "vitest";

class Next extends event("Next")<{ n: number }> {}
const stop = (result: unknown) => new StopEvent({ result });
const within = <T>(use: (ctx: Context) => T | Promise<T>): Promise<T> =>
  new Workflow("within").step("only", StartEvent, async (_, ctx) => stop(await use(ctx))).run({}) as Promise<T>;

describe("ctx.once (4.4)", () => {
  test("runs the effect once, and every caller gets its own copy of the result", async () => {
    let ran = 0;
    await within(async (ctx) => {
      const charge = () => ctx.once("charge", async () => ({ receipt: ++ran, at: new Date(0) }));
      const first = await charge();
      const second = await charge();
      expect(first).toEqual({ receipt: 1, at: new Date(0) });
      expect(second).toEqual(first);
      expect(second).not.toBe(first);
      first.receipt = 9;
      expect(await charge()).toEqual(second);
    });
    expect(ran).toBe(1);
  });

  test("two concurrent calls share one effect", async () => {
    let ran = 0;
    const results = await within((ctx) =>
      Promise.all([1, 2].map(() => ctx.once("a", () => new Promise<object>((resolve) => setImmediate(() => resolve({ n: ++ran })))))),
    );
    expect(results).toEqual([{ n: 1 }, { n: 1 }]);
    expect(results[0]).not.toBe(results[1]);
  });

  test("a result is of its key and its invocation", async () => {
    const workflow = new Workflow("keys")
      .step("first", StartEvent, async (_, ctx) => new Next({ n: (await ctx.once("a", () => 1)) + (await ctx.once("b", () => 10)) }))
      .step("second", Next, async ({ n }, ctx) => stop(n + (await ctx.once("a", () => 100))));
    expect(await workflow.run({})).toBe(111);
  });

  test("undefined is a result", async () => {
    let ran = 0;
    await within(async (ctx) => {
      await ctx.once("a", () => void ran++);
      expect(await ctx.once("a", () => void ran++)).toBe(undefined);
    });
    expect(ran).toBe(1);
  });

  test("a failed effect records nothing, and its error is the very object", async () => {
    const boom = new Error("boom");
    expect(
      await within(async (ctx) => {
        const fail = () => ctx.once("a", () => Promise.reject(boom));
        await expect(Promise.all([fail(), fail()])).rejects.toBe(boom);
        await expect(
          ctx.once("a", () => {
            throw boom;
          }),
        ).rejects.toBe(boom);
        return ctx.once("a", () => "second try");
      }),
    ).toBe("second try");
  });

  test("a result that cannot be stored is refused with its path, and not recorded", async () => {
    await within(async (ctx) => {
      const error = await ctx.once("a", () => ({ f: () => {} })).catch((error: unknown) => error);
      expect(error).toBeInstanceOf(UnserializableError);
      expect((error as UnserializableError).path).toBe("once.a.f");
      expect((error as UnserializableError).step).toBe("only");
      expect(await ctx.once("a", () => 1)).toBe(1);
    });
  });

  test("commits nothing else", async () => {
    let seen: unknown = "not looked";
    const workflow = new Workflow("alone")
      .step("watch", StartEvent, async (_, ctx) => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        seen = ctx.state.get("n");
        return new Next({ n: 1 });
      })
      .step("work", StartEvent, async (_, ctx) => {
        ctx.state.set("n", 1);
        await ctx.once("a", () => 1);
        await new Promise((resolve) => setTimeout(resolve, 20));
      })
      .step("end", Next, () => stop(seen));
    expect(await workflow.run({})).toBe(undefined);
  });

  test("an effect may use others", async () => {
    expect(await within((ctx) => ctx.once("outer", async () => 1 + (await ctx.once("inner", () => 1))))).toBe(2);
  });

  test("keys and effects are checked, and an attempt that is over runs none", async () => {
    let dead!: Context;
    await within((ctx) => {
      dead = ctx;
      expect(() => ctx.once(1 as never, () => 1)).toThrow(DefinitionError);
      expect(() => ctx.once("\ud800", () => 1)).toThrow(DefinitionError);
      expect(() => ctx.once("a", 1 as never)).toThrow(DefinitionError);
    });
    expect(() => dead.once("a", () => expect.unreachable())).toThrow(CancelledError);
  });
});
