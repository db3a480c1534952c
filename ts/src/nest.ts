import type { Attempt } from "./attempt";
import { DefinitionError } from "./errors";
import type { Event } from "./event";
import type { ChildRun } from "./flow";
import type { Plan } from "./plan";
import type { StepFunction } from "./step";

/** How the results of child runs become one (11.2). */
export type Join = "all" | "settled" | "first" | { quorum: number };

/** A child run that a step may open. */
export interface Branch {
  /** Of a parallel stage; undefined for the only one. */
  readonly name: string | undefined;
  /** Milliseconds that it may take; undefined: what its workflow says. */
  readonly timeout: number | undefined;
  /** Its session is that of the step's run. */
  readonly inherits: boolean;
  /** Its workflow is known only when it is opened. */
  readonly later: boolean;
  /** @throws DefinitionError for what is no workflow, or does not compile */
  plan(): Plan;
}

/** What a step does that has child runs in place of a function (11.1). */
export interface Nest {
  readonly branches: readonly Branch[];
  /** Undefined: there is one branch, and its result is the result. */
  readonly join: Join | undefined;
  /** Called once an attempt, before anything is opened: what the step gives without any child run; undefined: it opens them. */
  skip(event: Event, attempt: Attempt): Event | undefined;
  /** The input of the child runs. */
  input(event: Event): unknown;
  /** What the step gives for the joined result. */
  output(result: unknown, event: Event, attempt: Attempt): unknown;
}

/** The child runs that an attempt has opened and waits for. */
export class Nested {
  /** It has what it needs, and gives the others time for their cleanup. */
  decided = false;
  constructor(
    /** What the step was called for. */
    readonly event: Event,
    readonly children: readonly ChildRun[],
  ) {}
}

const nests = new WeakMap<StepFunction, Nest>();

/** A step's function that stands for child runs: the loop opens them in its place. */
export function asStep(nest: Nest): StepFunction {
  const stands: StepFunction = () => {
    throw new DefinitionError('A sub-workflow is a step\'s whole function: give it to .step("name", Accepts, subworkflow(…)) as it is.');
  };
  nests.set(stands, nest);
  return stands;
}

export function nestOf(run: StepFunction): Nest | undefined {
  return nests.get(run);
}
