import { type Context, DefinitionError, event, StartEvent, StepError, StopEvent, UnserializableError, Workflow } from "blazen";
import { describe, expect, test } from "vitest";

class Next extends event("Next") {}
const stop = (result: unknown) => new StopEvent({ result });
/** What a run's only step makes of its context. */
const within = <T>(use: (ctx: Context) => T | Promise<T>, options?: ConstructorParameters<typeof Workflow>[1]): Promise<T> =>
  new Workflow("within", options).step("only", StartEvent, async (_, ctx) => stop(await use(ctx))).run({}) as Promise<T>;
/** What a step throws. */
const thrown = async (run: Promise<unknown>): Promise<unknown> => {
  const error = await run.catch((error: unknown) => error);
  expect(error).toBeInstanceOf(StepError);
  return (error as StepError).cause;
};

describe("ctx.state (6.1)", () => {
  test("get, set, has, delete, keys, update", async () => {
    const seen = await within(({ state }) => {
      expect(state.get("a")).toBe(undefined);
      expect([state.has("a"), state.delete("a")]).toEqual([false, false]);
      state.set("b", 1);
      state.set("a", undefined);
      expect([state.get("b"), state.get("a"), state.has("a")]).toEqual([1, undefined, true]);
      expect([...state.keys()]).toEqual(["a", "b"]);
      expect([state.delete("a"), state.has("a")]).toEqual([true, false]);
      state.update<number>("b", (b) => (b ?? 0) + 1);
      state.update<number>("c", (c) => (c ?? 10) + 1);
      return [state.get("b"), state.get("c"), ...state.keys()];
    });
    expect(seen).toEqual([2, 11, "b", "c"]);
  });

  test("keys come in the order of their code units", async () => {
    const keys = await within(({ state }) => {
      for (const key of ["b", "B", "10", "9", "é", "", "\u{1F600}", "\uFF5E"]) state.set(key, 0);
      return [...state.keys()];
    });
    expect(keys).toEqual(["", "10", "9", "B", "b", "é", "\u{1F600}", "\uFF5E"]);
  });

  test("bytes and values are one key space", async () => {
    await within(({ state }) => {
      const bytes = new Uint8Array([1, 2, 3]);
      state.setBytes("a", bytes);
      bytes[0] = 9;
      expect(state.getBytes("a")).toEqual(new Uint8Array([1, 2, 3]));
      expect(state.get("a")).toEqual(new Uint8Array([1, 2, 3]));
      state.set("b", new Uint8Array([4]));
      expect(state.getBytes("b")).toEqual(new Uint8Array([4]));
      state.set("a", "text");
      expect(state.getBytes("a")).toBe(undefined);
      expect(state.getBytes("none")).toBe(undefined);
      expect([...state.keys()]).toEqual(["a", "b"]);
    });
  });

  test("a view of a larger buffer is stored without the rest of it, an instance of a subclass as its bytes", async () => {
    await within(({ state }) => {
      state.setBytes("view", new Uint8Array(1000).subarray(10, 12));
      state.setBytes("buffer", Buffer.from("ab"));
      expect(state.getBytes("view")?.buffer.byteLength).toBe(2);
      expect(state.getBytes("buffer")).toEqual(new Uint8Array([97, 98]));
    });
  });

  test("the option gives initial values, and each run starts from its own copy", async () => {
    const initial = { count: 0, tags: ["a"] };
    const workflow = new Workflow("initial", { state: initial }).step("only", StartEvent, (_, { state }) => {
      const count: number = state.get("count");
      return stop([count, state.get("tags")]);
    });
    initial.tags.push("changed later");
    expect(await workflow.run({})).toEqual([0, ["a"]]);

    const counting = new Workflow("counting", { state: { count: 0, tags: [] as string[] } })
      .step("first", StartEvent, (_, { state }) => {
        state.update("count", (n) => n + 1);
        state.set("tags", [...state.get("tags"), "x"]);
        return new Next();
      })
      .step("second", Next, (_, { state }) => new StopEvent({ result: { count: state.get("count"), tags: state.get("tags") } }));
    for (let i = 0; i < 2; i++) expect(await counting.run({})).toEqual({ count: 1, tags: ["x"] });
  });

  test("set takes a copy and get gives a copy", async () => {
    const workflow = new Workflow("copies")
      .step("first", StartEvent, (_, ctx) => {
        const value = { list: [1] };
        ctx.state.set("value", value);
        value.list.push(2);
        ctx.state.get<typeof value>("value")!.list.push(3);
        expect(ctx.state.get("value")).toEqual({ list: [1] });
        expect(ctx.state.get("value")).not.toBe(ctx.state.get("value"));
        return new Next();
      })
      .step("second", Next, (_, ctx) => stop(ctx.state.get("value")));
    expect(await workflow.run({})).toEqual({ list: [1] });
  });

  test("awaiting its calls is harmless", async () => {
    expect(
      await within(async ({ state }) => {
        await state.set("a", 1);
        return await state.get("a");
      }),
    ).toBe(1);
  });

  test("what cannot be stored is refused at set, with its path, and nothing changes", async () => {
    const error = await thrown(
      within(({ state }) => {
        state.set("customer", { list: [1] });
        expect(() => state.set("customer", { list: [{ socket: () => {} }] })).toThrow(UnserializableError);
        expect(state.get("customer")).toEqual({ list: [1] });
        state.set("customer", { list: [{ socket: () => {} }] });
      }),
    );
    expect(error).toBeInstanceOf(UnserializableError);
    expect((error as UnserializableError).path).toBe("state.customer.list[0].socket");
    expect((error as UnserializableError).step).toBe("only");
    expect((error as UnserializableError).runId).toBeTypeOf("string");
  });

  test("keys are strings of well-formed Unicode", async () => {
    await within(({ state }) => {
      expect(() => state.set(1 as never, 1)).toThrow(DefinitionError);
      expect(() => state.set("\ud800", 1)).toThrow(UnserializableError);
      expect(() => state.update("a", 1 as never)).toThrow(DefinitionError);
      expect(() => state.setBytes("a", [1] as never)).toThrow(DefinitionError);
      expect([...state.keys()]).toEqual([]);
    });
  });
});

