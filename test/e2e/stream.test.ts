import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import {
  BlazenState,
  CancelledError,
  type Context,
  collect,
  DefinitionError,
  type EventStream,
  event,
  resource,
  StartEvent,
  StepError,
  StepReturnError,
  StopEvent,
  StreamOverflowError,
  Workflow,
} from "blazen";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { deferred } from "./deferred";

class Token extends event("Token")<{ n: number }> {}
class Next extends event("Next") {}
class Go extends event("Go") {}

const stop = (result?: unknown) => new StopEvent({ result });
const token = (n: number) => new Token({ n });
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Promises that nobody awaits must not come to light as unhandled rejections. */
const unhandled: unknown[] = [];
const note = (error: unknown) => void unhandled.push(error);
beforeEach(() => {
  unhandled.length = 0;
  process.on("unhandledRejection", note);
});
afterEach(async () => {
  await turn();
  process.off("unhandledRejection", note);
  expect(unhandled).toEqual([]);
});

/** One step, given its context. */
const only = (run: (ctx: Context) => unknown) => new Workflow("only", { external: [Go] }).step("only", StartEvent, async (_, ctx) => stop(await run(ctx)));
/** Writes so many tokens, one after another. */
const writes = (count: number, awaits = true) =>
  only(async (ctx) => {
    for (let n = 0; n < count; n++) {
      const written = ctx.writeEventToStream(token(n));
      if (awaits) await written;
    }
    return count;
  });

/** What a reader still gets: the n of tokens, and "end" for the StopEvent. */
async function rest(stream: EventStream): Promise<unknown[]> {
  const seen: unknown[] = [];
  for await (const { event } of stream) seen.push(event instanceof Token ? event.n : event instanceof StopEvent ? "end" : event.type);
  return seen;
}
const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => from + at);

describe("what is published (10.1, 10.2)", () => {
  test("the very event, at once, with offsets from 0 and the StopEvent last", async () => {
    const sent = token(7);
    const end = stop("done");
    const handler = new Workflow("one")
      .step("a", StartEvent, async (_, ctx) => {
        await ctx.writeEventToStream(sent);
        return end;
      })
      .start({}, { runId: "r" });
    const items = [];
    for await (const item of handler.stream()) items.push(item);
    expect(items).toEqual([
      { offset: 0, event: sent, path: [], runId: "r" },
      { offset: 1, event: end, path: [], runId: "r" },
    ]);
    expect(items[0]!.event).toBe(sent);
    expect(items[1]!.event).toBe(end);
    expect(items[0]!.path).toBe(items[1]!.path);
    expect(await handler.result()).toBe("done");
  });
  test("it is routed to nobody, and steps that fail have written it all the same", async () => {
    const workflow = new Workflow("failing")
      .step("a", StartEvent, async (_, ctx) => {
        await ctx.writeEventToStream(token(1));
        throw new RangeError("no");
      })
      .step("b", Token, () => stop("routed"));
    const stream = workflow.start({}).stream();
    expect((await stream.next()).value).toMatchObject({ offset: 0, event: { n: 1 } });
    await expect(stream.next()).rejects.toThrow(StepError);
  });
  test("a plain object becomes an instance of an accepted class, once for all readers; another stays as it is, frozen", async () => {
    const handler = new Workflow("plain", { external: [Token] })
      .step("a", StartEvent, async (_, ctx) => {
        await ctx.writeEventToStream({ type: "Token", n: 1 } as Token);
        await ctx.writeEventToStream({ type: "Other", n: 2 } as never);
        return stop();
      })
      .step("b", Token, () => null)
      .start({});
    const [one, two] = [handler.stream(), handler.stream()];
    const first = (await one.next()).value!;
    expect(first.event).toBeInstanceOf(Token);
    expect((await two.next()).value).toBe(first);
    const other = (await one.next()).value!.event;
    expect(other).toEqual({ type: "Other", n: 2 });
    expect(Object.isFrozen(other)).toBe(true);
  });
  test.each([["a string"], [undefined], [{ n: 1 }], [new Date(0)]])("%o is no event", async (value) => {
    const error: unknown = await only((ctx) => ctx.writeEventToStream(value as never))
      .run({})
      .catch((error: StepError) => error.cause);
    expect(error).toBeInstanceOf(StepReturnError);
    expect(String(error)).toMatch(/Step "only" wrote to the stream/);
  });
  test("events that no step accepts, where the workflow says so", async () => {
    const handler = new Workflow("unhandled", { unhandledEvents: "stream" }).step("a", StartEvent, () => [token(1), new Next(), stop()]).start({});
    expect(await rest(handler.stream())).toEqual([1, "Next", "end"]);
  });
  test("from several steps: in the order of the calls", async () => {
    const handler = new Workflow("several")
      .step("fan", StartEvent, () => numbers(0, 3).map(token))
      .step("work", Token, async (event, ctx) => {
        await ctx.writeEventToStream(event);
        await turn();
        await ctx.writeEventToStream(token(event.n + 10));
        return new Next();
      })
      .step("all", collect(Next, { of: "fan" }), () => stop())
      .start({});
    expect(await rest(handler.stream())).toEqual([0, 1, 2, 10, 11, 12, "end"]);
  });
  test("a run of which nobody asks has no stream, and nothing is published twice after the end", async () => {
    const handler = only(() => 5).start({});
    expect(await handler.result()).toBe(5);
    expect(await rest(handler.stream())).toEqual(["end"]);
    expect(await rest(handler.stream({ from: 0 }))).toEqual(["end"]);
    expect(await rest(handler.stream({ from: 1 }))).toEqual([]);
  });
});

