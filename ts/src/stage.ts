import type { Attempt } from "./attempt";
import { DefinitionError, LoopLimitError } from "./errors";
import { type Event, type EventClass, StopEvent } from "./event";
import type { Flow } from "./flow";
import { asStep, type Branch, type Join } from "./nest";
import { isProgram, planned } from "./program";
import { publishProgress, ShownProgress } from "./progress";
import { retryOf } from "./retry";
import { Ended, type StageEvent, type StageEventClass, stageEvent, stageType, storedResults } from "./stage-event";
import { isLimit, type StepDefinition, type StepFunction } from "./step";
import { refusePromise } from "./subworkflow";
import { describe, isPlainObject } from "./values";

type Function = (...args: never[]) => unknown;
interface Options {
  readonly input?: (previous: unknown, so: { input: unknown; results: unknown }) => unknown;
  readonly when?: (previous: unknown) => boolean;
  readonly until?: (result: unknown, round: number) => boolean;
  readonly max?: number;
  readonly onMax?: "fail" | "pass";
  readonly join?: Join;
  readonly retry?: unknown;
  readonly timeout?: number;
}

/** A stage of a pipeline: a step of its workflow that gives the next stage's event (11.2). */
export class Stage {
  readonly event: StageEventClass;
  /** V8 forgets the shapes of objects that have all died (see Blank in event.ts). */
  readonly kept: readonly object[];
  /** The stage behind it, when there is one. */
  next: Stage | undefined = undefined;
  readonly #options: Options;
  readonly #refuse: (why: string) => never;
  readonly #run: StepFunction;

  private constructor(
    pipeline: string,
    readonly name: string,
    options: unknown,
    known: readonly string[],
    run: (stage: Stage, options: Options, refuse: (why: string) => never) => StepFunction,
  ) {
    this.#refuse = (why) => {
      throw new DefinitionError(`Pipeline "${pipeline}", stage ${JSON.stringify(name)}: ${why}`, { step: name });
    };
    this.#options = checked(options ?? {}, known, this.#refuse);
    this.event = stageEvent(name);
    this.kept = [new this.event(undefined, undefined, undefined, undefined), new ShownProgress(undefined as never, undefined, name, false)];
    this.#run = run(this, this.#options, this.#refuse);
  }

  static of(pipeline: string, name: string, program: unknown, options: unknown): Stage {
    return new Stage(pipeline, name, options, ["input", "when", "retry", "timeout"], (stage, given, refuse) =>
      stage.#children([stage.#branch(undefined, program, given, refuse)], undefined),
    );
  }

  static parallel(pipeline: string, name: string, branches: unknown, options: unknown): Stage {
    return new Stage(pipeline, name, options, ["input", "when", "retry", "timeout", "join"], (stage, given, refuse) => {
      if (!isPlainObject(branches) || Object.keys(branches).length === 0)
        return refuse(`give the branches as { name: workflow, … }, not ${describe(branches)}.`);
      const all = Object.entries(branches).map(([branch, program]) => stage.#branch(branch, program, given, refuse));
      return stage.#children(all, checkedJoin(given.join, all.length, refuse));
    });
  }

  static loop(pipeline: string, name: string, program: unknown, options: unknown): Stage {
    return new Stage(pipeline, name, options, ["input", "retry", "timeout", "until", "max", "onMax"], (stage, given, refuse) => {
      const { until, max, onMax } = given;
      if (typeof until !== "function") refuse(`"until" is a function of the result and the round, not ${describe(until)}.`);
      if (!Number.isInteger(max) || (max as number) < 1) refuse(`"max" is a whole number of rounds from 1 up, not ${describe(max)}.`);
      if (onMax !== undefined && onMax !== "fail" && onMax !== "pass") refuse(`"onMax" is "fail" or "pass", not ${describe(onMax)}.`);
      return stage.#children([stage.#branch(undefined, program, given, refuse)], undefined);
    });
  }

  static map(pipeline: string, name: string, change: unknown): Stage {
    return new Stage(pipeline, name, {}, [], (stage, _, refuse) => {
      if (typeof change !== "function") return refuse(`give a function of the previous result, not ${describe(change)}.`);
      return ((event: StageEvent, ctx: Attempt) => {
        if (ctx.attempt === 1) publishProgress(ctx.flow as Flow, name, false);
        const given = (change as Function)(event.previous as never, { input: event.input, results: event.results } as never);
        const promised = typeof (given as { then?: unknown } | null | undefined)?.then === "function";
        return promised ? Promise.resolve(given).then((result) => stage.#pass(event, result, ctx)) : stage.#pass(event, given, ctx);
      }) as unknown as StepFunction;
    });
  }

  /** The step that it is. */
  get step(): StepDefinition {
    const { retry } = this.#options;
    return {
      name: this.name,
      accepting: { kind: "any", types: [{ name: stageType(this.name), class: this.event as unknown as EventClass }] },
      pool: undefined,
      emits: undefined,
      timeout: undefined,
      retry: retry === undefined ? undefined : retryOf(retry, this.#refuse),
      run: this.#run,
    };
  }

  #branch(name: string | undefined, program: unknown, { timeout }: Options, refuse: (why: string) => never): Branch {
    if (!isProgram(program)) refuse(`give a Workflow or a Pipeline, not ${describe(program)}.`);
    return { name, timeout, later: false, inherits: false, plan: planned(program, `Stage ${JSON.stringify(this.name)}`) };
  }

  #children(branches: readonly Branch[], join: Join | undefined): StepFunction {
    const { input, when } = this.#options;
    return asStep({
      branches,
      join,
      skip: (event, attempt) => {
        const { previous, round } = event as StageEvent;
        if (round === undefined && attempt.attempt === 1) publishProgress(attempt.flow as Flow, this.name, false);
        return when === undefined || when(previous) ? undefined : this.#pass(event as StageEvent, previous, attempt);
      },
      input: (event) => {
        const stage = event as StageEvent;
        if (input === undefined || stage.round !== undefined) return stage.previous;
        return refusePromise(input(stage.previous, { input: stage.input, results: stage.results }), this.#refuse);
      },
      output: (result, event, attempt) => this.#again(result, event as StageEvent, attempt) ?? this.#pass(event as StageEvent, result, attempt),
    });
  }

  /** The next round of a loop; undefined where there is none. */
  #again(result: unknown, event: StageEvent, attempt: Attempt): Event | undefined {
    const { until, max, onMax } = this.#options;
    const { round = 1 } = event;
    if (until === undefined || until(result, round)) return undefined;
    if (round < max!) return new this.event(event.input, result, event.ended, storedResults(event), round + 1);
    if (onMax === "pass") return undefined;
    throw new LoopLimitError(
      `Stage "${this.name}": "until" did not hold after ${max} rounds, the "max" of the loop. Raise it, or pass the last result on with onMax: "pass".`,
      {
        step: this.name,
        runId: attempt.runId,
      },
    );
  }

  /** It has ended with this result: the next stage's event, or the end of the pipeline. */
  #pass(event: StageEvent, result: unknown, attempt: Attempt): Event {
    publishProgress(attempt.flow as Flow, this.name, true);
    const stored = storedResults(event);
    let { next } = this;
    // What has ended never runs again, also where stages have changed places since.
    while (stored !== undefined && next !== undefined && Object.hasOwn(stored, next.name)) next = next.next;
    if (next === undefined) return new StopEvent({ result });
    return new next.event(event.input, result, new Ended(this.name, result, event.ended), stored);
  }
}

