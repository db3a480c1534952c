import { Cursor, type Result } from "./cursor";
import { DefinitionError } from "./errors";
import type { Run } from "./run";
import { type Overflow, type Stream, type StreamItem, streamOf } from "./stream";
import { describe, isPlainObject } from "./values";

/**
 * A reader of a run's stream (10.2). Calls of `next` may overlap; they are answered in order.
 *
 * @throws (from `next`) the run's error when it failed or was cancelled, after all items; StreamOverflowError where `overflow` is "error"
 * @example
 * const stream = handler.stream();
 * for await (const { event } of stream) if (event instanceof Token) process.stdout.write(event.text);
 */
export class EventStream implements AsyncIterableIterator<StreamItem, undefined> {
  readonly #cursor: Cursor;

  constructor(stream: Stream, from: number | undefined, overflow: Overflow) {
    this.#cursor = new Cursor(stream, from, overflow, this);
  }

  /** How many items this reader did not get, from its start (`from`, if given) on. */
  get dropped(): number {
    return this.#cursor.dropped;
  }
  next(): Promise<Result> {
    return this.#cursor.read();
  }
  /** Leaves the stream: nobody waits for this reader any more. */
  return(): Promise<Result> {
    this.#cursor.leave();
    return Promise.resolve({ value: undefined, done: true });
  }
  throw(error: unknown): Promise<Result> {
    this.#cursor.leave();
    return Promise.reject(error);
  }
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The same items as a ReadableStream, which takes one when it is asked for one. To cancel it is to leave. */
  toReadableStream(): ReadableStream<StreamItem> {
    return new ReadableStream<StreamItem>(
      {
        pull: async (controller) => {
          const { value, done } = await this.next();
          if (done) controller.close();
          else controller.enqueue(value);
        },
        cancel: () => this.#cursor.leave(),
      },
      { highWaterMark: 0 },
    );
  }
}

/** @throws DefinitionError */
export function readStream(run: Run, options: unknown = {}): EventStream {
  const refuse = (why: string): never => {
    throw new DefinitionError(`${run.title}, handler.stream: ${why}`, { runId: run.runId });
  };
  if (!isPlainObject(options)) return refuse(`the options are an object, not ${describe(options)}.`);
  const { from, ...unknown } = options;
  const extra = Object.keys(unknown)[0];
  if (extra !== undefined) refuse(`there is no option "${extra}". Known: from.`);
  if (from !== undefined && !(Number.isSafeInteger(from) && (from as number) >= 0))
    refuse(`"from" is the offset to start at, a whole number from 0 up, not ${describe(from)}.`);
  return openStream(run, from as number | undefined);
}

/** @param overflow what becomes of this reader when it falls behind; default: what the run's option says */
export function openStream(run: Run, from?: number, overflow?: Overflow): EventStream {
  const stream = streamOf(run);
  const reader = new EventStream(stream, from, overflow ?? stream.overflow);
  run.away?.watch();
  return reader;
}
