// BlazenState: rule 8 of the contract, beside its field stores.
import { BlazenState, codec, DefinitionError, event, SnapshotError, StartEvent, StepError, StopEvent, transient, UnserializableError, Workflow } from "blazen";
import { transformSync } from "esbuild";
import { describe, expect, test } from "vitest";
import { DecodeError, type Encoded, encode, Types } from "../../ts/src/codec";
import { decodeValue, encodeValue, readEntries, revived, type StateValue, storedEntries } from "../../ts/src/instance";
import { deferred } from "./deferred";

class Next extends event("Next") {}

class Note extends BlazenState {
  static meta = { name: "Note", transient: ["opened"] };
  text = "";
  opened: unknown = "closed";
}

class Agent extends BlazenState {
  static meta = { name: "Agent", version: 1, transient: ["cache"] };
  name = "";
  turns: unknown[] = [];
  note: Note | undefined = undefined;
  cache: unknown = "fresh";
  get loud() {
    return this.name.toUpperCase();
  }
}
const types = [Agent, Note];
const agent = (fields: Partial<Agent> = {}) => Object.assign(new Agent(), fields);

/** Runs one step with a context. */
function within<T>(run: (ctx: Parameters<Parameters<Workflow["step"]>[2]>[1]) => T | Promise<T>, options = {}): Promise<T> {
  return new Workflow("one", { types, ...options })
    .step("only", StartEvent, async (_, ctx) => new StopEvent({ result: await run(ctx as never) }))
    .run({}) as Promise<T>;
}

/** Writes in its first step, waits, and reads in its second. */
function twoSteps(write: (ctx: never) => unknown, read: (ctx: never) => unknown, gate: { promise: Promise<void> }, list: readonly unknown[] = types) {
  return new Workflow("two", { types: list as never })
    .step("write", StartEvent, async (_, ctx) => {
      await write(ctx as never);
      return new Next();
    })
    .step("read", Next, async (_, ctx) => {
      await gate.promise;
      return new StopEvent({ result: await read(ctx as never) });
    });
}
const open = { promise: Promise.resolve() };

/** The entries of a snapshot after the first step. */
async function stored(write: (ctx: never) => unknown, list?: readonly unknown[]) {
  const handler = twoSteps(write, () => null, deferred<void>(), list).start({});
  await now();
  const snapshot = await handler.pause({ mode: "now" });
  await handler.cancel(undefined, { grace: 0 });
  return { snapshot, entries: JSON.parse(snapshot.toString()).entries as Record<string, unknown> };
}
const now = () => new Promise((resolve) => setTimeout(resolve, 1));

