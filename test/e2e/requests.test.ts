import {
  AlreadyAnsweredError,
  CancelledError,
  collect,
  DefinitionError,
  event,
  type Handler,
  InputRequestEvent,
  InputResponseEvent,
  InvalidResponseError,
  RunOverError,
  StartEvent,
  StepError,
  StepFailedEvent,
  StopEvent,
  TimeoutError,
  UnhandledEventError,
  UnknownRequestError,
  UnserializableError,
  Workflow,
} from "blazen";
import { VirtualClock } from "blazen/testing";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { deferred } from "./deferred";
import { caught, entries, isSettled, read, turns } from "./support";

class Decided extends event("Decided", z.object({ pay: z.boolean(), lines: z.array(z.object({ cents: z.number() })).optional() })) {}
class Noted extends event("Noted")<{ note?: unknown }> {}
class Ask extends event("Ask")<{ prompt: string; id?: string }> {}
class Heard extends event("Heard")<{ heard: unknown }> {}

const stop = <R>(result: R) => new StopEvent({ result });

/** A question that a step returns, and the step for its answer. */
const approval = () =>
  new Workflow("approval", { state: { amount: 0 } })
    .step("ask", StartEvent<{ amount: number }>, ({ amount }, ctx) => {
      ctx.state.set("amount", amount);
      return new InputRequestEvent({ prompt: `Pay ${amount}?`, metadata: { amount }, answer: Decided, id: "pay" });
    })
    .step("decide", Decided, ({ pay }, ctx) => stop([pay, ctx.state.get("amount")] as const));

/** One without a class for its answer. */
const plain = () =>
  new Workflow("plain")
    .step("ask", StartEvent<{ n: number }>, () => new InputRequestEvent({ prompt: "?", id: "q" }))
    .step("heard", InputResponseEvent, (answer) => stop(answer));

/** One that a step awaits. */
const inline = (schema?: z.ZodType, log: string[] = []) =>
  new Workflow("inline").step("ask", StartEvent<{ n: number }>, async ({ n }, ctx) => {
    log.push(`attempt ${ctx.attempt}`);
    const doubled = await ctx.once("double", () => {
      log.push("effect");
      return 2 * n;
    });
    const answer = await ctx.requestInput(schema === undefined ? { prompt: "?" } : { prompt: "?", schema });
    log.push("answered");
    return stop([doubled, answer]);
  });
const start = async (workflow: ReturnType<typeof inline>): Promise<Handler<unknown[]>> => {
  const handler = workflow.start({ n: 1 });
  await turns();
  return handler;
};
const only = (handler: Pick<Handler, "pendingInputs">) => {
  expect(handler.pendingInputs).toHaveLength(1);
  return handler.pendingInputs[0]!;
};

/** Asks as many questions as it was started with, and ends when all have an answer. */
const many = () =>
  new Workflow("many", { state: { answers: [] as unknown[] } })
    .step("ask", StartEvent<{ ids: string[] }>, ({ ids }) => ids.map((id) => new InputRequestEvent({ prompt: `${id}?`, id })))
    .step("heard", InputResponseEvent, ({ requestId, response }, ctx) => {
      ctx.state.update("answers", (answers) => [...answers, [requestId, response]]);
    })
    .step("end", Heard, () => stop(0));

describe("a question that a step returns (9.1)", () => {
  test("has its id, prompt and metadata in pendingInputs, and the answer's event is routed", async () => {
    const handler = approval().start({ amount: 12 });
    expect(handler.status).toBe("waiting");
    expect(handler.pendingInputs).toEqual([{ id: "pay", prompt: "Pay 12?", metadata: { amount: 12 }, path: [], runId: handler.runId }]);
    await handler.respond("pay", { pay: true });
    expect(await handler.result()).toEqual([true, 12]);
    expect(handler.pendingInputs).toEqual([]);
  });

  test("without metadata has none, and gets a random id", async () => {
    const workflow = new Workflow("random")
      .step("ask", StartEvent<{ n: number }>, () => [new InputRequestEvent({ prompt: "a" }), new InputRequestEvent({ prompt: "b" })])
      .step("heard", InputResponseEvent, () => stop(1));
    const { pendingInputs } = workflow.start({ n: 1 });
    expect(pendingInputs.map(({ prompt }) => prompt)).toEqual(["a", "b"]);
    for (const pending of pendingInputs) expect(Object.keys(pending)).toEqual(["id", "prompt", "path", "runId"]);
    expect(new Set(pendingInputs.map(({ id }) => id)).size).toBe(2);
  });

  test("without a class for the answer an InputResponseEvent comes, with the request and the very response (9.2)", async () => {
    const handler = plain().start({ n: 1 });
    const response = { live: () => 1 };
    await handler.respond("q", response);
    const answer = await handler.result();
    expect(answer).toBeInstanceOf(InputResponseEvent);
    expect(answer.response).toBe(response);
    expect(answer.requestId).toBe("q");
    expect(answer.request).toBeInstanceOf(InputRequestEvent);
    expect(answer.request).toMatchObject({ id: "q", prompt: "?" });
  });

  test("only its own branch waits", async () => {
    const log: string[] = [];
    const handler = new Workflow("branches")
      .step("fan", StartEvent<{ n: number }>, () => [new Ask({ prompt: "?", id: "q" }), new Noted({ note: 1 }), new Noted({ note: 2 })])
      .step("ask", Ask, ({ prompt, id = "" }) => new InputRequestEvent({ prompt, id }))
      .step("noted", Noted, ({ note }) => void log.push(`noted ${note}`))
      .step("heard", InputResponseEvent, ({ response }) => stop(response))
      .start({ n: 1 });
    expect(log).toEqual(["noted 1", "noted 2"]);
    expect(handler.status).toBe("waiting");
    await handler.respond("q", 3);
    expect(await handler.result()).toBe(3);
  });

  test("an answer that no step accepts is an UnhandledEventError when the request is routed (2.6)", async () => {
    const workflow = new Workflow("unheard").step("ask", StartEvent<{ n: number }>, () => new InputRequestEvent({ prompt: "Pay?", answer: Decided }));
    const handler = workflow.start({ n: 1 } as never);
    const error = await caught(handler.result());
    expect(error).toBeInstanceOf(UnhandledEventError);
    expect(error).toMatchObject({ eventType: "Decided", runId: handler.runId, message: expect.stringContaining('"Pay?"') });
  });

  test.each([
    ["no prompt", {}],
    ["a prompt that is no text", { prompt: 3 }],
    ["an empty id", { prompt: "?", id: "" }],
    ["an id that is not well-formed", { prompt: "?", id: "\ud800" }],
    ["an answer that is no class", { prompt: "?", answer: "Decided" }],
    ["another field", { prompt: "?", question: "?" }],
  ])("with %s is a DefinitionError", (_, payload) => {
    expect(() => new InputRequestEvent(payload as never)).toThrow(DefinitionError);
  });

  test("sent and yielded questions are asked at once", async () => {
    const gate = deferred<void>();
    const handler = new Workflow("sends")
      .step("sends", StartEvent<{ n: number }>, async (_, ctx) => {
        await ctx.sendEvent(new InputRequestEvent({ prompt: "sent", id: "a" }));
        await gate.promise;
        return null;
      })
      .step("yields", StartEvent<{ n: number }>, async function* () {
        yield new InputRequestEvent({ prompt: "yielded", id: "b" });
        await gate.promise;
      })
      .step("heard", InputResponseEvent, () => null)
      .step("end", Heard, () => stop(1))
      .start({ n: 1 });
    await turns();
    expect(handler.pendingInputs.map(({ id }) => id)).toEqual(["a", "b"]);
    expect(handler.status).toBe("running");
    await handler.respond("b", 1);
    expect(handler.pendingInputs.map(({ id }) => id)).toEqual(["a"]);
    await handler.cancel(undefined, { grace: 0 });
  });

  test("a plain object of the type is a question too", async () => {
    const handler = new Workflow("object")
      .step("ask", StartEvent<{ n: number }>, () => ({ type: "InputRequestEvent" as const, prompt: "?", id: "q" }))
      .step("heard", InputResponseEvent, ({ response }) => stop(response))
      .start({ n: 1 } as never);
    expect(handler.pendingInputs.map(({ id }) => id)).toEqual(["q"]);
    await handler.respond("q", 1);
    expect(await handler.result()).toBe(1);
  });
});

