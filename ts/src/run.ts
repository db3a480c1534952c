import type { Attempt } from "./attempt";
import type { Away } from "./away";
import { type Tracked, untrack } from "./buffer";
import type { Checkpoints } from "./checkpoints";
import { abandonAttempts, endNested, tellEnded } from "./child-end";
import { randomId } from "./environment";
import { CancelledError, type CancelReport, StepError } from "./errors";
import type { Event, StopEvent } from "./event";
import { attemptsOf, type ChildRun, type Children, Flow, flowsOf } from "./flow";
import type { Numbers } from "./numbers";
import type { Observers } from "./observe";
import type { Pause } from "./pause";
import type { Plan } from "./plan";
import type { Requests } from "./requests";
import type { Session } from "./session";
import type { Shown } from "./shown";
import type { Stream } from "./stream";
import { systemTimers, Timer, type Timers } from "./timers";
import { describe } from "./values";

export type RunStatus = "queued" | "running" | "waiting" | "paused" | "completed" | "failed" | "cancelled";

/** The end of a run, once it has come. */
export type Outcome = { readonly status: "completed"; readonly stop: StopEvent } | { readonly status: "failed" | "cancelled"; readonly error: unknown };

/** What a step or a `by` has thrown, of whatever kind, among the events of a run: on its way to the end of it. */
export class Thrown {
  constructor(readonly error: unknown) {}
}

const ITSELF: readonly string[] = Object.freeze([]);

/** Payloads up to which a list of them is copied to save room. */
const SMALL = 16;

/** Queues of ended runs for those to come: one that grows anew in each run is dear. */
const queues: unknown[][] = [];

/** Resolves with a promise, or when the time is over. */
async function within(promise: Promise<void>, timers: Timers, until: number): Promise<void> {
  let timer: Timer | undefined;
  await Promise.race([
    promise,
    new Promise<void>((resolve) => {
      timer = new Timer(resolve);
      timers.set(timer, until);
    }),
  ]);
  timers.clear(timer!);
}

/** One execution of a plan: the payloads, promises and signals of what the core knows as numbers. */
export class Run extends Flow {
  /** Runs and attempts that only keep their shapes in V8's memory. */
  static readonly kept: object[] = [];
  /** The core's handle; -1 before the start, -2 when the core has ended the run. */
  handle = -1;
  /** The core has more commands than fitted the buffer. */
  more = false;
  /** It stands in the loop's list of runs with work. */
  ready = false;
  waiting = false;
  /** The members of the joined or collected set that the next Invoke takes. */
  set: unknown[] | undefined = undefined;
  joinKeys: Numbers<string | number> | undefined = undefined;
  /** From when it first waits, or is paused. */
  tracked: Tracked | undefined = undefined;
  /** When the core wants to hear next; no time that ever comes if nothing is due. */
  alarm: Timer | undefined = undefined;
  /** Steps of the invocations that wait to be tried again, by invocation. */
  delayed: Map<number, { readonly flow: Flow; readonly name: string }> | undefined = undefined;
  /** Attempts that wait for something, by invocation. */
  parked: Map<number, Attempt> | undefined = undefined;
  requests: Requests | undefined = undefined;
  observers: Observers | undefined = undefined;
  /** Of a run with a store. */
  checkpoints: Checkpoints | undefined = undefined;
  /** Of one that does not go on here, or not now. */
  away: Away | undefined = undefined;
  /** Called when the run ends, whatever the end. */
  onEnd: (() => void) | undefined = undefined;
  /** Its child runs, once there were any. */
  children: Children | undefined = undefined;
  /** What the next call is: its invocation's number, the attempt, and what its generator has yielded and committed. */
  nextSeq = 0;
  nextAttempt = 1;
  nextYields = 0;
  /** How many items it had when it was verified last. */
  verified = 0;
  /** From the call of `pause` until it goes on. */
  pause: Pause | undefined = undefined;
  /** False while a run from a snapshot has not gone on yet. */
  begun = true;
  /** Session keys that the snapshot it comes from has left out. */
  dropped: readonly string[] | undefined = undefined;
  /** What observers see; made when something is published or read. */
  stream: Stream | undefined = undefined;
  /** The offset that its stream begins at. */
  streamed = 0;
  /** Events of the engine for a stream that is not made yet. */
  shown: Shown | undefined = undefined;
  /** Invocations whose fan-out ended before they were called. */
  withdrawn: Set<number> | undefined = undefined;

