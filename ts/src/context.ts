import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Event } from "./event";
import type { RequestOptions } from "./requests";
import type { SessionMap } from "./session";
import type { Key, StateMap } from "./state";

/** What a step gets beside its event. After the attempt has ended all but its fields and reads throws CancelledError (4.6). */
export interface Context<S extends object = Record<string, unknown>> {
  /** What must outlive the process: copied in and out, part of the run when the step succeeds (6.1). */
  readonly state: StateMap<S>;
  /** Live values of this process, shared by the run's steps (6.3). */
  readonly session: SessionMap;
  /** From the state or, where it has no such key, from the session (6.4). */
  get<K extends Key<S>>(key: K): S[K];
  get<T = unknown>(key: string): T | undefined;
  /**
   * Keeps a value by what it is: in the state what can be stored, else in the session; the other side forgets the key (6.4).
   *
   * @throws SessionValueError for a live value where the session goes as JSON, CancelledError when the attempt is over
   */
  set<K extends Key<S>>(key: K, value: S[K]): void;
  set(key: string, value: unknown): void;
  /** The bytes of a Uint8Array in the state; undefined for any other value. */
  getBytes(key: string): Uint8Array | undefined;
  /** Stores bytes in the state as they are. */
  setBytes(key: string, bytes: Uint8Array): void;
  /**
   * Routes an event at once, while the step goes on, with what the step has written so far (4.2). It belongs to the branch
   * that the step runs in (2.5). The promise need not be awaited: a failure fails the attempt.
   *
   * @param options `id`: when the run knows it, neither the event nor what was written becomes part of the run
   * @throws StepReturnError for what is no event, CancelledError when the attempt is over
   */
  sendEvent(event: Event, options?: { id?: string }): Promise<void>;
  /**
   * Runs a side effect once, whatever the number of attempts, and gives each caller a copy of its result (4.4).
   *
   * @param key names the effect within the invocation
   * @throws (as a rejection) what the effect throws, and UnserializableError for a result that cannot be stored: neither is recorded
   */
  once<T>(key: string, effect: () => T | Promise<T>): Promise<T>;
  /**
   * Makes what the step has written so far part of the run, whatever becomes of the step (4.2). The promise need not be awaited.
   *
   * @param options `id`: when the run knows it, what was written is dropped
   * @throws CancelledError when the attempt is over
   */
  commit(options?: { id?: string }): Promise<void>;
  /**
   * Waits so many ms, by the wall clock: also while the run is paused, or lies in a snapshot. An attempt that runs again waits only for
   * what is left (5.4).
   *
   * @param ms below 0 counts as 0
   * @throws (as a rejection) CancelledError when the run is cancelled, or the step's fan-out is over; the attempt's end
   * @example
   * await ctx.sleep(7 * 24 * 3600 * 1000);
   */
  sleep(ms: number): Promise<void>;
  /** The same until a time. */
  sleepUntil(date: Date): Promise<void>;
  /**
   * Asks a person and waits for the answer that `handler.respond` is given (9.1). Only this step waits. When it runs again, its questions get
   * the answers they had, in the order of its calls: guard effects before them with `ctx.once`.
   *
   * @param request `prompt`; `metadata` for whoever shows it; `schema` checks the answer; `timeout`: ms after which it is withdrawn
   * @throws (as a rejection) TimeoutError; CancelledError; DefinitionError where another prompt stood at this place of the step before
   * @example
   * const pay = await ctx.requestInput({ prompt: "Pay 12?", schema: z.boolean() });
   */
  requestInput<S extends StandardSchemaV1>(request: RequestOptions & { schema: S }): Promise<StandardSchemaV1.InferOutput<S>>;
  requestInput<R = unknown>(request: Omit<RequestOptions, "schema">): Promise<R>;
  /**
   * Shows an event to the readers of the run's stream at once, without routing it; it is not undone when the step fails (10.1).
   * Await it to go no faster than they read: it resolves when the event is published. A step settles only after its writes.
   *
   * @throws StepReturnError for what is no event; CancelledError, also as a rejection of a write that waits, when the attempt is over
   * @example
   * for await (const text of model.stream(prompt)) await ctx.writeEventToStream(new Token({ text }));
   */
  writeEventToStream(event: Event): Promise<void>;
  /** Id of the run, unique over all runs unless `runId` was given. */
  readonly runId: string;
  readonly workflowName: string;
  readonly stepName: string;
  /** The same for every attempt, unique over all runs: an idempotency key for other services (4.5). */
  readonly invocationId: string;
  /** Counts from 1. */
  readonly attempt: number;
  /** Aborted when the run is over or cancelled, or this step's fan-out was; `reason` is a CancelledError (5.3). */
  readonly signal: AbortSignal;
}
