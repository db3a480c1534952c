/** What every error of the engine may carry beside its message. */
export interface ErrorDetails {
  cause?: unknown;
  runId?: string | undefined;
  step?: string | undefined;
}

/**
 * The base of all errors of this package.
 *
 * @example
 * try { await workflow.run(input); } catch (error) { if (error instanceof BlazenError) console.error(error.code); }
 */
export class BlazenError extends Error {
  /** Stable name of the kind of error, one per class. */
  readonly code: string = "BLAZEN";
  /** The run it happened in, where there is one. */
  declare readonly runId?: string;
  /** The step it happened in, where there is one. */
  declare readonly step?: string;

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, "cause" in details ? { cause: details.cause } : undefined);
    if (details.runId !== undefined) this.runId = details.runId;
    if (details.step !== undefined) this.step = details.step;
  }

  static {
    this.prototype.name = "BlazenError";
  }
}

/** An error about a part of a value. */
abstract class ValueError extends BlazenError {
  /** Where the part is, e.g. `state.customer.list[0].socket`; empty for a payload or response itself. */
  readonly path: string;
  constructor(message: string, path: string, details?: ErrorDetails) {
    super(message, details);
    this.path = path;
  }
}

/** The workflow, a step or an event class is not well defined (2.6). Code `DEFINITION`. */
export class DefinitionError extends BlazenError {
  override readonly code = "DEFINITION";
  static {
    this.prototype.name = "DefinitionError";
  }
}

/** A payload that its event class refuses (1.6). Code `EVENT_VALIDATION`. */
export class EventValidationError extends ValueError {
  override readonly code = "EVENT_VALIDATION";
  static {
    this.prototype.name = "EventValidationError";
  }
}

/** A step returned, yielded or sent something that is no event, or a type outside its `emits` (2.1, 2.3). Code `STEP_RETURN`. */
export class StepReturnError extends BlazenError {
  override readonly code = "STEP_RETURN";
  static {
    this.prototype.name = "StepReturnError";
  }
}

/** An event that no step accepts (3.3), or that may not come from outside (1.8). Code `UNHANDLED_EVENT`. */
export class UnhandledEventError extends BlazenError {
  override readonly code = "UNHANDLED_EVENT";
  readonly eventType: string;
  constructor(message: string, eventType: string, details?: ErrorDetails) {
    super(message, details);
    this.eventType = eventType;
  }
  static {
    this.prototype.name = "UnhandledEventError";
  }
}

/** A step failed; `cause` is the very object it threw (5.1). Code `STEP_FAILED`. */
export class StepError extends BlazenError {
  override readonly code = "STEP_FAILED";
  /** How often the step was tried. */
  readonly attempts: number;
  constructor(message: string, attempts: number, details?: ErrorDetails) {
    super(message, details);
    this.attempts = attempts;
  }
  static {
    this.prototype.name = "StepError";
  }
}

/** What became of the steps that ran when a run was cancelled, by step name (5.3). */
export interface CancelReport {
  /** Settled within the grace period. */
  readonly stopped: readonly string[];
  /** Still running when it was over; what they return is ignored. */
  readonly ignored: readonly string[];
}

/** The run was cancelled, or is over for this step (4.6, 5.3). Code `CANCELLED`. */
export class CancelledError extends BlazenError {
  override readonly code = "CANCELLED";
  readonly report: CancelReport;
  constructor(message: string, report: CancelReport = { stopped: [], ignored: [] }, details?: ErrorDetails) {
    super(message, details);
    this.report = report;
  }
  static {
    this.prototype.name = "CancelledError";
  }
}

/** Nothing is left to do and no StopEvent came (3.5). Code `STALLED`. */
export class StalledError extends BlazenError {
  override readonly code = "STALLED";
  /** What each join and collect still lacks, a line each. */
  readonly lacking: readonly string[];
  constructor(message: string, lacking: readonly string[], details?: ErrorDetails) {
    super(message, details);
    this.lacking = lacking;
  }
  static {
    this.prototype.name = "StalledError";
  }
}

/** The run has ended: nothing to send to (1.8). Code `RUN_OVER`. */
export class RunOverError extends BlazenError {
  override readonly code = "RUN_OVER";
  static {
    this.prototype.name = "RunOverError";
  }
}

