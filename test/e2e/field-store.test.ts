// Field stores: rule 8.3 of the contract.
import {
  BlazenState,
  CallbackFieldStore,
  DefinitionError,
  event,
  type FieldStore,
  FieldStoreError,
  SnapshotError,
  StartEvent,
  StepError,
  StopEvent,
  storeBy,
  UnserializableError,
  Workflow,
} from "blazen";
import { transformSync } from "esbuild";
import { describe, expect, test } from "vitest";
import { deferred } from "./deferred";

class Next extends event("Next") {}
type Ctx = {
  get(key: string): unknown;
  set(key: string, value: unknown): void;
  state: { update(key: string, change: (now: never) => unknown): void };
  commit(options?: object): Promise<void>;
  sendEvent(event: Next, options?: object): Promise<void>;
  attempt: number;
};

/** A store that tells what it was asked. */
function memoryStore() {
  const values = new Map<string, unknown>();
  const log: string[] = [];
  let during: () => unknown = () => {};
  const short = (key: string) => key.slice(key.indexOf("/") + 1);
  const store: FieldStore = {
    async save(key, value) {
      log.push(`save ${short(key)}`);
      await during();
      values.set(key, value);
    },
    async load(key) {
      log.push(`load ${short(key)}`);
      await during();
      if (!values.has(key)) throw new Error("not there");
      return values.get(key);
    },
    delete(key) {
      log.push(`delete ${short(key)}`);
      values.delete(key);
    },
  };
  return { store, values, log, during: (call: () => unknown) => (during = call) };
}

function documents(store: FieldStore) {
  class Docs extends BlazenState {
    static meta = { name: "Docs", storeBy: { vectors: store } };
    title = "";
    vectors: unknown = undefined;
  }
  const docs = (title: string, vectors: unknown) => Object.assign(new Docs(), { title, vectors });
  return { Docs, docs };
}

function workflow(types: readonly unknown[], first: (ctx: Ctx) => unknown, second: (ctx: Ctx) => unknown = () => null, options = {}) {
  return new Workflow("stored", { types: types as never, ...options })
    .step("first", StartEvent, async (_, ctx) => {
      await first(ctx as never);
      return new Next();
    })
    .step("second", Next, async (_, ctx) => new StopEvent({ result: await second(ctx as never) }));
}
const later = (ms = 2) => new Promise((resolve) => setTimeout(resolve, ms));
const never = () => new Promise(() => {});

/** A snapshot after the first step. */
async function snapshotAfter(types: readonly unknown[], first: (ctx: Ctx) => unknown) {
  const handler = workflow(types, first, never).start({});
  await later(5);
  const snapshot = await handler.pause({ mode: "now" });
  await handler.cancel(undefined, { grace: 0 });
  return snapshot;
}