describe("set and get (8.1, 8.2)", () => {
  test("a real instance: stored fields by value, transient ones by reference", async () => {
    const socket = { on() {} };
    await within((ctx) => {
      const mine = agent({ name: "ada", turns: [1, { two: 2n }], cache: socket });
      ctx.set("agent", mine);
      mine.turns.push("later");
      const back = ctx.get("agent") as Agent;
      expect(back).toBeInstanceOf(Agent);
      expect(back.loud).toBe("ADA");
      expect(back.turns).toEqual([1, { two: 2n }]);
      expect(back.cache).toBe(socket);
      expect(ctx.get("agent")).not.toBe(back);
      expect([...ctx.state.keys()]).toEqual(["agent"]);
      expect(ctx.state.has("agent")).toBe(true);
      expect(ctx.session.has("agent")).toBe(false);
      expect(ctx.state.delete("agent")).toBe(true);
      expect(ctx.get("agent")).toBe(undefined);
    });
  });

  test("each field is stored under its own key, and one alone that changed is written again", async () => {
    const { entries } = await stored((ctx: never) => {
      const { state } = ctx as { state: { set(key: string, value: unknown): void } };
      state.set("an agent/1", agent({ name: "ada", turns: [new Uint8Array([1, 2])], cache: () => 0 }));
    });
    expect(entries).toMatchObject({
      "state/an%20agent%2F1": { $: "state", name: "Agent", version: 1, keys: ["name", "turns", "note"] },
      "state/an%20agent%2F1/name": "ada",
      "state/an%20agent%2F1/turns": [{ $: "view" }],
      "state/an%20agent%2F1/note": { $: "undefined" },
      "bytes/state/an%20agent%2F1/turns/0": "AQI=",
    });
    expect(Object.keys(entries).some((key) => key.includes("cache"))).toBe(false);
  });

  test("saveTo and loadFrom do the same; update too", async () => {
    await within(async (ctx) => {
      await agent({ name: "ada" }).saveTo(ctx, "a");
      expect((await Agent.loadFrom(ctx, "a"))?.name).toBe("ada");
      expect(await Agent.loadFrom(ctx, "b")).toBe(undefined);
      await expect(Note.loadFrom(ctx, "a")).rejects.toThrow(DefinitionError);
      await expect(agent({ turns: [() => 0] }).saveTo(ctx, "a")).rejects.toThrow(expect.objectContaining({ path: "state.a.turns[0]" }));
      ctx.state.update("a", (one: Agent | undefined) => Object.assign(one!, { name: "bob" }));
      expect((ctx.get("a") as Agent).loud).toBe("BOB");
    });
  });

  test("the instance's present fields", async () => {
    await within((ctx) => {
      ctx.set("a", Object.assign(agent({ name: "ada" }), { extra: 1 }));
      expect(ctx.get("a")).toMatchObject({ extra: 1 });
      ctx.set("a", agent({ name: "ada" }));
      expect(ctx.get("a")).not.toHaveProperty("extra");
    });
  });

  test("an unlisted class is refused, in ctx.set too", async () => {
    class Stranger extends Agent {}
    await within((ctx) => {
      expect(() => ctx.set("a", new Stranger())).toThrow(UnserializableError);
      expect(() => ctx.state.set("a", [new Stranger()])).toThrow(/types: \[Stranger\]/);
      expect([...ctx.session.keys()]).toEqual([]);
    });
  });

  test("initial state", async () => {
    expect(await within((ctx) => (ctx.get("a") as Agent).loud, { state: { a: agent({ name: "ada" }) } })).toBe("ADA");
  });

  test("nested instances hold their transient fields too", async () => {
    await within((ctx) => {
      const inner = Object.assign(new Note(), { text: "inner", opened: now });
      ctx.set("list", [new Map([["x", inner]]), agent({ note: inner, cache: within })]);
      const [map, outer] = ctx.get("list") as [Map<string, Note>, Agent];
      expect(map.get("x")).toBe(outer.note);
      expect(outer.note!.opened).toBe(now);
      expect(outer.cache).toBe(within);
      ctx.set("agent", agent({ note: inner }));
      expect((ctx.get("agent") as Agent).note!.opened).toBe(now);
    });
  });

  test("an attempt's transient fields are its own until it commits", async () => {
    const seen: unknown[] = [];
    await new Workflow("both", { types, state: { a: agent({ cache: "first" }) } })
      .step("one", StartEvent, async (_, ctx) => {
        ctx.set("a", agent({ cache: "mine" }));
        await now();
        seen.push((ctx.get("a") as Agent).cache);
        return new Next();
      })
      .step("two", StartEvent, (_, ctx) => void seen.push((ctx.get("a") as Agent).cache))
      .step("end", Next, (_, ctx) => {
        seen.push((ctx.get("a") as Agent).cache);
        return new StopEvent({ result: null });
      })
      .run({});
    expect(seen).toEqual(["first", "mine", "mine"]);
  });
});

