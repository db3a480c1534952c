import { isStateClass } from "./codec";
import { commitNow } from "./commit";
import type { Context } from "./context";
import { CancelledError, DefinitionError, UnserializableError } from "./errors";
import type { Event } from "./event";
import type { Flow } from "./flow";
import { type MemoryOptions, memoryOf, type RunMemory } from "./memory";
import type { Nested } from "./nest";
import { once } from "./once";
import type { PlanStep } from "./plan";
import type { RequestOptions } from "./requests";
import type { Run } from "./run";
import { sendFromStep } from "./send";
import { SessionView } from "./session";
import { StateView } from "./state";
import { type HeldWrites, writeToStream } from "./stream-write";
import type { Stopwatch } from "./timers";
import { describe, isWellFormed } from "./values";
import { checkedDate, checkedMs, requestInput, sleepUntil, Waits } from "./waits";

/** What works in no context of `restore`. */
const BY_STEPS = new Set(["sendEvent", "commit", "once", "sleep", "sleepUntil", "requestInput", "writeEventToStream"]);

/** What only some attempts have. */
class Own {
  state: StateView | undefined = undefined;
  session: SessionView | undefined = undefined;
  /** Its commit points that are not over yet. */
  pending: Promise<void> | undefined = undefined;
  controller: AbortController | undefined = undefined;
  /** Why the signal is aborted. */
  reason: unknown = undefined;
  /** What it does is dropped. */
  dropped = false;
  /** Its time is over, though its commit points may go on (5.2). */
  expired = false;
  /** For how many things it waits: sleeps, answers, room in the stream. */
  parked = 0;
  waits: Waits | undefined = undefined;
  limit: Stopwatch | undefined = undefined;
  /** Its writes to the stream that wait for room. */
  writes: HeldWrites | undefined = undefined;
  /** How many answers it awaits. */
  asking = 0;
  /** Called when it settles though its child run is over. */
  late: (() => void) | undefined = undefined;
}

/** One try of an invocation: the context that its step holds, and what the loop knows of it. */
export class Attempt implements Context {
  /** Neighbours among the run's live attempts. */
  previous: Attempt | undefined = undefined;
  next: Attempt | undefined = undefined;
  attempt = 1;
  /** Events that a generator's earlier attempts have yielded and committed. */
  yields = 0;
  own: Own | undefined = undefined;
  /** The child runs that it has opened, where its step does that. */
  nested: Nested | undefined = undefined;

  constructor(
    /** The run or child run that it is part of; for one that outlives it only what names it, so that the run can leave memory (5.5). */
    public flow: Flow | Named,
    /** The core's number while the attempt can still settle, else -1. */
    public invocation: number,
    readonly step: PlanStep,
    /** The invocation's number among all of the run; -1 for the context of `restore`, which is no step's. */
    public seq: number,
  ) {}

  /** The run; only while the attempt is part of one. */
  get run(): Run {
    return (this.flow as Flow).run;
  }
  get runId(): string {
    return this.flow.runId;
  }
  get workflowName(): string {
    return this.flow.workflowName;
  }
  get stepName(): string {
    return this.step.name;
  }
  get invocationId(): string {
    return `${this.runId}/${this.seq < 0 ? "restore" : this.seq}`;
  }
  get signal(): AbortSignal {
    const own = this.#own;
    if (own.controller === undefined) {
      own.controller = new AbortController();
      if (own.reason !== undefined) own.controller.abort(own.reason);
    }
    return own.controller.signal;
  }