describe("who may write", () => {
  test("not an attempt that is over", async () => {
    let kept: Context | undefined;
    await only((ctx) => {
      kept = ctx;
    }).run({});
    expect(() => kept!.writeEventToStream(token(1))).toThrow(CancelledError);
  });
  test("not one whose fan-out is over, though it still runs", async () => {
    const late = deferred<unknown>();
    const goOn = deferred<void>();
    const handler = new Workflow("first")
      .step("fan", StartEvent, () => [token(0), token(1)])
      .step("work", Token, async (event, ctx) => {
        if (event.n === 0) return new Next();
        ctx.signal.addEventListener("abort", () => {
          try {
            void ctx.writeEventToStream(event);
            late.resolve("written");
          } catch (error) {
            late.resolve(error);
          }
        });
        await goOn.promise;
        return new Next();
      })
      .step("won", collect(Next, { of: "fan", first: 1 }), async () => {
        const error = await late.promise;
        goOn.resolve();
        return stop(error);
      })
      .start({});
    const stream = handler.stream();
    expect(await handler.result()).toBeInstanceOf(CancelledError);
    expect(await rest(stream)).toEqual(["end"]);
  });
  test("not a function of update, which must be pure", async () => {
    const run = only((ctx) =>
      ctx.state.update("n", () => {
        void ctx.writeEventToStream(token(1));
        return 1;
      }),
    ).run({});
    await expect(run).rejects.toMatchObject({ cause: expect.any(DefinitionError) });
  });
  test("not restore", async () => {
    class Tool extends BlazenState {
      static meta = { name: "Tool" };
      async restore(ctx: Context): Promise<void> {
        await ctx.writeEventToStream(token(1));
      }
    }
    const build = () =>
      new Workflow("tool", { types: [Tool], external: [Go] })
        .step("a", StartEvent, (_, ctx) => {
          ctx.set("tool", new Tool());
        })
        .step("b", Go, () => stop());
    const resumed = build().resume(await build().start({}).pause());
    await expect(resumed.result()).rejects.toMatchObject({ code: "STEP_FAILED", cause: { code: "DEFINITION" } });
  });
});