describe("saving", () => {
  test("when the invocation commits, what changed, under a key of its own; the step reads its own writes meanwhile", async () => {
    const { store, values, log } = memoryStore();
    const { Docs, docs } = documents(store);
    const result = await workflow(
      [Docs],
      async (ctx) => {
        ctx.set("a b", docs("one", [1]));
        ctx.set("a b", docs("two", [2]));
        expect(log).toEqual([]);
        const committed = ctx.commit();
        expect((ctx.get("a b") as { vectors: unknown }).vectors).toEqual([2]);
        await committed;
        ctx.set("a b", docs("three", [2]));
        await ctx.commit();
        ctx.set("a b", docs("four", [4]));
      },
      (ctx) => ctx.get("a b"),
    ).run({}, { runId: "r" });
    expect(result).toEqual(docs("four", [4]));
    // The first was replaced, and no snapshot names it.
    expect(log).toEqual(["save a%20b/vectors/1", "save a%20b/vectors/2", "delete a%20b/vectors/1"]);
    expect([...values]).toEqual([["r/a%20b/vectors/2", [4]]]);
  });

  test("a commit point takes what was written up to the call, and waits; others see it then", async () => {
    const { store, during } = memoryStore();
    const { Docs, docs } = documents(store);
    const gate = deferred<void>();
    during(() => gate.promise);
    const seen: unknown[] = [];
    const handler = new Workflow("points", { types: [Docs], state: { n: 0, list: [] as string[] } })
      .step("write", StartEvent, async (_, ctx) => {
        ctx.state.set("n", 1);
        ctx.set("docs", docs("one", [1]));
        ctx.state.update("list", (list) => [...list, "a"]);
        const sent = ctx.sendEvent(new Next());
        ctx.state.set("n", 2);
        ctx.state.update("list", (list) => [...list, "b"]);
        expect([ctx.state.get("n"), ctx.state.get("list"), [...ctx.state.keys()]]).toEqual([2, ["a", "b"], ["docs", "list", "n"]]);
        expect(ctx.state.delete("docs")).toBe(true);
        expect(ctx.state.has("docs")).toBe(false);
        const committed = ctx.commit();
        expect(ctx.state.has("docs")).toBe(false);
        await sent;
        await committed;
        seen.push("committed");
      })
      .step("read", Next, (_, ctx) => {
        seen.push(ctx.state.get("n"), ctx.state.get("list"), (ctx.get("docs") as { vectors: unknown }).vectors);
        return null;
      })
      .step("look", StartEvent, async (_, ctx) => {
        await later();
        seen.push(ctx.state.get("n"), ctx.state.has("docs"));
        gate.resolve();
        await later(5);
        return new StopEvent({ result: [ctx.state.get("n"), ctx.state.get("list"), ctx.state.has("docs")] });
      })
      .start({});
    expect(await handler.result()).toEqual([2, ["a", "b"], false]);
    expect(seen).toEqual([0, false, 1, ["a"], [1], "committed"]);
  });

  test("parallel updates lose nothing; the later completed commit wins", async () => {
    const { store, values, during } = memoryStore();
    const { Docs, docs } = documents(store);
    during(() => later(Math.random() * 4));
    class Add extends event("Add")<{ n: number }> {}
    const result = await new Workflow("parallel", { types: [Docs] })
      .step("fan", StartEvent, (_, ctx) => {
        ctx.set("docs", docs("", []));
        return [1, 2, 3, 4].map((n) => new Add({ n }));
      })
      .step("add", Add, ({ n }, ctx) => {
        ctx.state.update("docs", (now) => docs("", [...((now as { vectors: number[] }).vectors ?? []), n]));
        return null;
      })
      .step("wait", StartEvent, async (_, ctx) => {
        await later(60);
        return new StopEvent({ result: (ctx.get("docs") as { vectors: number[] }).vectors });
      })
      .run({});
    expect((result as number[]).sort()).toEqual([1, 2, 3, 4]);
    expect(values.size).toBe(1);
  });

  test("a failure fails the attempt and commits nothing", async () => {
    const cause = new Error("disk full");
    const { store, during, values } = memoryStore();
    const { Docs, docs } = documents(store);
    during(() => Promise.reject(cause));
    const error = (await workflow([Docs], (ctx) => ctx.set("docs", docs("one", [1])))
      .run({})
      .catch((thrown: unknown) => thrown)) as StepError;
    expect(error).toBeInstanceOf(StepError);
    expect(error.cause).toBeInstanceOf(FieldStoreError);
    expect(error.cause).toMatchObject({ code: "FIELD_STORE", stateName: "Docs", field: "vectors", cause, step: "first", runId: error.runId });
    // A commit point that nobody awaits fails the attempt all the same; nothing after it is committed.
    let ran = 0;
    const also = workflow(
      [Docs],
      (ctx) => {
        ctx.set("docs", docs("one", [1]));
        void ctx.sendEvent(new Next());
      },
      () => ++ran,
    );
    await expect(also.run({})).rejects.toThrow(expect.objectContaining({ cause: expect.any(FieldStoreError) }));
    expect(ran).toBe(0);
    expect(values.size).toBe(0);
  });

  test("what a failing step committed before stays", async () => {
    const { store, during } = memoryStore();
    const { Docs, docs } = documents(store);
    during(() => later());
    let sent = false;
    const failing = new Workflow("failing", { types: [Docs] })
      .step("first", StartEvent, (_, ctx) => {
        ctx.set("docs", docs("one", [1]));
        void ctx.sendEvent(new Next());
        throw new Error("after");
      })
      .step("second", Next, () => {
        sent = true;
        return null;
      });
    await expect(failing.run({})).rejects.toThrow(/after/);
    expect(sent).toBe(true);
  });

  test("an id that is known when the save is done drops what was written", async () => {
    const { store, log } = memoryStore();
    const { Docs, docs } = documents(store);
    const result = await workflow(
      [Docs],
      (ctx) => {
        ctx.set("docs", docs("one", [1]));
        void ctx.commit({ id: "x" });
        ctx.set("docs", docs("two", [2]));
        void ctx.commit({ id: "x" });
      },
      (ctx) => ctx.get("docs"),
    ).run({});
    expect(result).toEqual(docs("one", [1]));
    expect(log).toEqual(["save docs/vectors/1"]);
  });

  test("a run that is cancelled or over meanwhile commits nothing, and the store forgets what was saved", async () => {
    for (const end of ["cancel", "stop"]) {
      const { store, log, values, during } = memoryStore();
      const { Docs, docs } = documents(store);
      const gate = deferred<void>();
      during(() => gate.promise);
      const handler = new Workflow("over", { types: [Docs] })
        .step("write", StartEvent, async (_, ctx) => {
          ctx.set("docs", docs("one", 1));
          await ctx.commit();
          return null;
        })
        .step("stop", StartEvent, async () => {
          await later(end === "stop" ? 3 : 1000);
          return new StopEvent({ result: "stopped" });
        })
        .start({});
      await later();
      if (end === "stop") expect(await handler.result()).toBe("stopped");
      else void handler.cancel(undefined, { grace: 50 });
      gate.resolve();
      await later(5);
      expect(log).toEqual(["save docs/vectors/1", "delete docs/vectors/1"]);
      expect(values.size).toBe(0);
      if (end === "cancel") await handler.result().catch(() => {});
    }
  });

  test("a generator's yields wait for theirs", async () => {
    const { store, during } = memoryStore();
    const { Docs, docs } = documents(store);
    during(() => later());
    class Item extends event("Item")<{ n: number }> {}
    const seen: unknown[] = [];
    await new Workflow("yields", { types: [Docs] })
      .step("make", StartEvent, async function* (_, ctx) {
        for (const n of [1, 2, 3]) {
          ctx.set("docs", docs("", n));
          yield new Item({ n });
        }
        await later();
        yield new Next();
      })
      .step("item", Item, ({ n }, ctx) => {
        seen.push([n, (ctx.get("docs") as { vectors: unknown }).vectors]);
      })
      .step("end", Next, () => new StopEvent({ result: null }))
      .run({});
    expect(seen).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
    ]);
  });

  test("a value whose key was deleted meanwhile is saved again", async () => {
    const { store, log, values } = memoryStore();
    const { Docs, docs } = documents(store);
    const result = await new Workflow("again", { types: [Docs] })
      .step("first", StartEvent, async (_, ctx) => {
        ctx.set("docs", docs("one", 1));
        await ctx.commit();
        ctx.set("docs", docs("still one", 1));
        await ctx.sendEvent(new Next());
        ctx.set("docs", docs("one again", 1));
        await later(10);
        return new StopEvent({ result: null });
      })
      .step("second", Next, (_, ctx) => ctx.set("docs", docs("two", 2)))
      .run({});
    expect(result).toBe(null);
    expect(log).toEqual(["save docs/vectors/1", "save docs/vectors/2", "delete docs/vectors/1", "save docs/vectors/3", "delete docs/vectors/2"]);
    expect([...values.values()]).toEqual([1]);
  });

  test("sharing with a stored field, a nested one, and one in the initial state are refused", async () => {
    const { store } = memoryStore();
    const { Docs, docs } = documents(store);
    const shared = {};
    await workflow([Docs], (ctx) => {
      expect(() => ctx.set("a", Object.assign(docs("", shared), { title: shared }))).toThrow(expect.objectContaining({ path: "state.a.vectors" }));
      expect(() => (ctx as never as { state: Ctx }).state.set("a", [docs("", 1)])).toThrow(UnserializableError);
      const own = docs("", [shared, shared]);
      Object.assign(own, { title: { own }, more: { own } });
      ctx.set("b", own);
      const back = ctx.get("b") as { title: { own: unknown }; more: { own: unknown }; vectors: unknown[] };
      expect(back.title.own).toBe(back);
      expect(back.more.own).toBe(back);
      expect(back.vectors[0]).toBe(back.vectors[1]);
    }).run({});
    expect(() => new Workflow("w", { types: [Docs], state: { d: docs("", 1) } })).toThrow(DefinitionError);
  });
});

