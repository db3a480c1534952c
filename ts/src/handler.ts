import { cancelByHandler } from "./cancel";
import type { Clock } from "./clock";
import { type CancelReport, FencedError, RunOverError, UnknownRequestError } from "./errors";
import type { Event } from "./event";
import { type EventStream, readStream } from "./event-stream";
import { type Observation, observe } from "./observe";
import { goOnInPlace, type PauseOptions, pauseRun, snapshotRun } from "./pause";
import { type Progress, progressOf } from "./progress";
import { type PendingInput, pendingInputs } from "./requests";
import { respond } from "./respond";
import type { Run, RunStatus } from "./run";
import { sendFromOutside } from "./send";
import type { Snapshot } from "./snapshot";
import type { CheckpointStore } from "./store";
import type { Overflow } from "./stream";

export interface RunOptions {
  /** Default: a random UUID. */
  runId?: string;
  /** Cancels the run when it is aborted (5.3). */
  signal?: AbortSignal;
  /** Put into `ctx.session` before the first step; live values need `session: "live"` on Node (6.3). */
  session?: Record<string, unknown>;
  /** Where time comes from. Default: the system's clock; `blazen/testing` has one that a test sets. */
  clock?: Clock;
  /** Events of the stream that are kept for readers, a whole number from 1. Default: 10,000 (10.2). */
  streamRetention?: number;
  /**
   * What happens when so many are kept and a reader has not taken the oldest yet (10.3). "block" (default): `ctx.writeEventToStream` waits for it;
   * "drop-oldest": the reader loses it, and `dropped` tells; "error": the reader ends with a StreamOverflowError.
   */
  overflow?: Overflow;
  /** Where the run is kept, so that it goes on whatever becomes of the process (12). */
  store?: CheckpointStore;
  /** "step" (default): each commit is stored; `every` n-th, or at most every `ms` ms: only with durability "relaxed" (12.2). */
  checkpoint?: "step" | { every: number } | { ms: number };
  /** "strict" (default): nothing goes on from a commit that is not on disk. "relaxed": the run is a bounded distance ahead of its store (12.1). */
  durability?: "strict" | "relaxed";
  /** Milliseconds after which a run with a store that only waits leaves memory, until something comes for it. Default: 60,000; Infinity: never. */
  unloadAfter?: number;
}

export let runOf: (handler: unknown) => Run | undefined;

/** A run that was started: its result, and what may be said to it. `await using` cancels one that is not over. */
export class Handler<Result = unknown> implements AsyncDisposable {
  readonly #run: Run;

  constructor(run: Run) {
    this.#run = run;
  }
  /** For `toSSE`: the run of a handler, undefined for anything else. */
  static {
    runOf = (handler) => (typeof handler === "object" && handler !== null && #run in handler ? handler.#run : undefined);
  }

  get runId(): string {
    return this.#run.runId;
  }
  /** "waiting": nothing is left to do but for answers (9.1) or events from outside (1.8). */
  get status(): RunStatus {
    const run = this.#live;
    return run.away === undefined ? run.status : run.away.status;
  }
  /** The run itself, if it has left memory and has come back. */
  get #live(): Run {
    return this.#run.away?.here ?? this.#run;
  }

  /**
   * The StopEvent's `result`, the very object; when the run's resources are closed (6.5).
   *
   * @throws (as a rejection) StepError, StalledError, UnhandledEventError, StepReturnError, CancelledError, InternalError
   */
  result(): Promise<Result> {
    const result = this.#run.result() as Promise<Result>;
    this.#run.away?.watch();
    return result;
  }

