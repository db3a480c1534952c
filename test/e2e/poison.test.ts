// A panic or trap is the end of a run, not of the process. The facade's own modules are used, to reach the buffer.
import { expect, test } from "vitest";
import { frame } from "../../ts/src/buffer";
import { binding, event, InternalError, StartEvent, StopEvent, Workflow } from "../../ts/src/entry/node";
import { IN_PANIC } from "../../ts/src/generated/tables";

class Shipped extends event("Shipped")<{ n: number }> {}
const faulty = new Workflow("faulty").step("only", StartEvent, () => {
  frame(IN_PANIC, 0, 0, 0);
  return new StopEvent({ result: 1 });
});
const waiting = new Workflow("waiting", { external: [Shipped] })
  .step("begin", StartEvent, () => null)
  .step("end", Shipped, ({ n }) => new StopEvent({ result: n }));

test("a panic of the core is an InternalError, and the process lives on", async () => {
  const before = waiting.start({});
  await expect(faulty.run({})).rejects.toThrow(InternalError);

  // The addon has lost that run only; a WASM instance is lost with all its runs, and the next start gets a fresh one.
  if (binding === "native") {
    await before.send(new Shipped({ n: 1 }));
    expect(await before.result()).toBe(1);
  } else {
    await expect(before.result()).rejects.toThrow(InternalError);
    expect(before.status).toBe("failed");
  }
  const after = waiting.start({});
  await after.send(new Shipped({ n: 2 }));
  expect(await after.result()).toBe(2);
});
