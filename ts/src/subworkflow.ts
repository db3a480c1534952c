import type { Context } from "./context";
import { DefinitionError } from "./errors";
import type { Event } from "./event";
import type { RunOptions } from "./handler";
import { asStep } from "./nest";
import { isProgram, planned, planOf } from "./program";
import { describe, isPlainObject } from "./values";

/** A promise would become the payload. */
export function refusePromise(input: unknown, refuse: (why: string) => never): unknown {
  if (input instanceof Promise) {
    input.catch(() => {});
    refuse('"input" gave a promise. Give the input itself, and do what takes time in a step.');
  }
  return input;
}

/** What can be a child: a workflow, or a pipeline. */
export interface Runnable<Input, Result> {
  readonly name: string;
  readonly run: (input: Input, options?: RunOptions) => Promise<Result>;
}

/**
 * A workflow or pipeline as a step of another (11.1). Its run is part of the parent's: the same queue, snapshot, pause and cancel; its
 * stream items and questions come through the parent's handler, with the step's name in their `path`. State, session and joins are its own.
 *
 * @param child what runs; a function gives it later, so that a workflow may run itself
 * @param map `input`: what the child is started with, from the step's event. `output`: what the step returns, from the child's result.
 *   `session: "inherit"`: the child uses its parent's session; default: an empty one of its own
 * @throws DefinitionError for what is neither
 * @example
 * new Workflow("outer").step("child", StartEvent<{ name: string }>, subworkflow(greet, { input: ({ name }) => ({ name }), output: (result) => new Greeted({ result }) }));
 */
export function subworkflow<Input, Result, E extends Event>(
  child: Runnable<Input, Result> | (() => Runnable<Input, Result>),
  // biome-ignore lint/suspicious/noExplicitAny: the step says what it accepts
  map: { input: (event: any) => Input; output: (result: Result, event: any) => E; session?: "inherit" },
  // biome-ignore lint/suspicious/noExplicitAny: likewise
): (event: any, ctx: Context<any>) => Promise<E> {
  const refuse = (why: string): never => {
    throw new DefinitionError(`subworkflow: ${why}`);
  };
  if (!isPlainObject(map)) return refuse(`the second argument is { input, output, session? }, not ${describe(map)}.`);
  const { input, output, session, ...unknown } = map;
  const extra = Object.keys(unknown)[0];
  if (extra !== undefined) refuse(`there is no option "${extra}". Known: input, output, session.`);
  if (typeof input !== "function") refuse(`"input" is a function of the step's event, not ${describe(input)}.`);
  if (typeof output !== "function") refuse(`"output" is a function of the child's result, not ${describe(output)}.`);
  if (session !== undefined && session !== "inherit") refuse(`"session" is "inherit", not ${describe(session)}.`);
  if (typeof child !== "function" && !isProgram(child)) refuse(`give a Workflow or a Pipeline, or a function of one, not ${describe(child)}.`);
  return asStep({
    branches: [
      {
        name: undefined,
        later: typeof child === "function",
        timeout: undefined,
        inherits: session === "inherit",
        plan: typeof child === "function" ? () => planOf(child(), "subworkflow") : planned(child, "subworkflow"),
      },
    ],
    join: undefined,
    skip: () => undefined,
    input: (event) => refusePromise(input(event), refuse),
    output: output as (result: unknown, event: Event) => unknown,
    // biome-ignore lint/suspicious/noExplicitAny: as above
  }) as (event: any, ctx: Context<any>) => Promise<E>;
}
