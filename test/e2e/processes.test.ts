import { createRequire } from "node:module";
import { Worker } from "node:worker_threads";
import { event, StartEvent, StopEvent, Workflow } from "blazen";
import { expect, test } from "vitest";

const require = createRequire(import.meta.url);
const source = `
  const { parentPort, workerData } = require("node:worker_threads");
  const { collect, event, StartEvent, StopEvent, Workflow } = require(workerData);
  class Work extends event("Work") {}
  class Done extends event("Done") {}
  const workflow = new Workflow("worker")
    .step("fan", StartEvent, ({ size }) => Array.from({ length: size }, (_, n) => new Work({ n })))
    .step("work", Work, async ({ n }) => new Done({ n }))
    .step("sum", collect(Done, { of: "fan" }), (done) => new StopEvent({ result: done.reduce((sum, { n }) => sum + n, 0) }));
  workflow.run({ size: 1000 }).then((result) => parentPort.postMessage(result));
`;

test("works in several worker threads at once", async () => {
  const results = await Promise.all(
    Array.from(
      { length: 4 },
      () =>
        new Promise((resolve, reject) => {
          const worker = new Worker(source, { eval: true, workerData: require.resolve("blazen") });
          worker.once("message", resolve);
          worker.once("error", reject);
        }),
    ),
  );
  expect(results).toEqual([499_500, 499_500, 499_500, 499_500]);
});

test("works twice in one process, as ESM and as CommonJS, and events of one are events of the other", async () => {
  const other = require("blazen") as typeof import("blazen");
  expect(other.Workflow).not.toBe(Workflow);
  class Ping extends other.event("Ping")<{ n: number }> {}
  class Pong extends event("Pong")<{ n: number }> {}
  const mine = new Workflow("mine")
    .step("first", StartEvent<{ n: number }>, ({ n }) => new Ping({ n }))
    .step("last", Ping, ({ n }) => new StopEvent({ result: n + 1 }));
  const theirs = new other.Workflow("theirs")
    .step("first", other.StartEvent<{ n: number }>, async ({ n }) => new Pong({ n: await mine.run({ n }) }))
    .step("last", Pong, ({ n }) => new other.StopEvent({ result: n + 1 }));
  expect(await theirs.run({ n: 1 })).toBe(3);
});
