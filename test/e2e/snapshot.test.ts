import {
  all,
  codec,
  collect,
  event,
  RunOverError,
  SessionPauseError,
  Snapshot,
  SnapshotError,
  StartEvent,
  StopEvent,
  UnserializableError,
  Workflow,
} from "blazen";
import { expect, test } from "vitest";
import { deferred } from "./deferred";

class Work extends event("Work")<{ n: number }> {}
class Done extends event("Done")<{ n: number }> {}
class Paid extends event("Paid")<{ id: string }> {}

/** Fans out, works one by one, and collects. */
function pipeline(gate: { wait(n: number): Promise<unknown> }, log: string[] = []) {
  return new Workflow("pipeline", { state: { sum: 0 } })
    .step("fan", StartEvent<{ count: number }>, ({ count }) => Array.from({ length: count }, (_, n) => new Work({ n })))
    .step("work", Work, { concurrency: 2 }, async ({ n }, ctx) => {
      log.push(`work ${n} attempt ${ctx.attempt} ${ctx.invocationId.split("/")[1]}`);
      await gate.wait(n);
      ctx.state.update("sum", (sum) => sum + n);
      return new Done({ n });
    })
    .step("total", collect(Done, { of: "fan" }), (all, ctx) => new StopEvent({ result: { order: all.map(({ n }) => n), sum: ctx.state.get("sum") } }));
}

test("a paused run goes on from its text in a fresh workflow", async () => {
  const gates = [deferred<void>(), deferred<void>(), deferred<void>(), deferred<void>()];
  const first = pipeline({ wait: (n) => gates[n]!.promise });
  const handler = first.start({ count: 4 });
  gates[1]!.resolve();
  const pausing = handler.pause();
  gates[0]!.resolve();
  const snapshot = await pausing;
  expect(handler.status).toBe("paused");
  expect(JSON.parse(snapshot.toString()).snapshot).toMatchObject({ format: 1, workflow: "pipeline", version: 1, runId: handler.runId });

  const log: string[] = [];
  const resumed = pipeline({ wait: () => Promise.resolve() }, log).resume(snapshot.toString());
  expect(resumed.runId).toBe(handler.runId);
  expect((await resumed.snapshot()).toString()).toBe(snapshot.toString());
  expect(await resumed.result()).toEqual({ order: [0, 1, 2, 3], sum: 6 });
  expect(log).toEqual(["work 2 attempt 1 3", "work 3 attempt 1 4"]);
  await handler.cancel(undefined, { grace: 0 });
});

test("in place it goes on too, and what settled meanwhile is taken up then", async () => {
  const gates = [deferred<void>(), deferred<void>(), deferred<void>()];
  const log: string[] = [];
  const handler = pipeline({ wait: (n) => gates[n]!.promise }, log).start({ count: 3 });
  const snapshot = await handler.pause({ mode: "now" });
  for (const gate of gates) gate.resolve();
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(log.length).toBe(2);
  expect((await handler.pause()).toString()).toBe(snapshot.toString());
  handler.resume();
  expect(await handler.result()).toEqual({ order: [0, 1, 2], sum: 3 });

  const again: string[] = [];
  const resumed = pipeline({ wait: () => Promise.resolve() }, again).resume(snapshot.toBytes());
  expect(await resumed.result()).toEqual({ order: [0, 1, 2], sum: 3 });
  expect(again).toEqual(["work 0 attempt 2 1", "work 1 attempt 2 2", "work 2 attempt 1 3"]);
});

test("a snapshot of a running run; the run goes on", async () => {
  const gate = deferred<void>();
  const handler = pipeline({ wait: () => gate.promise }).start({ count: 2 });
  const snapshot = await handler.snapshot();
  expect(handler.status).toBe("running");
  gate.resolve();
  expect(await handler.result()).toEqual({ order: [0, 1], sum: 1 });
  const resumed = pipeline({ wait: () => Promise.resolve() }).resume(snapshot);
  expect(await resumed.result()).toEqual({ order: [0, 1], sum: 1 });
  await expect(handler.pause()).rejects.toThrow(RunOverError);
  await expect(handler.snapshot()).rejects.toThrow(RunOverError);
});

test("events of all kinds of values, joined, from outside", async () => {
  class Money {
    constructor(readonly cents: bigint) {}
  }
  class Order extends event("Order")<{ id: string; price: Money; at: Date; bytes: Uint8Array }> {}
  const types = [codec(Money, { name: "Money", encode: (money) => money.cents, decode: (cents: bigint) => new Money(cents) })];
  const build = () =>
    new Workflow("order", { external: [Paid], types })
      .step("open", StartEvent<{ id: string }>, ({ id }) => new Order({ id, price: new Money(12n), at: new Date(0), bytes: new Uint8Array([1, 2, 3]) }))
      .step("ship", all(Order, Paid, { by: (event) => event.id }), ([order]) => new StopEvent({ result: order }));
  const handler = build().start({ id: "a" });
  const snapshot = await handler.pause();
  const resumed = build().resume(snapshot.toString());
  expect(resumed.status).toBe("running");
  await resumed.send(new Paid({ id: "b" }));
  await resumed.send(new Paid({ id: "a" }));
  const order = (await resumed.result()) as Order;
  expect(order).toBeInstanceOf(Order);
  expect(order.price).toEqual(new Money(12n));
  expect(order.at).toEqual(new Date(0));
  expect(order.bytes).toEqual(new Uint8Array([1, 2, 3]));
});