describe("ctx.get and ctx.set (6.4)", () => {
  const live = { session: "live" } as const;

  test("what can be stored goes to the state, a live object to the session, and the other side forgets the key", async () => {
    await within((ctx) => {
      const connection = { query: () => 1 };
      ctx.set("a", { n: 1 });
      expect([ctx.state.has("a"), ctx.session.has("a")]).toEqual([true, false]);
      ctx.set("a", connection);
      expect([ctx.state.has("a"), ctx.session.has("a")]).toEqual([false, true]);
      expect(ctx.get("a")).toBe(connection);
      ctx.set("a", new Map([[1, 2]]));
      expect([ctx.state.has("a"), ctx.session.has("a")]).toEqual([true, false]);
      expect(ctx.get("a")).toEqual(new Map([[1, 2]]));
      ctx.set("a", connection);
      ctx.setBytes("a", new Uint8Array([1]));
      expect(ctx.session.has("a")).toBe(false);
      expect(ctx.getBytes("a")).toEqual(new Uint8Array([1]));
    }, live);
  });

  test("get looks in the state, then in the session", async () => {
    await within((ctx) => {
      ctx.session.set("a", "session");
      expect(ctx.get("a")).toBe("session");
      ctx.state.set("a", "state");
      expect(ctx.get("a")).toBe("state");
      ctx.state.set("a", undefined);
      expect(ctx.get("a")).toBe(undefined);
      expect(ctx.get("b")).toBe(undefined);
    }, live);
  });

  test("a BlazenState is never a session value", async () => {
    class Unlisted {
      static readonly [Symbol.for("blazen.state")] = true;
      connection = () => {};
    }
    await within((ctx) => {
      expect(() => ctx.set("agent", new Unlisted())).toThrow(UnserializableError);
      expect(ctx.session.has("agent")).toBe(false);
    }, live);
  });

  test("a key that is no well-formed string goes nowhere", async () => {
    await within((ctx) => {
      expect(() => ctx.set("\ud800", () => {})).toThrow(UnserializableError);
      expect(() => ctx.set(1 as never, () => {})).toThrow(DefinitionError);
      expect([...ctx.session.keys()]).toEqual([]);
    }, live);
  });
});

describe("options", () => {
  const refused: [string, object][] = [
    ["state", { state: [1] }],
    ["state", { state: { ["\ud800"]: 1 } }],
    ["session", { session: "shared" }],
    ["sessionPausePolicy", { sessionPausePolicy: "drop" }],
    ["types", { types: {} }],
    ["migrate", { migrate: { x: () => {} } }],
    ["migrate", { migrate: { 1: 1 } }],
    ["verify", { verify: 1 }],
    ["stat", { stat: {} }],
  ];
  test.each(refused)("a bad %s is refused by its name: %j", (name, options) => {
    expect(() => new Workflow("bad", options)).toThrow(DefinitionError);
    expect(() => new Workflow("bad", options)).toThrow(new RegExp(`Workflow "bad".*"${name}"`));
  });
  test("an initial value that cannot be stored is refused with its path", () => {
    const bad = () => new Workflow("bad", { state: { a: [() => {}] } });
    expect(bad).toThrow(UnserializableError);
    expect(bad).toThrow(/state\.a\[0\]/);
  });
  test("all at once", () => {
    new Workflow("good", { state: {}, session: "json", sessionPausePolicy: "warn_drop", types: [], migrate: { 1: (old) => old }, verify: true });
  });
});
