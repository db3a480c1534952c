import { StreamOverflowError } from "./errors";
import type { Listed } from "./list";
import type { Outcome } from "./run";
import type { Overflow, Stream, StreamItem } from "./stream";

export type Result = IteratorResult<StreamItem, undefined>;

type Resolve = (result: Result) => void;
type Reject = (error: unknown) => void;
/** What settles the promise that was made last: with one executor for all, none is made for each. */
let lastResolve: Resolve;
let lastReject: Reject;
const keep = (resolve: Resolve, reject: Reject): void => {
  lastResolve = resolve;
  lastReject = reject;
};

/** Where a reader is in a stream: all that the stream knows of it, so that an EventStream that is left can be collected. */
export class Cursor implements Listed<Cursor> {
  /** Among those that wait. */
  previous: Cursor | undefined = undefined;
  next: Cursor | undefined = undefined;
  /** Of the call of `read` that waits for an item. */
  #resolve: Resolve | undefined = undefined;
  #reject: Reject | undefined = undefined;
  /** Of those after it, two each. */
  #more: (Resolve | Reject)[] | undefined = undefined;
  #dropped = 0;
  /**
   * Undefined when it has left, or has had the end: what a FinalizationRegistry knows outlives collections of the young
   * generation, and must not take a stream with it.
   */
  #stream: Stream | undefined;
  /** Of the next item it takes. */
  offset: number;

  /**
   * @param from the offset to start at; undefined: the oldest item that is kept
   * @param reader what the user holds
   */
  constructor(
    stream: Stream,
    readonly from: number | undefined,
    readonly overflow: Overflow,
    reader: object,
  ) {
    this.#stream = stream;
    this.offset = from ?? stream.oldest;
    this.#skip(stream);
    stream.attach(this, reader);
  }

  /** Items that it did not get, from its start on. */
  get dropped(): number {
    return this.#dropped + (this.#stream === undefined ? 0 : Math.max(0, this.#stream.oldest - this.offset));
  }

  read(): Promise<Result> {
    const stream = this.#stream;
    if (stream === undefined) return Promise.resolve({ value: undefined, done: true });
    if (this.offset < stream.oldest) {
      if (this.overflow === "error") return this.#overflown(stream);
      this.#skip(stream);
    }
    if (this.#resolve === undefined) {
      const value = stream.take(this);
      if (value !== undefined) return Promise.resolve({ value, done: false });
    }
    const promise = new Promise(keep);
    if (this.#resolve !== undefined) {
      this.#more ??= [];
      this.#more.push(lastResolve, lastReject);
    } else {
      this.#resolve = lastResolve;
      this.#reject = lastReject;
      stream.await(this);
      if (stream.outcome !== undefined) this.end(stream.outcome);
    }
    return promise;
  }

  /** Answers the call that waits, undefined being the end. @returns whether no other waits */
  give(value: StreamItem | undefined): boolean {
    this.#resolve!(value === undefined ? { value, done: true } : { value, done: false });
    const more = this.#more;
    this.#resolve = more?.shift() as Resolve | undefined;
    this.#reject = more?.shift() as Reject | undefined;
    return this.#resolve === undefined;
  }
  /** It waits, and has all there is: the first call gets the run's error, if there is one (10.4). */
  end(outcome: Outcome): void {
    if (outcome.status !== "completed") this.#reject!(outcome.error);
    this.leave();
  }
  /** Nothing waits for it any more, and it gets nothing any more. */
  leave(): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    this.#dropped = this.dropped;
    this.#stream = undefined;
    stream.detach(this, this.#resolve !== undefined);
    while (this.#resolve !== undefined) this.give(undefined);
  }

  /** Goes on at the oldest item there is. */
  #skip({ oldest }: Stream): void {
    if (this.offset >= oldest) return;
    this.#dropped += oldest - this.offset;
    this.offset = oldest;
  }
  #overflown({ run, retention }: Stream): Promise<never> {
    this.leave();
    return Promise.reject(
      new StreamOverflowError(
        `${run.title}: a reader of the stream has lost ${this.#dropped} items, as ${retention} are kept. Read faster, raise "streamRetention", or let "overflow" be "block" or "drop-oldest".`,
        { runId: run.runId },
      ),
    );
  }
}
