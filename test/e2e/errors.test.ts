import * as blazen from "blazen";
import { BlazenError, event, InputRequestEvent, InputResponseEvent, StartEvent, type StepError, StopEvent, Workflow } from "blazen";
import { VirtualClock } from "blazen/testing";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { caught, observed, turns } from "./support";

class Go extends event("Go") {}
class Checked extends event("Checked", z.object({ n: z.number() })) {}

const stop = <R>(result: R) => new StopEvent({ result });
type Made = BlazenError & { name: string };

describe("errors (13)", () => {
  const kinds = Object.entries(blazen).filter(([name, value]) => name.endsWith("Error") && typeof value === "function");

  test("each is a BlazenError with a code of its own, and the name of its class", () => {
    const made = kinds
      .filter(([name]) => name !== "BlazenError")
      .map(([name, Kind]) => [name, new (Kind as unknown as new (message: string) => Made)("text")] as const);
    expect(made.length).toBeGreaterThan(15);
    for (const [name, error] of made) {
      expect(error).toBeInstanceOf(BlazenError);
      expect([error.name, error.message]).toEqual([name, "text"]);
      expect(error.code).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
    }
    expect(new Set(made.map(([, { code }]) => code)).size).toBe(made.length);
  });

  test("every class is called as it is exported: so it is shown", () => {
    // An event class that nobody extends is called by its type.
    const classes = Object.entries(blazen).filter(([name, value]) => /^class\b/.test(String(value)) && name !== "StartEvent");
    expect(classes.length).toBeGreaterThan(25);
    for (const [name, value] of classes) expect((value as { name: string }).name).toBe(name);
  });

  test("of time, cancellation and questions say which run, which step and why", async () => {
    const clock = new VirtualClock();
    const begin = (step: (ctx: blazen.Context) => unknown, options: object = {}, workflow: object = {}) =>
      observed(
        new Workflow("says", { external: [Go], ...workflow })
          .step("mine", StartEvent<{ n: number }>, options, (_, ctx) => step(ctx as blazen.Context) as Promise<StopEvent>)
          .step("heard", InputResponseEvent, () => stop(1))
          .step("checked", [Checked, Go], () => stop(1))
          .start({ n: 1 }, { clock }),
      );
    const failing = async (handler: blazen.Handler<unknown>) => {
      await clock.advance(100);
      return (await caught(handler.result())) as StepError;
    };
    const boom = new Error("boom");
    const never = () => new Promise(() => {});

    const thrown = begin(() => Promise.reject(boom));
    expect(await failing(thrown)).toMatchObject({
      code: "STEP_FAILED",
      runId: thrown.runId,
      step: "mine",
      cause: boom,
      message: expect.stringMatching(/says.*"mine".*boom/),
    });

    const slow = begin(never, { timeout: 10 });
    const inner = { code: "TIMEOUT", runId: slow.runId, step: "mine", message: expect.stringMatching(/"mine".*10 ms.*"timeout"/) };
    expect(await failing(slow)).toMatchObject({ code: "STEP_FAILED", runId: slow.runId, step: "mine", cause: inner });

    const long = begin(never, {}, { timeout: 10 });
    expect(await failing(long)).toMatchObject({ code: "TIMEOUT", runId: long.runId, message: expect.stringMatching(/"says".*10 ms.*"timeout"/) });

    const unanswered = begin((ctx) => ctx.requestInput({ prompt: "Pay?", timeout: 5 }));
    expect((await failing(unanswered)).cause).toMatchObject({
      code: "TIMEOUT",
      runId: unanswered.runId,
      step: "mine",
      message: expect.stringContaining('"Pay?"'),
    });

    const refused = begin(() => ({ type: "Checked", n: "no" }));
    expect((await failing(refused)).cause).toMatchObject({ code: "EVENT_VALIDATION", path: "n" });

    const twice = begin(() => [new InputRequestEvent({ prompt: "a", id: "x" }), new InputRequestEvent({ prompt: "b", id: "x" })]);
    expect((await failing(twice)).cause).toMatchObject({ code: "DEFINITION", runId: twice.runId, step: "mine", message: expect.stringContaining('"x"') });

    const reason = new Error("why");
    let dead: blazen.Context | undefined;
    const cancelled = begin((ctx) => {
      dead = ctx;
      return ctx.sleep(1_000);
    });
    await turns();
    await cancelled.cancel(reason);
    expect(await caught(cancelled.result())).toMatchObject({
      code: "CANCELLED",
      runId: cancelled.runId,
      cause: reason,
      report: { stopped: ["mine"], ignored: [] },
    });
    expect(() => dead!.sleep(1)).toThrow(expect.objectContaining({ code: "CANCELLED", runId: cancelled.runId, step: "mine" }));
    for (const late of [cancelled.send(new Go()), cancelled.pause(), cancelled.snapshot()])
      expect(await caught(late)).toMatchObject({ code: "RUN_OVER", runId: cancelled.runId, message: expect.stringContaining("cancelled") });
    expect(clock.waiting).toBe(false);
  });

  test("one that nobody can observe is an unhandled rejection, once", async () => {
    const unhandled: unknown[] = [];
    const listeners = process.listeners("unhandledRejection");
    process.removeAllListeners("unhandledRejection");
    process.on("unhandledRejection", (reason) => unhandled.push(reason));
    try {
      const clock = new VirtualClock();
      const workflow = new Workflow("lost", { timeout: 10 }).step("never", StartEvent<{ n: number }>, () => new Promise<StopEvent>(() => {}));
      workflow.start({ n: 1 }, { clock });
      await clock.advance(10);
      await turns(5);
      expect(unhandled).toMatchObject([{ code: "TIMEOUT" }]);
    } finally {
      process.removeAllListeners("unhandledRejection");
      for (const listener of listeners) process.on("unhandledRejection", listener);
    }
  });
});