test("what is sent to a paused run is in the next snapshot", async () => {
  const build = () =>
    new Workflow("wait", { external: [Paid] })
      .step("open", StartEvent<{ n: number }>, () => null)
      .step("paid", Paid, (paid) => new StopEvent({ result: paid.id }));
  const handler = build().start({ n: 1 });
  const before = await handler.pause();
  await handler.send(new Paid({ id: "x" }), { id: "1" });
  await handler.send(new Paid({ id: "y" }), { id: "1" });
  const after = await handler.pause();
  expect(after.toString()).not.toBe(before.toString());
  expect(await build().resume(after).result()).toBe("x");
  const waiting = build().resume(before);
  await waiting.send(new Paid({ id: "z" }));
  expect(await waiting.result()).toBe("z");
  handler.resume();
  expect(await handler.result()).toBe("x");
});

test("an event that cannot be stored refuses the pause, and the run goes on", async () => {
  class Live extends event("Live")<{ socket: () => number }> {}
  const gate = deferred<void>();
  const workflow = new Workflow("live")
    .step("open", StartEvent<{ n: number }>, () => new Live({ socket: () => 7 }))
    .step("use", Live, async ({ socket }) => {
      await gate.promise;
      return new StopEvent({ result: socket() });
    });
  const handler = workflow.start({ n: 1 });
  const refusal = await handler.pause({ mode: "now" }).catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(UnserializableError);
  expect((refusal as UnserializableError).path).toBe("events[Live].socket");
  expect(handler.status).toBe("running");
  gate.resolve();
  expect(await handler.result()).toBe(7);
});

test("a generator goes on after what it has yielded", async () => {
  const gate = deferred<void>();
  const build = (wait: Promise<void>) =>
    new Workflow("generate")
      .step("fan", StartEvent<{ n: number }>, async function* () {
        yield new Work({ n: 0 });
        yield new Work({ n: 1 });
        await wait;
        yield new Work({ n: 2 });
      })
      .step("work", Work, ({ n }) => new Done({ n }))
      .step("total", collect(Done, { of: "fan" }), (all) => new StopEvent({ result: all.map(({ n }) => n) }));
  const handler = build(gate.promise).start({ n: 1 });
  await new Promise((resolve) => setTimeout(resolve, 5));
  const snapshot = await handler.pause({ mode: "now" });
  gate.resolve();
  handler.resume();
  expect(await handler.result()).toEqual([0, 1, 2]);
  expect(await build(Promise.resolve()).resume(snapshot).result()).toEqual([0, 1, 2]);
});

test("session policies", async () => {
  const build = (sessionPausePolicy: "pickle_or_error" | "pickle_or_serialize" | "warn_drop" | "hard_error") =>
    new Workflow("session", { external: [Paid], sessionPausePolicy, session: "live" })
      .step("open", StartEvent<{ n: number }>, (_, ctx) => {
        ctx.session.set("plain", { a: 1 });
        return null;
      })
      .step("paid", Paid, (_, ctx) => new StopEvent({ result: ctx.session.get("plain") }));
  for (const policy of ["pickle_or_error", "hard_error"] as const) {
    const handler = build(policy).start({ n: 1 });
    const refusal = await handler.pause().catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(SessionPauseError);
    expect((refusal as SessionPauseError).keys).toEqual(["plain"]);
    await handler.send(new Paid({ id: "1" }));
    expect(await handler.result()).toEqual({ a: 1 });
  }
  const kept = await build("pickle_or_serialize").start({ n: 1 }).pause();
  const resumed = build("pickle_or_serialize").resume(kept);
  await resumed.send(new Paid({ id: "1" }));
  expect(await resumed.result()).toEqual({ a: 1 });
  const dropped = await build("warn_drop").start({ n: 1 }).pause();
  expect(dropped.droppedSession).toEqual(["plain"]);
  const without = build("warn_drop").resume(dropped);
  await without.send(new Paid({ id: "1" }));
  expect(await without.result()).toBe(undefined);
});

