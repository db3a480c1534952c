import type { Accepts, All, Collect } from "./accepts";
import type { InputRequestEvent } from "./built-in";
import type { Context } from "./context";
import { methodSteps } from "./decorators";
import { DefinitionError } from "./errors";
import type { Event, EventClass, StartPayload, StopEvent } from "./event";
import type { Handler, RunOptions } from "./handler";
import type { WorkflowOptions } from "./options";
import type { WorkflowDefinition } from "./plan";
import { Program } from "./program";
import { defineStep, type Received, type StepDefinition, type StepOptions, type StepResult } from "./step";

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
> extends Program<Input, Result> {
  readonly #steps = new Map<string, StepDefinition>();
  /** Only for the compiler: what flows in and out. */
  declare protected readonly flow: { input: Input; result: Result; state: State; accepted: Accepted; emitted: Emitted };

  /** @throws DefinitionError for bad options, UnserializableError for an initial state that cannot be stored */
  constructor(name: string, options: WorkflowOptions<State> = {}) {
    super("Workflow", name, options);
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
    if (this.hasRun)
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
  override run(this: Routed<this, Accepted, Emitted>, input: Input, options?: RunOptions): Promise<Result>;
  override run(input: Input, options?: RunOptions): Promise<Result> {
    return super.run(input, options);
  }

  /**
   * Starts a run and gives its handler. The first step runs before this returns (3.7).
   *
   * @throws DefinitionError, EventValidationError
   */
  override start(this: Routed<this, Accepted, Emitted>, input: Input, options?: RunOptions): Handler<Result>;
  override start(input: Input, options?: RunOptions): Handler<Result> {
    return super.start(input, options);
  }

  protected override define(): WorkflowDefinition {
    return { ...this.options, start: undefined, stages: undefined, steps: [...this.#steps.values()] };
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