/** A loop of a pipeline has had as many rounds as it may (11.2). Code `LOOP_LIMIT`. */
export class LoopLimitError extends BlazenError {
  override readonly code = "LOOP_LIMIT";
  static {
    this.prototype.name = "LoopLimitError";
  }
}

/** An attempt, a run or a request has taken longer than it may (5.2, 9.1). Code `TIMEOUT`. */
export class TimeoutError extends BlazenError {
  override readonly code = "TIMEOUT";
  static {
    this.prototype.name = "TimeoutError";
  }
}

/** A reader of a stream fell behind by more than the stream keeps, where `overflow` is "error" (10.3). Code `STREAM_OVERFLOW`. */
export class StreamOverflowError extends BlazenError {
  override readonly code = "STREAM_OVERFLOW";
  static {
    this.prototype.name = "StreamOverflowError";
  }
}

/** The request has been answered before, and otherwise (9.2). Code `ALREADY_ANSWERED`. */
export class AlreadyAnsweredError extends BlazenError {
  override readonly code = "ALREADY_ANSWERED";
  static {
    this.prototype.name = "AlreadyAnsweredError";
  }
}

/** There is no such request, or it was withdrawn (9.2). Code `UNKNOWN_REQUEST`. */
export class UnknownRequestError extends BlazenError {
  override readonly code = "UNKNOWN_REQUEST";
  static {
    this.prototype.name = "UnknownRequestError";
  }
}

/** A response that the request does not accept: it stays pending (9.2). Code `INVALID_RESPONSE`. */
export class InvalidResponseError extends ValueError {
  override readonly code = "INVALID_RESPONSE";
  static {
    this.prototype.name = "InvalidResponseError";
  }
}

/** A snapshot that is damaged, of a newer format or version, or of another workflow or plan (7.5, 8.4). Code `SNAPSHOT`. */
export class SnapshotError extends BlazenError {
  override readonly code = "SNAPSHOT";
  static {
    this.prototype.name = "SnapshotError";
  }
}

/** A value that cannot be stored and brought back as it was (6.2). Code `UNSERIALIZABLE`. */
export class UnserializableError extends ValueError {
  override readonly code = "UNSERIALIZABLE";
  static {
    this.prototype.name = "UnserializableError";
  }
}

/** A value that the session's JSON cannot carry faithfully (6.3). Code `SESSION_VALUE`. */
export class SessionValueError extends ValueError {
  override readonly code = "SESSION_VALUE";
  static {
    this.prototype.name = "SessionValueError";
  }
}

/** Session entries that the pause policy refuses; the run goes on (7.4). Code `SESSION_PAUSE`. */
export class SessionPauseError extends BlazenError {
  override readonly code = "SESSION_PAUSE";
  /** The keys of the entries. */
  readonly keys: readonly string[];
  constructor(message: string, keys: readonly string[], details?: ErrorDetails) {
    super(message, details);
    this.keys = keys;
  }
  static {
    this.prototype.name = "SessionPauseError";
  }
}

/** A field store failed to save or load; `cause` is what it threw (8.3). Code `FIELD_STORE`. */
export class FieldStoreError extends BlazenError {
  override readonly code = "FIELD_STORE";
  /** The name of the BlazenState class. */
  readonly stateName: string;
  readonly field: string;
  constructor(message: string, stateName: string, field: string, details?: ErrorDetails) {
    super(message, details);
    this.stateName = stateName;
    this.field = field;
  }
  static {
    this.prototype.name = "FieldStoreError";
  }
}

/** A store failed, or has what it should not have; `cause` is what it threw (12.4). Code `STORE`. */
export class StoreError extends BlazenError {
  override readonly code: string = "STORE";
  static {
    this.prototype.name = "StoreError";
  }
}

/** The run is another owner's: what was done since its last commit does not count, and the run is none the worse (12.3). Code `FENCED`. */
export class FencedError extends StoreError {
  override readonly code: string = "FENCED";
  static {
    this.prototype.name = "FencedError";
  }
}

/** The store has a run with this id, which is not over: attach to it, or recover it (12.3). Code `RUN_EXISTS`. */
export class RunExistsError extends BlazenError {
  override readonly code = "RUN_EXISTS";
  static {
    this.prototype.name = "RunExistsError";
  }
}

/** A fault of the engine itself: please report it. The run is over, the process is not. Code `INTERNAL`. */
export class InternalError extends BlazenError {
  override readonly code = "INTERNAL";
  static {
    this.prototype.name = "InternalError";
  }
}
