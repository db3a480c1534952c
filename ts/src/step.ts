import { type Accepting, type Accepts, type All, accepting, type Collect, isCount, type TypeRef, typeRef } from "./accepts";
import type { Context } from "./context";
import { DefinitionError } from "./errors";
import type { Event, EventClass } from "./event";
import { type Retry, type RetryPolicy, retryOf } from "./retry";
import { describe, isPlainObject, isWellFormed } from "./values";

// biome-ignore lint/suspicious/noConfusingVoidType: a function without a return gives void
type Returned = Event | readonly Event[] | null | undefined | void;
/** What a step returns: an event, an array of them (a fan-out), nothing; or an async generator that yields events (2.1). */
export type StepResult = Returned | Promise<Returned> | AsyncGenerator<Event, void>;

/** What a step gets for what it accepts. */
export type Received<A> =
  A extends Collect<infer E>
    ? E[]
    : A extends All<infer T>
      ? T
      : A extends readonly EventClass[]
        ? InstanceType<A[number]>
        : A extends EventClass
          ? InstanceType<A>
          : Event & Record<string, unknown>;

export interface StepOptions {
  /** Invocations at one time within a run, of this step or of all that name the pool. Default: unlimited (2.3). */
  concurrency?: number | { pool: string; limit: number };
  /** Milliseconds that an attempt may take, not counting when it waits in `sleep` or `requestInput`, or the run is paused. Default: no limit (5.2). */
  timeout?: number;
  /** Attempts in all, or a policy. Default: 1 (2.3). */
  retry?: number | RetryPolicy;
  /** The types it may emit in any way; another is a StepReturnError. Default: any (2.3). */
  emits?: readonly EventClass[];
}

// biome-ignore lint/suspicious/noExplicitAny: any workflow's state
export type StepFunction = (event: never, ctx: Context<any>) => unknown;

/** A step as it was registered. */
export interface StepDefinition {
  readonly name: string;
  readonly accepting: Accepting;
  readonly pool: { readonly name: string | undefined; readonly limit: number } | undefined;
  readonly emits: readonly TypeRef[] | undefined;
  readonly timeout: number | undefined;
  readonly retry: Retry | undefined;
  readonly run: StepFunction;
}

/** @throws DefinitionError naming the step and what is wrong with it */
export function defineStep(name: unknown, accepts: unknown, options: unknown, run: unknown): StepDefinition {
  if (typeof name !== "string" || name === "") throw new DefinitionError(`A step's name is a non-empty string, not ${describe(name)}.`);
  if (!isWellFormed(name)) throw new DefinitionError(`Step ${JSON.stringify(name)}: the name holds a lone surrogate. Use well-formed Unicode.`, { step: name });
  if (typeof run !== "function") throw new DefinitionError(`Step "${name}": the last argument is the step's function, not ${describe(run)}.`, { step: name });
  return { name, accepting: accepting(name, accepts), ...stepOptions(name, options), run: run as StepFunction };
}

function stepOptions(step: string, options: unknown): Pick<StepDefinition, "pool" | "emits" | "timeout" | "retry"> {
  const refuse = (why: string): never => {
    throw new DefinitionError(`Step "${step}": ${why}`, { step });
  };
  if (!isPlainObject(options)) return refuse(`the options are an object, not ${describe(options)}.`);
  const { concurrency, emits, timeout, retry, ...unknown } = options;
  const extra = Object.keys(unknown)[0];
  if (extra !== undefined) refuse(`there is no option "${extra}". Known: concurrency, timeout, retry, emits.`);
  if (emits !== undefined && !Array.isArray(emits)) refuse(`"emits" is an array of event classes, not ${describe(emits)}.`);
  if (timeout !== undefined && !isLimit(timeout)) refuse(`"timeout" is a number of milliseconds above 0, not ${describe(timeout)}.`);
  return {
    timeout: timeout === Number.POSITIVE_INFINITY ? undefined : (timeout as number | undefined),
    retry: retry === undefined ? undefined : retryOf(retry, refuse),
    pool: concurrency === undefined ? undefined : pool(concurrency, refuse),
    emits: (emits as unknown[] | undefined)?.map((one) => typeRef(`Step "${step}", emits`, one, step)),
  };
}

/** Milliseconds that something may take. */
export function isLimit(value: unknown): value is number {
  return typeof value === "number" && value > 0;
}

function pool(concurrency: unknown, refuse: (why: string) => never): { name: string | undefined; limit: number } {
  if (isCount(concurrency)) return { name: undefined, limit: concurrency };
  if (isPlainObject(concurrency) && typeof concurrency["pool"] === "string" && concurrency["pool"] !== "" && isCount(concurrency["limit"])) {
    return { name: concurrency["pool"], limit: concurrency["limit"] };
  }
  return refuse(
    `"concurrency" is a whole number from 1 up, or { pool: "name", limit }, not ${isPlainObject(concurrency) ? JSON.stringify(concurrency) : describe(concurrency)}.`,
  );
}

export type { Accepts };