describe("a question that a step awaits (9.1)", () => {
  test("is pending under an id of the engine's, and gives the answer as its schema makes it", async () => {
    const handler = await start(inline(z.string().transform((text) => text.length)));
    const { id, ...pending } = only(handler);
    expect(pending).toEqual({ prompt: "?", path: [], runId: handler.runId });
    expect(id).toContain(handler.runId);
    expect(handler.status).toBe("waiting");
    await handler.respond(id, "four");
    expect(await handler.result()).toEqual([2, 4]);
  });

  test("without a schema gives the very response", async () => {
    const handler = await start(inline());
    const response = new Map([[1, () => 1]]);
    await handler.respond(only(handler).id, response);
    expect((await handler.result())[1]).toBe(response);
  });

  test("several at once, and answered in any order", async () => {
    const handler = new Workflow("several")
      .step("ask", StartEvent<{ n: number }>, async (_, ctx) => {
        const answers = [1, 2, 3].map((n) => ctx.requestInput<number>({ prompt: `${n}?`, metadata: n }));
        return stop(await Promise.all(answers));
      })
      .start({ n: 1 });
    expect(handler.pendingInputs.map(({ prompt, metadata }) => [prompt, metadata])).toEqual([
      ["1?", 1],
      ["2?", 2],
      ["3?", 3],
    ]);
    const [one, two, three] = handler.pendingInputs;
    await handler.respond(three!.id, 30);
    await handler.respond(one!.id, 10);
    await handler.respond(two!.id, 20);
    expect(await handler.result()).toEqual([10, 20, 30]);
  });

  test("one within an effect that is recorded is asked once, over a resume", async () => {
    const make = () =>
      new Workflow("effect").step("ask", StartEvent<{ n: number }>, async (_, ctx) =>
        stop(await ctx.once("ask", () => ctx.requestInput<number>({ prompt: "?" }))),
      );
    const handler = make().start({ n: 1 });
    await turns();
    const resumed = make().resume(await handler.pause());
    await turns();
    await resumed.respond(only(resumed).id, 4);
    expect(await resumed.result()).toBe(4);
    await handler.cancel();
  });

  test("a generator's: over resumes while it waits and after its answers", async () => {
    const clock = new VirtualClock();
    const make = () =>
      new Workflow("generator")
        .step("fan", StartEvent<{ n: number }>, async function* (_, ctx) {
          for (let n = 0; n < 3; n++) {
            await ctx.sleep(10);
            yield new Noted({ note: await ctx.requestInput<number>({ prompt: `${n}?` }) });
          }
        })
        .step("noted", Noted, ({ note }) => new Heard({ heard: note }))
        .step("end", collect(Heard, { of: "fan" }), (heard) => stop(heard.map(({ heard }) => heard)));
    let handler = make().start({ n: 1 }, { clock });
    const restart = async () => {
      const text = String(await handler.pause({ mode: "now" }));
      await handler.cancel(undefined, { grace: 0 });
      handler = make().resume(text, { clock });
      expect(String(await handler.snapshot())).toBe(text);
      await turns();
    };
    for (let n = 0; n < 3; n++) {
      await clock.advance(10);
      await restart();
      await handler.respond(only(handler).id, n * 10);
      await turns();
      if (n < 2) await restart();
    }
    expect(await handler.result()).toEqual([0, 10, 20]);
  });

  test("one that nobody awaits is withdrawn with its step", async () => {
    const handler = new Workflow("alone", { external: [Heard] })
      .step("ask", StartEvent<{ n: number }>, (_, ctx) => void ctx.requestInput({ prompt: "?" }))
      .step("heard", Heard, () => stop(1))
      .start({ n: 1 });
    await turns();
    expect(handler.pendingInputs).toEqual([]);
    expect(handler.status).toBe("waiting");
    await handler.cancel();
  });

  test("a retry gets the answers that were given, in call order, and asks only the rest", async () => {
    const log: unknown[] = [];
    const handler = new Workflow("again")
      .step("ask", StartEvent<{ n: number }>, { retry: { maxAttempts: 3, initial: 0 } }, async (_, ctx) => {
        const one = await ctx.requestInput({ prompt: "one?" });
        log.push([ctx.attempt, one]);
        if (ctx.attempt === 1) throw new Error("boom");
        const two = await ctx.requestInput({ prompt: "two?" });
        log.push([ctx.attempt, two]);
        if (ctx.attempt === 2) throw new Error("boom");
        return stop([one, two]);
      })
      .start({ n: 1 });
    const first = only(handler);
    await handler.respond(first.id, "1");
    while (handler.pendingInputs.length === 0) await turns();
    const second = only(handler);
    expect(second).toMatchObject({ prompt: "two?" });
    expect(second.id).not.toBe(first.id);
    await handler.respond(second.id, "2");
    expect(await handler.result()).toEqual(["1", "2"]);
    expect(log).toEqual([
      [1, "1"],
      [2, "1"],
      [2, "2"],
      [3, "1"],
      [3, "2"],
    ]);
  });

  test("a question that is pending when its attempt fails stays, and the retry awaits it", async () => {
    const fails = deferred<void>();
    const handler = new Workflow("stays")
      .step("ask", StartEvent<{ n: number }>, { retry: { maxAttempts: 2, initial: 0 } }, async (_, ctx) => {
        const answer = ctx.requestInput({ prompt: "?" });
        if (ctx.attempt === 1) await fails.promise;
        return stop(await answer);
      })
      .start({ n: 1 });
    const { id } = only(handler);
    fails.reject(new Error("boom"));
    await turns();
    expect(only(handler).id).toBe(id);
    await handler.respond(id, 7);
    expect(await handler.result()).toBe(7);
  });

  test("another prompt at the same place is an error of the step, whether it was answered before or not", async () => {
    for (const answered of [true, false]) {
      const fails = deferred<void>();
      const handler = new Workflow("other")
        .step("ask", StartEvent<{ n: number }>, { retry: { maxAttempts: 2, initial: 0 } }, async (_, ctx) => {
          const answer = ctx.requestInput({ prompt: `attempt ${ctx.attempt}?` });
          if (ctx.attempt > 1 || answered) await answer;
          await fails.promise;
          return stop(0);
        })
        .start({ n: 1 });
      if (answered) await handler.respond(only(handler).id, 1);
      fails.reject(new Error("boom"));
      const error = (await caught(handler.result())) as StepError;
      expect(error).toBeInstanceOf(StepError);
      expect(error.cause).toBeInstanceOf(DefinitionError);
      expect(error.cause).toMatchObject({ step: "ask", runId: handler.runId, message: expect.stringMatching(/"attempt 1\?".*"attempt 2\?"/s) });
    }
  });

  test("after its timeout it is withdrawn and the await rejects with a TimeoutError; the step may go on", async () => {
    const clock = new VirtualClock();
    const handler = new Workflow("expires")
      .step("ask", StartEvent<{ n: number }>, async (_, ctx) => {
        const error = await caught(ctx.requestInput({ prompt: "?", timeout: 1_000 }));
        return stop([error, await ctx.requestInput({ prompt: "again?" })] as const);
      })
      .start({ n: 1 }, { clock });
    const { id } = only(handler);
    await clock.advance(999);
    expect(only(handler).id).toBe(id);
    await clock.advance(1);
    expect(only(handler).prompt).toBe("again?");
    expect(clock.waiting).toBe(false);
    expect(await caught(handler.respond(id, 1))).toBeInstanceOf(UnknownRequestError);
    await handler.respond(only(handler).id, 2);
    const [error, answer] = await handler.result();
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error).toMatchObject({ code: "TIMEOUT", step: "ask", runId: handler.runId });
    expect(answer).toBe(2);
  });

  test("one that has expired stays so for a retry, and one that was answered in time has no timer", async () => {
    const clock = new VirtualClock();
    const log: unknown[] = [];
    const handler = new Workflow("expired")
      .step("ask", StartEvent<{ n: number }>, { retry: { maxAttempts: 2, initial: 0 } }, async (_, ctx) => {
        const error = await ctx.requestInput({ prompt: "?", timeout: 10 }).catch((error: unknown) => error);
        log.push(error instanceof TimeoutError);
        const answer = await ctx.requestInput({ prompt: "in time?", timeout: 1e9 });
        if (ctx.attempt === 1) throw new Error("boom");
        return stop(answer);
      })
      .start({ n: 1 }, { clock });
    await clock.advance(10);
    await handler.respond(only(handler).id, "yes");
    expect(await clock.until(handler.result())).toBe("yes");
    expect(log).toEqual([true, true]);
    expect(clock.now()).toBe(Date.UTC(2000, 0, 1) + 10);
    expect(clock.waiting).toBe(false);
  });

  test.each([
    ["nothing", undefined],
    ["no prompt", {}],
    ["another option", { prompt: "?", answer: Decided }],
    ["a schema that is none", { prompt: "?", schema: {} }],
    ["a timeout that is none", { prompt: "?", timeout: -1 }],
  ])("bad options, %s, are a DefinitionError that names the step", async (_, options) => {
    const handler = new Workflow("bad")
      .step("ask", StartEvent<{ n: number }>, async (_, ctx) => stop(await ctx.requestInput(options as never)))
      .start({ n: 1 });
    const error = (await caught(handler.result())) as StepError;
    expect(error.cause).toBeInstanceOf(DefinitionError);
    expect(error.cause).toMatchObject({ step: "ask", runId: handler.runId, message: expect.stringContaining('Step "ask"') });
  });
});

