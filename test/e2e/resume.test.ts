import {
  all,
  collect,
  event,
  type Handler,
  Snapshot,
  type SnapshotContent,
  SnapshotError,
  StartEvent,
  StopEvent,
  Workflow,
  type WorkflowOptions,
} from "blazen";
import { describe, expect, test } from "vitest";
import { deferred } from "./deferred";

class Work extends event("Work")<{ n: number }> {}
class Done extends event("Done")<{ n: number }> {}
class Paid extends event("Paid")<{ id: string }> {}
class Extra extends event("Extra")<{ n: number }> {}

const never = new Promise<void>(() => {});
const turn = () => new Promise<void>((resolve) => setTimeout(resolve, 1));
const entries = (snapshot: Snapshot, section: string) =>
  Object.entries(JSON.parse(String(snapshot)).entries)
    .filter(([key]) => key.startsWith(`${section}/`))
    .map(([, value]) => value as Record<string, unknown>);
const refusal = (resume: () => unknown): string => {
  try {
    resume();
  } catch (error) {
    expect(error).toBeInstanceOf(SnapshotError);
    return (error as Error).message;
  }
  return expect.fail("it was not refused");
};
/** Paused with its first step unsettled, or with what it returned in the queue. */
const paused = async (workflow: { start(input: never): Handler }, mode: "now" | "drain" = "now") => {
  const handler = workflow.start({ n: 1 } as never);
  const snapshot = await handler.pause({ mode });
  await handler.cancel(undefined, { grace: 0 });
  return snapshot;
};