  /**
   * What steps write to the stream, input requests, progress, and as the last item the StopEvent (10). The reader is attached by this call:
   * what is published from now on waits for it. Leave the loop, or call `return`, to detach it.
   *
   * @param options `from`: the offset to start at; default: the oldest item that is still kept
   * @returns an async iterator that ends with the run, with its error if it failed or was cancelled
   * @throws DefinitionError for a bad `from`
   * @example
   * for await (const { offset, event } of handler.stream()) console.log(offset, event.type);
   */
  stream(options?: { from?: number }): EventStream {
    return readStream(this.#live, options);
  }

  /**
   * Routes an event from outside; its type is one of the workflow's `external`. The same id is routed once (1.8).
   *
   * @throws UnhandledEventError for another type, RunOverError after the end, EventValidationError for a bad payload
   */
  async send(event: Event, options?: { id?: string }): Promise<void> {
    const run = this.#live;
    if (run.away !== undefined) return run.away.send(event, options?.id);
    if (run.over || run.cancelling)
      throw new RunOverError(`${run.title}: the run is over (${run.status}), so nothing can be sent to it.`, { runId: run.runId });
    sendFromOutside(run, event, options?.id);
    await run.checkpoints?.durable();
  }

  /** Of a pipeline: the stage that started or ended last, and how many have ended (11.4). Undefined for a workflow. */
  get progress(): Progress | undefined {
    return progressOf(this.#live);
  }

  /** The questions that wait for an answer, in the order in which they were asked. */
  get pendingInputs(): readonly PendingInput[] {
    const run = this.#live;
    return run.away === undefined ? pendingInputs(run) : run.away.pendingInputs;
  }

  /**
   * Answers a pending request: by the payload of the event class that it names as `answer`, or by anything (9.2). The same answer twice is one.
   *
   * @throws (as a rejection) InvalidResponseError: it stays pending; AlreadyAnsweredError for another answer than before;
   *   UnknownRequestError; RunOverError
   * @example
   * await handler.respond(handler.pendingInputs[0].id, { pay: true });
   */
  respond(requestId: string, response: unknown): Promise<void> {
    const run = this.#live;
    if (run.away !== undefined) return run.away.respond(requestId, response);
    const { away } = this.#run;
    const answered = respond(run, requestId, response);
    if (away === undefined) return answered;
    return answered.catch((error: unknown) => {
      // This process may have lost the run, and not know it yet: what the store says counts.
      if (error instanceof FencedError || error instanceof UnknownRequestError) return away.respond(requestId, response);
      throw error;
    });
  }

  /**
   * Stops dispatch and gives a snapshot: when the steps that run have settled and committed ("drain"), or at once ("now"). One
   * that has not settled is in it without its uncommitted writes, and runs again when the snapshot is resumed (7.1).
   *
   * @param options `mode`, default "drain"; `timeout`: ms after which a drain goes on as "now", default none
   * @throws (as a rejection) RunOverError; UnserializableError or SessionPauseError when no snapshot can be taken: the run goes on then
   * @example
   * const snapshot = await handler.pause();
   * handler.resume(); // or, anywhere: workflow.resume(snapshot)
   */
  pause(options?: PauseOptions): Promise<Snapshot> {
    const run = this.#live;
    return run.away === undefined ? pauseRun(run, options) : run.away.pause(options);
  }

  /** Goes on in place after a pause; what steps settled meanwhile is taken up now. Changes nothing for a run that is not paused. */
  resume(): void {
    const run = this.#live;
    if (run.away === undefined) goOnInPlace(run);
    else void run.away.resume();
  }

  /**
   * A snapshot of the run as it is, which goes on.
   *
   * @throws (as a rejection) RunOverError, UnserializableError, SessionPauseError
   */
  snapshot(): Promise<Snapshot> {
    const run = this.#live;
    return run.away === undefined ? snapshotRun(run) : run.away.snapshot();
  }

  /**
   * What happens in the run from now to its end: events routed, attempts started, settled, failed (10.6). Costs nothing while nobody observes.
   *
   * @example
   * for await (const { kind, step, durationMs } of handler.observe()) if (kind === "settled") console.log(step, durationMs);
   */
  observe(): Observation {
    return observe(this.#live);
  }

  /**
   * Cancels the run: no further step starts, the signals of those that run are aborted. `result()` rejects with a
   * CancelledError when they have settled or `grace` ms (default 1,000) are over (5.3).
   *
   * @returns which steps stopped and which did not; the first report for a second call, an empty one after another end
   * @throws (as a rejection) DefinitionError for bad options: the run goes on
   */
  cancel(reason?: unknown, options?: { grace?: number }): Promise<CancelReport> {
    const run = this.#live;
    return run.away === undefined ? cancelByHandler(run, reason, options) : run.away.cancel(reason, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cancel();
  }
}