describe("readers (10.2)", () => {
  test("any number, each from the oldest item kept or from an offset", async () => {
    const handler = writes(5).start({});
    expect(await rest(handler.stream())).toEqual([0, 1, 2, 3, 4, "end"]);
    expect(await rest(handler.stream({ from: 3 }))).toEqual([3, 4, "end"]);
    expect(await rest(handler.stream({ from: 6 }))).toEqual([]);
  });
  test("an offset that is yet to come is waited for, and the items before it count as nothing lost", async () => {
    const goOn = deferred<void>();
    const handler = only(async (ctx) => {
      await goOn.promise;
      for (const n of numbers(0, 4)) await ctx.writeEventToStream(token(n));
    }).start({});
    const ahead = handler.stream({ from: 2 });
    const seen = rest(ahead);
    const beyond = rest(handler.stream({ from: 50 }));
    goOn.resolve();
    expect(await seen).toEqual([2, 3, "end"]);
    expect(await beyond).toEqual([]);
    expect(ahead.dropped).toBe(0);
  });
  test("calls of next that overlap are answered in order, and the end answers all of them", async () => {
    const goOn = deferred<void>();
    const handler = only(async (ctx) => {
      await goOn.promise;
      for (const n of numbers(0, 2)) await ctx.writeEventToStream(token(n));
    }).start({});
    const stream = handler.stream();
    const calls = numbers(0, 5).map(() => stream.next());
    goOn.resolve();
    const results = await Promise.all(calls);
    expect(results.map(({ value, done }) => (done ? "done" : value.offset))).toEqual([0, 1, 2, "done", "done"]);
  });
  test("return and break leave; what was asked for is answered with the end", async () => {
    const handler = new Workflow("waits", { external: [Go] })
      .step("a", StartEvent, () => null)
      .step("b", Go, () => stop())
      .start({});
    const stream = handler.stream();
    const asked = [stream.next(), stream.next()];
    expect(await stream.return()).toEqual({ value: undefined, done: true });
    expect(await Promise.all(asked)).toEqual([
      { value: undefined, done: true },
      { value: undefined, done: true },
    ]);
    expect(await stream.next()).toEqual({ value: undefined, done: true });
    const thrown = handler.stream();
    await expect(thrown.throw(new RangeError("mine"))).rejects.toThrow(RangeError);
    expect(await thrown.next()).toEqual({ value: undefined, done: true });
    await handler.send(new Go());
    expect(await handler.result()).toBe(undefined);
  });
  test("a ReadableStream takes an item when it is asked for one, and cancelling it leaves", async () => {
    const handler = writes(4).start({}, { streamRetention: 2 });
    const reader = handler.stream().toReadableStream().getReader();
    expect((await reader.read()).value).toMatchObject({ offset: 0, event: { n: 0 } });
    await turn();
    expect(handler.status).toBe("running");
    await reader.cancel();
    expect(await handler.result()).toBe(4);
  });
  test("a ReadableStream ends with the run, and with its error", async () => {
    const all = [];
    for await (const { offset } of writes(3).start({}).stream().toReadableStream() as never as AsyncIterable<{ offset: number }>) all.push(offset);
    expect(all).toEqual([0, 1, 2, 3]);
    const failing = only(() => Promise.reject(new RangeError("no")));
    await expect(failing.start({}).stream().toReadableStream().getReader().read()).rejects.toThrow(StepError);
  });
  test.each([
    [{ from: -1 }, /"from" is the offset to start at, a whole number from 0 up, not the number -1/],
    [{ from: 1.5 }, /"from"/],
    [{ from: "1" }, /"from"/],
    [{ form: 1 }, /there is no option "form". Known: from/],
    [7, /the options are an object/],
  ])("handler.stream(%o) is a DefinitionError", async (options, message) => {
    const handler = only(() => 1).start({});
    expect(() => handler.stream(options as never)).toThrow(DefinitionError);
    expect(() => handler.stream(options as never)).toThrow(message);
    await handler.result();
  });
  test.each([
    [{ streamRetention: 0 }, /"streamRetention" is the number of events that are kept, a whole number from 1 up, not the number 0/],
    [{ streamRetention: 1.5 }, /"streamRetention"/],
    [{ streamRetention: "9" }, /"streamRetention"/],
    [{ overflow: "drop" }, /"overflow" is one of "block", "drop-oldest", "error", not the string "drop"/],
  ])("a run's options %o are a DefinitionError", async (options, message) => {
    const workflow = only(() => 1);
    expect(() => workflow.start({}, options as never)).toThrow(DefinitionError);
    expect(() => workflow.start({}, options as never)).toThrow(message);
    const snapshot = await workflow.start({}).pause();
    expect(() => workflow.resume(snapshot, options as never)).toThrow(message);
  });
});

