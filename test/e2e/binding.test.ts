import { binding, StartEvent, StopEvent, Workflow } from "blazen";
import { expect, test } from "vitest";

test("the binding is the one that was asked for", async () => {
  const workflow = new Workflow("which").step("only", StartEvent, () => new StopEvent({ result: binding }));
  expect(await workflow.run({})).toBe(process.env["BLAZEN_BINDING"] ?? "native");
});