describe("ids of an author (9.1)", () => {
  const ids = async (make: () => unknown) => {
    const handler = new Workflow("ids")
      .step("ask", [StartEvent<{ n: number }>, Ask, Decided], () => make() as InputRequestEvent)
      .step("heard", InputResponseEvent, () => new Ask({ prompt: "?" }))
      .start({ n: 1 });
    if (handler.pendingInputs[0] !== undefined) await handler.respond(handler.pendingInputs[0].id, 1);
    return (await caught(handler.result())) as StepError;
  };

  test("one used again, after its answer too, is an error of its step", async () => {
    const error = await ids(() => new InputRequestEvent({ prompt: "?", id: "mine" }));
    expect(error).toBeInstanceOf(StepError);
    expect(error.step).toBe("ask");
    expect(error.cause).toBeInstanceOf(DefinitionError);
    expect((error.cause as Error).message).toContain('"mine"');
  });

  test("so is one that is used twice in one array: nothing of it is asked", async () => {
    const error = await ids(() => [new InputRequestEvent({ prompt: "a", id: "mine" }), new InputRequestEvent({ prompt: "b", id: "mine" })]);
    expect(error.cause).toBeInstanceOf(DefinitionError);
  });

  test("and by sendEvent, which throws it", async () => {
    const handler = new Workflow("sent")
      .step("ask", StartEvent<{ n: number }>, async (_, ctx) => {
        await ctx.sendEvent(new InputRequestEvent({ prompt: "a", id: "mine" }));
        expect(() => ctx.sendEvent(new InputRequestEvent({ prompt: "b", id: "mine" }))).toThrow(DefinitionError);
        return null;
      })
      .step("heard", InputResponseEvent, ({ request }) => stop(request.prompt))
      .start({ n: 1 });
    await turns();
    await handler.respond("mine", 1);
    expect(await handler.result()).toBe("a");
  });

  test.each(["returned", "sent"])("and where both are %s while the run is paused: one is asked, the other is an error of its step", async (how) => {
    const gate = deferred<void>();
    const handler = new Workflow("paused")
      .step("fan", StartEvent<{ n: number }>, () => [new Ask({ prompt: "one" }), new Ask({ prompt: "two" })])
      .step("ask", Ask, async ({ prompt }, ctx) => {
        await gate.promise;
        const request = new InputRequestEvent({ prompt, id: "mine" });
        if (how === "returned") return request;
        await ctx.sendEvent(request);
        return null;
      })
      .step("heard", InputResponseEvent, ({ request }) => new Heard({ heard: request.prompt }))
      .step("failed", StepFailedEvent, ({ error, event }) => new Heard({ heard: [(error as { code: string }).code, (event as Ask).prompt] }))
      .step("end", collect(Heard, { of: "fan" }), (heard) => stop(heard.map(({ heard }) => heard)))
      .start({ n: 1 });
    await handler.pause({ mode: "now" });
    gate.resolve();
    await turns();
    handler.resume();
    await turns();
    expect(only(handler).prompt).toBe("one");
    await handler.respond("mine", 1);
    expect(await handler.result()).toEqual(["one", ["DEFINITION", "two"]]);
  });

  test("one that is sent again under an id that the run knows is no second question (4.2)", async () => {
    const clock = new VirtualClock();
    const handler = new Workflow("again")
      .step("ask", StartEvent<{ n: number }>, { retry: { maxAttempts: 2, initial: 0 } }, async (_, ctx) => {
        await ctx.sendEvent(new InputRequestEvent({ prompt: "?", id: "mine" }), { id: "sent" });
        if (ctx.attempt === 1) throw new Error("boom");
        return null;
      })
      .step("heard", InputResponseEvent, ({ response }) => stop(response))
      .start({ n: 1 }, { clock });
    await clock.advance(0);
    expect(handler.status).toBe("waiting");
    await handler.respond("mine", 1);
    expect(await handler.result()).toBe(1);
  });

  test("an id is known after a resume, answered or pending", async () => {
    for (const answered of [true, false]) {
      const build = () =>
        new Workflow("known", { external: [Ask] })
          .step("begin", StartEvent<{ n: number }>, () => new Ask({ prompt: "?", id: "mine" }))
          .step("ask", Ask, ({ prompt, id = "" }) => new InputRequestEvent({ prompt, id }))
          .step("heard", InputResponseEvent, () => null)
          .step("end", Heard, () => stop(1));
      const handler = build().start({ n: 1 });
      if (answered) await handler.respond("mine", 1);
      const resumed = build().resume(String(await handler.pause()));
      await resumed.send(new Ask({ prompt: "!", id: "mine" }));
      expect(await caught(resumed.result())).toMatchObject({ code: "STEP_FAILED", step: "ask", cause: { code: "DEFINITION" } });
      await handler.cancel();
    }
  });

  test("a step that fails and is tried again may use its id again, if it was not asked", async () => {
    const handler = new Workflow("retried")
      .step("ask", StartEvent<{ n: number }>, { retry: { maxAttempts: 2, initial: 0 } }, (_, ctx) => {
        const asks = new InputRequestEvent({ prompt: "?", id: "mine" });
        return ctx.attempt === 1 ? ([asks, { type: "Decided", pay: "no" }] as never) : asks;
      })
      .step("heard", InputResponseEvent, ({ response }) => stop(response))
      .step("decided", Decided, () => null)
      .start({ n: 1 });
    await turns();
    await handler.respond("mine", 1);
    expect(await handler.result()).toBe(1);
  });
});