describe("resume (7.3)", () => {
  test("at once it gives an equal snapshot, as text and as bytes, again and again", async () => {
    const build = () =>
      new Workflow("equal", { external: [Paid], state: { a: new Map([["k", 1n]]), b: new Uint8Array([1, 2, 3]) } })
        .step("fan", StartEvent<{ n: number }>, async (_, ctx) => {
          await ctx.once("o", () => new Date(5));
          return Array.from({ length: 30 }, (_, n) => new Work({ n }));
        })
        .step("work", Work, { concurrency: 4 }, async ({ n }, ctx) => {
          await ctx.once("effect", () => ({ n }));
          void ctx.sendEvent(new Extra({ n }), { id: `extra ${n}` });
          await (n % 3 === 0 ? never : undefined);
          return new Done({ n });
        })
        .step("pair", all(Extra, Extra, { by: ({ n }) => n % 7 }), () => null)
        .step("end", collect(Done, { of: "fan" }), () => new StopEvent({ result: 1 }));
    const handler = build().start({ n: 1 });
    for (let turns = 0; turns < 5; turns++) await turn();
    let snapshot = await handler.pause({ mode: "now" });
    for (let round = 0; round < 4; round++) {
      const text = String(snapshot);
      for (const form of [snapshot, text, snapshot.toBytes()]) {
        const resumed = build().resume(form);
        const again = await resumed.snapshot();
        expect(String(again)).toBe(text);
        expect(again.toBytes()).toEqual(snapshot.toBytes());
        await resumed.cancel(undefined, { grace: 0 });
        const paused = build().resume(form);
        expect((await paused.pause()).toBytes()).toEqual(snapshot.toBytes());
        await paused.cancel(undefined, { grace: 0 });
      }
      const next = build().resume(text);
      for (let turns = 0; turns < 3; turns++) await turn();
      snapshot = await next.pause({ mode: "now" });
      const attempts = entries(snapshot, "invocation").map(({ attempts }) => attempts ?? 0);
      expect(Math.max(...(attempts as number[]))).toBe(round + 2);
      await next.cancel(undefined, { grace: 0 });
    }
    await handler.cancel(undefined, { grace: 0 });
  });

  test("an event that several hold comes back as one object", async () => {
    const build = (gate: Promise<unknown>, seen: object[]) => {
      const hold = async (work: object) => {
        await gate;
        seen.push(work);
      };
      return new Workflow("shared", { external: [Paid] })
        .step("first", StartEvent<{ n: number }>, () => [new Work({ n: 1 }), new Extra({ n: 1 })])
        .step("one", Work, hold)
        .step("two", Work, hold)
        .step("join", all(Work, Paid), ([work]) => hold(work).then(() => new StopEvent({ result: work })))
        .step("extra", Extra, () => {});
    };
    const handler = build(never, []).start({ n: 1 });
    const snapshot = await handler.pause({ mode: "now" });
    expect(entries(snapshot, "event").map(({ type }) => type)).toEqual(["Work"]);
    const seen: object[] = [];
    const resumed = build(Promise.resolve(), seen).resume(snapshot);
    await resumed.send(new Paid({ id: "a" }));
    const result = await resumed.result();
    expect(seen.length).toBe(3);
    expect(new Set([...seen, result]).size).toBe(1);
    expect(result).toBeInstanceOf(Work);
    await handler.cancel(undefined, { grace: 0 });
  });

  test("values shared by two events are theirs alone after a resume", async () => {
    const list = [1];
    class Lists extends event("Lists")<{ list: number[] }> {}
    const build = () =>
      new Workflow("values")
        .step("first", StartEvent<{ n: number }>, async () => [new Lists({ list }), new Lists({ list })])
        .step("end", all(Lists, Lists), ([a, b]) => new StopEvent({ result: [a.list, b.list] }));
    const handler = build().start({ n: 1 });
    const snapshot = await handler.pause();
    const [a, b] = await build().resume(snapshot).result();
    expect(a).toEqual(b);
    expect(a).not.toBe(b);
    handler.resume();
    const [c, d] = await handler.result();
    expect(c).toBe(list);
    expect(d).toBe(list);
  });

  test("nothing that was committed runs again; every queued event is delivered", async () => {
    const log: string[] = [];
    const build = (gate: Promise<unknown>) =>
      new Workflow("once each")
        .step("fan", StartEvent<{ n: number }>, () => {
          log.push("fan");
          return [0, 1, 2, 3].map((n) => new Work({ n }));
        })
        .step("work", Work, { concurrency: 1 }, async ({ n }, ctx) => {
          log.push(`work ${n}.${ctx.attempt}`);
          if (n === 2) await gate;
          return new Done({ n });
        })
        .step("end", collect(Done, { of: "fan" }), (done) => new StopEvent({ result: done.map(({ n }) => n) }));
    const handler = build(never).start({ n: 1 });
    await turn();
    const snapshot = await handler.pause({ mode: "now" });
    expect(await build(Promise.resolve()).resume(snapshot).result()).toEqual([0, 1, 2, 3]);
    expect(log).toEqual(["fan", "work 0.1", "work 1.1", "work 2.1", "work 2.2", "work 3.1"]);
    await handler.cancel(undefined, { grace: 0 });
  });

  test("one snapshot can be resumed many times, and the runs know nothing of each other", async () => {
    const build = () =>
      new Workflow("many", { external: [Paid], state: { sum: 0 } })
        .step("first", StartEvent<{ n: number }>, () => null)
        .step("paid", Paid, ({ id }, ctx) => {
          ctx.state.update("sum", (sum) => sum + 1);
          return id === "end" ? new StopEvent({ result: [ctx.state.get("sum"), ctx.runId] }) : null;
        });
    const first = build().start({ n: 1 }, { runId: "my run" });
    const snapshot = await first.pause();
    expect(snapshot.runId).toBe("my run");
    const workflow = build();
    const runs = [workflow.resume(snapshot), workflow.resume(String(snapshot)), workflow.resume(snapshot, { runId: "my run" })];
    await runs[1]!.send(new Paid({ id: "more" }));
    for (const run of runs) await run.send(new Paid({ id: "end" }), { id: "1" });
    expect(await Promise.all(runs.map((run) => run.result()))).toEqual([1, 2, 1].map((sum) => [sum, "my run"]));
    expect(() => workflow.resume(snapshot, { runId: "other" })).toThrow(/"?my run"?/);
    await first.cancel();
  });

  test("the caller's session is there before the first step, and over what is stored", async () => {
    const build = () =>
      new Workflow("session", { session: "live", sessionPausePolicy: "pickle_or_serialize" }).step("first", StartEvent<{ n: number }>, async (_, ctx) => {
        const seen = [ctx.session.get("a"), ctx.session.get("b")];
        await (ctx.attempt === 1 ? never : undefined);
        return new StopEvent({ result: seen });
      });
    const live = { call: () => 1 };
    const handler = build().start({ n: 1 }, { session: { a: 1, b: 2 } });
    const snapshot = await handler.pause({ mode: "now" });
    const result = (await build()
      .resume(snapshot, { session: { b: live } })
      .result()) as unknown[];
    expect(result[0]).toBe(1);
    expect(result[1]).toBe(live);
    await handler.cancel(undefined, { grace: 0 });
  });

  test("more queued events with keys than fit the buffer", async () => {
    class Left extends event("Left")<{ key: string }> {}
    class Right extends event("Right")<{ key: string }> {}
    const size = 5_000;
    const build = () =>
      new Workflow("keys", { state: { pairs: 0 } })
        .step("fan", StartEvent<{ n: number }>, async () => [
          ...Array.from({ length: size }, (_, n) => new Left({ key: `k${n}` })),
          ...Array.from({ length: size }, (_, n) => new Right({ key: `k${size - n - 1}` })),
        ])
        .step("join", all(Left, Right, { by: ({ key }) => key }), ([left, right], ctx) => {
          ctx.state.update("pairs", (pairs) => pairs + (left.key === right.key ? 1 : 1e9));
          return new Done({ n: 0 });
        })
        .step("end", collect(Done, { of: "fan" }), (done, ctx) => new StopEvent({ result: [done.length, ctx.state.get("pairs")] }));
    const handler = build().start({ n: 1 });
    const snapshot = await handler.pause();
    expect(entries(snapshot, "queue").length).toBe(2 * size);
    const resumed = build().resume(String(snapshot));
    expect(String(await resumed.snapshot())).toBe(String(snapshot));
    expect(await resumed.result()).toEqual([size, size]);
    handler.resume();
    expect(await handler.result()).toEqual([size, size]);
  });

  test("an event that is sent at once comes behind those that are queued, and they have their keys", async () => {
    const build = () =>
      new Workflow("sent", { external: [Paid] })
        .step("fan", StartEvent<{ n: number }>, async () => [new Work({ n: 1 }), new Work({ n: 2 }), new Extra({ n: 2 })])
        .step("pair", all(Work, Extra, { by: ({ n }) => n }), ([work]) => new Done({ n: work.n }))
        .step("last", all(Done, Paid), ([{ n }, { id }]) => new StopEvent({ result: [n, id] }));
    const handler = build().start({ n: 1 });
    const snapshot = await handler.pause();
    const resumed = build().resume(snapshot);
    void resumed.send(new Paid({ id: "a" }));
    void resumed.send(new Paid({ id: "b" }));
    expect(await resumed.result()).toEqual([2, "a"]);
    await handler.cancel();
  });

  test("a key that cannot be given fails the joining step, before a pause and after", async () => {
    for (const thrown of [new Error("no key"), Object.assign(new Error("typed"), { type: "system", socket: () => 1 }), { type: "Work", n: 1 }, undefined]) {
      const build = () =>
        new Workflow("bad key")
          .step("fan", StartEvent<{ n: number }>, async () => [new Work({ n: 1 }), new Extra({ n: 1 })])
          .step(
            "join",
            all(Work, Extra, {
              by: () => {
                throw thrown;
              },
            }),
            () => new StopEvent({ result: 1 }),
          );
      const handler = build().start({ n: 1 });
      const snapshot = await handler.pause();
      const resumed = build().resume(snapshot);
      expect(String(await resumed.pause())).toBe(String(snapshot));
      await turn();
      expect(String(await resumed.snapshot())).toBe(String(snapshot));
      resumed.resume();
      const error = { code: "STEP_FAILED", step: "join", ...(thrown === undefined ? {} : { cause: thrown }) };
      expect(await resumed.result().catch((error) => error)).toMatchObject(error);
      handler.resume();
      expect(await handler.result().catch((error) => error)).toMatchObject(error);
    }
  });
});

