import { StreamOverflowError } from "./errors";
import type { Listed } from "./list";
import type { Outcome } from "./run";
import type { Overflow, Stream, StreamItem } from "./stream";

export type Result = IteratorResult<StreamItem, undefined>;

interface Call {
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}
/** What settles the promise that was made last: with one executor for all, none is made for each. */
let call: Call;
const keepCall = (resolve: (result: Result) => void, reject: (error: unknown) => void): void => {
  call = { resolve, reject };
};

/** Where a reader is in a stream: all that the stream knows of it, so that an EventStream that is left can be collected. */
export class Cursor implements Listed<Cursor> {
  /** Among those that wait. */
  previous: Cursor | undefined = undefined;
  next: Cursor | undefined = undefined;
  /** The call of `read` that waits for an item, and those after it. */
  #call: Call | undefined = undefined;
  #more: Call[] | undefined = undefined;
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

  read(): Promise<Result> {
    if (this.#over) return Promise.resolve({ value: undefined, done: true });
    const { stream } = this;
    if (this.offset < stream.oldest) {
      if (this.overflow === "error") return this.#overflown();
      this.#skip();
    }
    if (this.#call === undefined) {
      const value = stream.take(this);
      if (value !== undefined) return Promise.resolve({ value, done: false });
    }
    const promise = new Promise(keepCall);
    if (this.#call !== undefined) {
      this.#more ??= [];
      this.#more.push(call);
    } else {
      this.#call = call;
      stream.await(this);
      if (stream.outcome !== undefined) this.end(stream.outcome);
    }
    return promise;
  }

  /** @returns whether it waits for no other */
  give(value: StreamItem): boolean {
    const { resolve } = this.#call!;
    this.#call = this.#more?.shift();
    resolve({ value, done: false });
    return this.#call === undefined;
  }
  /** It waits, and has all there is: the first call gets the run's error, if there is one (10.4). */
  end(outcome: Outcome): void {
    const { reject } = this.#call!;
    if (outcome.status !== "completed") reject(outcome.error);
    this.leave();
  }
  /** Nothing waits for it any more, and it gets nothing any more. */
  leave(): void {
    if (this.#over) return;
    this.#dropped = this.dropped;
    this.#over = true;
    this.stream.detach(this, this.#call !== undefined);
    this.#call?.resolve({ value: undefined, done: true });
    for (const { resolve } of this.#more ?? []) resolve({ value: undefined, done: true });
    this.#call = undefined;
    this.#more = undefined;
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