describe("respond (9.2)", () => {
  test("a response that its class refuses is an InvalidResponseError with the path; the request stays", async () => {
    const handler = approval().start({ amount: 1 });
    const bad: [unknown, string][] = [
      [{ pay: "yes" }, "pay"],
      [{ pay: true, lines: [{ cents: 1 }, { cents: "2" }] }, "lines[1].cents"],
      [undefined, ""],
    ];
    for (const [response, path] of bad) {
      const error = await caught(handler.respond("pay", response));
      expect(error).toBeInstanceOf(InvalidResponseError);
      expect(error).toMatchObject({ code: "INVALID_RESPONSE", path, runId: handler.runId, message: expect.stringContaining('"Pay 1?"') });
      expect(only(handler).id).toBe("pay");
    }
    expect(handler.status).toBe("waiting");
    await handler.respond("pay", { pay: false });
    expect(await handler.result()).toEqual([false, 1]);
  });

  test("a field `type` is refused in the payload of a class, not in a plain response", async () => {
    const noted = new Workflow("noted")
      .step("ask", StartEvent<{ n: number }>, () => new InputRequestEvent({ prompt: "?", answer: Noted, id: "q" }))
      .step("noted", Noted, ({ note }) => stop(note))
      .start({ n: 1 });
    expect(await caught(noted.respond("q", { note: 1, type: "Noted" }))).toBeInstanceOf(InvalidResponseError);
    await noted.respond("q", { note: 1 });
    expect(await noted.result()).toBe(1);
    const handler = plain().start({ n: 1 });
    await handler.respond("q", { type: "Noted" });
    expect((await handler.result()).response).toEqual({ type: "Noted" });
    const awaited = await start(inline());
    await awaited.respond(only(awaited).id, { type: "Noted" });
    expect(await awaited.result()).toEqual([2, { type: "Noted" }]);
  });

  test("a response that the schema of the step refuses names the path, and the next may come", async () => {
    const handler = await start(inline(z.object({ rows: z.array(z.number()) })));
    const { id } = only(handler);
    const error = await caught(handler.respond(id, { rows: [1, "2"] }));
    expect(error).toBeInstanceOf(InvalidResponseError);
    expect(error).toMatchObject({ path: "rows[1]", runId: handler.runId, step: "ask" });
    await handler.respond(id, { rows: [1, 2] });
    expect(await handler.result()).toEqual([2, { rows: [1, 2] }]);
  });

  test("a schema may validate asynchronously; of two answers the first that is accepted counts", async () => {
    const gates = [deferred<void>(), deferred<void>()];
    const schema = z.number().refine(async (n) => {
      await gates[n]?.promise;
      return true;
    });
    const handler = await start(inline(schema));
    const { id } = only(handler);
    const zero = handler.respond(id, 0);
    const one = handler.respond(id, 1);
    const also = handler.respond(id, 1);
    gates[1]!.resolve();
    await one;
    await also;
    gates[0]!.resolve();
    expect(await caught(zero)).toBeInstanceOf(AlreadyAnsweredError);
    expect(await handler.result()).toEqual([2, 1]);
  });

  test("an answer that is being checked when the run ends is a RunOverError", async () => {
    const gate = deferred<boolean>();
    const handler = await start(inline(z.number().refine(() => gate.promise)));
    const answer = handler.respond(only(handler).id, 0);
    await handler.cancel();
    gate.resolve(true);
    expect(await caught(answer)).toBeInstanceOf(RunOverError);
  });

  const shared = (...keys: string[]) => {
    const values: Record<string, unknown> = { b: { n: 1 } };
    values["a"] = values["c"] = { n: 2 };
    return Object.fromEntries(keys.map((key) => [key, values[key]]));
  };
  const cycle = () => {
    const one: Record<string, unknown> = { n: 1 };
    one["self"] = { one };
    return one;
  };
  const sameAnswers: [string, unknown, unknown][] = [
    ["equal values", { a: 1, b: [1, 2] }, { a: 1, b: [1, 2] }],
    ["keys in another order", { a: { x: 1, y: 2 }, b: 2 }, { b: 2, a: { y: 2, x: 1 } }],
    ["Dates", new Date(5), new Date(5)],
    ["Maps", new Map([[{ k: 1, l: 2 }, 1n]]), new Map([[{ l: 2, k: 1 }, 1n]])],
    ["Sets", new Set([1, "1"]), new Set([1, "1"])],
    ["bytes", new Uint8Array([1, 2]), new Uint8Array([1, 2])],
    ["bytes in another order", { a: new Uint8Array([1]), b: new Uint8Array([2]) }, { b: new Uint8Array([2]), a: new Uint8Array([1]) }],
    ["shared objects in another order", shared("a", "b", "c"), shared("c", "b", "a")],
    ["a cycle", cycle(), cycle()],
    ["bytes deep inside", { a: [{ b: new Uint8Array([1, 2]) }] }, { a: [{ b: new Uint8Array([1, 2]) }] }],
    ["undefined", undefined, undefined],
    ["NaN", Number.NaN, Number.NaN],
    ["text", "yes", "yes"],
  ];
  const otherAnswers: [string, unknown, unknown][] = [
    ["values", { a: 1 }, { a: 2 }],
    ["a key more", { a: 1 }, { a: 1, b: undefined }],
    ["the order of an array", [1, 2], [2, 1]],
    ["Dates", new Date(5), new Date(6)],
    ["Maps", new Map([[1, 2]]), new Map([[1, 3]])],
    ["a Map and an object", new Map([["a", 1]]), { a: 1 }],
    ["bytes", new Uint8Array([1, 2]), new Uint8Array([1, 3])],
    ["bytes and numbers", new Uint8Array([1, 2]), [1, 2]],
    ["the kind of bytes", new Uint8Array([1, 2]), new Uint8ClampedArray([1, 2])],
    ["1 and text", 1, "1"],
    ["1 and 1n", 1, 1n],
    ["bytes under other names", { a: new Uint8Array([1]), b: new Uint8Array([2]) }, { a: new Uint8Array([2]), b: new Uint8Array([1]) }],
    ["shared objects under other names", { a: [[1]], b: [[2]], c: [[1]] }, { a: [[1]], b: [[2]], c: [[2]] }],
    ["0 and -0", 0, -0],
    ["null and undefined", null, undefined],
    ["texts", "yes", "no"],
  ];
  const answerTwice = async (first: unknown, second: unknown) => {
    const handler = many().start({ ids: ["a", "b"] });
    await handler.respond("a", first);
    const before = await handler.respond("a", second).then(
      () => undefined,
      (error: unknown) => error,
    );
    const resumed = many().resume(String(await handler.pause()));
    const after = await resumed.respond("a", second).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(resumed.pendingInputs.map(({ id }) => id)).toEqual(["b"]);
    await Promise.all([handler.cancel(), resumed.cancel()]);
    return [before, after];
  };

  test.each(sameAnswers)("the same answer twice, %s, is one, here and after a resume", async (_, first, second) => {
    expect(await answerTwice(first, second)).toEqual([undefined, undefined]);
  });
  test.each(otherAnswers)("a different second answer, %s, is an AlreadyAnsweredError, here and after a resume", async (_, first, second) => {
    for (const error of await answerTwice(first, second)) {
      expect(error).toBeInstanceOf(AlreadyAnsweredError);
      expect(error).toMatchObject({ code: "ALREADY_ANSWERED", runId: expect.any(String), message: expect.stringContaining('"a"') });
    }
  });

  test("live objects are the same by identity alone", async () => {
    const build = () =>
      new Workflow("live")
        .step("ask", StartEvent<{ n: number }>, () => ["a", "b"].map((id) => new InputRequestEvent({ prompt: id, id })))
        .step("heard", InputResponseEvent, () => null)
        .step("end", Heard, () => stop(1));
    const handler = build().start({ n: 1 });
    const live = { fn: () => 1 };
    await handler.respond("a", live);
    await handler.respond("a", live);
    expect(await caught(handler.respond("a", { fn: live.fn }))).toBeInstanceOf(AlreadyAnsweredError);
    expect(await caught(handler.respond("a", undefined))).toBeInstanceOf(AlreadyAnsweredError);
    const resumed = build().resume(String(await handler.pause()));
    expect(await caught(resumed.respond("a", live))).toBeInstanceOf(AlreadyAnsweredError);
    expect(await caught(resumed.respond("a", undefined))).toBeInstanceOf(AlreadyAnsweredError);
    await Promise.all([handler.cancel(), resumed.cancel()]);
  });

  test("it is the answer as it was given that counts, whatever became of the object", async () => {
    const handler = many().start({ ids: ["a", "b"] });
    const answer = { list: [1] };
    await handler.respond("a", answer);
    answer.list.push(2);
    await handler.respond("a", { list: [1] });
    expect(await caught(handler.respond("a", answer))).toBeInstanceOf(AlreadyAnsweredError);
    expect(await caught(handler.respond("a", { list: [1, 2] }))).toBeInstanceOf(AlreadyAnsweredError);
    await handler.cancel();
  });

  test("two in one tick: equal ones are one, of different ones the first counts", async () => {
    const handler = many().start({ ids: ["a", "b"] });
    const [one, same, other] = await Promise.allSettled([handler.respond("a", 1), handler.respond("a", 1), handler.respond("a", 2)]);
    expect([one.status, same.status]).toEqual(["fulfilled", "fulfilled"]);
    expect(other).toMatchObject({ status: "rejected", reason: { code: "ALREADY_ANSWERED" } });
    const snapshot = await handler.pause();
    expect(read(snapshot)["state/answers"]).toEqual([["a", 1]]);
    await handler.cancel();
  });

  test("an id that is unknown is an UnknownRequestError", async () => {
    const handler = many().start({ ids: ["a"] });
    for (const id of ["b", "", "A", undefined]) {
      const error = await caught(handler.respond(id as string, 1));
      expect(error).toBeInstanceOf(UnknownRequestError);
      expect(error).toMatchObject({ code: "UNKNOWN_REQUEST", runId: handler.runId });
    }
    expect(handler.status).toBe("waiting");
    await handler.cancel();
  });

  test("after the end: the same answer is one, another is told so, an unanswered request is a RunOverError", async () => {
    const finished = () =>
      new Workflow("finished")
        .step("ask", StartEvent<{ n: number }>, () => ["a", "b"].map((id) => new InputRequestEvent({ prompt: id, id })))
        .step("heard", InputResponseEvent, ({ response }) => stop(response))
        .start({ n: 1 });
    const handler = finished();
    await handler.respond("a", 1);
    expect(handler.status).toBe("completed");
    expect(handler.pendingInputs).toEqual([]);
    await handler.respond("a", 1);
    expect(await caught(handler.respond("a", 2))).toBeInstanceOf(AlreadyAnsweredError);
    expect(await caught(handler.respond("b", 1))).toMatchObject({ code: "RUN_OVER", runId: handler.runId });
    expect(await caught(handler.respond("c", 1))).toBeInstanceOf(UnknownRequestError);
    const cancelled = finished();
    const report = cancelled.cancel();
    expect(cancelled.pendingInputs).toEqual([]);
    expect(await caught(cancelled.respond("b", 1))).toBeInstanceOf(RunOverError);
    await report;
    expect(await caught(cancelled.respond("b", 1))).toBeInstanceOf(RunOverError);
    const awaited = await start(inline());
    const { id } = only(awaited);
    await awaited.cancel();
    expect(await caught(awaited.respond(id, 1))).toBeInstanceOf(RunOverError);
  });

  test("a request that the end of its fan-out withdraws is unknown from then on (2.5c)", async () => {
    const rejected: unknown[] = [];
    const handler = new Workflow("withdrawn")
      .step("fan", StartEvent<{ n: number }>, () => ["returned", "awaited", "wins"].map((prompt) => new Ask({ prompt })))
      .step("ask", Ask, async ({ prompt }, ctx) => {
        if (prompt !== "awaited") return new InputRequestEvent({ prompt, id: prompt, answer: Noted });
        const heard = await ctx.requestInput({ prompt }).catch((error: unknown) => void rejected.push(error));
        return new Heard({ heard });
      })
      .step("noted", Noted, ({ note }) => new Heard({ heard: note }))
      .step("first", collect(Heard, { of: "fan", first: 1 }), ([{ heard }]) => new InputRequestEvent({ prompt: `${heard}?`, id: "last" }))
      .step("last", InputResponseEvent, ({ response }) => stop(response))
      .start({ n: 1 });
    await turns();
    expect(handler.pendingInputs.map(({ prompt }) => prompt).sort()).toEqual(["awaited", "returned", "wins"]);
    const ids = handler.pendingInputs.map(({ id }) => id).filter((id) => id !== "wins");
    await handler.respond("wins", { note: "won" });
    await turns();
    expect(handler.pendingInputs.map(({ prompt }) => prompt)).toEqual(["won?"]);
    for (const id of ids) expect(await caught(handler.respond(id, {}))).toBeInstanceOf(UnknownRequestError);
    expect(rejected).toEqual([expect.any(CancelledError)]);
    await handler.respond("last", 1);
    expect(await handler.result()).toBe(1);
  });

  test("a collect waits for the answers of its fan-out (2.5a)", async () => {
    const handler = new Workflow("collects")
      .step("fan", StartEvent<{ n: number }>, () => ["a", "b"].map((id) => new InputRequestEvent({ prompt: id, id, answer: Noted })))
      .step("noted", Noted, ({ note }) => new Heard({ heard: note }))
      .step("all", collect(Heard, { of: "fan" }), (heard) => stop(heard.map(({ heard }) => heard)))
      .start({ n: 1 });
    await handler.respond("b", { note: 2 });
    expect(handler.status).toBe("waiting");
    await handler.respond("a", { note: 1 });
    expect(await handler.result()).toEqual([1, 2]);
  });

  test("from within a step: the answer is routed when its synchronous part has returned (3.7)", async () => {
    const log: string[] = [];
    const late: { handler?: Handler<unknown> } = {};
    late.handler = new Workflow("within", { external: [Noted] })
      .step("ask", StartEvent<{ n: number }>, () => new InputRequestEvent({ prompt: "?", id: "q" }))
      .step("noted", Noted, () => {
        void late.handler!.respond("q", 1);
        log.push("noted");
      })
      .step("heard", InputResponseEvent, ({ response }) => {
        log.push("heard");
        return stop(response);
      })
      .start({ n: 1 });
    await late.handler.send(new Noted());
    expect(await late.handler.result()).toBe(1);
    expect(log).toEqual(["noted", "heard"]);
  });
});