describe("what is refused (7.5)", () => {
  const simple = (options: WorkflowOptions = {}) =>
    new Workflow("simple", options)
      .step("first", StartEvent<{ n: number }>, () => new Work({ n: 1 }))
      .step("work", Work, async () => {
        await never;
        return new StopEvent({ result: 1 });
      });

  test("another workflow, and a newer version", async () => {
    const snapshot = await paused(simple({ version: 3 }));
    expect(refusal(() => new Workflow("other").step("first", StartEvent<{ n: number }>, () => null).resume(snapshot))).toMatch(/"simple".*"other"/);
    expect(refusal(() => simple({ version: 2 }).resume(snapshot))).toMatch(/version 3.*newer than 2/);
    expect(refusal(() => simple({ version: 4 }).resume(snapshot))).toMatch(/migrate\[3\] is missing/);
    expect(snapshot.version).toBe(3);
    expect(snapshot.workflow).toBe("simple");
  });

  test("damage: any byte of it, and any cut", async () => {
    const snapshot = await paused(simple());
    const workflow = simple();
    const bytes = snapshot.toBytes();
    for (let at = 0; at < bytes.length; at++) {
      const damaged = bytes.slice();
      damaged[at]! ^= 1 << (at % 8);
      refusal(() => workflow.resume(damaged));
      if (at % 7 === 0) refusal(() => workflow.resume(bytes.slice(0, at)));
    }
    refusal(() => workflow.resume(new Uint8Array([...bytes, 0])));
    const text = String(snapshot);
    for (let at = 0; at < text.length; at++) {
      const changed = text[at] === "1" ? "2" : text[at] === "w" ? "v" : undefined;
      if (changed !== undefined) refusal(() => workflow.resume(text.slice(0, at) + changed + text.slice(at + 1)));
      if (at % 7 === 0) refusal(() => workflow.resume(text.slice(0, at)));
    }
    refusal(() => workflow.resume(text.replace('"run":', '"added":1,\n"run":')));
    refusal(() => workflow.resume(text.replace('"attempts":1,', "")));
    refusal(() => workflow.resume(text.replace('"attempts":1,', '"attempts":"1",')));
    refusal(() => workflow.resume(text.replace("Work", "W\\u006frk")));
    expect(refusal(() => workflow.resume(text.replace('"n":1', '"n":2')))).toMatch(/damaged|checksum/);
  });

  test("what is no snapshot at all", () => {
    const workflow = simple();
    for (const source of [
      "",
      " ",
      "{}",
      "null",
      "[]",
      "1",
      '"text"',
      '{"snapshot":{}}',
      "\ufeff",
      new Uint8Array(),
      new Uint8Array(3),
      new Uint8Array(1000),
      undefined,
      null,
      1,
      {},
      [],
      new ArrayBuffer(8),
    ])
      refusal(() => workflow.resume(source as never));
    for (const source of ["{}", new Uint8Array(40)]) expect(() => Snapshot.parse(source)).toThrow(SnapshotError);
  });

  const steps = {
    first: ["first", StartEvent<{ n: number }>, () => null],
    work: ["work", Work, () => null],
    done: ["done", Done, () => new StopEvent({ result: 1 })],
    extra: ["extra", Extra, () => null],
  } as const;
  type Step = readonly [string, unknown, () => unknown];
  const workflowOf = (...list: Step[]) => {
    const workflow = new Workflow("shape", { external: [Paid, Extra] });
    for (const [name, accepts, run] of list) (workflow.step as (...step: Step) => unknown).call(workflow, name, accepts, run);
    return workflow as unknown as { start(input: never): Handler; resume(snapshot: Snapshot): Handler };
  };

  test("a step that is gone or accepts something else, when something waits for it; else not", async () => {
    const emits = (...events: unknown[]): Step => ["first", StartEvent, async () => events];
    const hangs: Step = ["work", Work, () => never];
    const join: Step = ["join", all(Work, Extra), () => null];
    const keyed: Step = ["join", all(Work, Extra, { by: () => 1 }), () => null];
    const gather: Step = ["gather", collect(Work, { of: "first" }), () => null];
    const { first, work, done, extra } = steps;

    // An event in the queue.
    const queued = await paused(workflowOf(emits(new Work({ n: 1 })), work, done), "drain");
    expect(refusal(() => workflowOf(first, done).resume(queued))).toMatch(/"Work".*queue.*"work", which the workflow no longer has/);
    expect(refusal(() => workflowOf(first, ["work", Done, () => null], done).resume(queued))).toMatch(/"Work".*"work".*accept/);
    expect(refusal(() => workflowOf(first, ["work", all(Work, Extra), () => null], done).resume(queued))).toMatch(/"work".*something else/);
    for (const fits of [
      workflowOf(first, work),
      workflowOf(done, extra, work, first),
      workflowOf(first, ["work", [Work, Done], () => null], done),
      workflowOf(work, done, ["first", Extra, () => null], ["second", StartEvent, () => null]),
    ])
      await fits.resume(queued).cancel();

    // Unsettled work.
    const unsettled = await paused(workflowOf(["first", StartEvent, () => new Work({ n: 1 })], hangs, done));
    expect(refusal(() => workflowOf(first, done).resume(unsettled))).toMatch(/unsettled work.*"work", which the workflow no longer has/);
    expect(refusal(() => workflowOf(first, ["work", Done, () => null]).resume(unsettled))).toMatch(/"work"/);
    await workflowOf(work, extra, first).resume(unsettled).cancel();

    // A set that is not complete.
    const joined = await paused(workflowOf(["first", StartEvent, () => new Work({ n: 1 })], join, done));
    expect(entries(joined, "join").length).toBe(1);
    expect(refusal(() => workflowOf(first, done).resume(joined))).toMatch(/not complete.*"join"/);
    expect(refusal(() => workflowOf(first, keyed, done).resume(joined))).toMatch(/"join".*by key/);
    expect(refusal(() => workflowOf(first, ["join", all(Work, Done), () => null], done).resume(joined))).toMatch(/"join".*"Done"/);
    await workflowOf(done, ["join", all(Extra, Work), () => null], extra, first)
      .resume(joined)
      .cancel();

    // What was collected, and the fan-out around it.
    const collected = await paused(
      workflowOf(["first", StartEvent, () => [new Work({ n: 1 }), new Extra({ n: 1 })]], gather, ["extra", Extra, () => never], done),
    );
    expect(entries(collected, "collect").length).toBe(1);
    expect(refusal(() => workflowOf(first, extra, done).resume(collected))).toMatch(/collected.*"gather"/);
    expect(refusal(() => workflowOf(first, ["gather", collect(Work, { of: "extra" }), () => null], extra, done).resume(collected))).toMatch(/"gather"/);
    expect(
      refusal(() => workflowOf(["other", StartEvent, () => null], ["gather", collect(Work, { of: "other" }), () => null], extra).resume(collected)),
    ).toMatch(/"gather"|"first"/);
    await workflowOf(done, extra, gather, first).resume(collected).cancel();
  });

  test("an added step gets waiting events of its type", async () => {
    const queued = await paused(workflowOf(["first", StartEvent, async () => new Work({ n: 1 })], steps.work, steps.done), "drain");
    const seen: string[] = [];
    const grown = workflowOf(
      ["added", Work, () => void seen.push("added")],
      ["joins", all(Work, Paid), () => new StopEvent({ result: "joined" })],
      steps.first,
      ["work", Work, () => void seen.push("work")],
      steps.done,
    );
    const resumed = grown.resume(queued);
    await turn();
    expect(seen).toEqual(["added", "work"]);
    await resumed.send(new Paid({ id: "a" }));
    expect(await resumed.result()).toBe("joined");
  });

  test("a limit may go: who stood in its line and was withdrawn is not kept", async () => {
    const build = (options: { concurrency?: number }) =>
      new Workflow("lines")
        .step("fan", StartEvent, () => [0, 1, 2, 3].map((n) => new Work({ n })))
        .step("work", Work, options, ({ n }) => (n === 0 ? new Done({ n }) : (never as Promise<never>)))
        .step("first", collect(Done, { of: "fan", first: 1 }), () => never as Promise<never>);
    const first = build({ concurrency: 2 }).start({});
    await turn();
    const snapshot = await first.snapshot();
    expect(entries(snapshot, "invocation").map(({ state }) => state)).toContain("withdrawn");
    const again = build({}).resume(snapshot);
    await turn();
    expect(entries(await again.snapshot(), "invocation").map(({ state }) => state)).not.toContain("withdrawn");
    await Promise.all([first, again].map((handler) => handler.cancel("", { grace: 0 }).then(() => handler.result().catch(() => {}))));
  });

  test("limits may change", async () => {
    const build = (concurrency: number | undefined, gate: Promise<unknown>, running: { now: number; most: number }) =>
      new Workflow("limits")
        .step("fan", StartEvent<{ n: number }>, () => Array.from({ length: 12 }, (_, n) => new Work({ n })))
        .step("work", Work, concurrency === undefined ? {} : { concurrency }, async ({ n }) => {
          running.most = Math.max(running.most, ++running.now);
          await gate;
          running.now--;
          return new Done({ n });
        })
        .step("end", collect(Done, { of: "fan" }), (done) => new StopEvent({ result: done.map(({ n }) => n) }));
    const handler = build(4, never, { now: 0, most: 0 }).start({ n: 1 });
    const snapshot = await handler.pause({ mode: "now" });
    for (const [limit, most] of [
      [4, 4],
      [8, 8],
      [undefined, 12],
      [1, 4],
    ] as const) {
      const running = { now: 0, most: 0 };
      expect(await build(limit, turn(), running).resume(snapshot).result()).toEqual(Array.from({ length: 12 }, (_, n) => n));
      expect(running.most).toBe(most);
    }
    await handler.cancel(undefined, { grace: 0 });
  });
});