  get state(): StateView {
    const own = this.#own;
    own.state ??= new StateView(this);
    return own.state;
  }
  get session(): SessionView {
    const own = this.#own;
    own.session ??= new SessionView(this);
    return own.session;
  }
  get<T>(key: string): T {
    return (this.state.has(key) ? this.state.get(key) : this.session.get(key)) as T;
  }
  set(key: string, value: unknown): void {
    this.alive("set");
    try {
      this.state.set(key, value);
    } catch (error) {
      if (!(error instanceof UnserializableError) || typeof key !== "string" || !isWellFormed(key) || isBlazenState(value)) throw error;
      this.session.set(key, value);
      this.state.delete(key);
      return;
    }
    this.#leaveSession(key);
  }
  getBytes(key: string): Uint8Array | undefined {
    return this.state.getBytes(key);
  }
  setBytes(key: string, bytes: Uint8Array): void {
    this.state.setBytes(key, bytes);
    this.#leaveSession(key);
  }

  #leaveSession(key: string): void {
    if (this.flow.memory?.session !== undefined) this.session.delete(key);
  }

  sendEvent(event: Event, options?: { id?: string }): Promise<void> {
    return sendFromStep(this, this.alive("sendEvent"), event, options?.id);
  }
  commit(options?: { id?: string }): Promise<void> {
    return commitNow(this, this.alive("commit"), options?.id);
  }
  writeEventToStream(event: Event): Promise<void> {
    return writeToStream(this, this.alive("writeEventToStream"), event);
  }
  once<T>(key: string, effect: () => T | Promise<T>): Promise<T> {
    this.alive("once");
    const refuse = (why: string): never => {
      throw new DefinitionError(`Step "${this.stepName}", ctx.once: ${why}`, { step: this.stepName, runId: this.runId });
    };
    if (typeof key !== "string" || !isWellFormed(key)) return refuse(`a key is a string of well-formed Unicode, not ${describe(key)}.`);
    if (typeof effect !== "function") return refuse(`the second argument is the function of the effect, not ${describe(effect)}.`);
    // Nobody gets the result of an effect whose fan-out is over.
    if (this.aborted) return Promise.reject(this.own!.reason);
    return once(memoryOf(this.flow as Flow), this, key, effect) as Promise<T>;
  }

  /**
   * The run, for what has an effect on it.
   *
   * @throws CancelledError when the attempt is over (4.6)
   */
  alive(method: string): Run {
    const { run } = this;
    if (this.invocation >= 0 && !run.cancelling && this.own?.expired !== true) {
      if (this.seq < 0 && BY_STEPS.has(method))
        throw new DefinitionError(`Only a step may use ctx.${method}: what restore writes is committed when all instances are restored.`, {
          runId: this.runId,
        });
      if (this.flow.memory?.committing === true)
        throw new DefinitionError(`Step "${this.stepName}": a function given to ctx.state.update must be pure, so it may not use ${method}.`, {
          step: this.stepName,
          runId: this.runId,
        });
      return run;
    }
    throw this.over(`so ${method} does nothing any more`);
  }
  /** The error of what comes to nothing because the attempt is over. */
  over(then: string, cause?: unknown): CancelledError {
    return new CancelledError(`Step "${this.stepName}": this attempt is over, ${then}.`, undefined, {
      step: this.stepName,
      runId: this.runId,
      ...(cause === undefined ? {} : { cause }),
    });
  }

  /** What it does is dropped: its fan-out or its run is over. */
  get aborted(): boolean {
    return this.own?.dropped === true;
  }
  /** Its fan-out is over: so from now on, though its step is told later. Runs no user code. */
  withdraw(): void {
    this.#drop(
      new CancelledError(`${this.flow.title}: the fan-out of step "${this.stepName}" is over.`, undefined, {
        runId: this.runId,
        step: this.stepName,
      }),
    );
  }
  /** Tells the step, for the first reason there was. */
  abort(reason?: unknown): void {
    const own = this.#drop(reason);
    own.controller?.abort(own.reason);
    own.waits?.end(() => own.reason);
  }
  #drop(reason: unknown): Own {
    const own = this.#own;
    own.dropped = true;
    own.reason ??= reason;
    own.writes?.drop(own.reason);
    return own;
  }
  /** Its time is over: it is dead from now on (4.6), and what it has committed stays. */
  expire(): void {
    this.#own.expired = true;
  }
  /** Tells the step so. */
  timeOut(error: unknown): void {
    const own = this.#own;
    own.reason ??= error;
    own.controller?.abort(own.reason);
  }

  /** It has settled: what it did not commit is dropped, and it holds no resource any more. */
  end(): void {
    const { own } = this;
    if (own === undefined) return;
    own.state?.end();
    own.session?.release();
    own.waits?.end(() => own.reason ?? this.over("so it waits for nothing any more"));
    own.writes?.drop(undefined);
    own.limit?.stop();
  }

  waits(run: Run): Waits {
    const own = this.#own;
    own.waits ??= new Waits();
    run.parked ??= new Map();
    run.parked.set(this.invocation, this);
    return own.waits;
  }
  /** It waits for something: its own time stands still (5.2). */
  park(): void {
    const own = this.#own;
    own.parked++;
    own.limit?.stop();
  }
  unpark(): void {
    const own = this.#own;
    own.parked--;
    if (own.parked === 0 && this.invocation >= 0 && this.run.pause?.taken !== true) own.limit?.start();
  }
  limit(watch: Stopwatch): void {
    this.#own.limit = watch;
  }
  /** It awaits an answer, or has got it: the time of a limited child run stands still if it does nothing else. */
  ask(more: number): void {
    const own = this.#own;
    const before = own.asking;
    own.asking += more;
    if (this.invocation < 0 || (before > 0 && own.asking > 0)) return;
    if (before === 0) (this.flow as Flow).leave();
    else (this.flow as Flow).enter();
  }
  get asks(): boolean {
    return this.own !== undefined && this.own.asking > 0;
  }
  onLateSettle(call: () => void): void {
    this.#own.late = call;
  }
  /** Its writes to the stream that wait for room. */
  hold(writes: HeldWrites | undefined): void {
    this.#own.writes = writes;
    if (writes === undefined) this.unpark();
    else this.park();
  }
  /** A commit point that the attempt settles after, and fails with. */
  await(point: Promise<void>): void {
    const own = this.#own;
    own.pending = point;
    // Nobody else need await it. One that failed stays: the attempt fails with it.
    point.then(
      () => {
        if (own.pending === point) own.pending = undefined;
      },
      () => {},
    );
  }

  sleep(ms: number): Promise<void> {
    const run = this.alive("sleep");
    const wait = checkedMs(`Step "${this.stepName}", ctx.sleep`, ms, { step: this.stepName, runId: this.runId });
    return sleepUntil(this, run, run.timers.now() + wait);
  }
  sleepUntil(date: Date): Promise<void> {
    const run = this.alive("sleepUntil");
    const until = checkedDate(`Step "${this.stepName}", ctx.sleepUntil`, date, { step: this.stepName, runId: this.runId });
    return sleepUntil(this, run, until);
  }
  requestInput<R>(request: RequestOptions): Promise<R> {
    return requestInput(this, this.alive("requestInput"), request) as Promise<R>;
  }

  get #own(): Own {
    this.own ??= new Own();
    return this.own;
  }
}

function isBlazenState(value: unknown): boolean {
  return typeof value === "object" && value !== null && isStateClass(value.constructor);
}

/** What is left of a run or child run for a step that never settled: it keeps neither the run nor its memory. */
export class Named {
  readonly runId: string;
  readonly workflowName: string;
  readonly title: string;
  readonly memoryOptions: MemoryOptions;
  readonly #memory: WeakRef<RunMemory> | undefined;

  constructor(flow: Flow) {
    const { memory } = flow;
    this.runId = flow.runId;
    this.workflowName = flow.workflowName;
    this.title = flow.title;
    // Without the memory nothing is known of the state.
    this.memoryOptions = memory === undefined ? flow.memoryOptions : { ...flow.memoryOptions, initial: new Map() };
    this.#memory = memory === undefined ? undefined : new WeakRef(memory);
  }

  /** Reads work as long as somebody holds the run. */
  get memory(): RunMemory | undefined {
    return this.#memory?.deref();
  }
}
