import { DefinitionError } from "./errors";
import type { EventClass } from "./event";
import type { WorkflowOptions } from "./options";
import type { Conditional, FirstInput, InputOf, Join, Joined, MapInput, Mapped, StageOptions, Unset, With } from "./pipeline-types";
import type { WorkflowDefinition } from "./plan";
import { Program } from "./program";
import { Stage } from "./stage";
import type { Runnable } from "./subworkflow";
import { describe, isWellFormed } from "./values";

// biome-ignore lint/suspicious/noExplicitAny: a branch takes and gives what it does
type Branches = Record<string, Runnable<any, any>>;

/**
 * A workflow made of workflows, one after the other (11.2). Types flow from stage to stage: the previous result is the next input, and
 * where it is none, `input` is required. It runs, pauses, resumes and answers as any workflow, and can be a stage or a step of another.
 *
 * @example
 * const publish = new Pipeline("publish")
 *   .stage("draft", draft)
 *   .parallel("check", { spelling, facts }, { join: "all" })
 *   .map("report", ({ spelling, facts }) => `${spelling}, ${facts}`);
 * await publish.run({ topic: "rain" });
 */
// biome-ignore lint/complexity/noBannedTypes: no results yet
export class Pipeline<Input = Unset, Output = Unset, Results extends object = {}> extends Program<Input, Output> {
  readonly #stages: Stage[] = [];
  /** Only for the compiler. */
  declare protected readonly flow: { input: Input; output: Output; results: Results };

  /** @throws DefinitionError for a bad name or options */
  // biome-ignore lint/suspicious/noExplicitAny: nobody reads the state of a pipeline
  constructor(name: string, options: WorkflowOptions<any> = {}) {
    super("Pipeline", name, options);
    if (this.options.external.length > 0)
      throw new DefinitionError(
        `Pipeline "${name}": "external" names what a workflow's own steps accept, and a pipeline has none. Name it in the workflow of the stage.`,
      );
  }

  /**
   * Runs a workflow or pipeline as a child run.
   *
   * @param name unique in the pipeline; a snapshot knows where it is by this name
   * @param options `input(previous, { input, results })` gives the child's input, by default the previous result; `when(previous)` is asked
   *   before: with false the stage is skipped and passes the previous result on; `retry`, `timeout`
   * @throws DefinitionError for a name that is taken, bad options, or after the first run
   */
  stage<N extends string, I, R>(
    name: N,
    workflow: Runnable<I, R>,
    options: MapInput<Output, I, Input, Results> & Conditional<Output>,
  ): Pipeline<FirstInput<Input, I>, Output | R, With<Results, N, Output | R>>;
  stage<N extends string, I, R>(
    name: N,
    workflow: Runnable<I, R>,
    ...options: Mapped<Output, I, Input, Results>
  ): Pipeline<FirstInput<Input, I>, R, With<Results, N, R>>;
  stage(name: string, workflow: unknown, options?: unknown): unknown {
    return this.#add(name, () => Stage.of(this.name, name, workflow, options));
  }

  /**
   * Runs several at once, with one input.
   *
   * @param branches by name
   * @param options as of `stage`, and `join`: "all" (default) gives `{ branch: result }` and fails with the first that fails; "settled" gives
   *   `{ branch: PromiseSettledResult }`; "first" gives `{ branch, result }` of the first success; `{ quorum: n }` the first n. The last two cancel
   *   the rest, wait up to a second for its cleanup, and fail only when success has become impossible, with all causes in `errors`
   * @throws DefinitionError
   */
  parallel<N extends string, B extends Branches, const J extends Join = "all">(
    name: N,
    branches: B,
    options: MapInput<Output, InputOf<B[keyof B]>, Input, Results> & Conditional<Output> & { join?: J },
  ): Pipeline<FirstInput<Input, InputOf<B[keyof B]>>, Output | Joined<B, J>, With<Results, N, Output | Joined<B, J>>>;
  parallel<N extends string, B extends Branches, const J extends Join = "all">(
    name: N,
    branches: B,
    ...options: Mapped<Output, InputOf<B[keyof B]>, Input, Results, { join?: J }>
  ): Pipeline<FirstInput<Input, InputOf<B[keyof B]>>, Joined<B, J>, With<Results, N, Joined<B, J>>>;
  parallel(name: string, branches: unknown, options?: unknown): unknown {
    return this.#add(name, () => Stage.parallel(this.name, name, branches, options));
  }

  /**
   * Runs it again and again, each time with the result of the round before.
   *
   * @param options `until(result, round)`, rounds from 1; `max` rounds, after which the stage fails with LoopLimitError, or with `onMax: "pass"` passes
   *   the last result on; `input` maps the first round's input; `retry` and `timeout` count per round
   * @throws DefinitionError
   */
  loop<N extends string, I, R extends I>(
    name: N,
    workflow: Runnable<I, R>,
    options: { until: (result: R, round: number) => boolean; max: number; onMax?: "fail" | "pass" } & MapInput<Output, I, Input, Results> & StageOptions,
  ): Pipeline<FirstInput<Input, I>, R, With<Results, N, R>>;
  loop(name: string, workflow: unknown, options: unknown): unknown {
    return this.#add(name, () => Stage.loop(this.name, name, workflow, options));
  }

  /** Changes the previous result by a function, which may be asynchronous. @throws DefinitionError */
  map<N extends string, R>(
    name: N,
    change: (previous: Output, so: { input: Input; results: Results }) => R | Promise<R>,
  ): Pipeline<Input, R, With<Results, N, R>>;
  map(name: string, change: unknown): unknown {
    return this.#add(name, () => Stage.map(this.name, name, change));
  }

  #add(name: unknown, make: () => Stage): this {
    const refuse = (why: string): never => {
      throw new DefinitionError(`Pipeline "${this.name}": ${why}`);
    };
    if (typeof name !== "string" || name === "" || !isWellFormed(name))
      return refuse(`a stage's name is a non-empty string of well-formed Unicode, not ${describe(name)}.`);
    if (this.hasRun) refuse(`it has run already, so stage "${name}" comes too late. Add all stages before the first run.`);
    if (this.#stages.some((stage) => stage.name === name)) refuse(`there is a stage "${name}" already. Names of stages are unique.`);
    const stage = make();
    const last = this.#stages.at(-1);
    if (last !== undefined) last.next = stage;
    this.#stages.push(stage);
    return this;
  }

  /** @throws DefinitionError for a pipeline without stages */
  protected override define(): WorkflowDefinition {
    const [first] = this.#stages;
    if (first === undefined) throw new DefinitionError(`Pipeline "${this.name}": it has no stages. Add one before it runs.`);
    return {
      ...this.options,
      start: { class: first.event as unknown as EventClass, begin: (input) => new first.event(input, input, undefined, undefined) },
      stages: this.#stages.map(({ name }) => name),
      steps: this.#stages.map(({ step }) => step),
    };
  }
}