describe("sharing (6.2)", () => {
  test("within a field, over fields, and back to the instance", async () => {
    const list: unknown[] = [];
    list.push(list);
    const shared = { x: 1 };
    const bytes = new Uint8Array(8);
    const make = {
      own: () => agent({ name: "own", turns: [shared, shared, list] }),
      over: () => Object.assign(agent({ turns: [shared, list] }), { extra: shared }),
      back: () => {
        const one = agent();
        one.turns = [one];
        return one;
      },
      bytes: () => Object.assign(agent({ turns: [bytes] }), { half: bytes.subarray(4) }),
    };
    const check = (ctx: never) => {
      const { get } = ctx as { get(key: string): unknown };
      const of = (key: string) => get.call(ctx, key) as Agent & { extra: unknown; half: Uint8Array };
      const own = of("own");
      expect(own.turns[0]).toBe(own.turns[1]);
      expect((own.turns[2] as unknown[])[0]).toBe(own.turns[2]);
      const over = of("over");
      expect(over.turns[0]).toBe(over.extra);
      expect((over.turns[1] as unknown[])[0]).toBe(over.turns[1]);
      const back = of("back");
      expect(back.turns[0]).toBe(back);
      const half = of("bytes");
      expect(half.half.buffer).toBe((half.turns[0] as Uint8Array).buffer);
      return "checked";
    };
    const write = (ctx: never) => {
      for (const [key, one] of Object.entries(make)) (ctx as { set(key: string, value: unknown): void }).set(key, one());
      check(ctx);
    };
    const { snapshot, entries } = await stored(write);
    expect(entries["state/own/turns"]).toMatchObject({ $: "graph" });
    expect(entries["state/over"]).toMatchObject({ $: "graph", value: { $: "state" } });
    expect(entries["state/bytes"]).toMatchObject({ $: "state", fields: {} });
    const resumed = twoSteps(write, check, open).resume(snapshot);
    expect((await resumed.snapshot()).toString()).toBe(snapshot.toString());
    expect(await resumed.result()).toBe("checked");
  });

  test("several fields with buffers and references of their own", async () => {
    const write = (ctx: never) => {
      const one = { a: 1 };
      const two = { b: 2 };
      (ctx as { set(key: string, value: unknown): void }).set(
        "a",
        Object.assign(agent(), { f: [one, one, new Uint8Array([1])], g: [two, [two], new Uint8Array([2]), new Uint16Array([3])] }),
      );
    };
    const read = (ctx: never) => {
      const { f, g } = (ctx as { get(key: string): { f: unknown[]; g: [unknown, unknown[], Uint8Array, Uint16Array] } }).get("a");
      expect(f[0]).toBe(f[1]);
      expect(g[0]).toBe(g[1][0]);
      return [f[0], f[2], g[0], g[2], g[3]];
    };
    const { snapshot } = await stored(write);
    expect(await twoSteps(write, read, open).resume(snapshot.toBytes()).result()).toEqual([
      { a: 1 },
      new Uint8Array([1]),
      { b: 2 },
      new Uint8Array([2]),
      new Uint16Array([3]),
    ]);
  });
});

test("whatever shares whatever comes back the same", async () => {
  class Any extends BlazenState {
    static meta = { name: "Any" };
    [field: string]: unknown;
  }
  const any = new Types([Any]);
  let seed = 1;
  const random = (below: number) => {
    seed = (seed * 48271) % 2147483647;
    return seed % below;
  };
  for (let round = 0; round < 500; round++) {
    const buffer = new ArrayBuffer(16);
    const pool: object[] = Array.from(
      { length: 1 + random(6) },
      () => [{}, [], new Map(), new Any(), new Uint8Array(buffer, random(4), 2), new Date(0)][random(6)]!,
    );
    const root = new Any();
    const pick = () => (random(12) === 0 ? root : random(3) === 0 ? { fresh: random(9) } : pool[random(pool.length)]!);
    for (const one of pool) {
      if (one instanceof Map) one.set("k", pick());
      else if (Array.isArray(one)) one.push(pick(), random(9));
      else if (!(one instanceof Date) && !ArrayBuffer.isView(one)) (one as Record<string, unknown>)["x"] = pick();
    }
    for (let field = random(4); field >= 0; field--) root[`f${field}`] = pick();
    const there = (value: Encoded) => {
      const entries = storedEntries(value).map(
        ([suffix, { tree, bytes }]) => [`k${suffix}`, { tree: JSON.parse(JSON.stringify(tree)), bytes }] as [string, Encoded],
      );
      return readEntries(entries, any).get("k")!;
    };
    const value = encodeValue(root, () => "state.k", any, undefined);
    const back = decodeValue(there(value), any);
    const plain = encode([root], "x", any);
    expect(encode([back], "x", any)).toEqual(plain);
    expect(encode([decodeValue(value, any)], "x", any)).toEqual(plain);
    expect(encode([revived(value, any).instances.at(-1)], "x", any)).toEqual(plain);
    expect(encode([decodeValue(revived(value, any).holding(), any)], "x", any)).toEqual(plain);
  }
});

