import { all, collect, event, type Handler, StartEvent, StepError, StepFailedEvent, StepReturnError, StopEvent, UnserializableError, Workflow } from "blazen";
import { VirtualClock } from "blazen/testing";
import { describe, expect, test } from "vitest";
import { caught, entries, turns } from "./support";

class Work extends event("Work")<{ n: number }> {}
class Part extends event("Part")<{ n: number }> {}
class Done extends event("Done")<{ n: number }> {}

const stop = <R>(result: R) => new StopEvent({ result });
const fails = (error: unknown) => (): never => {
  throw error;
};

/** What happened while it went on, without those it was not about. */
const failed = (handler: Pick<Handler<StepFailedEvent>, "result">) => handler.result();

describe("a failure as an event (5.1)", () => {
  test("is routed with the step, the very event, the very object thrown, and the number of attempts", async () => {
    const error = { thrown: true };
    const work = new Work({ n: 1 });
    const clock = new VirtualClock();
    const handler = new Workflow("routed")
      .step("begin", StartEvent<{ n: number }>, () => work)
      .step("work", Work, { retry: { maxAttempts: 3 } }, fails(error))
      .step("failed", StepFailedEvent, (failure) => stop(failure))
      .start({ n: 1 }, { clock });
    const failure = await clock.until(failed(handler));
    expect(failure).toBeInstanceOf(StepFailedEvent);
    expect(failure.type).toBe("blazen::StepFailedEvent");
    expect(failure.error).toBe(error);
    expect(failure.event).toBe(work);
    expect([failure.step, failure.attempts]).toEqual(["work", 3]);
    expect(Object.isFrozen(failure)).toBe(true);
    expect(handler.status).toBe("completed");
  });

  test("the StartEvent's step may fail so, too", async () => {
    const failure = await new Workflow("start")
      .step("begin", StartEvent<{ n: number }>, fails("no"))
      .step("failed", StepFailedEvent, (failure) => stop(failure))
      .run({ n: 7 });
    expect(failure.event).toMatchObject({ n: 7, type: "blazen::StartEvent" });
    expect(failure.error).toBe("no");
  });

  test.each(["StepFailedEvent", "blazen::StepFailedEvent"])("a step may accept it by name: %s", async (name) => {
    const workflow = new Workflow("name").step("begin", StartEvent<{ n: number }>, fails("no")).step("failed", name, (failure) => stop(failure["error"]));
    expect(await workflow.run({ n: 1 })).toBe("no");
  });

  test("`event` is an array where the step joins or collects", async () => {
    const seen: StepFailedEvent[] = [];
    const works = [new Work({ n: 1 }), new Work({ n: 2 }), new Part({ n: 3 })] as const;
    const result = await new Workflow("arrays")
      .step("fan", StartEvent<{ n: number }>, () => [...works])
      .step("join", all(Work, Part), fails("join"))
      .step("collect", collect(Work), fails("collect"))
      .step("failed", StepFailedEvent, (failure) => {
        seen.push(failure);
        return seen.length === 2 ? stop(1) : null;
      })
      .run({ n: 1 });
    expect(result).toBe(1);
    const [join, gather] = seen;
    expect([join!.step, gather!.step]).toEqual(["join", "collect"]);
    expect([join!.event].flat().map((one) => works.indexOf(one as never))).toEqual([0, 2]);
    expect([gather!.event].flat().map((one) => works.indexOf(one as never))).toEqual([0, 1]);
    expect(Array.isArray(join!.event) && Array.isArray(gather!.event)).toBe(true);
  });

  test("a set of one is an array, too", async () => {
    const failure = await new Workflow("one")
      .step("fan", StartEvent<{ n: number }>, () => [new Work({ n: 1 })])
      .step("collect", collect(Work, { of: "fan" }), fails("no"))
      .step("failed", StepFailedEvent, (failure) => stop(failure))
      .run({ n: 1 });
    expect(failure.event).toEqual([{ n: 1 }]);
  });

  test("a key function that fails is a failure of the joining step, without retry (2.4)", async () => {
    const wrong = new Error("no key");
    const failure = await new Workflow("key")
      .step("fan", StartEvent<{ n: number }>, () => [new Work({ n: 1 })])
      .step("join", all(Work, Part, { by: fails(wrong) }), { retry: 5 }, () => null)
      .step("failed", StepFailedEvent, (failure) => stop(failure))
      .run({ n: 1 });
    expect([failure.step, failure.attempts]).toEqual(["join", 1]);
    expect(failure.error).toBe(wrong);
  });

  test("is for each step that accepts it; other events for the same step are, too", async () => {
    const seen: string[] = [];
    const result = await new Workflow("several")
      .step("begin", StartEvent<{ n: number }>, () => [new Work({ n: 1 }), new Part({ n: 2 })])
      .step("work", Work, fails("no"))
      .step("one", StepFailedEvent, ({ step }) => void seen.push(`one ${step}`))
      .step("two", [Part, StepFailedEvent], (seenBy) => {
        seen.push(`two ${seenBy.type}`);
        return seenBy.type === Part.type ? null : stop(seen);
      })
      .run({ n: 1 });
    expect(result).toEqual(["two Part", "one work", "two blazen::StepFailedEvent"]);
  });

  test("what the step had committed stays, what it had not does not (4.1)", async () => {
    const result = await new Workflow("state", { state: { committed: 0, staged: 0 } })
      .step("begin", StartEvent<{ n: number }>, async (_, ctx) => {
        ctx.state.set("committed", 1);
        await ctx.commit();
        ctx.state.set("staged", 1);
        throw new Error("boom");
      })
      .step("failed", StepFailedEvent, (_, ctx) => stop([ctx.state.get("committed"), ctx.state.get("staged")]))
      .run({ n: 1 });
    expect(result).toEqual([1, 0]);
  });

  test("stays in its branch: a collect of the fan-out waits for what comes of it (2.5)", async () => {
    const result = await new Workflow("branch")
      .step("fan", StartEvent<{ n: number }>, () => [0, 1, 2].map((n) => new Work({ n })))
      .step("work", Work, ({ n }) => {
        if (n === 1) throw new Error("boom");
        return new Done({ n });
      })
      .step("failed", StepFailedEvent, async ({ event }) => {
        await turns();
        return new Done({ n: 10 + (event as Work).n });
      })
      .step("end", collect(Done, { of: "fan" }), (done) => stop(done.map(({ n }) => n)))
      .run({ n: 1 });
    expect(result).toEqual([0, 11, 2]);
  });

  test("a failure in a step that is called for one fails the run, after its retries", async () => {
    const second = new Error("second");
    const clock = new VirtualClock();
    let attempts = 0;
    const handler = new Workflow("again")
      .step("begin", StartEvent<{ n: number }>, fails("first"))
      .step("failed", StepFailedEvent, { retry: 2 }, () => {
        attempts++;
        throw second;
      })
      .step("other", Work, () => stop(1))
      .start({ n: 1 }, { clock });
    const error = (await clock.until(caught(handler.result()))) as StepError;
    expect(error).toBeInstanceOf(StepError);
    expect(error).toMatchObject({ step: "failed", attempts: 2, runId: handler.runId });
    expect(error.cause).toBe(second);
    expect(attempts).toBe(2);
  });

  test("so does one of a step that collects failures", async () => {
    const workflow = new Workflow("collects")
      .step("fan", StartEvent<{ n: number }>, () => [0, 1].map((n) => new Work({ n })))
      .step("work", Work, fails("no"))
      .step("collect", collect(StepFailedEvent, { of: "fan" }), (failures) => {
        throw failures.length;
      })
      .step("end", Done, () => stop(1));
    expect(await caught(workflow.run({ n: 1 }))).toMatchObject({ code: "STEP_FAILED", step: "collect", cause: 2 });
  });

  test("a wrong return value is neither retried nor routed: the run fails with it", async () => {
    for (const emits of [undefined, [StopEvent]]) {
      const workflow = new Workflow("wrong")
        .step(
          "begin",
          StartEvent<{ n: number }>,
          { retry: 3, ...(emits === undefined ? {} : { emits }) },
          () => (emits === undefined ? 3 : new Work({ n: 1 })) as never,
        )
        .step("work", Work, () => null)
        .step("failed", StepFailedEvent, () => stop("routed"));
      const error = await caught(workflow.run({ n: 1 }));
      expect(error).toBeInstanceOf(StepReturnError);
      expect(error).toMatchObject({ code: "STEP_RETURN", step: "begin", runId: expect.any(String) });
    }
  });

  test("without a step for it the run fails, and the others' signals are aborted for that cause (5.3)", async () => {
    const reasons: unknown[] = [];
    const workflow = new Workflow("fails")
      .step("slow", StartEvent<{ n: number }>, (_, ctx) => {
        ctx.signal.addEventListener("abort", () => reasons.push(ctx.signal.reason.cause));
        return new Promise<StopEvent>(() => {});
      })
      .step("begin", StartEvent<{ n: number }>, fails("no"));
    const error = await caught(workflow.run({ n: 1 }));
    expect(error).toMatchObject({ code: "STEP_FAILED", step: "begin", cause: "no", attempts: 1 });
    expect(reasons).toEqual([error]);
  });
});

