import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Attempt } from "./attempt";
import { NONE } from "./buffer";
import { hasRandomId, InputRequestEvent } from "./built-in";
import type { Given } from "./digest";
import { development } from "./environment";
import { DefinitionError, type ErrorDetails, UnhandledEventError } from "./errors";
import type { Event } from "./event";
import type { Flow } from "./flow";
import type { Run } from "./run";
import { publishOwn } from "./stream";
import { describe, isPlainObject } from "./values";

/** What `ctx.requestInput` takes (9.1). */
export interface RequestOptions {
  prompt: string;
  metadata?: unknown;
  /** Checks the answer: a Standard Schema validator. */
  schema?: StandardSchemaV1;
  /** Milliseconds after which the request is withdrawn. Default: none. */
  timeout?: number;
}

/** A question that waits for its answer. */
export interface PendingInput {
  readonly id: string;
  readonly prompt: string;
  readonly metadata?: unknown;
  /** The sub-workflow or stage that asks, outermost first; empty for the run itself. */
  readonly path: readonly string[];
  readonly runId: string;
}

export class Pending {
  /** Of one that a step awaits: what checks its answer; undefined until the step, in this process, has said it, null: nothing does. */
  schema: StandardSchemaV1 | null | undefined = undefined;
  /** Of one that a step awaits in this process: its name. */
  step: string | undefined = undefined;
  /** Those who wait for the schema. */
  #waiting: (() => void)[] | undefined = undefined;

  constructor(
    readonly event: InputRequestEvent,
    /** The core's. */
    readonly number: number,
    readonly awaited: boolean,
    /** The run or child run that asks. */
    readonly flow: Flow,
  ) {}

  /** Until the schema is known, or nobody needs an answer any more. */
  known(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting ??= [];
      this.#waiting.push(resolve);
    });
  }
  tell(): void {
    for (const resolve of this.#waiting?.splice(0) ?? []) resolve();
  }
}

/** An id that a request has which is not asked yet. */
const EMITTED = "emitted";
/** The id of a request that was withdrawn. */
const WITHDRAWN = "withdrawn";

/** The questions of a run, by id: one table of what is to come and pending, and one of what is over. */
export class Requests {
  /** One has an answer that no step accepts: the run is about to fail. */
  refused = false;
  readonly #open = new Map<string, Pending | typeof EMITTED>();
  #over: Map<string, Given | typeof WITHDRAWN> | undefined = undefined;
  /** Ids of events that are to become part of the run when their attempts commit. */
  #claimed: Map<string, Attempt> | undefined = undefined;

