import { createRequire } from "node:module";
import { binding, CancelledError, type Context, DefinitionError, event, resource, SessionValueError, StartEvent, StepError, StopEvent, Workflow } from "blazen";
import { describe, expect, test } from "vitest";
import { nodeSources } from "../../ts/src/binding/node";

class Next extends event("Next") {}
type Options = ConstructorParameters<typeof Workflow>[1];
const stop = (result: unknown) => new StopEvent({ result });
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const within = <T>(use: (ctx: Context) => T | Promise<T>, options?: Options): Promise<T> =>
  new Workflow("within", options).step("only", StartEvent, async (_, ctx) => stop(await use(ctx))).run({}) as Promise<T>;

describe("ctx.session (6.3)", () => {
  test("get, set, has, delete, keys", async () => {
    await within(({ session }) => {
      expect([session.get("a"), session.has("a"), session.delete("a")]).toEqual([undefined, false, false]);
      session.set("b", 1);
      session.set("a", null);
      expect([session.get("b"), session.get("a"), session.has("a"), ...session.keys()]).toEqual([1, null, true, "a", "b"]);
      expect([session.delete("a"), session.has("a")]).toEqual([true, false]);
    });
  });

  test("writes take effect at once, and are shared by the steps of the run alone", async () => {
    const workflow = new Workflow("shared")
      .step("first", StartEvent, async (_, ctx) => {
        expect(ctx.session.has("a")).toBe(false);
        ctx.session.set("a", 1);
        await turn();
        expect(ctx.session.get("b")).toBe(2);
        return new Next();
      })
      .step("second", StartEvent, (_, ctx) => {
        expect(ctx.session.get("a")).toBe(1);
        ctx.session.set("b", 2);
      })
      .step("end", Next, (_, ctx) => stop([...ctx.session.keys()]));
    expect(await workflow.run({})).toEqual(["a", "b"]);
    expect(await workflow.run({})).toEqual(["a", "b"]);
  });

  test("the default is JSON on the native binding, references in WASM that was asked for", async () => {
    const value = { n: 1 };
    const same = await within(({ session }) => {
      session.set("a", value);
      expect(session.get("a")).toEqual(value);
      return session.get("a") === value;
    });
    expect(same).toBe(binding === "wasm");
  });

  test("where WASM is only Node's fallback, a program means what it means on the native binding", () => {
    const require = createRequire(import.meta.url);
    const pinned = process.env["BLAZEN_BINDING"];
    try {
      delete process.env["BLAZEN_BINDING"];
      expect(nodeSources(require).map(({ load, name }) => name === "@blazen/wasm" && load().session)).toContain("json");
      process.env["BLAZEN_BINDING"] = "wasm";
      expect(nodeSources(require).map(({ load }) => load().session)).toEqual(["live"]);
    } finally {
      if (pinned === undefined) delete process.env["BLAZEN_BINDING"];
      else process.env["BLAZEN_BINDING"] = pinned;
    }
  });

  test('"live": the same object comes back, whatever it is', async () => {
    const values = [{ n: 1 }, () => 1, new Map(), Symbol("s"), undefined, new (class Connection {})()];
    const workflow = new Workflow("live", { session: "live" })
      .step("first", StartEvent, (_, ctx) => {
        for (const [at, value] of values.entries()) ctx.session.set(`k${at}`, value);
        return new Next();
      })
      .step("second", Next, (_, ctx) => stop(values.every((value, at) => ctx.session.get(`k${at}`) === value && ctx.session.has(`k${at}`))));
    expect(await workflow.run({})).toBe(true);
  });

  test('"json": an equal plain object comes back, a copy each time', async () => {
    await within(
      ({ session }) => {
        const value = { a: [1, "x", null, { b: true }], ["__proto__"]: { c: 1 } };
        session.set("v", value);
        value.a.push(2);
        const got = session.get<typeof value>("v")!;
        expect(got).toEqual({ a: [1, "x", null, { b: true }], ["__proto__"]: { c: 1 } });
        expect(Object.getPrototypeOf(got)).toBe(Object.prototype);
        expect(session.get("v")).not.toBe(got);
      },
      { session: "json" },
    );
  });

  test.each([
    ["a function", () => {}, ""],
    ["undefined", { a: undefined }, ".a"],
    ["NaN", [Number.NaN], "[0]"],
    ["-0", { a: { b: -0 } }, ".a.b"],
    ["a bigint", { big: 1n }, ".big"],
    ["a symbol", Symbol("s"), ""],
    ["a Date", { at: new Date() }, ".at"],
    ["a Map", { "odd key": new Map() }, '["odd key"]'],
    ["a class instance", new (class Money {})(), ""],
    ["toJSON", { a: new URL("http://x.y") }, ".a"],
    ["a hole", new Array(2), ""],
    ["a named field of an array", Object.assign([1], { x: 1 }), ""],
    ["a symbol key", { [Symbol("s")]: 1 }, ""],
    ["no prototype", Object.create(null), ""],
  ])('"json": %s throws, with the path and the way out', async (_, value, path) => {
    await within(
      ({ session }) => {
        session.set("key", 1);
        let error: unknown;
        try {
          session.set("key", value);
        } catch (thrown) {
          error = thrown;
        }
        expect(error).toBeInstanceOf(SessionValueError);
        expect(error).toMatchObject({ code: "SESSION_VALUE", path: `session.key${path}`, step: "only", message: expect.stringContaining('session: "live"') });
        expect(session.get("key")).toBe(1);
      },
      { session: "json" },
    );
  });

  test('"json": a cycle throws', async () => {
    const cycle: { self?: unknown } = {};
    cycle.self = [cycle];
    await within(({ session }) => expect(() => session.set("a", cycle)).toThrow(SessionValueError), { session: "json" });
  });

  test("run puts values in before the first step", async () => {
    const db = { query: () => 1 };
    const workflow = new Workflow("given", { session: "live" }).step("only", StartEvent, (_, ctx) => stop([ctx.session.get("db"), ctx.get("n")]));
    const result = await workflow.run({}, { session: { db, n: 1 } });
    expect((result as unknown[])[0]).toBe(db);
    expect((result as unknown[])[1]).toBe(1);
    expect(await workflow.run({})).toEqual([undefined, undefined]);
  });

  test("run refuses what is no session", async () => {
    const workflow = new Workflow("refused", { session: "json" }).step("only", StartEvent, () => stop(1));
    await expect(workflow.run({}, { session: [1] as never })).rejects.toThrow(DefinitionError);
    await expect(workflow.run({}, { session: { f: () => {} } })).rejects.toThrow(SessionValueError);
    expect(() => workflow.start({}, { session: { f: () => {} } })).toThrow(SessionValueError);
  });

  test("keys are strings of well-formed Unicode", async () => {
    await within(({ session }) => {
      expect(() => session.set(1 as never, 1)).toThrow(DefinitionError);
      expect(() => session.set("\ud800", 1)).toThrow(SessionValueError);
    });
  });
});

