import type { Attempt } from "./attempt";
import { exchange, frame, NONE } from "./buffer";
import type { Event } from "./event";
import { IN_OBSERVE } from "./generated/tables";
import type { Run } from "./run";

/** Something that happened in a run, for whoever watches over it (10.6). */
export interface Lifecycle {
  /**
   * An event was taken from the queue; an attempt has started, has settled, failed and is tried again, failed for good; a checkpoint was
   * written.
   */
  readonly kind: "routed" | "started" | "settled" | "retried" | "failed" | "checkpointed";
  readonly step?: string;
  /** What was routed, or what the attempt was called for, where that is one event. */
  readonly event?: Event;
  readonly invocationId?: string;
  /** The invocation that emitted the event. */
  readonly causedBy?: string;
  readonly attempt?: number;
  /** Milliseconds that the attempt, or the write of the checkpoint, took. */
  readonly durationMs?: number;
  /** What it threw. */
  readonly error?: unknown;
}

/** Entries that are kept for one who does not read them. */
const KEPT = 10_000;

/** What one observer is told, from its call of `observe` on. */
export class Observation implements AsyncIterableIterator<Lifecycle> {
  readonly #entries: Lifecycle[] = [];
  readonly #waiting: ((result: IteratorResult<Lifecycle>) => void)[] = [];
  readonly #leave: (one: Observation) => void;
  #over = false;
  #dropped = 0;

  constructor(leave: (one: Observation) => void) {
    this.#leave = leave;
  }

  /** Entries that were lost because the observer was more than 10,000 behind. */
  get dropped(): number {
    return this.#dropped;
  }
  tell(entry: Lifecycle): void {
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) return waiting({ done: false, value: entry });
    if (this.#entries.push(entry) <= KEPT) return;
    this.#entries.shift();
    this.#dropped++;
  }
  end(): void {
    this.#over = true;
    for (const waiting of this.#waiting.splice(0)) waiting({ done: true, value: undefined });
  }
  async next(): Promise<IteratorResult<Lifecycle>> {
    const entry = this.#entries.shift();
    if (entry !== undefined) return { done: false, value: entry };
    if (this.#over) return { done: true, value: undefined };
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
  async return(): Promise<IteratorResult<Lifecycle>> {
    this.#leave(this);
    this.#entries.length = 0;
    this.end();
    return { done: true, value: undefined };
  }
  [Symbol.asyncIterator](): this {
    return this;
  }
}

/** All that observe a run: there is one of these only while somebody does. */
export class Observers {
  readonly #all = new Set<Observation>();
  /** The invocations that events come from. */
  readonly #causes = new WeakMap<Event, string>();
  readonly #started = new WeakMap<Attempt, number>();

  add(leave: (one: Observation) => void): Observation {
    const one = new Observation(leave);
    this.#all.add(one);
    return one;
  }
  /** @returns whether nobody is left */
  remove(one: Observation): boolean {
    this.#all.delete(one);
    return this.#all.size === 0;
  }
  end(): void {
    for (const one of this.#all) one.end();
  }

  emitted(attempt: Attempt, event: Event): void {
    this.#causes.set(event, attempt.invocationId);
  }
  routed(event: Event): void {
    this.#tell({ kind: "routed", event, ...this.#cause(event) });
  }
  started(attempt: Attempt, input: unknown): void {
    this.#started.set(attempt, performance.now());
    const one = Array.isArray(input) ? {} : { event: input as Event, ...this.#cause(input as Event) };
    this.#tell({ kind: "started", ...about(attempt), ...one });
  }
  settled(attempt: Attempt): void {
    this.#tell({ kind: "settled", ...about(attempt), ...this.#duration(attempt) });
  }
  failed(attempt: Attempt, error: unknown, again: boolean): void {
    this.#tell({ kind: again ? "retried" : "failed", ...about(attempt), ...this.#duration(attempt), error });
  }

  checkpointed(durationMs: number): void {
    this.#tell({ kind: "checkpointed", durationMs });
  }

  #cause(event: Event): { causedBy?: string } {
    const causedBy = this.#causes.get(event);
    return causedBy === undefined ? {} : { causedBy };
  }
  #duration(attempt: Attempt): { durationMs?: number } {
    const started = this.#started.get(attempt);
    return started === undefined ? {} : { durationMs: performance.now() - started };
  }
  #tell(entry: Lifecycle): void {
    for (const one of this.#all) one.tell(entry);
  }
}

function about({ stepName, invocationId, attempt }: Attempt) {
  return { step: stepName, invocationId, attempt };
}

/** `handler.observe`: from now to the end of the run; the core tells what it routes as long as somebody observes. */
export function observe(run: Run): Observation {
  if (run.over || run.cancelling) {
    const nothing = new Observation(() => {});
    nothing.end();
    return nothing;
  }
  if (run.observers === undefined) {
    run.observers = new Observers();
    listen(run, 1);
  }
  return run.observers.add((one) => {
    if (run.observers?.remove(one) !== true) return;
    run.observers = undefined;
    listen(run, 0);
  });
}

function listen(run: Run, on: number): void {
  if (run.handle < 0) return;
  frame(IN_OBSERVE, on, NONE, NONE);
  exchange(run);
}