test("a field that did not change is kept as it is", () => {
  const listed = new Types(types);
  const set = (fields: object, before?: Encoded) => encodeValue(agent(fields), () => "state.a", listed, before) as StateValue;
  const one = set({ name: "ada", turns: [{ deep: [1] }], note: new Note(), cache: 1 });
  const two = set({ name: "bob", turns: [{ deep: [1] }], note: Object.assign(new Note(), { opened: "now" }), cache: 2 }, one);
  expect(two.fields.get("turns")).toBe(one.fields.get("turns"));
  expect(two.fields.get("name")).not.toBe(one.fields.get("name"));
  expect((two.fields.get("note") as Encoded).tree).toBe((one.fields.get("note") as Encoded).tree);
  expect(decodeValue(two, listed)).toMatchObject({ name: "bob", cache: 2, note: { opened: "now" } });
  expect(decodeValue(one, listed)).toMatchObject({ name: "ada", cache: 1 });
});

test("odd keys and fields", async () => {
  class Odd extends BlazenState {
    static meta = { name: "Odd" };
  }
  class Empty extends BlazenState {
    static meta = { name: "Empty" };
  }
  const odd = Object.assign(new Odd(), { "": 1, "a/b": new Uint8Array([1]), 7: "seven", $: 2, "%2F": 3 });
  Object.defineProperty(odd, "__proto__", { value: 4, enumerable: true, writable: true, configurable: true });
  const write = (ctx: never) => {
    for (const key of ["", "a/b", "__proto__", "0"]) (ctx as { set(key: string, value: unknown): void }).set(key, odd);
    (ctx as { set(key: string, value: unknown): void }).set("empty", new Empty());
  };
  const read = (ctx: never) => {
    const { get } = ctx as { get(key: string): object };
    for (const key of ["", "a/b", "__proto__", "0"]) {
      const back = get.call(ctx, key);
      expect(back).toBeInstanceOf(Odd);
      expect(Object.getOwnPropertyDescriptors(back)).toEqual(Object.getOwnPropertyDescriptors(odd));
      expect(Object.keys(back)).toEqual(Object.keys(odd));
    }
    return get.call(ctx, "empty");
  };
  const { snapshot } = await stored(write, [Odd, Empty]);
  const resumed = twoSteps(write, read, open, [Odd, Empty]).resume(snapshot);
  expect((await resumed.snapshot()).toString()).toBe(snapshot.toString());
  expect(await resumed.result()).toEqual(new Empty());
});

test("entries that do not fit are refused", () => {
  const listed = new Types(types);
  const head = (more: object): Encoded => ({ tree: { $: "state", name: "Agent", version: 1, ...more }, bytes: undefined });
  const one: Encoded = { tree: 1, bytes: undefined };
  for (const entries of [
    [["a", head({ keys: ["name"] })]],
    [
      ["a", head({ keys: [] })],
      ["a/name", one],
    ],
    [
      ["a", head({ keys: ["name", "name"] })],
      ["a/name", one],
      ["a/turns", one],
    ],
    [
      ["a", head({ keys: "name" })],
      ["a/name", one],
    ],
    [
      ["a", head({ keys: ["name"], version: -1 })],
      ["a/name", one],
    ],
    [
      ["a", head({ keys: ["name"], name: "Other" })],
      ["a/name", one],
    ],
    [
      ["a", one],
      ["a/name", one],
    ],
    [["a/name", one]],
    [
      ["a", head({ keys: ["name"] })],
      ["a/name", { tree: { $: "stored", key: 1 }, bytes: undefined }],
    ],
    [
      ["a", head({ keys: ["name"] })],
      ["a/name", { tree: { $: "stored", key: "x" }, bytes: undefined }],
    ],
    [["%", one]],
  ] as [string, Encoded][][])
    expect(() => readEntries(entries, listed), JSON.stringify(entries)).toThrow(DecodeError);
});