describe("the buffer is bounded (10.3)", () => {
  test("a run nobody reads keeps the newest, and goes on", async () => {
    const handler = writes(10).start({}, { streamRetention: 3 });
    expect(await handler.result()).toBe(10);
    const stream = handler.stream();
    expect(await rest(stream)).toEqual([8, 9, "end"]);
    expect(stream.dropped).toBe(0);
    const early = handler.stream({ from: 2 });
    expect(early.dropped).toBe(6);
    expect(await rest(early)).toEqual([8, 9, "end"]);
    expect(early.dropped).toBe(6);
  });
  test("by default 10,000 are kept", async () => {
    const handler = writes(10_005).start({});
    await handler.result();
    expect((await handler.stream().next()).value).toMatchObject({ offset: 6 });
  });
  test('"block": a writer waits for the slowest reader, and gets on as it reads', async () => {
    let written = 0;
    const handler = only(async (ctx) => {
      await turn();
      for (const n of numbers(0, 6)) {
        await ctx.writeEventToStream(token(n));
        written++;
      }
    }).start({}, { streamRetention: 2 });
    const [fast, slow] = [handler.stream(), handler.stream()];
    const all = rest(fast);
    for (const taken of numbers(0, 4)) {
      await turn();
      await turn();
      expect(written).toBe(2 + taken);
      expect((await slow.next()).value).toMatchObject({ offset: taken });
    }
    expect(await rest(slow)).toEqual([4, 5, "end"]);
    expect(await all).toEqual([0, 1, 2, 3, 4, 5, "end"]);
    expect([fast.dropped, slow.dropped]).toEqual([0, 0]);
  });
  test('"block": a reader that has never asked holds too, and frees when it leaves', async () => {
    const handler = only(async (ctx) => {
      await turn();
      for (const n of numbers(0, 5)) await ctx.writeEventToStream(token(n));
    }).start({}, { streamRetention: 1 });
    const [one, two] = [handler.stream(), handler.stream()];
    await turn();
    await turn();
    expect((await one.next()).value).toMatchObject({ offset: 0 });
    const waits = one.next();
    await two.return();
    expect((await waits).value).toMatchObject({ offset: 1 });
    await one.return();
    expect(await handler.result()).toBe(undefined);
  });
  test('"block": a writer that does not await settles only when all it wrote is published, in order', async () => {
    const handler = writes(6, false).start({}, { streamRetention: 2 });
    // The first step has run: what was written before anyone read has gone.
    expect(handler.status).toBe("running");
    await handler.result();
    const held = only(async (ctx) => {
      await turn();
      for (const n of numbers(0, 6)) void ctx.writeEventToStream(token(n));
    }).start({}, { streamRetention: 2 });
    const stream = held.stream();
    await turn();
    await turn();
    await turn();
    expect(held.status).toBe("running");
    expect(await rest(stream)).toEqual([0, 1, 2, 3, 4, 5, "end"]);
    expect(await held.result()).toBe(undefined);
  });
  test('"block": writers stand in one line', async () => {
    const handler = new Workflow("line")
      .step("fan", StartEvent, () => numbers(0, 4).map(token))
      .step("work", Token, async (event, ctx) => {
        await turn();
        await ctx.writeEventToStream(event);
        await ctx.writeEventToStream(token(event.n + 10));
        return new Next();
      })
      .step("all", collect(Next, { of: "fan" }), () => stop())
      .start({}, { streamRetention: 1 });
    const stream = handler.stream();
    await turn();
    await turn();
    // There was room for the first, whose second write therefore came before the others.
    expect(await rest(stream)).toEqual([0, 10, 1, 2, 3, 11, 12, 13, "end"]);
  });
  test('"block": commit points do not wait for writes that wait', async () => {
    const handler = new Workflow("commits", { external: [Go] })
      .step("a", StartEvent, async (_, ctx) => {
        await turn();
        for (const n of numbers(0, 3)) void ctx.writeEventToStream(token(n));
        ctx.state.set("a", 1);
        await ctx.sendEvent(new Next());
        return null;
      })
      .step("b", Next, (_, ctx) => ctx.writeEventToStream(token(9)).then(() => stop(ctx.state.get("a"))))
      .start({}, { streamRetention: 1 });
    const stream = handler.stream();
    await turn();
    await turn();
    expect(await rest(stream)).toEqual([0, 1, 2, 9, "end"]);
    expect(await handler.result()).toBe(1);
  });
  test('"block": what a failed attempt wrote and nobody has room for is dropped', async () => {
    const seen: unknown[] = [];
    const handler = only(async (ctx) => {
      await turn();
      for (const n of numbers(0, 3)) ctx.writeEventToStream(token(n)).catch((error: unknown) => seen.push(error));
      throw new RangeError("no");
    }).start({}, { streamRetention: 1 });
    const stream = handler.stream();
    await expect(handler.result()).rejects.toThrow(StepError);
    await turn();
    expect(seen).toEqual([expect.any(CancelledError), expect.any(CancelledError)]);
    expect((await stream.next()).value).toMatchObject({ offset: 0 });
    await expect(stream.next()).rejects.toThrow(StepError);
    expect(await stream.next()).toEqual({ value: undefined, done: true });
  });
  test('"block": the engine\'s own events never wait, and exceed the bound by their number', async () => {
    const handler = new Workflow("own", { unhandledEvents: "stream", external: [Go] })
      .step("a", StartEvent, async (_, ctx) => {
        await turn();
        await ctx.writeEventToStream(token(0));
        return [new Next(), new Next(), new Go()];
      })
      .step("b", Go, async (_, ctx) => {
        await ctx.writeEventToStream(token(1));
        return stop();
      })
      .start({}, { streamRetention: 1 });
    const stream = handler.stream();
    await turn();
    await turn();
    expect(await rest(stream)).toEqual([0, "Next", "Next", 1, "end"]);
  });
  test('"drop-oldest": nobody waits, and each reader knows what it did not get', async () => {
    const goOn = deferred<void>();
    const handler = only(async (ctx) => {
      await ctx.writeEventToStream(token(0));
      await goOn.promise;
      for (const n of numbers(1, 10)) await ctx.writeEventToStream(token(n));
    }).start({}, { streamRetention: 3, overflow: "drop-oldest" });
    const slow = handler.stream();
    expect((await slow.next()).value).toMatchObject({ offset: 0 });
    goOn.resolve();
    await handler.result();
    expect(slow.dropped).toBe(7);
    expect(await rest(slow)).toEqual([8, 9, "end"]);
    expect(slow.dropped).toBe(7);
    const left = handler.stream({ from: 4 });
    await left.return();
    expect(left.dropped).toBe(4);
  });
  test('"error": the lagging reader ends with StreamOverflowError, the others and the run go on', async () => {
    const goOn = deferred<void>();
    const handler = only(async (ctx) => {
      await goOn.promise;
      for (const n of numbers(0, 5)) {
        await ctx.writeEventToStream(token(n));
        await turn();
      }
    }).start({}, { streamRetention: 2, overflow: "error" });
    const [slow, fast] = [handler.stream(), handler.stream()];
    const all = rest(fast);
    goOn.resolve();
    expect(await handler.result()).toBe(undefined);
    expect(await all).toEqual([0, 1, 2, 3, 4, "end"]);
    const error: unknown = await slow.next().catch((error: unknown) => error);
    expect(error).toBeInstanceOf(StreamOverflowError);
    expect(error).toMatchObject({ code: "STREAM_OVERFLOW", runId: handler.runId, message: expect.stringMatching(/has lost 4 items, as 2 are kept/) });
    expect(slow.dropped).toBe(4);
    expect(await slow.next()).toEqual({ value: undefined, done: true });
  });
  test("a slow reader and 20,000 events of 1 KB: what is held stays within the bound", async () => {
    const text = "x".repeat(1024);
    let ahead = 0;
    let read = 0;
    const handler = only(async (ctx) => {
      await turn();
      for (let n = 0; n < 20_000; n++) {
        await ctx.writeEventToStream({ type: "Text", n, text } as never);
        ahead = Math.max(ahead, n + 1 - read);
      }
      return 20_000;
    }).start({}, { streamRetention: 100 });
    for await (const { offset, event } of handler.stream()) {
      if (event instanceof StopEvent) continue;
      expect(offset).toBe(read);
      read = offset + 1;
      if (read % 500 === 0) await turn();
    }
    expect(read).toBe(20_000);
    // One more is in the reader's hands.
    expect(ahead).toBeLessThanOrEqual(101);
    expect(ahead).toBeGreaterThan(90);
  });
});

