import { StreamOverflowError } from "./errors";
import type { Outcome } from "./run";
import type { Overflow, Stream, StreamItem } from "./stream";

export type Result = IteratorResult<StreamItem, undefined>;

interface Call {
  resolve(result: Result): void;
  reject(error: unknown): void;
}

/** Where a reader is in a stream: all that the stream knows of it, so that an EventStream that is left can be collected. */
export class Cursor {
  /** Calls of `next` that wait for an item, in order. */
  readonly #calls: Call[] = [];
  #dropped = 0;
  /** It has left, or has had the end. */
  #over = false;
  /** Of the next item it takes. */
  offset: number;

  /** @param from the offset to start at; undefined: the oldest item that is kept */
  constructor(
    readonly stream: Stream,
    from: number | undefined,
    readonly overflow: Overflow,
  ) {
    this.offset = from ?? stream.oldest;
    this.#skip();
    stream.attach(this);
  }

  /** Items that it did not get, from its start on. */
  get dropped(): number {
    return this.#dropped + (this.#over ? 0 : Math.max(0, this.stream.oldest - this.offset));
  }

  next(): Promise<Result> {
    if (this.#over) return Promise.resolve({ value: undefined, done: true });
    const { stream } = this;
    if (this.offset < stream.oldest) {
      if (this.overflow === "error") return this.#overflown();
      this.#skip();
    }
    if (this.#calls.length === 0) {
      const value = stream.take(this);
      if (value !== undefined) return Promise.resolve({ value, done: false });
    }
    return new Promise((resolve, reject) => {
      this.#calls.push({ resolve, reject });
      if (stream.outcome === undefined) stream.await(this);
      else this.end(stream.outcome);
    });
  }

  /** @returns whether it waits for no other */
  give(value: StreamItem): boolean {
    this.offset++;
    this.#calls.shift()!.resolve({ value, done: false });
    return this.#calls.length === 0;
  }
  /** It has all there is; the first that asks for more gets the run's error, if there is one (10.4). */
  end(outcome: Outcome): void {
    if (outcome.status !== "completed") this.#calls.shift()?.reject(outcome.error);
    this.leave();
  }
  /** Nothing waits for it any more, and it gets nothing any more. */
  leave(): void {
    if (this.#over) return;
    this.#dropped = this.dropped;
    this.#over = true;
    this.stream.detach(this);
    for (const { resolve } of this.#calls.splice(0)) resolve({ value: undefined, done: true });
  }

  /** Goes on at the oldest item there is. */
  #skip(): void {
    const { oldest } = this.stream;
    if (this.offset >= oldest) return;
    this.#dropped += oldest - this.offset;
    this.offset = oldest;
  }
  #overflown(): Promise<never> {
    this.leave();
    const { run, retention } = this.stream;
    return Promise.reject(
      new StreamOverflowError(
        `Workflow "${run.workflowName}": a reader of the stream has lost ${this.#dropped} items, as ${retention} are kept. Read faster, raise "streamRetention", or let "overflow" be "block" or "drop-oldest".`,
        { runId: run.runId },
      ),
    );
  }
}