describe("failures in a snapshot (7.2, 7.3)", () => {
  const build = (error: unknown) =>
    new Workflow("stored")
      .step("begin", StartEvent<{ n: number }>, async () => new Work({ n: 5 }))
      .step("work", Work, async () => {
        throw error;
      })
      .step("failed", StepFailedEvent, (failure) => stop(failure));
  const stopped = async (error: unknown) => {
    const handler = build(error).start({ n: 1 });
    await Promise.resolve();
    while (true) {
      const snapshot = await handler.pause();
      if (entries(snapshot, "event").some((one) => (one as { type: string }).type === StepFailedEvent.type)) return { handler, snapshot };
      handler.resume();
    }
  };

  test("one that waits in the queue comes with its event and error as 6.2 keeps them", async () => {
    const { handler, snapshot } = await stopped(Object.assign(new TypeError("boom", { cause: 3 }), { code: "E" }));
    const resumed = build("unused").resume(String(snapshot));
    expect(String(await resumed.snapshot())).toBe(String(snapshot));
    const failure = await resumed.result();
    expect(failure).toBeInstanceOf(StepFailedEvent);
    expect(failure.event).toBeInstanceOf(Work);
    expect(failure).toMatchObject({ step: "work", attempts: 1, event: { n: 5 } });
    expect(failure.error).toBeInstanceOf(TypeError);
    expect(failure.error).toMatchObject({ message: "boom", cause: 3, code: "E" });
    await handler.cancel();
  });

  test("an error that cannot be stored refuses the pause with its path, and the run goes on", async () => {
    let reached = 0;
    const handler = new Workflow("live")
      .step("begin", StartEvent<{ n: number }>, async () => {
        throw { socket: () => 1 };
      })
      .step("failed", StepFailedEvent, async (failure, ctx) => {
        reached++;
        await ctx.requestInput({ prompt: "?" });
        return stop(failure.step);
      })
      .start({ n: 1 });
    await turns();
    const error = await caught(handler.pause());
    expect(error).toBeInstanceOf(UnserializableError);
    expect(error).toMatchObject({ path: "events[blazen::StepFailedEvent].error.socket" });
    await handler.respond(handler.pendingInputs[0]!.id, 1);
    expect(await handler.result()).toBe("begin");
    expect(reached).toBe(1);
  });
});