describe("what is left goes (10.4)", () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  /** Turns of the event loop with collections, until something is so. */
  const until = async (so: () => boolean) => {
    for (let i = 0; i < 100; i++) {
      // Before it looks: what a WeakRef has given lives until the next turn.
      collect();
      if (so()) return true;
      await turn();
    }
    return false;
  };

  test("a reader that was forgotten without leaving holds nobody back", async () => {
    const handler = only(async (ctx) => {
      await turn();
      for (const n of numbers(0, 5)) await ctx.writeEventToStream(token(n));
    }).start({}, { streamRetention: 1 });
    void (async () => (await handler.stream().next()).value)();
    await turn();
    await turn();
    expect(handler.status).toBe("running");
    expect(await until(() => handler.status === "completed")).toBe(true);
  });
  test("a run that nobody holds goes with its stream and the reader that waits", async () => {
    const waits = new Workflow("waits", { external: [Go] })
      .step("a", StartEvent, (_, ctx) => ctx.writeEventToStream(token(1)).then(() => null))
      .step("b", Go, () => stop());
    const refs = await (async () => {
      const handler = waits.start({});
      const stream = handler.stream();
      await stream.next();
      void stream.next();
      return [new WeakRef(handler), new WeakRef(stream)] as const;
    })();
    expect(await until(() => refs.every((ref) => ref.deref() === undefined))).toBe(true);
  });
  test("what was read is kept for late readers up to the bound, and no longer", async () => {
    const refs: WeakRef<object>[] = [];
    const handler = new Workflow("kept", { external: [Go] })
      .step("a", StartEvent, async (_, ctx) => {
        for (const n of numbers(0, 100)) {
          const written = token(n);
          refs.push(new WeakRef(written));
          await ctx.writeEventToStream(written);
        }
      })
      .step("b", Go, () => stop())
      .start({}, { streamRetention: 3 });
    expect(await until(() => refs.length === 100 && refs.slice(0, 97).every((ref) => ref.deref() === undefined))).toBe(true);
    expect(refs.slice(97).map((ref) => (ref.deref() as Token).n)).toEqual([97, 98, 99]);
    await handler.cancel();
  });
});

