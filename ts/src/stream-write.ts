import type { Attempt } from "./attempt";
import { DONE } from "./commit";
import { soon } from "./dispatch";
import { eventOf, kindOf } from "./emit";
import { development } from "./environment";
import { CancelledError } from "./errors";
import type { Event } from "./event";
import type { Flow } from "./flow";
import type { Run } from "./run";
import { type Held, type Stream, streamOf } from "./stream";

/** A write that waits for room, and what its promise is settled with. */
class HeldWrite implements Held {
  previous: Held | undefined = undefined;
  next: Held | undefined = undefined;
  readonly promise: Promise<void>;
  resolve!: () => void;
  reject!: (error: unknown) => void;

  constructor(
    readonly event: Event,
    readonly flow: Flow,
    private readonly all: HeldWrites,
  ) {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // It need not be awaited, and the attempt tells why it is over.
    this.promise.catch(() => {});
  }
  published(): void {
    this.resolve();
    this.all.done(this);
  }
}

/** The writes of an attempt that wait for room: it is parked, and settles after them (10.3). */
export class HeldWrites {
  /** None of them waits any more. */
  readonly over: Promise<void>;
  #release!: () => void;
  readonly #writes = new Set<HeldWrite>();

  constructor(
    private readonly attempt: Attempt,
    private readonly stream: Stream,
  ) {
    this.over = new Promise((resolve) => {
      this.#release = resolve;
    });
  }

  add(event: Event): Promise<void> {
    const held = new HeldWrite(event, this.attempt.flow as Flow, this);
    this.#writes.add(held);
    this.stream.held.push(held);
    return held.promise;
  }
  done(held: HeldWrite): void {
    this.#writes.delete(held);
    if (this.#writes.size === 0) this.#end();
  }
  /** The attempt is over: what was not published never is. */
  drop(reason: unknown): void {
    const error = reason instanceof CancelledError ? reason : this.attempt.over("so a write to the stream that waited was dropped", reason);
    // V8 keeps what the frames ran on, the run among it, until the stack is text.
    void error.stack;
    for (const held of this.#writes) {
      this.stream.held.drop(held);
      held.reject(error);
    }
    this.#end();
  }
  #end(): void {
    this.attempt.hold(undefined);
    this.#release();
  }
}

/** `ctx.writeEventToStream`: publishes at once, or when there is room. */
export function writeToStream(attempt: Attempt, run: Run, value: unknown): Promise<void> {
  if (attempt.aborted) throw attempt.over("so writeEventToStream does nothing any more", attempt.own?.reason);
  const known = value !== null && value !== undefined && kindOf(value) !== undefined;
  const event = known ? (value as Event) : eventOf((attempt.flow as Flow).plan, value, `Step "${attempt.stepName}" wrote to the stream`, attempt.stepName);
  if (development) Object.freeze(event);
  const stream = streamOf(run);
  if (stream.write(event, attempt.flow as Flow)) return DONE;
  if (attempt.own?.writes === undefined) {
    attempt.hold(new HeldWrites(attempt, stream));
    // A drain does not wait for it.
    if (run.pause !== undefined) soon(run);
  }
  return attempt.own!.writes!.add(event);
}