describe("questions in a snapshot (7.1, 7.3, 9.3)", () => {
  test("a returned question is answered after a resume, by a new workflow; the digest goes along", async () => {
    const handler = approval().start({ amount: 12 });
    const text = String(await handler.pause());
    const resumed = approval().resume(text);
    expect(resumed.pendingInputs).toEqual([{ id: "pay", prompt: "Pay 12?", metadata: { amount: 12 }, path: [], runId: handler.runId }]);
    expect(String(await resumed.snapshot())).toBe(text);
    await turns();
    expect(resumed.status).toBe("waiting");
    expect(String(await resumed.snapshot())).toBe(text);
    expect(await caught(resumed.respond("pay", { pay: 3 }))).toMatchObject({ code: "INVALID_RESPONSE", path: "pay" });
    await resumed.respond("pay", { pay: true });
    expect(await caught(resumed.respond("pay", { pay: false }))).toBeInstanceOf(AlreadyAnsweredError);
    expect(await resumed.result()).toEqual([true, 12]);
    await handler.cancel();
  });

  test("an answer whose class the steps accept by its name alone is there after a resume, too", async () => {
    const build = () =>
      new Workflow("named")
        .step("ask", StartEvent<{ n: number }>, () => new InputRequestEvent({ prompt: "?", answer: Noted, id: "q" }))
        .step("noted", "Noted", (event) => stop([event.type, event["note"]]));
    const handler = build().start({ n: 1 } as never);
    const resumed = build().resume(String(await handler.pause()));
    expect(await caught(resumed.respond("q", { type: "Noted" }))).toBeInstanceOf(InvalidResponseError);
    await resumed.respond("q", { note: 1 });
    expect(await resumed.result()).toEqual(["Noted", 1]);
    await handler.respond("q", { note: 2 });
    handler.resume();
    expect(await handler.result()).toEqual(["Noted", 2]);
  });

  test("a request whose answer no step accepts any more is refused at resume (7.5)", async () => {
    const handler = approval().start({ amount: 12 });
    const text = String(await handler.pause());
    const other = new Workflow("approval", { state: { amount: 0 } }).step("ask", StartEvent<{ amount: number }>, () => stop(1));
    expect(() => other.resume(text)).toThrow(expect.objectContaining({ code: "SNAPSHOT", message: expect.stringContaining('"Decided"') }));
    await handler.cancel();
  });

  test.each(["drain", "now"] as const)(
    "a step that awaits is run again after a resume (%s); its question keeps its id, effects are not repeated",
    async (mode) => {
      const log: string[] = [];
      const handler = await start(inline(z.number(), log));
      const { id } = only(handler);
      const snapshot = await handler.pause({ mode });
      expect(handler.pendingInputs.map(({ id }) => id)).toEqual([id]);
      const resumed = inline(z.number(), log).resume(String(snapshot));
      expect(String(await resumed.snapshot())).toBe(String(snapshot));
      expect(only(resumed).id).toBe(id);
      await turns();
      expect(only(resumed).id).toBe(id);
      expect(resumed.status).toBe("waiting");
      await resumed.respond(id, 5);
      expect(await resumed.result()).toEqual([2, 5]);
      expect(log).toEqual(["attempt 1", "effect", "attempt 2", "answered"]);
      await handler.cancel(undefined, { grace: 0 });
    },
  );

  test("an answer before the step has run again waits for its schema, which decides; a refused one leaves the next its chance", async () => {
    const handler = await start(inline(z.string()));
    const { id } = only(handler);
    const text = String(await handler.pause());
    // The step has another schema now.
    const resumed = inline(z.number()).resume(text);
    const outcomes = await Promise.allSettled([resumed.respond(id, "text"), resumed.respond(id, 5), resumed.respond(id, 5), resumed.respond(id, 6)]);
    expect(outcomes).toMatchObject([
      { status: "rejected", reason: { code: "INVALID_RESPONSE" } },
      { status: "fulfilled" },
      { status: "fulfilled" },
      { status: "rejected", reason: { code: "ALREADY_ANSWERED" } },
    ]);
    expect(await resumed.result()).toEqual([2, 5]);
    await handler.cancel(undefined, { grace: 0 });
  });

  test("an answer that waits for its step is told when the run is cancelled, or the step does not ask again", async () => {
    const handler = await start(inline());
    const { id } = only(handler);
    const text = String(await handler.pause());
    const cancelled = inline().resume(text);
    const one = cancelled.respond(id, 1);
    await cancelled.cancel();
    expect(await caught(one)).toBeInstanceOf(RunOverError);
    const changed = new Workflow("inline").step("ask", StartEvent<{ n: number }>, async () => stop(["changed"])).resume(text);
    const two = caught(changed.respond(id, 1));
    expect(await changed.result()).toEqual(["changed"]);
    expect(await two).toMatchObject({ code: expect.stringMatching(/^(RUN_OVER|UNKNOWN_REQUEST)$/) });
    await handler.cancel(undefined, { grace: 0 });
  });

  test("answers to a paused run resolve when they are recorded, are in the next snapshot, and are routed when it goes on", async () => {
    const handler = many().start({ ids: ["a", "b", "c"] });
    const first = await handler.pause();
    await handler.respond("a", 1);
    expect(handler.status).toBe("paused");
    expect(handler.pendingInputs.map(({ id }) => id)).toEqual(["b", "c"]);
    const second = await handler.pause();
    expect(String(second)).not.toBe(String(first));
    expect(entries(second, "answered")).toEqual([{ id: "a", digest: expect.any(String) }]);
    expect(read(second)["state/answers"]).toEqual([]);
    expect(await caught(handler.respond("a", 2))).toBeInstanceOf(AlreadyAnsweredError);
    const resumed = many().resume(String(second));
    expect(String(await resumed.snapshot())).toBe(String(second));
    await resumed.respond("b", 2);
    handler.resume();
    const ends = [await handler.pause(), await resumed.pause()].map((snapshot) => read(snapshot)["state/answers"]);
    expect(ends).toEqual([
      [["a", 1]],
      [
        ["a", 1],
        ["b", 2],
      ],
    ]);
    await Promise.all([handler.cancel(), resumed.cancel()]);
  });

  test("an answer to a paused run that a step awaits: recorded, and in the snapshot", async () => {
    const log: string[] = [];
    const handler = await start(inline(z.number(), log));
    const { id } = only(handler);
    await handler.pause({ mode: "now" });
    expect(await caught(handler.respond(id, "no"))).toBeInstanceOf(InvalidResponseError);
    await handler.respond(id, 5);
    const snapshot = await handler.pause();
    expect(handler.pendingInputs).toEqual([]);
    const resumed = inline(z.number(), log).resume(snapshot);
    expect(String(await resumed.snapshot())).toBe(String(snapshot));
    expect(resumed.pendingInputs).toEqual([]);
    await resumed.respond(id, 5);
    expect(await resumed.result()).toEqual([2, 5]);
    handler.resume();
    expect(await handler.result()).toEqual([2, 5]);
    expect(log.filter((line) => line === "effect")).toHaveLength(1);
  });

  test("a drain does not wait for a step that awaits an answer", async () => {
    const handler = await start(inline());
    expect(await isSettled(handler.pause())).toBe(true);
    expect(handler.status).toBe("paused");
    await handler.cancel();
  });

  test("a drain waits for a step that is answered meanwhile, and for none that wakes: time is taken up when the run goes on", async () => {
    const clock = new VirtualClock();
    const gates = { slow: deferred<void>(), asks: deferred<void>() };
    const log: string[] = [];
    const handler = new Workflow("drain")
      .step("slow", StartEvent<{ n: number }>, async () => {
        await gates.slow.promise;
        log.push("slow");
        return null;
      })
      .step("asks", StartEvent<{ n: number }>, async (_, ctx) => {
        await ctx.requestInput({ prompt: "?" });
        await gates.asks.promise;
        log.push("asks");
        return null;
      })
      .step("sleeps", StartEvent<{ n: number }>, async (_, ctx) => {
        await ctx.sleep(10);
        log.push("woke");
        return stop(log);
      })
      .start({ n: 1 }, { clock });
    const pausing = handler.pause();
    await handler.respond(only(handler).id, 1);
    gates.slow.resolve();
    await clock.advance(100);
    expect(await isSettled(pausing)).toBe(false);
    gates.asks.resolve();
    const snapshot = await pausing;
    expect(log).toEqual(["slow", "asks"]);
    expect(entries(snapshot, "invocation")).toHaveLength(1);
    handler.resume();
    expect(await handler.result()).toEqual(["slow", "asks", "woke"]);
  });

  test("an expired question stays expired after a resume; a pending one keeps its deadline", async () => {
    const clock = new VirtualClock();
    const build = () =>
      new Workflow("expires").step("ask", StartEvent<{ n: number }>, async (_, ctx) => {
        const answers: unknown[] = [];
        for (const timeout of [100, 1_000]) answers.push(await ctx.requestInput({ prompt: `${timeout}?`, timeout }).catch((error) => error.code));
        return stop(answers);
      });
    const handler = build().start({ n: 1 }, { clock });
    await clock.advance(100);
    expect(only(handler).prompt).toBe("1000?");
    await clock.advance(400);
    const snapshot = await handler.pause();
    await clock.advance(400);
    const resumed = build().resume(String(snapshot), { clock });
    expect(String(await resumed.snapshot())).toBe(String(snapshot));
    await clock.advance(199);
    expect(only(resumed).prompt).toBe("1000?");
    await clock.advance(1);
    expect(resumed.status).toBe("completed");
    expect(await resumed.result()).toEqual(["TIMEOUT", "TIMEOUT"]);
    expect(clock.waiting).toBe(false);
    await handler.cancel(undefined, { grace: 0 });
  });

  test("a question whose deadline has passed during a pause expires when the run goes on", async () => {
    const clock = new VirtualClock();
    const handler = new Workflow("late")
      .step("ask", StartEvent<{ n: number }>, async (_, ctx) => stop(await ctx.requestInput({ prompt: "?", timeout: 100 }).catch((error) => error.code)))
      .start({ n: 1 }, { clock });
    await handler.pause();
    await clock.advance(1_000);
    expect(handler.pendingInputs).toHaveLength(1);
    handler.resume();
    expect(await handler.result()).toBe("TIMEOUT");
  });

  test("what cannot be stored of a question is named, and the run goes on", async () => {
    const handler = new Workflow("live")
      .step("ask", StartEvent<{ n: number }>, () => new InputRequestEvent({ prompt: "?", id: "q", metadata: { live: () => 1 } }))
      .step("heard", InputResponseEvent, ({ response }) => stop(response))
      .start({ n: 1 });
    const error = await caught(handler.pause());
    expect(error).toBeInstanceOf(UnserializableError);
    expect(error).toMatchObject({ path: "events[blazen::InputRequestEvent].metadata.live" });
    await handler.respond("q", 1);
    expect(await handler.result()).toBe(1);
  });

  test("an answer that cannot be stored refuses the pause while it is needed", async () => {
    const handler = new Workflow("live answer")
      .step("ask", StartEvent<{ n: number }>, async (_, ctx) => {
        await ctx.requestInput({ prompt: "a" });
        return stop(await ctx.requestInput({ prompt: "b" }));
      })
      .start({ n: 1 });
    await handler.respond(only(handler).id, { live: () => 1 });
    await turns();
    expect(await caught(handler.pause())).toMatchObject({ code: "UNSERIALIZABLE", path: "events[blazen::InputResponseEvent].response.live" });
    expect(handler.status).toBe("waiting");
    await handler.respond(only(handler).id, 1);
    expect(await handler.result()).toBe(1);
  });
});