  #payloads: unknown[] = [];
  /** By slot: the child runs that payloads are of. */
  #owners: (ChildRun | undefined)[] | undefined = undefined;
  /** Freed slots form a list through the table itself. */
  #freeSlot = -1;
  #runId: string | undefined;
  #outcome: Outcome | undefined = undefined;
  #promise: Promise<unknown> | undefined = undefined;
  #resolve: ((result: unknown) => void) | undefined = undefined;
  #reject: ((error: unknown) => void) | undefined = undefined;
  #cancelled: Promise<CancelReport> | undefined = undefined;
  /** It has its outcome, and tells it when its resources are closed. */
  #closing = false;

  // Commands not yet carried out, four entries each; most answers hold one, which needs no array.
  next = -1;
  nextStep = 0;
  nextInput: unknown = undefined;
  nextFlow: Flow = this;
  queue: unknown[] | undefined = undefined;
  head = 0;
  tail = 0;

  constructor(
    plan: Plan,
    runId: string | undefined,
    readonly timers: Timers = systemTimers,
  ) {
    super(plan);
    this.#runId = runId;
  }

  get runId(): string {
    this.#runId ??= randomId();
    return this.#runId;
  }
  get path(): readonly string[] {
    return ITSELF;
  }
  get over(): boolean {
    return this.#outcome !== undefined;
  }
  get status(): RunStatus {
    if (this.#outcome !== undefined) return this.#outcome.status;
    if (this.#cancelled !== undefined) return "cancelled";
    if (this.pause?.taken) return "paused";
    return this.waiting ? "waiting" : "running";
  }

  /** Keeps a payload; the core knows it by the number given back. */
  put(payload: unknown, flow: Flow = this): number {
    let slot = this.#freeSlot;
    if (slot < 0) slot = this.#payloads.push(payload) - 1;
    else {
      this.#freeSlot = this.#payloads[slot] as number;
      this.#payloads[slot] = payload;
    }
    if (flow !== this) this.own(slot, flow as ChildRun);
    return slot;
  }
  /** The payload is a child run's. */
  own(slot: number, child: ChildRun): void {
    this.#owners ??= [];
    this.#owners[slot] = child;
  }
  owner(slot: number): Flow {
    return this.#owners?.[slot] ?? this;
  }
  payload(slot: number): unknown {
    return this.#payloads[slot];
  }
  replace(slot: number, payload: unknown): void {
    this.#payloads[slot] = payload;
  }
  release(slot: number): void {
    this.#payloads[slot] = this.#freeSlot;
    this.#freeSlot = slot;
    if (this.#owners !== undefined) this.#owners[slot] = undefined;
  }

  /** Fills an empty table with the payloads of a stored run, by slot. */
  fill(slots: readonly number[], payloads: readonly unknown[], owners: readonly Flow[]): void {
    slots.forEach((slot, at) => {
      while (this.#payloads.length < slot) this.release(this.#payloads.push(undefined) - 1);
      this.#payloads[slot] = payloads[at];
      if (owners[at] !== this) this.own(slot, owners[at] as ChildRun);
    });
  }
  /** All events that the core holds, by slot. */
  eachEvent(visit: (event: Event, slot: number) => void): void {
    const free = new Uint8Array(this.#payloads.length);
    for (let slot = this.#freeSlot; slot >= 0; slot = this.#payloads[slot] as number) free[slot] = 1;
    this.#payloads.forEach((payload, slot) => {
      if (free[slot] === 0 && !(payload instanceof Thrown)) visit(payload as Event, slot);
    });
  }
  /** It may wait for days: a list that has grown by steps takes more than it holds. */
  rest(): void {
    if (this.#payloads.length < SMALL) this.#payloads = this.#payloads.slice();
  }
  /** Places for payloads, used or not. */
  get size(): number {
    return this.#payloads.length;
  }
  /** Invocations that are to be called and were not yet. */
  uncalled(): number[] {
    const invocations = this.next >= 0 ? [this.next] : [];
    for (let at = this.head; at < this.tail; at += 4) {
      const invocation = this.queue![at] as number;
      if (invocation >= 0) invocations.push(invocation);
    }
    return invocations;
  }
  /** Drops the commands from a place in the queue on. */
  cut(from: number): void {
    this.queue?.fill(undefined, from, this.tail);
    this.tail = from;
    if (this.head < from) return;
    this.head = 0;
    this.tail = 0;
  }

  /** Keeps a command for the loop. */
  push(invocation: number, step: number, input: unknown, flow: Flow = this): void {
    if (this.tail === 0 && this.next === -1) {
      this.next = invocation;
      this.nextStep = step;
      this.nextInput = input;
      if (flow !== this) this.nextFlow = flow;
      return;
    }
    this.queue ??= queues.pop() ?? [];
    this.queue[this.tail++] = invocation;
    this.queue[this.tail++] = step;
    this.queue[this.tail++] = input;
    this.queue[this.tail++] = flow;
  }
  /** Drops what was not yet carried out: the run is over or cancelled. */
  clear(): void {
    this.next = -1;
    this.nextInput = undefined;
    if (this.queue !== undefined && this.queue.length <= 4096 && queues.length < 4) queues.push(this.queue.fill(undefined, this.head, this.tail));
    this.queue = undefined;
    this.head = 0;
    this.tail = 0;
    this.more = false;
    this.set = undefined;
  }

  /** Its fan-out is over; undefined for an invocation that was not called yet. */
  withdraw(invocation: number, flow: Flow): Attempt | undefined {
    for (let at = flow.live; at !== undefined; at = at.next) {
      if (at.invocation === invocation) {
        at.withdraw();
        if (at.nested !== undefined) endNested(this, at, undefined);
        return at;
      }
    }
    this.withdrawn ??= new Set();
    this.withdrawn.add(invocation);
    return undefined;
  }

  /** The end of the run, once its resources are closed. */
  get told(): Outcome | undefined {
    return this.#closing ? undefined : this.#outcome;
  }
  result(): Promise<unknown> {
    this.#promise ??= new Promise((resolve, reject) => {
      const outcome = this.told;
      if (outcome === undefined) {
        this.#resolve = resolve;
        this.#reject = reject;
      } else if (outcome.status === "completed") resolve(outcome.stop.result);
      else reject(outcome.error);
    });
    return this.#promise;
  }

  complete(stop: StopEvent): void {
    const opened = this.#opened();
    this.#end({ status: "completed", stop }, undefined);
    if (opened !== undefined || this.checkpoints !== undefined) void this.#close(opened ?? []);
    else this.#tell();
  }
  fail(error: unknown): void {
    if (this.over) return;
    const opened = this.#opened();
    this.#end({ status: "failed", error }, error);
    if (opened !== undefined || this.checkpoints !== undefined) void this.#close(opened ?? []);
    else this.#tell();
  }
  /** Tells the outcome to the readers of the stream, and to whoever awaits the result. */
  #tell(): void {
    const outcome = this.#outcome!;
    this.stream?.end(outcome);
    if (outcome.status === "completed") {
      this.#resolve?.(outcome.stop.result);
      return;
    }
    // An error that nobody can observe becomes an unhandled rejection (13).
    if (outcome.status === "failed" && this.#promise === undefined && this.stream?.read !== true) void this.result();
    this.#reject?.(outcome.error);
  }

  /** The sessions that have opened resources: its own and those of its child runs. */
  #opened(): Session[] | undefined {
    if (this.children?.any !== true && this.memory?.session?.resources.any !== true) return undefined;
    const opened = new Set<Session>();
    for (const { memory } of flowsOf(this)) if (memory?.session?.resources.any === true) opened.add(memory.session);
    return opened.size === 0 ? undefined : [...opened].reverse();
  }
  /**
   * Closes the run's resources, then tells the outcome (6.5). What a `close` throws fails a run that has succeeded.
   *
   * @param until when the outcome is told though they are not closed yet
   */
  #close(opened: readonly Session[], until?: number): Promise<void> {
    this.#closing = true;
    const closed = Promise.all(opened.map((session) => session.resources.end())).then(
      () => {},
      (cause: unknown) => {
        const why = cause instanceof Error ? cause.message : describe(cause);
        const error = new StepError(`${this.plan.title}: a resource could not be closed: ${why}`, 1, { cause, runId: this.runId });
        // Beside another end nobody would hear of it.
        if (this.#outcome?.status === "completed") this.#outcome = { status: "failed", error };
        else void Promise.reject(error);
      },
    );
    return (until === undefined ? closed : within(closed, this.timers, until)).then(async () => {
      if (this.checkpoints !== undefined) this.#outcome = await this.checkpoints.end(this.#outcome!);
      this.#closing = false;
      this.#tell();
    });
  }

  /** What no unsettled attempt holds is closed while the run is paused (6.5). */
  async closeIdle(): Promise<void> {
    if (this.children === undefined) await this.memory?.session?.resources.close(true);
    else await Promise.all(Array.from(new Set(Array.from(flowsOf(this), ({ memory }) => memory?.session)), (session) => session?.resources.close(true)));
  }

  /** Something has come for a run that was waiting. */
  goOn(): void {
    this.waiting = false;
    if (this.pause?.taken !== true) this.limit?.start();
  }

  /** The steps have been told to stop: waits for them, then ends the run (5.3). */
  cancel(reason: unknown, grace: number, stop: () => void): Promise<CancelReport> {
    if (this.#cancelled !== undefined) return this.#cancelled;
    if (this.over) return Promise.resolve({ stopped: [], ignored: [] });
    const until = this.timers.now() + grace;
    const running: Attempt[] = [];
    // Those of a flow are listed with the latest first.
    for (const flow of flowsOf(this)) {
      const first = running.length;
      for (let at = flow.live; at !== undefined; at = at.next) running.splice(first, 0, at);
    }
    running.push(...(this.children?.late ?? []));
    const settles = (attempt: Attempt) => attempt.invocation < 0 && this.children?.late?.has(attempt) !== true;
    const delayed = Array.from(this.delayed?.values() ?? [], ({ name }) => name);
    const ended = (report: CancelReport) => {
      const error = new CancelledError(`${this.plan.title}: the run was cancelled.`, report, { cause: reason, runId: this.runId });
      const opened = this.#opened();
      this.#end({ status: "cancelled", error }, error);
      if (opened !== undefined || this.checkpoints !== undefined) return this.#close(opened ?? [], until).then(() => report);
      this.#tell();
      return report;
    };
    let settled = () => {};
    const all = new Promise<void>((resolve) => {
      settled = resolve;
    });
    this.#cancelled = all.then(() => {
      const stopped = running.filter(settles);
      return ended({
        stopped: [...stopped.map(({ stepName }) => stepName), ...delayed],
        ignored: running.filter((attempt) => !settles(attempt)).map(({ stepName }) => stepName),
      });
    });
    stop();
    this.pause?.end();
    this.pause = undefined;
    const abort = new CancelledError(`${this.plan.title}: the run was cancelled.`, undefined, { cause: reason });
    for (const attempt of running) {
      // What waits for child runs does nothing itself.
      if (attempt.step.nest !== undefined) leave(attempt);
      attempt.abort(abort);
    }
    const any = () => attemptsOf(this).next().done !== true || (this.children?.late?.size ?? 0) > 0;
    if (!any()) settled();
    else {
      const timer = new Timer(settled);
      this.timers.set(timer, until);
      this.onSettled = () => {
        if (any()) return;
        this.timers.clear(timer);
        settled();
      };
    }
    return this.#cancelled;
  }
  /** It goes on elsewhere, or later: nothing of it stays here but who waits for its end. */
  depart(away: Away, error: Error): void {
    this.away = away;
    this.#closing = true;
    this.#end({ status: "failed", error }, error);
    this.memory = undefined;
    if (this.awaited) away.watch();
  }
  /** Somebody has asked for its result. */
  get awaited(): boolean {
    return this.#promise !== undefined || this.stream?.read === true;
  }
  /** How it has ended elsewhere. */
  settle(outcome: Outcome): void {
    this.#outcome = outcome;
    this.#closing = false;
    this.#tell();
  }
  get cancelling(): boolean {
    return this.#cancelled !== undefined;
  }
  /** While cancelling: called whenever an attempt settles. */
  onSettled: (() => void) | undefined = undefined;

  #end(outcome: Outcome, cause: unknown): void {
    this.#outcome = outcome;
    this.handle = -2;
    this.waiting = false;
    this.clear();
    this.pause?.end();
    this.pause = undefined;
    this.onSettled = undefined;
    if (this.alarm !== undefined) this.timers.clear(this.alarm);
    this.limit?.stop();
    this.parked = undefined;
    this.delayed = undefined;
    this.requests?.end();
    this.observers?.end();
    if (this.tracked !== undefined) untrack(this.tracked);
    if (this.children !== undefined) {
      tellEnded(this);
      for (const child of this.children) if (!child.over) endChild(child, cause);
      this.children = undefined;
    }
    if (this.live !== undefined) abandonAttempts(this, cause);
    this.#payloads = [];
    this.#owners = undefined;
    this.onEnd?.();
    this.onEnd = undefined;
  }
}

/** It is no attempt of its run any more. */
function leave(attempt: Attempt): void {
  (attempt.flow as Flow).unlink(attempt);
  attempt.invocation = -1;
}

/** It ends with its run. */
function endChild(child: ChildRun, cause: unknown): void {
  child.limit?.stop();
  abandonAttempts(child, cause);
}