  has(id: string): boolean {
    return this.#open.has(id) || this.#over?.has(id) === true;
  }
  /** An attempt is about to emit an event with this id, which nothing else has; false where something has. */
  claim(id: string, attempt: Attempt): boolean {
    const by = this.#claimed?.get(id);
    if (this.has(id) || (by !== undefined && by.invocation >= 0 && !by.aborted)) return false;
    this.#claimed ??= new Map();
    this.#claimed.set(id, attempt);
    return true;
  }
  /** An event with this id is part of the run. */
  emitted(id: string): void {
    this.#open.set(id, EMITTED);
    this.#claimed?.delete(id);
    if (this.#claimed?.size === 0) this.#claimed = undefined;
  }
  asked(id: string, pending: Pending): void {
    this.#open.set(id, pending);
  }
  pending(id: string): Pending | undefined {
    const open = this.#open.get(id);
    return open === EMITTED ? undefined : open;
  }
  /** In the order in which their ids became known. */
  allPending(): Pending[] {
    return Array.from(this.#open.values()).filter((open) => open !== EMITTED);
  }

  answer(id: string): Given | undefined {
    const over = this.#over?.get(id);
    return over === WITHDRAWN ? undefined : over;
  }
  *answers(): Generator<[string, Given]> {
    for (const [id, over] of this.#over ?? []) if (over !== WITHDRAWN) yield [id, over];
  }
  answered(id: string, given: Given): void {
    this.#end(id, given);
  }
  withdrawn(id: string): void {
    this.#end(id, WITHDRAWN);
  }
  #end(id: string, how: Given | typeof WITHDRAWN): void {
    this.pending(id)?.tell();
    this.#open.delete(id);
    this.#over ??= new Map();
    this.#over.set(id, how);
  }
  /** The run is over: who waits to answer is told. */
  end(): void {
    for (const pending of this.allPending()) pending.tell();
  }
}

export function requestsOf(run: Run): Requests {
  run.requests ??= new Requests();
  return run.requests;
}

/**
 * The core has a question: a new one, or one that a step asks again.
 *
 * @param invocation the one that awaits it; NONE for an event
 * @returns the error that fails the run when no step accepts the answer (9.1)
 */
export function asked(flow: Flow, number: number, invocation: number, event: InputRequestEvent): Error | undefined {
  const { run, plan } = flow;
  const requests = requestsOf(run);
  if (requests.pending(event.id) !== undefined) return undefined;
  const awaited = invocation !== NONE;
  requests.asked(event.id, new Pending(event, number, awaited, flow));
  // A stored run has published its questions before.
  if (run.begun) publishOwn(flow, event);
  const { type } = event.answer;
  if (awaited || plan.accepted.has(type)) return undefined;
  requests.refused = true;
  return new UnhandledEventError(
    `${flow.title}: no step accepts "${type}", the answer of the request ${JSON.stringify(event.prompt)}. Add a step that accepts it, or name another event class as "answer".`,
    type,
    { runId: flow.runId },
  );
}

export function pendingInputs(run: Run): PendingInput[] {
  if (run.requests === undefined || run.over || run.cancelling) return [];
  return run.requests.allPending().map(({ event, flow }) => pendingInput(event, flow));
}

export function pendingInput({ id, prompt, ...event }: InputRequestEvent, flow: Flow): PendingInput {
  return { id, prompt, ...("metadata" in event ? { metadata: event.metadata } : {}), path: flow.path, runId: flow.runId };
}

/**
 * An attempt emits an event: if it is a question its id is the attempt's, until it is the run's or the attempt is over. In a child run the
 * author's id comes after the child's path.
 *
 * @returns the event, or the question with the id that it has in the run
 * @throws DefinitionError for an id that a request of the run has already (9.1)
 */
export function claimRequestId(run: Run, event: Event, attempt: Attempt): Event {
  if (event.type !== InputRequestEvent.type) return event;
  const request = inChild(attempt.flow as Flow, event as InputRequestEvent);
  const { id } = request;
  if (requestsOf(run).claim(id, attempt)) return request;
  const step = attempt.stepName;
  throw new DefinitionError(`Step "${step}": the request id ${JSON.stringify(id)} is used already in this run. Give each request its own, or none.`, {
    step,
    runId: run.runId,
  });
}

function inChild(flow: Flow, event: InputRequestEvent): InputRequestEvent {
  const { path } = flow;
  if (path.length === 0 || hasRandomId(event)) return event;
  return new InputRequestEvent({ ...event, id: [...path, event.id].join("/") });
}

/** A question as `ctx.requestInput` makes it. @throws DefinitionError for bad options */
export function requestOf(
  options: RequestOptions,
  id: string,
  where: string,
  details: ErrorDetails,
): { event: InputRequestEvent; timeout: number | undefined } {
  const refuse = (why: string): never => {
    throw new DefinitionError(`${where}: ${why}`, details);
  };
  if (!isPlainObject(options)) return refuse(`give { prompt, metadata?, schema?, timeout? }, not ${describe(options)}.`);
  const { prompt, schema, timeout, metadata, ...unknown } = options;
  const extra = Object.keys(unknown)[0];
  if (extra !== undefined) refuse(`there is no option "${extra}". Known: prompt, metadata, schema, timeout.`);
  if (typeof prompt !== "string") refuse(`"prompt" is a text, not ${describe(prompt)}.`);
  if (schema !== undefined && typeof schema?.["~standard"]?.validate !== "function")
    refuse(`"schema" is a Standard Schema validator (zod, valibot, arktype), not ${describe(schema)}.`);
  if (timeout !== undefined && !(typeof timeout === "number" && timeout >= 0)) refuse(`"timeout" is a number of milliseconds, not ${describe(timeout)}.`);
  const event = new InputRequestEvent({ id, prompt, ...("metadata" in options ? { metadata } : {}) });
  if (development) Object.freeze(event);
  return { event, timeout: timeout === Number.POSITIVE_INFINITY ? undefined : timeout };
}

/** The step, in this process, awaits the answer and says what checks it. */
export function awaitRequest(run: Run, id: string, schema: StandardSchemaV1 | undefined, step: string): InputRequestEvent | undefined {
  const pending = run.requests?.pending(id);
  if (pending === undefined) return undefined;
  pending.step = step;
  pending.schema = schema ?? null;
  pending.tell();
  return pending.event;
}
