import {
  AlreadyAnsweredError,
  CancelledError,
  type CheckpointStore,
  type Event,
  event,
  InputRequestEvent,
  InvalidResponseError,
  MemoryStore,
  RunOverError,
  StepError,
  StopEvent,
  StoreError,
  type StreamItem,
  toSSE,
  UnhandledEventError,
  UnknownRequestError,
  Workflow,
} from "blazen";
import { VirtualClock } from "blazen/testing";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { caught } from "./support";

class Approved extends event("Approved", z.object({ by: z.string() })) {}
class Told extends event("Told")<{ n: number; at: Date }> {}
class Paid extends event("Paid")<{ amount: number }> {}

/** The same disk as another process has it. */
function processOf(disk: MemoryStore): CheckpointStore {
  const names = ["create", "claim", "append", "renew", "release", "push", "read", "info", "told", "messages", "items", "list", "delete", "close"] as const;
  return Object.fromEntries(names.map((name) => [name, (disk[name] as (...args: unknown[]) => unknown).bind(disk)])) as unknown as CheckpointStore;
}

/** Asks for an approval, and ends with who gave it. */
function approval() {
  return new Workflow("approval")
    .step("ask", "StartEvent", () => new InputRequestEvent({ prompt: "May I?", answer: Approved }))
    .step("end", Approved, ({ by }) => new StopEvent({ result: by }));
}

/** Waits in its step for a positive number. */
function counting() {
  return new Workflow("counting").step(
    "ask",
    "StartEvent",
    async (_, ctx) => new StopEvent({ result: 2 * (await ctx.requestInput({ prompt: "How many?", schema: z.number().positive() })) }),
  );
}

