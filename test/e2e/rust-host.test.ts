// A run whose steps were written in Rust (`crates/blazen-runtime/tests/crossing.rs`) goes on here.
import { readFileSync } from "node:fs";
import { all, event, StartEvent, StepFailedEvent, StopEvent, Workflow } from "blazen";
import { expect, test } from "vitest";

const text = readFileSync(new URL("../snapshots/host/order.json", import.meta.url), "utf8");

class Side extends event("Side")<{ large: bigint; price: unknown; half: number }> {}
class Item extends event("Item")<{ name: string; order: string }> {}
class Part extends event("Part")<{ name: string; order: string }> {}
class Note extends event("Note")<{ order: string }> {}

const order = (seen: unknown[]) =>
  new Workflow("order", { version: 2, external: [Note] })
    .step("split", StartEvent, () => new Item({ name: "a", order: "" }))
    .step("side", Side, async ({ large, price, half }, ctx) => {
      const { photo, empty } = { photo: ctx.state.getBytes("photo/1"), empty: ctx.state.getBytes("empty") };
      seen.push({ large, price, half, photo, empty, attempt: ctx.attempt, sure: await ctx.requestInput({ prompt: "Sure?" }) });
      return new StopEvent({ result: await ctx.requestInput({ prompt: "Really?", metadata: [1, null] }) });
    })
    .step("item", Item, (item) => new Part(item))
    .step("failed", StepFailedEvent, async ({ step, error, attempts, event: of }, ctx) => {
      const { name } = of as Item;
      seen.push({ step, message: (error as Error).message, isError: error instanceof Error, attempts, of: of instanceof Item, name });
      await ctx.sleepUntil(new Date(4_102_444_800_000));
    })
    .step("both", all(Part, Note, { by: (one) => one.order }), ([part, note]) => new StopEvent({ result: [part.name, note.order] }));

const side = {
  large: 2n ** 60n,
  price: { $: "cash", of: -0 },
  half: 0.5,
  photo: new Uint8Array([1, 2, 255]),
  empty: new Uint8Array(0),
  attempt: 2,
  sure: { yes: true, by: [1, 1e21] },
};
const failed = { step: "item", message: "sold out", isError: true, attempts: 1, of: true, name: "b" };

test("questions, answers, state, numbers and failures are those of the Rust host", async () => {
  const seen: unknown[] = [];
  const handler = order(seen).resume(text);
  await expect.poll(() => seen.length).toBe(2);
  expect(seen).toEqual(expect.arrayContaining([side, failed]));
  // The digest of an answer is the same in both, whatever the order of its fields and the spelling of its numbers.
  await handler.respond("rust/1/0", { by: [1, 1e21], yes: true });
  await expect(handler.respond("rust/1/0", { yes: false })).rejects.toMatchObject({ code: "ALREADY_ANSWERED" });
  expect(handler.pendingInputs).toEqual([{ id: "rust/1/1", prompt: "Really?", metadata: [1, null], path: [], runId: "rust" }]);
  await handler.respond("rust/1/1", "really");
  expect(await handler.result()).toBe("really");
});

test("what waits in a join is found by its key", async () => {
  const handler = order([]).resume(text);
  await handler.send(new Note({ order: "another" }));
  await handler.send(new Note({ order: "order 17" }));
  expect(await handler.result()).toEqual(["a", "order 17"]);
});