describe("snapshots", () => {
  test("hold the key alone, and are loaded before any step runs", async () => {
    const { store, values, log } = memoryStore();
    const { Docs, docs } = documents(store);
    const vectors = { big: new Map([["a", 1n]]) };
    const first = (ctx: Ctx) => ctx.set("docs", docs("one", vectors));
    const snapshot = await snapshotAfter([Docs], first);
    const { entries } = JSON.parse(snapshot.toString());
    expect(entries).toMatchObject({
      commits: 1,
      "state/docs": { $: "state", name: "Docs", version: 1, keys: ["title", "vectors"] },
      "state/docs/title": "one",
      "state/docs/vectors": { $: "stored", key: `${snapshot.runId}/docs/vectors/1` },
    });
    const handler = workflow([Docs], first, async (ctx) => {
      const there = ctx.get("docs");
      ctx.set("docs", docs("two", vectors));
      await ctx.commit();
      ctx.set("docs", docs("two", "other"));
      await ctx.commit();
      ctx.set("docs", docs("two", "last"));
      await ctx.commit();
      return there;
    }).resume(snapshot);
    expect((await handler.snapshot()).toString()).toBe(snapshot.toString());
    expect(await handler.result()).toEqual(docs("one", vectors));
    // The snapshot still names the first.
    expect(log).toEqual(["save docs/vectors/1", "load docs/vectors/1", "save docs/vectors/2", "save docs/vectors/3", "delete docs/vectors/2"]);
    expect([...values.keys()].map((key) => key.split("/").at(-1))).toEqual(["1", "3"]);
  });

  test("what load fails with fails the run", async () => {
    const { store, values } = memoryStore();
    const { Docs, docs } = documents(store);
    const first = (ctx: Ctx) => ctx.set("docs", docs("one", [1]));
    const snapshot = await snapshotAfter([Docs], first);
    values.clear();
    let ran = 0;
    const resumed = workflow([Docs], first, () => ++ran).resume(snapshot);
    await expect(resumed.result()).rejects.toThrow(
      expect.objectContaining({ constructor: FieldStoreError, stateName: "Docs", field: "vectors", runId: snapshot.runId }),
    );
    expect(ran).toBe(0);
    values.set(`${snapshot.runId}/docs/vectors/1`, () => 0);
    await expect(workflow([Docs], first).resume(snapshot).result()).rejects.toThrow(expect.objectContaining({ cause: expect.any(UnserializableError) }));
    class Without extends BlazenState {
      static meta = { name: "Docs" };
    }
    expect(() => workflow([Without], first).resume(snapshot)).toThrow(SnapshotError);
    expect(() => workflow([Without], first).resume(snapshot)).toThrow(/names none/);
  });

  test("a paused run commits when it goes on, what was written up to the call", async () => {
    const { store } = memoryStore();
    const { Docs, docs } = documents(store);
    const gate = deferred<void>();
    const seen: unknown[] = [];
    const handler = new Workflow("paused", { types: [Docs], state: { n: 0 } })
      .step("write", StartEvent, async (_, ctx) => {
        await gate.promise;
        ctx.state.set("n", 1);
        ctx.set("docs", docs("one", 1));
        const sent = ctx.sendEvent(new Next());
        ctx.state.set("n", 2);
        seen.push(ctx.state.get("n"));
        await sent;
        ctx.state.set("n", 3);
        return null;
      })
      .step("read", Next, async (_, ctx) => {
        seen.push(ctx.state.get("n"));
        await later(5);
        return new StopEvent({ result: ctx.state.get("n") });
      })
      .start({});
    await handler.pause({ mode: "now" });
    gate.resolve();
    await later();
    handler.resume();
    expect(await handler.result()).toBe(3);
    expect(seen).toEqual([2, 1]);
  });

  test("a store that hangs does not hold a pause up", async () => {
    const { store, during } = memoryStore();
    const { Docs, docs } = documents(store);
    const gate = deferred<void>();
    during(() => gate.promise);
    const first = (ctx: Ctx) => ctx.set("docs", docs("one", 1));
    const handler = workflow([Docs], first, (ctx) => ctx.get("docs")).start({});
    await later();
    const snapshot = await handler.pause({ mode: "now" });
    expect(JSON.parse(snapshot.toString()).entries).not.toHaveProperty("state/docs");
    gate.resolve();
    await later();
    handler.resume();
    expect(await handler.result()).toEqual(docs("one", 1));
  });

  test("renamed with migrate, under both names", async () => {
    const { store, log } = memoryStore();
    const { Docs, docs } = documents(store);
    const snapshot = await snapshotAfter([Docs], (ctx) => ctx.set("docs", docs("one", [1])));
    class Renamed extends BlazenState {
      static meta = {
        name: "Docs",
        version: 2,
        storeBy: { vectors: store, embeddings: store },
        migrate: { 1: ({ vectors, ...rest }: Record<string, unknown>) => ({ ...rest, embeddings: vectors }) },
      };
      embeddings: unknown;
    }
    const resumed = workflow(
      [Renamed],
      () => null,
      async (ctx) => {
        const back = ctx.get("docs") as Renamed;
        ctx.set("docs", back);
        await ctx.commit();
        return [Object.keys(back), back.embeddings];
      },
    ).resume(snapshot);
    expect(await resumed.result()).toEqual([["embeddings", "title"], [1]]);
    expect(log).toEqual(["save docs/vectors/1", "load docs/vectors/1", "save docs/embeddings/2"]);
  });

  test("the workflow's migrate leaves them where they are", async () => {
    const { store } = memoryStore();
    const { Docs, docs } = documents(store);
    const first = (ctx: Ctx) => ctx.set("docs", docs("one", [1]));
    const snapshot = await snapshotAfter([Docs], first);
    const options = {
      version: 2,
      migrate: {
        1: (old: { state: Record<string, object> }) => ({ ...old, state: { moved: Object.assign(old.state["docs"]!, { title: "two" }) } }),
      },
    };
    const resumed = workflow([Docs], first, (ctx) => ctx.get("moved"), options).resume(snapshot);
    expect(await resumed.result()).toEqual(docs("two", [1]));
  });
});