function checked(options: unknown, known: readonly string[], refuse: (why: string) => never): Options {
  if (!isPlainObject(options)) return refuse(`the options are an object, not ${describe(options)}.`);
  const extra = Object.keys(options).find((option) => !known.includes(option));
  if (extra !== undefined) refuse(`there is no option "${extra}". Known: ${known.join(", ")}.`);
  const { input, when, timeout, retry } = options;
  if (input !== undefined && typeof input !== "function") refuse(`"input" is a function of the previous result, not ${describe(input)}.`);
  if (when !== undefined && typeof when !== "function") refuse(`"when" is a function of the previous result, not ${describe(when)}.`);
  if (timeout !== undefined && !isLimit(timeout)) refuse(`"timeout" is a number of milliseconds above 0, not ${describe(timeout)}.`);
  if (retry !== undefined) retryOf(retry, refuse);
  return { ...options, timeout: timeout === Number.POSITIVE_INFINITY ? undefined : timeout } as Options;
}

function checkedJoin(join: unknown, branches: number, refuse: (why: string) => never): Join {
  if (join === undefined || join === "all" || join === "settled" || join === "first") return join ?? "all";
  const quorum = isPlainObject(join) && Object.keys(join).length === 1 ? join["quorum"] : undefined;
  if (Number.isInteger(quorum) && (quorum as number) >= 1 && (quorum as number) <= branches) return join as Join;
  return refuse(
    `"join" is "all", "settled", "first" or { quorum: n } with n from 1 to ${branches}, not ${isPlainObject(join) ? JSON.stringify(join) : describe(join)}.`,
  );
}