test("a constructor that throws", async () => {
  let fail = false;
  class Broken extends BlazenState {
    static meta = { name: "Broken" };
    constructor() {
      super();
      if (fail) throw new Error("cannot be made");
    }
  }
  const write = (ctx: never) => (ctx as { set(key: string, value: unknown): void }).set("b", new Broken());
  const { snapshot } = await stored(write, [Broken]);
  fail = true;
  expect(() => twoSteps(write, () => 0, open, [Broken]).resume(snapshot)).toThrow(SnapshotError);
});

describe("restore (8.2)", () => {
  const log: string[] = [];
  class Inner extends BlazenState {
    static meta = { name: "Inner", transient: ["live"] };
    name = "";
    live: unknown = "initial";
    override async restore() {
      await now();
      log.push(`inner ${this.name}`);
      this.live = `live ${this.name}`;
    }
  }
  class Outer extends BlazenState {
    static meta = { name: "Outer", transient: ["live"] };
    inner = Object.assign(new Inner(), { name: "of outer" });
    live: unknown = "initial";
    override restore(ctx: { stepName: string; state: { set(key: string, value: unknown): void }; session: { get(key: string): unknown } }) {
      log.push(`outer, ${this.inner.live}, step "${ctx.stepName}"`);
      this.live = ctx.session.get("db");
      ctx.state.set("restored", true);
    }
  }
  const list = [Inner, Outer];
  const write = (ctx: never) => {
    const { set } = ctx as { set(key: string, value: unknown): void };
    set.call(ctx, "outer", new Outer());
    set.call(ctx, "list", [Object.assign(new Inner(), { name: "nested", live: "was live" })]);
  };

  test("once for each instance, inner ones first, before any step; what it writes is committed", async () => {
    const { snapshot } = await stored(write, list);
    log.length = 0;
    const read = (ctx: never) => {
      const { get } = ctx as { get(key: string): unknown };
      const outer = get.call(ctx, "outer") as Outer;
      log.push("step");
      return [outer.live, outer.inner.live, (get.call(ctx, "list") as Inner[])[0]!.live, get.call(ctx, "restored"), (get.call(ctx, "outer") as Outer).live];
    };
    const handler = twoSteps(write, read, open, list).resume(snapshot, { session: { db: "connected" } });
    const other = twoSteps(write, read, open, list).resume(snapshot);
    expect((await other.snapshot()).toString()).toBe(snapshot.toString());
    await other.cancel();
    expect(await handler.result()).toEqual(["connected", "live of outer", "live nested", true, "connected"]);
    expect(log).toEqual(["inner nested", "inner of outer", 'outer, live of outer, step ""', "step"]);
  });

  test("going on in place calls none", async () => {
    log.length = 0;
    const gate = deferred<void>();
    const handler = twoSteps(write, (ctx: never) => ((ctx as { get(key: string): Inner[] }).get("list") as Inner[])[0]!.live, gate, list).start({});
    await now();
    await handler.pause({ mode: "now" });
    handler.resume();
    gate.resolve();
    expect(await handler.result()).toBe("was live");
    expect(log).toEqual([]);
  });

  test("a throw fails the run before any step; pause, send and cancel work meanwhile", async () => {
    const cause = new Error("no database");
    let gate = deferred<void>();
    class Slow extends BlazenState {
      static meta = { name: "Slow" };
      override async restore() {
        await gate.promise;
      }
    }
    const writeSlow = (ctx: never) => (ctx as { set(key: string, value: unknown): void }).set("slow", new Slow());
    const { snapshot } = await stored(writeSlow, [Slow]);
    let ran = 0;
    const again = () => twoSteps(writeSlow, () => ++ran, open, [Slow]).resume(snapshot);
    const failing = again();
    await now();
    gate.reject(cause);
    const error = (await failing.result().catch((thrown: unknown) => thrown)) as StepError;
    expect(error).toBeInstanceOf(StepError);
    expect(error.cause).toBe(cause);
    expect(error.runId).toBe(snapshot.runId);
    expect(ran).toBe(0);

    gate = deferred<void>();
    const paused = again();
    await now();
    expect((await paused.snapshot()).toString()).toBe(snapshot.toString());
    expect((await paused.pause()).toString()).toBe(snapshot.toString());
    gate.resolve();
    await now();
    expect(ran).toBe(0);
    expect(paused.status).toBe("paused");
    paused.resume();
    expect(await paused.result()).toBe(1);

    gate = deferred<void>();
    const cancelled = again();
    await now();
    expect(await cancelled.cancel()).toEqual({ stopped: [], ignored: [] });
    gate.resolve();
    await now();
    expect(ran).toBe(1);
  });

  test("what only a step may do is refused", async () => {
    const refused: unknown[] = [];
    class Sender extends BlazenState {
      static meta = { name: "Sender" };
      override restore(ctx: { sendEvent(event: unknown): unknown; commit(): unknown; once(key: string, effect: () => number): unknown; invocationId: string }) {
        for (const use of [() => ctx.sendEvent(new Next()), () => ctx.commit(), () => ctx.once("x", () => 1)]) {
          try {
            use();
          } catch (error) {
            refused.push((error as Error).constructor);
          }
        }
        refused.push(ctx.invocationId.split("/")[1]);
      }
    }
    const writeSender = (ctx: never) => (ctx as { set(key: string, value: unknown): void }).set("s", new Sender());
    const { snapshot } = await stored(writeSender, [Sender]);
    await twoSteps(writeSender, () => null, open, [Sender])
      .resume(snapshot)
      .result();
    expect(refused).toEqual([DefinitionError, DefinitionError, DefinitionError, "restore"]);
  });

  test("an instance in an event", async () => {
    class Job extends event("Job")<{ inner: Inner }> {}
    const build = (hold: Promise<void>) =>
      new Workflow("job", { types: list })
        .step("make", StartEvent, () => new Job({ inner: Object.assign(new Inner(), { name: "job" }) }))
        .step("do", Job, async ({ inner }) => {
          await hold;
          return new StopEvent({ result: inner.live });
        });
    const handler = build(new Promise(() => {})).start({});
    const snapshot = await handler.pause({ mode: "now" });
    expect(await build(Promise.resolve()).resume(snapshot).result()).toBe("live job");
    await handler.cancel(undefined, { grace: 0 });
  });
});

