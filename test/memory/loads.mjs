// What the memory tests run, over and over. Each load makes `runs` runs and checks what they return.
import assert from "node:assert/strict";
import { CancelledError, collect, event, StartEvent, StepError, StopEvent, Workflow } from "blazen";

class Second extends event("Second") {}
class Third extends event("Third") {}
class Part extends event("Part") {}
class Done extends event("Done") {}
class Paid extends event("Paid") {}

const chain = new Workflow("chain")
  .step("one", StartEvent, async (start) => new Second({ n: start.n + 1 }))
  .step("two", Second, async (second) => new Third({ n: second.n + 1 }))
  .step("three", Third, async (third) => new StopEvent({ result: third.n + 1 }));

const fan = new Workflow("fan")
  .step("fan", StartEvent, (start) => Array.from({ length: start.n }, (_, i) => new Part({ i })))
  .step("part", Part, { concurrency: 2 }, async (part) => new Done({ i: part.i }))
  .step("total", collect(Done, { of: "fan" }), (all) => new StopEvent({ result: all.map((done) => done.i) }));

const broken = new Workflow("broken").step("throw", StartEvent, async () => {
  throw new RangeError("on purpose");
});

const order = new Workflow("order", { external: [Paid] })
  .step("begin", StartEvent, () => null)
  .step("paid", Paid, (paid) => new StopEvent({ result: paid.sum }));

async function runChain(i) {
  assert.equal(await chain.run({ n: i }), i + 3);
}

/** Every way a run can go and end. */
async function runAny(i) {
  switch (i % 6) {
    case 0:
      return runChain(i);
    case 1:
      assert.deepEqual(await fan.run({ n: 4 }), [0, 1, 2, 3]);
      return;
    case 2:
      return assert.rejects(broken.run({}), StepError);
    case 3: {
      const handler = order.start({});
      await handler.send(new Paid({ sum: i }), { id: `payment-${i}` });
      assert.equal(await handler.result(), i);
      return;
    }
    case 4: {
      const handler = fan.start({ n: 4 });
      await handler.pause();
      handler.resume();
      assert.deepEqual(await handler.result(), [0, 1, 2, 3]);
      return;
    }
    default: {
      const handler = order.start({});
      const ended = assert.rejects(handler.result(), CancelledError);
      await handler.cancel();
      return ended;
    }
  }
}

/** Paused and left: the run goes on elsewhere, here from the snapshot. */
async function runLeft(i) {
  const snapshot = await fan.start({ n: 2 }).pause();
  assert.deepEqual(await fan.resume(i % 2 === 0 ? snapshot : String(snapshot)).result(), [0, 1]);
  // Finalizers run in turns of the event loop.
  await new Promise((resolve) => setImmediate(resolve));
}

/** A hundred at a time, so that runs overlap and slots are used again in another order. */
async function batches(runs, run) {
  for (let at = 0; at < runs; at += 100) await Promise.all(Array.from({ length: 100 }, (_, i) => run(at + i)));
}

export const loads = {
  chain: (runs) => batches(runs, runChain),
  mixed: (runs) => batches(runs, runAny),
  left: (runs) => batches(runs, runLeft),
};