describe("a run that only waits for answers (9.3)", () => {
  test("has no timer, though it and its step have a timeout, and time does not matter to it (5.2)", async () => {
    const clock = new VirtualClock();
    const build = () =>
      new Workflow("waits", { timeout: 1_000 }).step("ask", StartEvent<{ n: number }>, { timeout: 1_000 }, async (_, ctx) =>
        stop(await ctx.requestInput({ prompt: "?" })),
      );
    const handler = build().start({ n: 1 }, { clock });
    await turns();
    expect(handler.status).toBe("waiting");
    expect(clock.waiting).toBe(false);
    await clock.advance(1e9);
    const resumed = build().resume(await handler.pause(), { clock });
    await turns();
    expect([resumed.status, clock.waiting]).toEqual(["waiting", false]);
    await clock.advance(1e9);
    await resumed.respond(only(resumed).id, 1);
    expect(await resumed.result()).toBe(1);
    handler.resume();
    expect([handler.status, clock.waiting]).toEqual(["waiting", false]);
    await handler.respond(only(handler).id, 2);
    expect(await handler.result()).toBe(2);
    expect(clock.waiting).toBe(false);
  });

  test("is waiting as long as only other questions are pending, running while a step runs", async () => {
    const gate = deferred<void>();
    const handler = new Workflow("status")
      .step("ask", StartEvent<{ n: number }>, () => ["a", "b"].map((id) => new InputRequestEvent({ prompt: id, id })))
      .step("heard", InputResponseEvent, async ({ requestId }) => {
        await gate.promise;
        return requestId === "b" ? stop(1) : null;
      })
      .start({ n: 1 });
    expect(handler.status).toBe("waiting");
    await handler.respond("a", 1);
    expect(handler.status).toBe("running");
    gate.resolve();
    await turns();
    expect(handler.status).toBe("waiting");
    await handler.respond("b", 1);
    expect(await handler.result()).toBe(1);
  });
});

test("a question that is refused for its options takes no place among those of the step", async () => {
  const workflow = new Workflow("options").step("ask", StartEvent, async (_, ctx) => {
    const why = [() => ctx.requestInput({ prompt: 1 as never }), () => ctx.sleep("1" as never)].map((call) => {
      try {
        return call();
      } catch (error) {
        return (error as DefinitionError).code;
      }
    });
    return stop([...why, await ctx.requestInput({ prompt: "?" }), await ctx.sleep(0)]);
  });
  const handler = workflow.start({});
  await turns();
  await handler.respond(handler.pendingInputs[0]!.id, "yes");
  expect(await handler.result()).toEqual(["DEFINITION", "DEFINITION", "yes", undefined]);
});
