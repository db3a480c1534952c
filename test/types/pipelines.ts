// Sub-workflows and pipelines: types flow from stage to stage, and what does not fit does not compile (11.2).
import { event, type Handler, Pipeline, type Progress, StartEvent, StopEvent, subworkflow, Workflow } from "blazen";

class Greet extends event("Greet")<{ name: string }> {}
const greet = new Workflow("greet").step("hello", StartEvent<{ name: string }>, ({ name }) => new StopEvent({ result: `Hello, ${name}` }));
const crawl = new Workflow("crawl").step("count", StartEvent<{ urls: string[] }>, ({ urls }) => new StopEvent({ result: urls.length }));
const both = new Workflow("both").step("same", StartEvent<string>, (start) => new StopEvent({ result: String(start) }));
const halve = new Workflow("halve").step("half", StartEvent<{ n: number }>, ({ n }) => new StopEvent({ result: { n: n / 2 } }));

// A sub-workflow is a step.
const outer = new Workflow("outer")
  .step(
    "child",
    StartEvent<{ name: string }>,
    subworkflow(greet, { input: (start: StartEvent<{ name: string }>) => ({ name: start.name }), output: (result) => new Greet({ name: result }) }),
  )
  .step("end", Greet, ({ name }) => new StopEvent({ result: name }));
export const text: string = await outer.run({ name: "Ada" });
// @ts-expect-error the child's input has a name
subworkflow(greet, { input: () => ({ nam: "Ada" }), output: (result) => new Greet({ name: result }) });
// @ts-expect-error the child's result is a text
subworkflow(greet, { input: () => ({ name: "Ada" }), output: (result: number) => new Greet({ name: String(result) }) });
// @ts-expect-error no step accepts Greet
new Workflow("open")
  .step("child", StartEvent<{ name: string }>, subworkflow(greet, { input: () => ({ name: "" }), output: (name) => new Greet({ name }) }))
  .run({ name: "Ada" });

// Stages: the previous result is the next input, the first one's is the pipeline's.
const publish = new Pipeline("publish")
  .stage("greet", greet)
  .map("length", (greeting) => greeting.length)
  .stage("crawl", crawl, { input: (length, { input, results }) => ({ urls: [input.name, results.greet, "x".repeat(length)] }) });
export const size: number = await publish.run({ name: "Ada" });
export const handler: Handler<number> = publish.start({ name: "Ada" });
export const progress: Progress | undefined = handler.progress;
export const nested: number = await new Pipeline("nested")
  .stage("publish", publish)
  .map("next", (n) => n + 1)
  .run({ name: "Ada" });
// @ts-expect-error the first stage wants a name
await publish.run({ nam: "Ada" });
const lengths = new Pipeline("bad").stage("greet", greet).map("length", (s) => s.length);
// @ts-expect-error a number is not crawl's input: `input` is required
lengths.stage("crawl", crawl);
// @ts-expect-error what `input` gives is not crawl's input
new Pipeline("bad").stage("greet", greet).stage("crawl", crawl, { input: (greeting) => ({ urls: greeting }) });
// @ts-expect-error there is no stage "other" before it
new Pipeline("bad").stage("greet", greet).map("m", (_, { results }) => results.other);
// @ts-expect-error there is no such option
new Pipeline("bad").stage("greet", greet, { retries: 3 });

// A stage that may be skipped may pass on what came before.
const maybe = new Pipeline("maybe")
  .stage("greet", greet)
  .stage("count", crawl, { input: (greeting) => ({ urls: [greeting] }), when: (greeting) => greeting.length > 3, retry: 3, timeout: 1_000 });
export const either: string | number = await maybe.run({ name: "Ada" });
// @ts-expect-error it may be a text
export const wrong: number = await maybe.run({ name: "Ada" });

// Joins.
const pair = new Pipeline("pair").stage("greet", greet).parallel("both", { a: both, b: both });
export const all: { a: string; b: string } = await pair.run({ name: "Ada" });
export const settled: { a: PromiseSettledResult<string>; n: PromiseSettledResult<number> } = await new Pipeline("settled")
  .stage("greet", greet)
  .parallel("mixed", { a: both, n: new Workflow("n").step("n", StartEvent<string>, () => new StopEvent({ result: 1 })) }, { join: "settled" })
  .run({ name: "Ada" });
export const fastest: { branch: "a" | "b"; result: string } = await new Pipeline("fastest")
  .stage("greet", greet)
  .parallel("race", { a: both, b: both }, { join: "first" })
  .run({ name: "Ada" });
export const some: { a?: string; b?: string } = await new Pipeline("some")
  .stage("greet", greet)
  .parallel("quorum", { a: both, b: both }, { join: { quorum: 1 } })
  .run({ name: "Ada" });
// @ts-expect-error a branch may be missing
some.a.length;
// @ts-expect-error one of the branches wants another input
new Pipeline("bad").stage("greet", greet).parallel("both", { a: both, b: crawl });
// @ts-expect-error there is no such join
new Pipeline("bad").stage("greet", greet).parallel("both", { a: both, b: both }, { join: "some" });

// Loops: what a round gives is the next one's input.
export const halved: { n: number } = await new Pipeline("halves").loop("halve", halve, { until: ({ n }) => n < 1, max: 10 }).run({ n: 100 });
// @ts-expect-error a text is no input of the next round
new Pipeline("bad").loop("greet", greet, { until: () => true, max: 2 });
// @ts-expect-error without `max` a loop may never end
new Pipeline("bad").loop("halve", halve, { until: () => true });