describe("migrate (7.5)", () => {
  type Migrate = Record<number, (old: SnapshotContent) => SnapshotContent>;
  const version = (version: number, migrate: Migrate, names: { work?: string } = {}) =>
    new Workflow("migrates", { version, migrate, external: [Paid], state: { total: 1 } as Record<string, unknown> })
      .step("first", StartEvent<{ n: number }>, () => [new Work({ n: 1 }), new Extra({ n: 2 })])
      .step(names.work ?? "work", Work, async ({ n }, ctx) => {
        if (version === 1) await never;
        return new Done({ n: n + Number(ctx.state.get("total")) });
      })
      .step("pair", all(Extra, Paid), ([{ n }]) => new Done({ n }))
      .step("end", all(Done, Done), ([one, two]) => new StopEvent({ result: [one.n, two.n] }));
  const old = () => paused(version(1, {}));

  test("three versions, one after the other, over what waits", async () => {
    const seen: SnapshotContent[] = [];
    const migrate: Migrate = {
      1: (content) => {
        seen.push(structuredClone(content));
        return { ...content, state: { total: new Map([["a", 10n]]), bytes: new Uint8Array([1]) } };
      },
      2: (content) => {
        expect((content.state["total"] as Map<string, bigint>).get("a")).toBe(10n);
        content.events.find(({ type }) => type === "Work")!.payload["n"] = 5;
        return { ...content, state: { total: 100 }, steps: { ...content.steps, work: "labour" } };
      },
      3: (content) => {
        expect(content.steps).toEqual({ first: "first", work: "labour", pair: "pair", end: "end" });
        return content;
      },
    };
    const resumed = version(4, migrate, { work: "labour" }).resume(await old());
    await resumed.send(new Paid({ id: "a" }));
    expect(await resumed.result()).toEqual([2, 105]);
    expect(seen).toEqual([
      {
        state: { total: 1 },
        events: [
          { type: "Work", payload: { n: 1 } },
          { type: "Extra", payload: { n: 2 } },
        ],
        steps: { first: "first", work: "work", pair: "pair", end: "end" },
      },
    ]);
  });

  test("what was upgraded is stored under the new version and names", async () => {
    const migrate: Migrate = { 1: (content) => ({ ...content, steps: { ...content.steps, work: "labour" } }) };
    const resumed = version(2, migrate, { work: "labour" }).resume(await old());
    const again = await resumed.pause({ mode: "now" });
    expect(again.version).toBe(2);
    expect(entries(again, "invocation")).toMatchObject([{ step: "labour", attempts: 1 }]);
    const next = version(2, {}, { work: "labour" }).resume(String(again));
    expect(String(await next.snapshot())).toBe(String(again));
    await next.send(new Paid({ id: "a" }));
    expect(await next.result()).toEqual([2, 2]);
    await resumed.cancel();
  });

  test("a missing entry, one that throws, and one that gives something else", async () => {
    const snapshot = await old();
    const keep = (content: SnapshotContent) => content;
    expect(refusal(() => version(4, { 1: keep, 3: keep }).resume(snapshot))).toMatch(/migrate\[2\] is missing.*version 1.*version 4/);
    const cause = new RangeError("no way");
    const failing = version(2, {
      1: () => {
        throw cause;
      },
    });
    expect(refusal(() => failing.resume(snapshot))).toMatch(/migrate\[1\] failed: no way/);
    try {
      failing.resume(snapshot);
    } catch (error) {
      expect((error as Error).cause).toBe(cause);
    }
    const gives = (what: (content: SnapshotContent) => unknown) => refusal(() => version(2, { 1: what as never }).resume(snapshot));
    expect(gives(() => undefined)).toMatch(/migrate\[1\] gave/);
    expect(gives(async (content) => content)).toMatch(/migrate\[1\] gave/);
    expect(gives((content) => ({ ...content, state: null }))).toMatch(/"state"/);
    expect(gives((content) => ({ ...content, state: new Map() }))).toMatch(/"state"/);
    expect(gives((content) => ({ ...content, events: [] }))).toMatch(/2 events/);
    expect(gives((content) => ({ ...content, events: [content.events[0], null] }))).toMatch(/event/);
    expect(gives((content) => ({ ...content, events: content.events.map(({ type }) => ({ type, payload: [] })) }))).toMatch(/event/);
    expect(gives((content) => ({ ...content, steps: { work: 1 } }))).toMatch(/"steps"/);
    expect(gives((content) => ({ ...content, state: { live: () => 1 } }))).toMatch(/state\.live/);
    expect(gives((content) => ({ ...content, state: { "\ud800": 1 } }))).toMatch(/migrate/);
    expect(gives((content) => ({ ...content, steps: { ...content.steps, work: "gone" } }))).toMatch(/"gone"/);
    expect(gives((content) => ({ ...content, steps: { ...content.steps, work: "first" } }))).toMatch(/"first"|"work"/);
    expect(gives((content) => ({ ...content, events: content.events.map((event) => ({ ...event, type: "Done" })) }))).toMatch(/"Done"/);
    expect(gives((content) => ({ ...content, events: content.events.map((event) => ({ ...event, type: "Nothing" })) }))).toMatch(/"Nothing"/);
    // A step that is not named has the name it had.
    const resumed = version(2, { 1: (content) => ({ ...content, steps: {} }) }).resume(snapshot);
    await resumed.send(new Paid({ id: "a" }));
    expect(await resumed.result()).toEqual([2, 2]);
  });

  test("state keys of every kind, and events that become another type", async () => {
    const keys = ["", "a/b", "%", "ü", "__proto__", "constructor", "1", "x".repeat(300)];
    const build = (v: number, migrate: Migrate) =>
      new Workflow("keys", { version: v, migrate, external: [Paid] })
        .step("first", StartEvent<{ n: number }>, async (_, ctx) => {
          for (const key of keys) ctx.state.set(key, { key });
          return [new Work({ n: 1 })];
        })
        .step(
          "work",
          [Work, Extra],
          (event, ctx) => new StopEvent({ result: [event.type, event.n, Object.fromEntries(keys.map((key) => [key, ctx.state.get(key)]))] }),
        );
    const snapshot = await paused(build(1, {}), "drain");
    const resumed = build(2, {
      1: (content) => {
        expect(Object.keys(content.state).sort()).toEqual([...keys].sort());
        for (const event of content.events) event.type = "Extra";
        return content;
      },
    }).resume(snapshot);
    expect(await resumed.result()).toEqual(["Extra", 1, Object.fromEntries(keys.map((key) => [key, { key }]))]);
  });
});

