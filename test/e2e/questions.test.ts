import { AlreadyAnsweredError, event, InputRequestEvent, StartEvent, StopEvent, Workflow } from "blazen";
import { VirtualClock } from "blazen/testing";
import { expect, test } from "vitest";
import { z } from "zod";
import { caught, turns } from "./support";

// The programs that a user would write: a person decides, and the run may wait for days.

class Decided extends event("Decided", z.object({ pay: z.boolean() })) {}
const approval = () =>
  new Workflow("approval")
    .step("ask", StartEvent<{ amount: number }>, (start, ctx) => {
      ctx.state.set("amount", start.amount);
      return new InputRequestEvent({ prompt: `Pay ${start.amount}?`, answer: Decided });
    })
    .step("decide", Decided, (answer) => new StopEvent({ result: answer.pay ? "paid" : "refused" }));

test("the question is seen on the stream, the run stored, and answered by another workflow object (9)", async () => {
  const waiting = approval().start({ amount: 12 });
  for await (const { event } of waiting.stream()) if (event.type === InputRequestEvent.type) break;
  const saved = (await waiting.pause()).toString();
  const resumed = approval().resume(saved);
  const [question] = resumed.pendingInputs;
  expect(question?.prompt).toBe("Pay 12?");
  await resumed.respond(question!.id, { pay: true });
  const second = await caught(resumed.respond(question!.id, { pay: false }));
  expect(second).toBeInstanceOf(AlreadyAnsweredError);
  expect(await resumed.result()).toBe("paid");
  // Another copy of the snapshot is another run, which somebody may answer otherwise.
  const other = approval().resume(saved);
  await other.respond(question!.id, { pay: false });
  expect(await other.result()).toBe("refused");
  await waiting.cancel();
});

test("the same inside one step, with an effect that is not repeated", async () => {
  let asked = 0;
  const inline = () =>
    new Workflow("inline").step("ask", StartEvent<{ amount: number }>, async (start, ctx) => {
      const rate = await ctx.once("rate", async () => {
        asked++;
        return 1.5;
      });
      const ok = await ctx.requestInput({ prompt: `Pay ${start.amount * rate}?`, schema: z.boolean() });
      return new StopEvent({ result: ok });
    });
  const handler = inline().start({ amount: 10 });
  while (handler.pendingInputs.length === 0) await turns();
  const resumed = inline().resume(await handler.pause());
  const [question] = resumed.pendingInputs;
  expect(question?.prompt).toBe("Pay 15?");
  expect(await caught(resumed.respond(question!.id, "yes"))).toMatchObject({ code: "INVALID_RESPONSE", path: "" });
  await resumed.respond(question!.id, true);
  expect(await resumed.result()).toBe(true);
  expect(asked).toBe(1);
  await handler.cancel();
});

test("a reminder after three days without an answer, over restarts of the process", async () => {
  const clock = new VirtualClock();
  const DAY = 24 * 3600 * 1000;
  const log: string[] = [];
  const reminder = () =>
    new Workflow("reminder").step("ask", StartEvent<{ who: string }>, async ({ who }, ctx) => {
      for (let round = 1; ; round++) {
        await ctx.once(`mail ${round}`, () => log.push(`mail ${round} to ${who} on day ${(clock.now() - Date.UTC(2000, 0, 1)) / DAY}`));
        const answer = await ctx.requestInput({ prompt: `Round ${round}?`, schema: z.string(), timeout: 3 * DAY }).catch((error) => {
          if (error.code !== "TIMEOUT") throw error;
        });
        if (answer !== undefined) return new StopEvent({ result: [round, answer] });
      }
    });
  let handler = reminder().start({ who: "Ada" }, { clock });
  for (let day = 0; day < 8; day++) {
    await clock.advance(DAY);
    const text = String(await handler.pause());
    await handler.cancel();
    handler = reminder().resume(text, { clock });
  }
  await turns();
  const [question] = handler.pendingInputs;
  expect(question?.prompt).toBe("Round 3?");
  await handler.respond(question!.id, "fine");
  expect(await handler.result()).toEqual([3, "fine"]);
  expect(log).toEqual(["mail 1 to Ada on day 0", "mail 2 to Ada on day 3", "mail 3 to Ada on day 6"]);
  expect(clock.waiting).toBe(false);
});
