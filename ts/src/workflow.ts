import { type Accepts, type All, type Collect, type TypeRef, typeRef } from "./accepts";
import { begin, checkOptions } from "./begin";
import type { InputRequestEvent } from "./built-in";
import type { Context } from "./context";
import { methodSteps } from "./decorators";
import { DefinitionError } from "./errors";
import type { Event, EventClass, StartPayload, StopEvent } from "./event";
import { Handler, type RunOptions } from "./handler";
import type { MemoryOptions } from "./memory";
import { memoryOptions, type WorkflowMemory } from "./options";
import { compile, type Plan } from "./plan";
import { resumeRun } from "./resume";
import type { Snapshot } from "./snapshot";
import { defineStep, isLimit, type Received, type StepDefinition, type StepOptions, type StepResult } from "./step";
import { describe, isPlainObject } from "./values";

export interface WorkflowOptions<State extends object = Record<string, unknown>> extends WorkflowMemory<State> {
  /** Of the workflow's definition. Default: 1. */
  version?: number;
  /** What becomes of an event that no step accepts: it fails the run, is dropped, or is only for observers. Default: "error" (3.3). */
  unhandledEvents?: "error" | "ignore" | "stream";
  /** Milliseconds of running time: pauses and waiting for answers or events from outside do not count. Default: no limit (5.2). */
  timeout?: number;
  /** Types that may come from outside by `handler.send` (1.8). */
  external?: readonly EventClass[];
}

/**
 * Steps wired by the types of events they accept. Chain `.step(…)`, or extend it and decorate methods with `@step`.
 *
 * @example
 * const greet = new Workflow("greet")
 *   .step("hello", StartEvent<{ name: string }>, (start) => new StopEvent({ result: `Hello, ${start.name}` }));
 * await greet.run({ name: "Ada" }); // "Hello, Ada"
 */
export class Workflow<
  Input = unknown,
  Result = unknown,
  State extends object = Record<string, unknown>,
  Accepted extends string = string,
  Emitted extends string = never,