describe("forms (7.6)", () => {
  test("a Snapshot, its text, its bytes, and its text as bytes, wherever they lie", async () => {
    const gate = deferred<void>();
    const build = () =>
      new Workflow("forms", { state: { bytes: new Uint8Array(300).map((_, at) => at), text: "ü\ud83d\ude00\u2028\u0000" } })
        .step("first", StartEvent<{ n: number }>, async () => {
          await gate.promise;
          return new Work({ n: 1 });
        })
        .step("work", Work, (_, ctx) => new StopEvent({ result: [ctx.state.get("bytes").length, ctx.state.get("text")] }));
    const snapshot = await paused(build());
    gate.resolve();
    const text = String(snapshot);
    const utf8 = new TextEncoder().encode(text);
    const bytes = snapshot.toBytes();
    const within = (inner: Uint8Array) => {
      const outer = new Uint8Array(inner.length + 13).fill(7);
      outer.set(inner, 5);
      return outer.subarray(5, 5 + inner.length);
    };
    const forms: [string, Snapshot | string | Uint8Array][] = [
      ["Snapshot", snapshot],
      ["text", text],
      ["bytes", bytes],
      ["UTF-8", utf8],
      ["Buffer of bytes", Buffer.from(bytes)],
      ["Buffer of text", Buffer.from(text)],
      ["bytes within others", within(bytes)],
      ["text within others", within(utf8)],
      ["JSON.stringify", JSON.stringify(snapshot)],
      ["pretty", JSON.stringify(JSON.parse(text), null, 2)],
      ["Windows lines", text.replaceAll("\n", "\r\n")],
      ["one line", text.replaceAll("\n", "")],
      ["parsed text", Snapshot.parse(text)],
      ["parsed bytes", Snapshot.parse(bytes)],
      ["parsed UTF-8", Snapshot.parse(utf8)],
      ["another package's", { toBytes: () => bytes } as unknown as Snapshot],
    ];
    for (const [name, form] of forms) {
      const resumed = build().resume(form);
      expect((await resumed.snapshot()).toBytes(), name).toEqual(bytes);
      expect(await resumed.result(), name).toEqual([300, "ü\ud83d\ude00\u2028\u0000"]);
    }
    expect(bytes.length).toBeLessThan(text.length);
    expect(JSON.parse(text)).toEqual(snapshot.toJSON());
    // A copy: what is done to it changes nothing.
    snapshot.toBytes().fill(0);
    expect(snapshot.toBytes()).toEqual(bytes);
    expect([snapshot.workflow, snapshot.version, snapshot.droppedSession]).toEqual(["forms", 1, []]);
    expect(JSON.parse(JSON.stringify({ saved: snapshot })).saved.snapshot.workflow).toBe("forms");
  });
});