describe("the end (10.4, 13)", () => {
  test("a failed run's stream ends with its error after what is buffered, and with a reader no rejection is unhandled", async () => {
    const handler = only(async (ctx) => {
      await ctx.writeEventToStream(token(1));
      throw new RangeError("no");
    }).start({});
    const stream = handler.stream();
    await turn();
    expect((await stream.next()).value).toMatchObject({ event: { n: 1 } });
    const error = await stream.next().catch((error: StepError) => error);
    expect(error).toBeInstanceOf(StepError);
    expect(await stream.next()).toEqual({ value: undefined, done: true });
    // Whoever asks later gets it too.
    expect(await handler.result().catch((error: unknown) => error)).toBe(error);
    const late = handler.stream();
    expect((await late.next()).value).toMatchObject({ offset: 0 });
    expect(await late.next().catch((error: unknown) => error)).toBe(error);
  });
  test("without a reader the failure is an unhandled rejection", async () => {
    only(async (ctx) => {
      await ctx.writeEventToStream(token(1));
      throw new RangeError("no");
    }).start({});
    await turn();
    expect(unhandled.splice(0)).toEqual([expect.any(StepError)]);
    const left = only(async () => {
      await turn();
      throw new RangeError("no");
    }).start({});
    await left.stream().return();
    await turn();
    await turn();
    expect(unhandled.splice(0)).toEqual([expect.any(StepError)]);
  });
  test("of several calls of next the first gets the error", async () => {
    const handler = only(async () => {
      await turn();
      throw new RangeError("no");
    }).start({});
    const stream = handler.stream();
    const calls = await Promise.allSettled([stream.next(), stream.next()]);
    expect(calls).toEqual([
      { status: "rejected", reason: expect.any(StepError) },
      { status: "fulfilled", value: { value: undefined, done: true } },
    ]);
  });
  test("a cancelled run's writers that wait get a CancelledError, and so does the reader", async () => {
    const seen: unknown[] = [];
    const handler = only(async (ctx) => {
      await turn();
      try {
        for (const n of numbers(0, 3)) await ctx.writeEventToStream(token(n));
      } catch (error) {
        seen.push(error);
      }
    }).start({}, { streamRetention: 1 });
    const stream = handler.stream();
    await turn();
    await turn();
    expect(await handler.cancel("enough")).toEqual({ stopped: ["only"], ignored: [] });
    expect(seen).toEqual([expect.objectContaining({ code: "CANCELLED", cause: "enough" })]);
    expect((await stream.next()).value).toMatchObject({ offset: 0 });
    await expect(stream.next()).rejects.toMatchObject({ code: "CANCELLED", cause: "enough" });
  });
  test("writes that wait when another step ends the run are rejected", async () => {
    const waits = deferred<void>();
    const rejected = deferred<unknown>();
    const handler = new Workflow("ends", { external: [Go] })
      .step("a", StartEvent, async (_, ctx) => {
        await turn();
        void ctx.writeEventToStream(token(0));
        ctx.writeEventToStream(token(1)).catch(rejected.resolve);
        waits.resolve();
      })
      .step("b", Go, () => stop("over"))
      .start({}, { streamRetention: 1 });
    const stream = handler.stream();
    await waits.promise;
    await handler.send(new Go());
    expect(await rejected.promise).toBeInstanceOf(CancelledError);
    expect(await rest(stream)).toEqual([0, "end"]);
  });
  test("writes of a step whose fan-out is over are rejected, and the others move up", async () => {
    const rejected = deferred<unknown>();
    const handler = new Workflow("race")
      .step("fan", StartEvent, () => [token(0), token(1)])
      .step("work", Token, async (event, ctx) => {
        await turn();
        if (event.n === 0) {
          await ctx.writeEventToStream(token(10));
          await ctx.writeEventToStream(token(11)).catch(rejected.resolve);
        }
        return new Next();
      })
      .step("won", collect(Next, { of: "fan", first: 1 }), (_, ctx) => ctx.writeEventToStream(token(20)).then(() => stop()))
      .start({}, { streamRetention: 1 });
    const stream = handler.stream();
    expect(await rejected.promise).toBeInstanceOf(CancelledError);
    expect(await rest(stream)).toEqual([10, 20, "end"]);
  });
  test("the StopEvent comes when the resources are closed; a close that throws ends the stream with the error", async () => {
    const log: string[] = [];
    const close = async () => {
      await turn();
      log.push("closed");
    };
    const open = resource({ open: () => 1, close });
    const good = only((ctx) => ctx.session.use(open)).start({});
    for await (const { event } of good.stream()) log.push(event.type);
    expect(log).toEqual(["closed", "blazen::StopEvent"]);
    const bad = resource({ open: () => 1, close: () => Promise.reject(new RangeError("stuck")) });
    await expect(
      only((ctx) => ctx.session.use(bad))
        .start({})
        .stream()
        .next(),
    ).rejects.toThrow(/a resource could not be closed: stuck/);
  });
});

