import { type Context, collect, event, StopEvent, subworkflow, Workflow } from "blazen";

export class Page extends event("Page")<{ n: number }> {}
export class Done extends event("Done")<{ result: unknown }> {}
export class Paid extends event("Paid")<{ sum: number }> {}
export class Part extends event("Part")<{ n: number }> {}

export const stop = (result: unknown) => new StopEvent({ result });
/** A workflow of one step. */
export const single = (name: string, run: (start: StartEvent, ctx: Context) => unknown, options = {}) =>
  new Workflow(name, options).step("work", "StartEvent", run as never) as Workflow<Record<string, unknown>, unknown>;
/** A workflow that runs another once, and gives its result. */
export const around = (child: object, options = {}, name = "outer") =>
  new Workflow(name, options)
    .step("child", "StartEvent", subworkflow(child as never, { input: (start: object) => ({ ...start }), output: (result) => new Done({ result }) }))
    .step("end", Done, ({ result }) => stop(result)) as Workflow<Record<string, unknown>, unknown>;
/** One that runs another for each of some numbers, and gives the results in their order. */
export const each = (child: object, numbers: number[], options = {}) =>
  new Workflow("each", options)
    .step("fan", "StartEvent", () => numbers.map((n) => new Page({ n })))
    .step("child", Page, subworkflow(child as never, { input: ({ n }: Page) => ({ n }), output: (result) => new Done({ result }) }))
    .step("all", collect(Done, { of: "fan" }), (all) => stop(all.map(({ result }) => result))) as Workflow<Record<string, unknown>, unknown>;