test("steps renamed, added and removed; versions", async () => {
  const gate = deferred<void>();
  const old = new Workflow("shop", { external: [Paid], state: { total: 1 } })
    .step("open", StartEvent<{ n: number }>, () => new Work({ n: 1 }))
    .step("work", Work, async () => {
      await gate.promise;
      return null;
    })
    .step("paid", Paid, () => new StopEvent({ result: 0 }));
  const snapshot = await old.start({ n: 1 }).pause({ mode: "now" });
  const gone = new Workflow("shop", { external: [Paid] })
    .step("open", StartEvent<{ n: number }>, () => new Done({ n: 1 }))
    .step("done", Done, () => null)
    .step("paid", Paid, () => new StopEvent({ result: 0 }));
  expect(() => gone.resume(snapshot)).toThrow(SnapshotError);
  expect(() => gone.resume(snapshot)).toThrow(/"work"/);
  const renamed = new Workflow("shop", {
    version: 2,
    external: [Paid],
    migrate: {
      1: (content) => {
        content.state["total"] = 10;
        content.steps["work"] = "labour";
        content.events[0]!.payload["n"] = 5;
        return content;
      },
    },
  })
    .step("added", Done, () => null)
    .step("labour", Work, ({ n }, ctx) => new StopEvent({ result: [n, ctx.state.get("total"), ctx.attempt] }))
    .step("open", StartEvent<{ n: number }>, () => new Work({ n: 1 }))
    .step("paid", Paid, () => new StopEvent({ result: [] }));
  expect(await renamed.resume(snapshot).result()).toEqual([5, 10, 2]);
  expect(() => new Workflow("other").step("open", StartEvent<{ n: number }>, () => null).resume(snapshot)).toThrow(/"shop"/);
  const text = snapshot.toString();
  expect(() => Snapshot.parse(text.replace('"n":1', '"n":2'))).toThrow(SnapshotError);
  expect(() => Snapshot.parse(text.slice(0, -5))).toThrow(SnapshotError);
  expect(Snapshot.parse(JSON.stringify(JSON.parse(text), null, 2)).toString()).toBe(text);
  gate.resolve();
});

test("a value with more byte arrays than a call takes arguments", async () => {
  class Next extends event("Next") {}
  const count = 150_000;
  const build = () =>
    new Workflow("many", { state: { list: [] as Uint8Array[] } })
      .step("fill", StartEvent, async (_, ctx) => {
        ctx.state.set(
          "list",
          Array.from({ length: count }, (_, at) => Uint8Array.of(at)),
        );
        return new Next();
      })
      .step("count", Next, (_, ctx) => new StopEvent({ result: ctx.state.get("list").every((bytes, at) => bytes[0] === (at & 255)) }));
  const snapshot = await build().start({}).pause();
  expect(await build().resume(snapshot.toString()).result()).toBe(true);
});

test("an event that was emitted twice stays one object", async () => {
  const build = () =>
    new Workflow("twice", { external: [Paid] })
      .step("open", StartEvent<{ n: number }>, () => {
        const work = new Work({ n: 1 });
        return [work, work, new Work({ n: 1 })];
      })
      .step("paid", all(Work, Work, Work, Paid), ([one, two, three]) => new StopEvent({ result: [one === two, two === three] }));
  const snapshot = await build().start({ n: 1 }).pause();
  const resumed = build().resume(snapshot.toString());
  expect((await resumed.snapshot()).toString()).toBe(snapshot.toString());
  await resumed.send(new Paid({ id: "x" }));
  expect(await resumed.result()).toEqual([true, false]);
});

test("limits may change, and two steps may not become one", async () => {
  const build = (limit: number, gate: Promise<unknown>, seen: number[], version = 1) => {
    let running = 0;
    return new Workflow("limits", { version, migrate: { 1: (old) => ({ ...old, steps: { fan: "fan", work: "fan", end: "end" } }) } })
      .step("fan", StartEvent<{ n: number }>, ({ n }) => Array.from({ length: n }, (_, at) => new Work({ n: at })))
      .step("work", Work, { concurrency: limit }, async ({ n }) => {
        seen.push(++running);
        await gate;
        running--;
        return new Done({ n });
      })
      .step("end", collect(Done, { of: "fan" }), (all) => new StopEvent({ result: all.length }));
  };
  const gate = deferred<void>();
  const handler = build(3, gate.promise, []).start({ n: 8 });
  const snapshot = await handler.pause({ mode: "now" });
  const fewer: number[] = [];
  expect(await build(1, Promise.resolve(), fewer).resume(snapshot).result()).toBe(8);
  // The three that had begun are called again; those after them one by one.
  expect(fewer).toEqual([1, 2, 3, 1, 1, 1, 1, 1]);
  const more: number[] = [];
  expect(
    await build(8, new Promise((resolve) => setTimeout(resolve, 5)), more)
      .resume(snapshot)
      .result(),
  ).toBe(8);
  expect(Math.max(...more)).toBe(8);
  expect(() => build(1, gate.promise, [], 2).resume(snapshot)).toThrow(/two steps the name "fan"/);
  gate.resolve();
});