describe("pause and snapshot (7.1, 7.2, 10.2)", () => {
  const build = () =>
    new Workflow("position", { external: [Go] })
      .step("a", StartEvent, async (_, ctx) => {
        for (const n of numbers(0, 3)) await ctx.writeEventToStream(token(n));
      })
      .step("b", Go, async (_, ctx) => {
        await ctx.writeEventToStream(token(3));
        return stop();
      });

  test("a resumed run's stream begins at its position, and publishes nothing again", async () => {
    const first = build().start({});
    const snapshot = await first.pause();
    expect(JSON.parse(snapshot.toString()).entries.stream).toBe(3);
    const resumed = build().resume(snapshot.toString(), { streamRetention: 1, overflow: "drop-oldest" });
    expect((await resumed.snapshot()).toString()).toBe(snapshot.toString());
    const early = resumed.stream({ from: 1 });
    expect(early.dropped).toBe(2);
    await resumed.send(new Go());
    await resumed.result();
    // One is kept.
    expect(early.dropped).toBe(3);
    expect(await rest(early)).toEqual(["end"]);
    const again = build().resume(snapshot.toBytes());
    const items: unknown[] = [];
    await again.send(new Go());
    for await (const { offset, runId } of again.stream()) items.push([offset, runId]);
    expect(items).toEqual([
      [3, first.runId],
      [4, first.runId],
    ]);
    await first.cancel();
  });
  test("the snapshot of a run that never wrote says nothing of a stream, read or not", async () => {
    const quiet = () => new Workflow("quiet", { external: [Go] }).step("a", StartEvent, () => null).step("b", Go, () => stop());
    const [plain, read] = [quiet().start({}, { runId: "r" }), quiet().start({}, { runId: "r", streamRetention: 5 })];
    const stream = read.stream();
    const text = (await plain.pause()).toString();
    expect((await read.pause()).toString()).toBe(text);
    expect(text).not.toMatch(/stream/);
    await stream.return();
    await Promise.all([plain.cancel(), read.cancel()]);
  });
  test("migrate keeps it", async () => {
    const snapshot = await build().start({}).pause();
    const newer = new Workflow("position", { external: [Go], version: 2, migrate: { 1: (old) => old } })
      .step("a", StartEvent, () => null)
      .step("b", Go, () => stop());
    const resumed = newer.resume(snapshot);
    await resumed.send(new Go());
    expect((await resumed.stream().next()).value).toMatchObject({ offset: 3 });
  });
  test("a drain does not wait for a writer that waits; the step runs again elsewhere, and goes on here", async () => {
    const slow = () =>
      only(async (ctx) => {
        await turn();
        for (const n of numbers(0, 3)) await ctx.writeEventToStream(token(n));
        return ctx.attempt;
      });
    const handler = slow().start({}, { streamRetention: 1 });
    const stream = handler.stream();
    const parked = handler.pause();
    const snapshot = await parked;
    expect(handler.status).toBe("paused");
    handler.resume();
    expect(await rest(stream)).toEqual([0, 1, 2, "end"]);
    expect(await handler.result()).toBe(1);
    const resumed = slow().resume(snapshot);
    expect(await rest(resumed.stream())).toEqual([0, 1, 2, "end"]);
    expect(await resumed.result()).toBe(2);
  });
  test("a reader of a paused run waits", async () => {
    const handler = build().start({});
    await handler.pause();
    const stream = handler.stream({ from: 3 });
    const next = stream.next();
    await handler.send(new Go());
    handler.resume();
    expect((await next).value).toMatchObject({ offset: 3, event: { n: 3 } });
    expect(await rest(stream)).toEqual(["end"]);
  });
});