describe("resources (6.5)", () => {
  /** Resources that tell what becomes of them. */
  const logged = (log: string[]) => (name: string) =>
    resource({
      open: async (ctx: Context) => {
        log.push(`open ${name} in ${ctx.stepName}`);
        await turn();
        return { name };
      },
      close: async (value) => {
        await turn();
        log.push(`close ${value.name}`);
      },
    });

  test("open on first use, are shared within the run, and are closed in reverse order before the result is told", async () => {
    const log: string[] = [];
    const make = logged(log);
    const [a, b] = [make("a"), make("b")];
    const workflow = new Workflow("resources")
      .step("first", StartEvent, async (_, ctx) => {
        const [one, two] = await Promise.all([ctx.session.use(a), ctx.session.use(a)]);
        expect(one).toBe(two);
        ctx.session.set("mine", 1);
        return new Next();
      })
      .step("second", Next, async (_, ctx) => {
        await ctx.session.use(b);
        log.push(`use ${(await ctx.session.use(a)).name}`);
        expect([...ctx.session.keys()]).toEqual(["mine"]);
        return stop("done");
      });
    expect(await workflow.run({})).toBe("done");
    expect(log).toEqual(["open a in first", "open b in second", "use a", "close b", "close a"]);
    await workflow.run({});
    expect(log).toHaveLength(10);
  });

  test("one that opens another is closed before it", async () => {
    const log: string[] = [];
    const inner = logged(log)("inner");
    const outer = resource({
      open: async (ctx) => ({ inner: await ctx.session.use(inner) }),
      close: () => void log.push("close outer"),
    });
    await within((ctx) => ctx.session.use(outer).then(() => null));
    expect(log).toEqual(["open inner in only", "close outer", "close inner"]);
  });

  test("are closed when the run fails, and the run's error is told", async () => {
    const log: string[] = [];
    const a = logged(log)("a");
    const boom = new Error("boom");
    const run = within(async (ctx) => {
      await ctx.session.use(a);
      throw boom;
    });
    await expect(run).rejects.toMatchObject({ cause: boom });
    expect(log).toEqual(["open a in only", "close a"]);
  });

  test("are closed at cancel, before it reports", async () => {
    const log: string[] = [];
    const a = logged(log)("a");
    const handler = new Workflow("cancel")
      .step("work", StartEvent, async (_, ctx) => {
        await ctx.session.use(a);
        log.push("used");
        await new Promise<void>((resolve) => ctx.signal.addEventListener("abort", () => resolve()));
        log.push("stopped");
      })
      .start({});
    while (!log.includes("used")) await turn();
    expect(await handler.cancel()).toEqual({ stopped: ["work"], ignored: [] });
    expect(log).toEqual(["open a in work", "used", "stopped", "close a"]);
    await expect(handler.result()).rejects.toThrow(CancelledError);
  });

  test("a close that takes too long does not hold up the report", async () => {
    const stuck = resource({ open: () => 1, close: () => new Promise<void>(() => {}) });
    const handler = new Workflow("stuck", { external: [Next] })
      .step("work", StartEvent, async (_, ctx) => void (await ctx.session.use(stuck)))
      .step("never", Next, () => null)
      .start({});
    while (handler.status !== "waiting") await turn();
    expect(await handler.cancel(undefined, { grace: 20 })).toEqual({ stopped: [], ignored: [] });
    await expect(handler.result()).rejects.toThrow(CancelledError);
  });

  test("one that is being opened when the run ends is closed as soon as it is open", async () => {
    const log: string[] = [];
    const a = logged(log)("a");
    let use!: Promise<unknown>;
    const workflow = new Workflow("late")
      .step("use", StartEvent, (_, ctx) => {
        use = ctx.session.use(a);
        use.catch(() => {});
      })
      .step("end", StartEvent, () => stop(1));
    expect(await workflow.run({})).toBe(1);
    await expect(use).rejects.toThrow(CancelledError);
    expect(log).toEqual(["open a in use", "close a"]);
  });

  test("one whose open fails is opened again by the next use", async () => {
    let tries = 0;
    const flaky = resource({
      open: () => {
        if (++tries === 1) throw new Error("not yet");
        return tries;
      },
    });
    const result = await within(async (ctx) => {
      await expect(ctx.session.use(flaky)).rejects.toThrow("not yet");
      return ctx.session.use(flaky);
    });
    expect(result).toBe(2);
  });

  test("a close that fails fails the run that has succeeded; the others are closed", async () => {
    const log: string[] = [];
    const a = logged(log)("a");
    const boom = new Error("cannot close");
    const bad = resource({ open: () => 1, close: () => Promise.reject(boom) });
    const handler = new Workflow("unclosed")
      .step("only", StartEvent, async (_, ctx) => {
        await ctx.session.use(a);
        await ctx.session.use(bad);
        return stop(1);
      })
      .start({});
    const error = await handler.result().catch((error: unknown) => error);
    expect(error).toBeInstanceOf(StepError);
    expect((error as StepError).cause).toBe(boom);
    expect(handler.status).toBe("failed");
    expect(log).toEqual(["open a in only", "close a"]);
  });

  test("a run without resources ends synchronously", () => {
    const handler = new Workflow("sync").step("only", StartEvent, (_, ctx) => {
      ctx.session.set("a", 1);
      ctx.state.set("b", 1);
      return stop(1);
    });
    expect(handler.start({}).status).toBe("completed");
  });

  test("what is no resource is refused", async () => {
    expect(() => resource({} as never)).toThrow(DefinitionError);
    expect(() => resource({ open: () => 1, close: 1 } as never)).toThrow(DefinitionError);
    await within((ctx) => expect(() => ctx.session.use({} as never)).toThrow(DefinitionError));
  });
});