> {
  readonly name: string;
  readonly version: number;
  readonly #unhandled: "error" | "ignore" | "stream";
  readonly #external: readonly TypeRef[];
  readonly #timeout: number | undefined;
  readonly #memory: MemoryOptions;
  readonly #steps = new Map<string, StepDefinition>();
  #plan: Plan | undefined;
  /** Only for the compiler: what flows in and out. */
  declare protected readonly flow: { input: Input; result: Result; state: State; accepted: Accepted; emitted: Emitted };

  /** @throws DefinitionError for bad options, UnserializableError for an initial state that cannot be stored */
  constructor(name: string, options: WorkflowOptions<State> = {}) {
    if (typeof name !== "string" || name === "") throw new DefinitionError(`A workflow's name is a non-empty string, not ${describe(name)}.`);
    const refuse = (why: string): never => {
      throw new DefinitionError(`Workflow "${name}": ${why}`);
    };
    if (!isPlainObject(options)) refuse(`the options are an object, not ${describe(options)}.`);
    const { version = 1, unhandledEvents = "error", external = [], timeout, state, session, sessionPausePolicy, types, migrate, verify, ...unknown } = options;
    const extra = Object.keys(unknown)[0];
    if (extra !== undefined)
      refuse(`there is no option "${extra}". Known: version, state, timeout, session, sessionPausePolicy, unhandledEvents, external, types, migrate, verify.`);
    if (!Number.isSafeInteger(version) || version < 1) refuse(`"version" is a whole number from 1 up, not ${describe(version)}.`);
    if (unhandledEvents !== "error" && unhandledEvents !== "ignore" && unhandledEvents !== "stream")
      refuse(`"unhandledEvents" is "error", "ignore" or "stream", not ${describe(unhandledEvents)}.`);
    if (!Array.isArray(external)) refuse(`"external" is an array of event classes, not ${describe(external)}.`);
    if (timeout !== undefined && !isLimit(timeout)) refuse(`"timeout" is a number of milliseconds above 0, not ${describe(timeout)}.`);
    this.#timeout = timeout === Number.POSITIVE_INFINITY ? undefined : timeout;
    this.#memory = memoryOptions(options, refuse);
    this.name = name;
    this.version = version;
    this.#unhandled = unhandledEvents;
    this.#external = external.map((one) => typeRef(`Workflow "${name}", external`, one));
    for (const [method, { accepts, options, name: step = method }] of methodSteps(this)) {
      this.step(step, accepts as string, options, (event, ctx) =>
        (this as unknown as Record<string, (event: unknown, ctx: Context<State>) => StepResult>)[method]!(event, ctx),
      );
    }
  }

  /**
   * Adds a step: it runs once for each event it accepts, or each set of a join or collect.
   *
   * @param name the durable name, unique in the workflow
   * @param run gets the event and the context; returns an event, an array (a fan-out) or nothing, or is an async generator (2.1)
   * @throws DefinitionError for a duplicate name, bad options, or after the first run (2.6)
   */
  step<const A extends Accepts, R extends StepResult>(name: string, accepts: A, run: (event: Received<A>, ctx: Context<State>) => R): Next<this, A, R>;
  step<const A extends Accepts, R extends StepResult>(
    name: string,
    accepts: A,
    options: StepOptions,
    run: (event: Received<A>, ctx: Context<State>) => R,
  ): Next<this, A, R>;
  step(name: string, accepts: unknown, ...rest: unknown[]): unknown {
    if (this.#plan !== undefined)
      throw new DefinitionError(`Workflow "${this.name}" has run already, so step "${name}" comes too late. Add all steps before the first run.`, {
        step: name,
      });
    const [options, run] = rest.length > 1 ? rest : [{}, rest[0]];
    const definition = defineStep(name, accepts, options ?? {}, run);
    if (this.#steps.has(name)) throw new DefinitionError(`Workflow "${this.name}" has a step "${name}" already. Names of steps are unique.`, { step: name });
    this.#steps.set(name, definition);
    return this;
  }

  /**
   * Runs to the end and gives the StopEvent's `result`, the very object. Does not compile while an emitted event has no step.
   *
   * @param input the payload of the StartEvent
   * @throws (as a rejection) DefinitionError, StepError, StalledError, UnhandledEventError, StepReturnError, CancelledError
   */
  run(this: Routed<this, Accepted, Emitted>, input: Input, options?: RunOptions): Promise<Result>;
  run(input: Input, options?: RunOptions): Promise<Result> {
    try {
      return begin(this.#compiled(), input, options).result() as Promise<Result>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Starts a run and gives its handler. The first step runs before this returns (3.7).
   *
   * @throws DefinitionError, EventValidationError
   */
  start(this: Routed<this, Accepted, Emitted>, input: Input, options?: RunOptions): Handler<Result>;
  start(input: Input, options?: RunOptions): Handler<Result> {
    return new Handler(begin(this.#compiled(), input, options));
  }

  /**
   * Goes on from a snapshot, here or in another process, on Node or in a browser, under the same run id (7.3). Its steps are
   * called after this has returned; those that had not settled are called again.
   *
   * @param snapshot a Snapshot, its text, or its bytes in either form
   * @param options `signal`, `session`, `streamRetention` and `overflow`
   * @throws SnapshotError for what is damaged, newer, of another workflow, or does not fit this one: nothing is left of it
   * @example
   * const handler = workflow.resume(await readFile("run.json", "utf8"));
   */
  resume(snapshot: Snapshot | string | Uint8Array, options: RunOptions = {}): Handler<Result> {
    const plan = this.#compiled();
    checkOptions(plan.name, options);
    return new Handler(resumeRun(plan, snapshot, options));
  }

  #compiled(): Plan {
    const plan = this.#plan;
    if (plan?.usable) return plan;
    this.#plan = compile({
      name: this.name,
      version: this.version,
      unhandled: this.#unhandled,
      external: this.#external,
      timeout: this.#timeout,
      steps: [...this.#steps.values()],
      memory: this.#memory,
    });
    return this.#plan;
  }
}

/** Built-in types may be written without their prefix. */
type Long<T extends string> = T extends "StartEvent" | "StopEvent" | "InputRequestEvent" | "InputResponseEvent" | "StepFailedEvent" | "ProgressEvent"
  ? `blazen::${T}`
  : T;
type AcceptedTypes<A> =
  A extends Collect<infer E>
    ? E["type"]
    : A extends All<infer T>
      ? T[number]["type"]
      : A extends readonly EventClass[]
        ? InstanceType<A[number]>["type"]
        : A extends EventClass
          ? InstanceType<A>["type"]
          : A extends string
            ? Long<A>
            : never;
type Emits<R> =
  // biome-ignore lint/suspicious/noExplicitAny: what a generator returns does not matter
  R extends AsyncGenerator<infer E, any>
    ? E extends Event
      ? E
      : never
    : Awaited<R> extends infer X
      ? X extends readonly (infer E)[]
        ? E extends Event
          ? E
          : never
        : X extends Event
          ? X
          : never
      : never;
type ResultOf<E> = E extends StopEvent<infer R> ? R : never;
interface Unhandled<T extends string> {
  readonly "no step accepts": T;
}
/** What must be accepted: every emitted type but StopEvent; for a request the type of its answer. */
type MustAccept<E> = E extends InputRequestEvent<infer A> ? InstanceType<A>["type"] : E extends Event<infer T> ? Exclude<Long<T>, "blazen::StopEvent"> : never;
type Routed<W, Accepted extends string, Emitted extends string> = string extends Accepted
  ? W
  : string extends Emitted
    ? W
    : [Exclude<Emitted, Accepted>] extends [never]
      ? W
      : W & Unhandled<Exclude<Emitted, Accepted>>;
type Next<W, A, R> =
  W extends Workflow<infer I, infer Res, infer S, infer Acc, infer Em>
    ? Workflow<
        [StartPayload<A>] extends [never] ? I : StartPayload<A>,
        unknown extends Res ? ([ResultOf<Emits<R>>] extends [never] ? Res : ResultOf<Emits<R>>) : Res | ResultOf<Emits<R>>,
        S,
        (string extends Acc ? never : Acc) | AcceptedTypes<A>,
        Em | MustAccept<Emits<R>>
      >
    : never;