/** Waits for what is paid, up to 100. */
function paying() {
  return new Workflow<unknown, number, { sum: number }>("paying", { external: [Paid], state: { sum: 0 } })
    .step("start", "StartEvent", () => [])
    .step("pay", Paid, ({ amount }, ctx) => {
      ctx.state.update("sum", (sum) => sum + amount);
      return ctx.state.get("sum") >= 100 ? new StopEvent({ result: ctx.state.get("sum") }) : undefined;
    });
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe("attach: a run that another process has (12.3)", () => {
  test("what waits is seen, and answered; the result is a copy", async () => {
    const disk = new MemoryStore();
    const owner = approval().start({}, { store: processOf(disk), runId: "r" });
    await until(() => owner.status === "waiting");
    const attached = approval().attach(processOf(disk), "r");
    await until(() => attached.pendingInputs.length === 1);
    expect(attached.status).toBe("waiting");
    expect(attached.pendingInputs).toEqual(owner.pendingInputs);
    await attached.respond(attached.pendingInputs[0]!.id, { by: "Ada" });
    expect(await attached.result()).toBe("Ada");
    expect(await owner.result()).toBe("Ada");
    expect(attached.status).toBe("completed");
    expect(await approval().attach(processOf(disk), "r").result()).toBe("Ada");
  });

  test("an answer that its class refuses stays out, one that its step refuses is taken back", async () => {
    const disk = new MemoryStore();
    const store = processOf(disk);
    const owner = approval().start({}, { store: processOf(disk), runId: "a" });
    const other = counting().start({}, { store: processOf(disk), runId: "b" });
    await until(() => owner.status === "waiting" && other.status === "waiting");
    const ids = [owner, other].map(({ pendingInputs }) => pendingInputs[0]!.id) as [string, string];
    const refused = await caught(approval().attach(store, "a").respond(ids[0], { by: 7 }));
    expect(refused).toBeInstanceOf(InvalidResponseError);
    expect(await disk.messages("a")).toEqual([]);
    const attached = counting().attach(store, "b");
    expect(await caught(attached.respond(ids[1], -1))).toBeInstanceOf(InvalidResponseError);
    expect(other.status).toBe("waiting");
    await attached.respond(ids[1], 21);
    expect(await attached.result()).toBe(42);
    await owner.cancel();
  });

  test("of two answers the first recorded wins, the same twice is one", async () => {
    const disk = new MemoryStore();
    const first = approval().start({}, { store: processOf(disk), runId: "r", unloadAfter: 0 });
    await until(async () => (await disk.info("r"))?.leaseEnd === 0 && (await disk.info("r"))?.status === "waiting");
    const [id] = (await disk.info("r"))!.requests as [string];
    // Nobody looks: the first process sees no message before it looks for itself.
    const [one, two] = [approval().attach(processOf(disk), "r"), approval().attach(processOf(disk), "r")];
    await Promise.all([one.respond(id, { by: "Ada" }), two.respond(id, { by: "Ada" })]);
    expect(await caught(two.respond(id, { by: "Bob" }))).toSatisfy((error) => error instanceof AlreadyAnsweredError || error instanceof RunOverError);
    expect(await first.result()).toBe("Ada");
    expect(await caught(two.respond(id, { by: "Ada" }))).toBeInstanceOf(RunOverError);
  });

  test("after an answer that the run has taken another is refused by what is stored", async () => {
    const disk = new MemoryStore();
    const twice = new Workflow("twice").step("ask", "StartEvent", async (_, ctx) => {
      const one = await ctx.requestInput({ prompt: "1" });
      return new StopEvent({ result: [one, await ctx.requestInput({ prompt: "2" })] });
    });
    const owner = twice.start({}, { store: processOf(disk), runId: "r" });
    await until(() => owner.pendingInputs.length === 1);
    const id = owner.pendingInputs[0]!.id;
    const attached = twice.attach(processOf(disk), "r");
    await attached.respond(id, "x");
    await until(() => owner.pendingInputs[0]?.prompt === "2");
    await until(async () => (await disk.info("r"))!.requests[0] !== id);
    await attached.respond(id, "x");
    expect(await caught(attached.respond(id, "y"))).toBeInstanceOf(AlreadyAnsweredError);
    expect(await caught(attached.respond("none", "y"))).toBeInstanceOf(UnknownRequestError);
    await attached.respond(owner.pendingInputs[0]!.id, "z");
    expect(await attached.result()).toEqual(["x", "z"]);
  });

  test("events are sent, each id once; what the workflow does not take is refused", async () => {
    const disk = new MemoryStore();
    const owner = paying().start({}, { store: processOf(disk), runId: "r" });
    await until(() => owner.status === "waiting");
    const attached = paying().attach(processOf(disk), "r");
    await attached.send(new Paid({ amount: 40 }), { id: "one" });
    await until(async () => (await disk.info("r"))!.inbox === 1);
    await attached.send(new Paid({ amount: 40 }), { id: "one" });
    expect(await caught(attached.send(new Approved({ by: "Ada" })))).toBeInstanceOf(UnhandledEventError);
    await attached.send(new Paid({ amount: 60 }));
    expect(await attached.result()).toBe(100);
    expect(await caught(attached.send(new Paid({ amount: 1 })))).toBeInstanceOf(RunOverError);
  });

  test("it is cancelled, paused and goes on", async () => {
    const disk = new MemoryStore();
    const owner = paying().start({}, { store: processOf(disk), runId: "r" });
    await until(() => owner.status === "waiting");
    const attached = paying().attach(processOf(disk), "r");
    const snapshot = await attached.pause();
    expect(snapshot.runId).toBe("r");
    expect(owner.status).toBe("paused");
    expect(attached.status).toBe("paused");
    attached.resume();
    await until(() => owner.status === "waiting");
    const report = await attached.cancel("enough");
    expect(report).toEqual({ stopped: [], ignored: [] });
    const error = (await caught(owner.result())) as CancelledError;
    expect(error).toBeInstanceOf(CancelledError);
    expect(error.cause).toBe("enough");
    expect(await caught(attached.result())).toBeInstanceOf(CancelledError);
  });

  test("in this process it is the run itself", async () => {
    const store = new MemoryStore();
    const owner = approval().start({}, { store, runId: "r" });
    await until(() => owner.status === "waiting");
    const workflow = approval();
    const there = workflow.start({}, { store, runId: "s" });
    await until(() => there.status === "waiting");
    const attached = workflow.attach(store, "s");
    expect(attached.pendingInputs).toEqual(there.pendingInputs);
    await attached.respond(attached.pendingInputs[0]!.id, { by: "Ada" });
    expect(await there.result()).toBe("Ada");
    await owner.cancel();
  });

  test("a run that the store does not have", async () => {
    const attached = approval().attach(new MemoryStore(), "none");
    for (const asked of [attached.respond("x", 1), attached.send(new Paid({ amount: 1 })), attached.cancel(), attached.pause(), attached.result()]) {
      const error = (await caught(asked)) as Error;
      expect(error.name).toMatch(/StoreError|UnhandledEventError/);
    }
    expect(await caught(attached.snapshot())).toBeInstanceOf(StoreError);
  });
});

describe("attach: the stream of a run that another process has (10.2, 12.3)", () => {
  /** Tells a number whenever one is sent, and ends with the third. */
  const telling = () =>
    new Workflow<unknown, string>("telling", { external: [Paid] })
      .step("start", "StartEvent", async (_, ctx) => {
        await ctx.writeEventToStream(new Told({ n: 0, at: new Date(0) }));
        return [];
      })
      .step("tell", Paid, async ({ amount }, ctx) => {
        await ctx.writeEventToStream(new Told({ n: amount, at: new Date(amount) }));
        return amount === 3 ? new StopEvent({ result: "over" }) : undefined;
      });

  test("a reader gets what is kept and what comes, as events, and the end", async () => {
    const disk = new MemoryStore();
    const owner = telling().start({}, { store: processOf(disk), runId: "r" });
    await until(() => owner.status === "waiting");
    const attached = telling().attach(processOf(disk), "r");
    const items: StreamItem[] = [];
    const reading = (async () => {
      for await (const item of attached.stream()) items.push(item);
    })();
    await until(() => items.length === 1);
    for (const amount of [1, 2, 3]) await owner.send(new Paid({ amount }));
    await reading;
    expect(items.map(({ offset, event }) => [offset, event.type])).toEqual([
      [0, "Told"],
      [1, "Told"],
      [2, "Told"],
      [3, "Told"],
      [4, "blazen::StopEvent"],
    ]);
    // No step of it takes one, so that the reader's workflow does not know its class.
    expect(items[2]!.event).toEqual({ type: "Told", n: 2, at: new Date(2) });
    expect(items[4]!.event).toBeInstanceOf(StopEvent);
    expect(items[2]).toMatchObject({ path: [], runId: "r" });
    const late = telling().attach(processOf(disk), "r").stream({ from: 2 });
    expect((await Array.fromAsync(late)).map(({ offset }) => offset)).toEqual([2, 3, 4]);
    expect(late.dropped).toBe(0);
  });

  test("nobody reads: nothing of it is stored", async () => {
    const disk = new MemoryStore();
    const owner = telling().start({}, { store: processOf(disk), runId: "r" });
    for (const amount of [1, 2, 3]) await owner.send(new Paid({ amount }));
    expect(await owner.result()).toBe("over");
    expect(await disk.items("r", 0, 100)).toEqual([]);
    const late = telling().attach(processOf(disk), "r").stream();
    expect((await Array.fromAsync(late)).map(({ event }) => event.type)).toEqual(["blazen::StopEvent"]);
  });

  test("as Server-Sent Events, of a run that fails too", async () => {
    const disk = new MemoryStore();
    const failing = () =>
      new Workflow("failing", { external: [Paid] })
        .step("start", "StartEvent", () => [])
        .step("fail", Paid, async (_, ctx) => {
          await ctx.writeEventToStream({ type: "Odd", call: () => 1 } as Event);
          throw new Error("no luck");
        });
    const owner = failing().start({}, { store: processOf(disk), runId: "r" });
    const failed = caught(owner.result());
    await until(() => owner.status === "waiting");
    const attached = failing().attach(processOf(disk), "r");
    const response = toSSE(attached);
    const text = response.text();
    await attached.send(new Paid({ amount: 1 }));
    expect(await failed).toMatchObject({ code: "STEP_FAILED" });
    expect(await text).toMatch(/"type":"Odd","unreadable":"[^"]+".*event: end\n.*"status":"failed"/s);
    const error = await caught(attached.result());
    expect(error).toBeInstanceOf(StepError);
    expect(error).toMatchObject({ code: "STEP_FAILED", step: "fail", cause: { message: "no luck" } });
  });
});

describe("attach: a run that no process has", () => {
  /** A run that was left by its process. */
  async function left(workflow: Pick<Workflow, "enqueue" | "worker">, disk: MemoryStore): Promise<void> {
    const store = processOf(disk);
    await workflow.enqueue(store, {}, { runId: "r" });
    const worker = workflow.worker(store, { unloadAfter: 0 });
    await until(async () => (await disk.info("r"))!.status === "waiting" && (await disk.info("r"))!.leaseEnd === 0);
    await worker.stop();
  }

  test("an answer waits for whoever goes on with it", async () => {
    const disk = new MemoryStore();
    await left(approval(), disk);
    const attached = approval().attach(processOf(disk), "r");
    await until(() => attached.pendingInputs.length === 1);
    await attached.respond(attached.pendingInputs[0]!.id, { by: "Ada" });
    expect(await caught(attached.respond(attached.pendingInputs[0]!.id, { by: "Bob" }))).toBeInstanceOf(AlreadyAnsweredError);
    const [handler] = await approval().recover(processOf(disk));
    expect(await handler!.result()).toBe("Ada");
    expect(await attached.result()).toBe("Ada");
  });

  test("it is cancelled at once", async () => {
    const disk = new MemoryStore();
    await left(approval(), disk);
    const attached = approval().attach(processOf(disk), "r");
    await attached.cancel("enough");
    expect(((await caught(attached.result())) as Error).cause).toBe("enough");
    expect((await disk.info("r"))!.status).toBe("cancelled");
  });

  test("it is paused, and nobody goes on with it until it is told to", async () => {
    const disk = new MemoryStore();
    await left(paying(), disk);
    const attached = paying().attach(processOf(disk), "r");
    await attached.pause();
    expect((await disk.info("r"))!.status).toBe("paused");
    expect(await paying().recover(processOf(disk))).toEqual([]);
    await attached.send(new Paid({ amount: 100 }));
    const [handler] = await paying().recover(processOf(disk));
    await until(async () => (await disk.info("r"))!.inbox === 1);
    expect(handler!.status).toBe("paused");
    attached.resume();
    expect(await handler!.result()).toBe(100);
  });
});

describe("runs that only wait leave memory (9.3)", () => {
  test("and go on when their handler says something", async () => {
    const disk = new MemoryStore();
    const handler = approval().start({}, { store: processOf(disk), runId: "r", unloadAfter: 0 });
    const result = handler.result();
    await until(async () => (await disk.info("r"))!.leaseEnd === 0 && (await disk.info("r"))!.status === "waiting");
    expect(handler.status).toBe("waiting");
    await until(() => handler.pendingInputs.length === 1);
    await handler.respond(handler.pendingInputs[0]!.id, { by: "Ada" });
    expect(await result).toBe("Ada");
    expect(handler.status).toBe("completed");
  });

  test("or when another process does", async () => {
    const disk = new MemoryStore();
    const handler = paying().start({}, { store: processOf(disk), runId: "r", unloadAfter: 0 });
    await until(async () => (await disk.info("r"))!.leaseEnd === 0 && (await disk.info("r"))!.status === "waiting");
    const attached = paying().attach(processOf(disk), "r");
    for (const amount of [40, 30, 30]) {
      await attached.send(new Paid({ amount }));
      await until(async () => (await disk.info("r"))!.leaseEnd === 0);
    }
    expect(await handler.result()).toBe(100);
    expect(await attached.result()).toBe(100);
  });

  test("one that is cancelled there is over, and so is one that ends elsewhere", async () => {
    const disk = new MemoryStore();
    const left = async (runId: string) => {
      const handler = approval().start({}, { store: processOf(disk), runId, unloadAfter: 0 });
      await until(async () => (await disk.info(runId))?.leaseEnd === 0 && (await disk.info(runId))?.status === "waiting");
      return handler;
    };
    const handler = await left("r");
    expect(await handler.cancel("enough")).toEqual({ stopped: [], ignored: [] });
    expect(((await caught(handler.result())) as Error).cause).toBe("enough");
    expect(handler.status).toBe("cancelled");
    const other = await left("s");
    await approval().attach(processOf(disk), "s").cancel("enough");
    expect(await caught(other.result())).toBeInstanceOf(CancelledError);
  });

  test("or when their time has come", async () => {
    const clock = new VirtualClock();
    const disk = new MemoryStore();
    const sleeper = new Workflow("sleeper").step("sleep", "StartEvent", async (_, ctx) => {
      await ctx.sleep(86_400_000);
      return new StopEvent({ result: clock.now() });
    });
    const began = clock.now();
    const handler = sleeper.start({}, { store: processOf(disk), runId: "r", unloadAfter: 0, clock });
    const result = handler.result();
    await until(async () => (await disk.info("r"))!.leaseEnd === 0 && (await disk.info("r"))!.status === "waiting");
    expect((await disk.info("r"))!.deadline).toBe(began + 86_400_000);
    await clock.advance(86_400_000);
    expect(await result).toBe(began + 86_400_000);
  });

  test("but not with values that are this process' alone, or while somebody reads their stream", async () => {
    const disk = new MemoryStore();
    const holding = new Workflow("holding").step("ask", "StartEvent", async (_, ctx) => {
      ctx.session.set("mine", 1);
      return new StopEvent({ result: await ctx.requestInput({ prompt: "?" }) });
    });
    const holds = holding.start({}, { store: processOf(disk), runId: "h", unloadAfter: 0 });
    const read = approval().start({}, { store: processOf(disk), runId: "r", unloadAfter: 0 });
    const stream = read.stream();
    const free = approval().start({}, { store: processOf(disk), runId: "f", unloadAfter: 0 });
    await until(async () => (await disk.info("f"))?.leaseEnd === 0 && (await disk.info("f"))?.status === "waiting");
    await until(() => holds.status === "waiting" && read.status === "waiting");
    expect((await disk.info("h"))!.leaseEnd).not.toBe(0);
    expect((await disk.info("r"))!.leaseEnd).not.toBe(0);
    await stream.return?.();
    await Promise.all([holds, read, free].map((handler) => handler.cancel()));
  });
});
