import { event, type Lifecycle, StartEvent, StopEvent, Workflow } from "blazen";
import { VirtualClock } from "blazen/testing";
import { expect, test } from "vitest";

class Page extends event("Page")<{ n: number }> {}

const told = async (entries: AsyncIterable<Lifecycle>) => {
  const all: Lifecycle[] = [];
  for await (const entry of entries) all.push(entry);
  return all;
};

test("an observer is told of each event and attempt, and what caused what (10.6)", async () => {
  const workflow = new Workflow("observed")
    .step("begin", StartEvent, async () => [new Page({ n: 1 }), new Page({ n: 2 })])
    .step("work", Page, async ({ n }, ctx) => {
      if (n === 1) return null;
      await ctx.sendEvent(new StopEvent({ result: "done" }));
      return null;
    });
  const handler = workflow.start({});
  const all = await told(handler.observe());
  expect(await handler.result()).toBe("done");
  const id = (n: number) => `${handler.runId}/${n}`;
  expect(all.map(({ kind, step, invocationId, causedBy, attempt }) => [kind, step, invocationId, causedBy, attempt])).toEqual([
    ["settled", "begin", id(0), undefined, 1],
    ["routed", undefined, undefined, id(0), undefined],
    ["routed", undefined, undefined, id(0), undefined],
    ["started", "work", id(1), id(0), 1],
    ["started", "work", id(2), id(0), 1],
    ["routed", undefined, undefined, id(2), undefined],
  ]);
  expect(all[1]!.event).toBe(all[3]!.event);
});

test("a failed attempt is told as retried, the last one as failed", async () => {
  const clock = new VirtualClock();
  const workflow = new Workflow("failing").step("work", StartEvent, { retry: 2 }, async (_, ctx) => {
    throw new Error(`attempt ${ctx.attempt}`);
  });
  const handler = workflow.start({}, { clock });
  const entries = told(handler.observe());
  await expect(clock.until(handler.result())).rejects.toThrow("attempt 2");
  const failures = (await entries).filter(({ kind }) => kind === "retried" || kind === "failed");
  expect(failures.map(({ kind, attempt, error, step }) => [kind, attempt, (error as Error).message, step])).toEqual([
    ["retried", 1, "attempt 1", "work"],
    ["failed", 2, "attempt 2", "work"],
  ]);
});

test("one that leaves is told no more; after the end there is nothing to tell", async () => {
  const workflow = new Workflow("outside", { external: [Page] })
    .step("begin", StartEvent, () => null)
    .step("end", Page, ({ n }) => new StopEvent({ result: n }));
  const handler = workflow.start({});
  const left = handler.observe();
  const stays = handler.observe();
  await left.return();
  await handler.send(new Page({ n: 3 }));
  expect(await handler.result()).toBe(3);
  expect((await told(stays)).map(({ kind }) => kind)).toEqual(["routed", "started", "settled", "routed"]);
  expect(await told(left)).toEqual([]);
  expect(await told(handler.observe())).toEqual([]);
});

test("what an observer does not read is bounded, and counted", async () => {
  const workflow = new Workflow("many")
    .step("begin", StartEvent, async () => Array.from({ length: 6_000 }, (_, n) => new Page({ n })))
    .step("work", Page, ({ n }) => (n === 5_999 ? new StopEvent({ result: n }) : null));
  const handler = workflow.start({});
  const observed = handler.observe();
  await handler.result();
  const all = await told(observed);
  expect(all.length).toBe(10_000);
  expect(observed.dropped).toBeGreaterThan(7_000);
});