test("CallbackFieldStore, and @storeBy standard and experimentalDecorators", async () => {
  const values = new Map<string, unknown>();
  const store = new CallbackFieldStore({ saveFn: (key, value) => void values.set(key, value), loadFn: (key) => values.get(key) });
  for (const compilerOptions of [{}, { experimentalDecorators: true, useDefineForClassFields: false }]) {
    const source = `function make(BlazenState, keep) { class Docs extends BlazenState { static meta = { name: "Docs" }; title = ""; @keep vectors = 1; } return Docs; }`;
    const { code } = transformSync(source, { loader: "ts", target: "es2022", tsconfigRaw: { compilerOptions } });
    const Docs = new Function("BlazenState", "keep", `${code}; return make(BlazenState, keep);`)(BlazenState, storeBy(store));
    values.clear();
    const first = (ctx: Ctx) => ctx.set("docs", Object.assign(new Docs(), { vectors: [5] }));
    const snapshot = await snapshotAfter([Docs], first);
    expect([...values.values()]).toEqual([[5]]);
    expect(snapshot.toString()).toContain('"stored"');
    const result = await workflow([Docs], first, (ctx) => ctx.get("docs"))
      .resume(snapshot)
      .result();
    expect(result).toMatchObject({ vectors: [5] });
  }
  expect(() => new CallbackFieldStore({ saveFn: 1 } as never)).toThrow(DefinitionError);
  expect(() => storeBy({} as never)).toThrow(DefinitionError);
});