describe("versions (8.4)", () => {
  const versioned = (meta: object, restore?: () => void) => {
    class V extends BlazenState {
      static meta = { name: "V", ...meta };
      [field: string]: unknown;
    }
    if (restore !== undefined) V.prototype.restore = restore;
    return V;
  };
  const writing = (fields: object, V: new () => object) => (ctx: never) =>
    (ctx as { set(key: string, value: unknown): void }).set("v", Object.assign(new V(), fields));
  const One = versioned({ version: 1 });
  const write = writing({ name: "ada", gone: 1, cached: 2 }, One as never);
  const read = (ctx: never) => (ctx as { get(key: string): object }).get("v");

  test("renamed, added and removed fields", async () => {
    const { snapshot } = await stored(write, [One]);
    const Two = versioned({
      version: 2,
      transient: ["cached"],
      migrate: { 1: ({ name, gone: _, ...rest }: Record<string, unknown>) => ({ ...rest, fullName: name, added: [] }) },
    });
    const back = await twoSteps(write, read, open, [Two]).resume(snapshot).result();
    expect(back).toBeInstanceOf(Two);
    expect({ ...(back as object) }).toEqual({ fullName: "ada", added: [] });
  });

  test("a newer version, a missing entry and a throw are refused at resume", async () => {
    const { snapshot } = await stored(write, [One]);
    const resume = (meta: object) => () => twoSteps(write, read, open, [versioned(meta)]).resume(snapshot);
    expect(resume({ version: 0 })).toThrow(SnapshotError);
    expect(resume({ version: 0 })).toThrow(/newer/);
    expect(resume({ version: 3, migrate: { 1: (old: object) => old } })).toThrow(/no entry 2/);
    const cause = new Error("cannot");
    expect(
      resume({
        version: 2,
        migrate: {
          1() {
            throw cause;
          },
        },
      }),
    ).toThrow(SnapshotError);
    expect(() => twoSteps(write, read, open, []).resume(snapshot)).toThrow(/"V" is not among the workflow's types/);
  });

  test("the workflow's migrate sees instances", async () => {
    const { snapshot } = await stored(write, [One]);
    const newer = new Workflow("two", {
      version: 2,
      types: [One],
      migrate: {
        1: (old) => {
          (old.state["v"] as Record<string, unknown>)["name"] = "bob";
          return old;
        },
      },
    })
      .step("write", StartEvent, () => new Next())
      .step("read", Next, (_, ctx) => new StopEvent({ result: (ctx.get("v") as Record<string, unknown>)["name"] }));
    expect(await newer.resume(snapshot).result()).toBe("bob");
  });
});

describe("decorators", () => {
  const source = `
    class Base extends BlazenState {
      static meta = { name: "Base", transient: ["a"] };
      a = "a";
      @transient b = "b";
      c = "c";
    }
    class Derived extends Base {
      static meta = { name: "Derived" };
      @transient c = "c";
      d = "d";
    }
    return [Base, Derived];`;
  test.each([
    ["standard", {}],
    ["experimentalDecorators", { experimentalDecorators: true }],
  ])("%s", async (_, compilerOptions) => {
    const { code } = transformSync(`function make(BlazenState, transient) {${source}}`, {
      loader: "ts",
      target: "es2022",
      tsconfigRaw: { compilerOptions: { ...compilerOptions, useDefineForClassFields: !("experimentalDecorators" in compilerOptions) } },
    });
    const [Base, Derived] = new Function("BlazenState", "transient", `${code}; return make(BlazenState, transient);`)(BlazenState, transient);
    const { entries } = await stored(
      (ctx: never) => {
        const { set } = ctx as { set(key: string, value: unknown): void };
        set.call(ctx, "derived", new Derived());
        set.call(ctx, "base", new Base());
        set.call(ctx, "list", [new Base(), new Derived()]);
      },
      [Base, Derived],
    );
    expect(entries["state/base"]).toMatchObject({ keys: ["c"] });
    expect(entries["state/derived"]).toMatchObject({ keys: ["a", "d"] });
    expect(entries["state/list"]).toMatchObject([{ fields: { c: "c" } }, { fields: { a: "a", d: "d" } }]);
  });

  test("on something else than a public field", () => {
    const decorate = transient as unknown as (value: unknown, context: unknown) => void;
    expect(() => decorate(undefined, { kind: "field", name: "#x", private: true, static: false })).toThrow(DefinitionError);
    expect(() => decorate(() => 0, { kind: "method", name: "x", private: false, static: false })).toThrow(DefinitionError);
  });
});

test("bad meta is a DefinitionError", () => {
  for (const meta of [{ transient: "x" }, { storeBy: { a: {} } }, { migrate: 1 }]) {
    class Bad extends BlazenState {
      static meta = { name: "Bad", ...meta } as never;
    }
    expect(() => new Workflow("w", { types: [Bad] })).toThrow(DefinitionError);
  }
  expect(() => codec(Agent, { name: "A", encode: () => 1, decode: () => new Agent() })).toThrow(DefinitionError);
});
