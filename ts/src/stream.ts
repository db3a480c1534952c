import type { Cursor } from "./cursor";
import { development, randomId } from "./environment";
import type { Event } from "./event";
import { List, type Listed } from "./list";
import type { Outcome, Run } from "./run";

/** What a reader of a stream gets: one object for all readers (10.2). */
export interface StreamItem {
  /** Counts from 0 without gaps over the whole run, also after a resume. */
  readonly offset: number;
  /** The very event. */
  readonly event: Event;
  /** Names the sub-workflow or stage it came from, outermost first; empty for the run itself. */
  readonly path: readonly string[];
  readonly runId: string;
}

/** What happens when the buffer is full and a reader has not taken its oldest item (10.3). */
export type Overflow = "block" | "drop-oldest" | "error";

/** A write that waits for room, in the run's line. */
export interface Held extends Listed<Held> {
  readonly event: Event;
  /** It has its place in the stream. Runs no user code. */
  published(): void;
}

/** Items that are kept for readers, if a run does not say otherwise. */
const RETENTION = 10_000;
const ITSELF: readonly string[] = Object.freeze([]);

/** What observers see of one run: a bounded buffer of items, the readers that are attached, and the writes that wait for room. */
export class Stream {
  /** A ring: the item of an offset is at `offset & mask`. Its length is a power of two; it grows up to one more than is kept. */
  #ring: (StreamItem | undefined)[] = new Array(16);
  /** How many of the readers that writes wait for are at an offset, likewise; the last is that of the next item. */
  #at: number[] = new Array(16).fill(0);
  /** Of those that are further ahead. */
  #ahead: Map<number, number> | undefined = undefined;
  /** Offsets of the oldest item kept, and of the next to come. */
  #oldest = 0;
  #next = 0;
  /** Readers that are attached. */
  readonly #readers = new Set<Cursor>();
  /** Those that were asked for an item that is not there yet. */
  readonly #waiting = new List<Cursor>();
  /** Writes that wait for room. */
  readonly held = new List<Held>();
  #outcome: Outcome | undefined = undefined;
  #epoch: string | undefined = undefined;

  constructor(
    readonly run: Run,
    readonly retention = RETENTION,
    readonly overflow: Overflow = "block",
  ) {}

  /** The offset of the next item. */
  get position(): number {
    return this.#next;
  }
  /** Tells this process' offsets from those that another gave after the same snapshot. */
  get epoch(): string {
    this.#epoch ??= randomId().slice(0, 8);
    return this.#epoch;
  }
  /** The offset of the oldest item that is kept. */
  get oldest(): number {
    return this.#oldest;
  }
  /** Whether anybody reads, and so gets to know how the run ends. */
  get read(): boolean {
    return this.#readers.size > 0;
  }
  /** How the run has ended; nothing comes any more. */
  get outcome(): Outcome | undefined {
    return this.#outcome;
  }

  /** Nothing is published yet: the stream of a stored run goes on at its position. */
  startAt(position: number): void {
    this.#oldest = position;
    this.#next = position;
  }

  /** @returns false when it has to wait for room */
  write(event: Event): boolean {
    // While a write waits there is none, so that they stay in order.
    if (!this.#makeRoom()) return false;
    this.#append(event);
    return true;
  }
  /** For the engine's own events, which never wait: they may exceed the bound (10.3). */
  writeOwn(event: Event): void {
    this.#makeRoom();
    this.#append(event);
  }

  /** The item that a reader is at, which it goes past; undefined where there is none yet. */
  take(cursor: Cursor): StreamItem | undefined {
    const { offset } = cursor;
    if (offset >= this.#next) return undefined;
    const item = this.#ring[offset & (this.#ring.length - 1)];
    this.#pass(cursor);
    if (this.held.first !== undefined && offset === this.#oldest) this.#publishHeld();
    return item;
  }
  attach(cursor: Cursor): void {
    if (this.#outcome !== undefined) return;
    this.#readers.add(cursor);
    if (cursor.overflow === "block") this.#count(cursor.offset, 1);
  }
  /** @param waits it waits for an item */
  detach(cursor: Cursor, waits: boolean): void {
    if (waits) this.#waiting.drop(cursor);
    if (this.#outcome !== undefined) return;
    this.#readers.delete(cursor);
    if (cursor.overflow !== "block") return;
    this.#count(cursor.offset, -1);
    this.#publishHeld();
  }
  /** The reader gets the item when it comes. */
  await(cursor: Cursor): void {
    this.#waiting.push(cursor);
  }

  /** The run's outcome is told: its StopEvent is the last item, and readers that have all get the end. */
  end(outcome: Outcome): void {
    if (outcome.status === "completed") this.writeOwn(outcome.stop);
    this.#outcome = outcome;
    for (let cursor = this.#waiting.first; cursor !== undefined; cursor = this.#waiting.first) cursor.end(outcome);
  }

  #append(event: Event): void {
    const offset = this.#next;
    // The next offset has its place too.
    if (offset + 1 - this.#oldest === this.#ring.length) this.#grow();
    const item: StreamItem = { offset, event, path: ITSELF, runId: this.run.runId };
    if (development) Object.freeze(item);
    this.#ring[offset & (this.#ring.length - 1)] = item;
    this.#next = offset + 1;
    this.#at[this.#next & (this.#ring.length - 1)] = this.#ahead?.get(this.#next) ?? 0;
    this.#ahead?.delete(this.#next);
    if (this.#waiting.first !== undefined) this.#hand(item);
  }
  /** Gives it to those that wait for it. No code of theirs runs before the stack is empty. */
  #hand(item: StreamItem): void {
    let next: Cursor | undefined;
    for (let cursor = this.#waiting.first; cursor !== undefined; cursor = next) {
      next = cursor.next;
      if (cursor.offset !== item.offset) continue;
      this.#pass(cursor);
      if (cursor.give(item)) this.#waiting.drop(cursor);
    }
  }
  #grow(): void {
    const length = this.#ring.length;
    const [ring, at] = [this.#ring, this.#at];
    this.#ring = new Array(2 * length);
    this.#at = new Array(2 * length).fill(0);
    for (let offset = this.#oldest; offset <= this.#next; offset++) {
      this.#ring[offset & (2 * length - 1)] = ring[offset & (length - 1)];
      this.#at[offset & (2 * length - 1)] = at[offset & (length - 1)]!;
    }
  }

  /** A reader goes on to the next offset. */
  #pass(cursor: Cursor): void {
    const { offset } = cursor;
    cursor.offset = offset + 1;
    if (cursor.overflow !== "block") return;
    const mask = this.#at.length - 1;
    this.#at[offset & mask]!--;
    this.#at[(offset + 1) & mask]!++;
  }
  /** Counts a reader that comes or goes. */
  #count(offset: number, by: 1 | -1): void {
    if (offset <= this.#next) {
      this.#at[offset & (this.#at.length - 1)]! += by;
      return;
    }
    this.#ahead ??= new Map();
    this.#ahead.set(offset, (this.#ahead.get(offset) ?? 0) + by);
  }
  /** @returns whether there is room for one more, the oldest items having gone that no reader holds */
  #makeRoom(): boolean {
    const mask = this.#ring.length - 1;
    while (this.#next - this.#oldest >= this.retention) {
      if (this.#at[this.#oldest & mask] !== 0) return false;
      this.#ring[this.#oldest & mask] = undefined;
      this.#oldest++;
    }
    return true;
  }
  #publishHeld(): void {
    for (let held = this.held.first; held !== undefined && this.#makeRoom(); held = this.held.first) {
      this.held.drop(held);
      this.#append(held.event);
      held.published();
    }
  }
}

/** Events of the engine that are kept for a stream that nobody has asked for yet. */
const FEW = 16;

/** The stream of a run, made when it is first written or read. */
export function streamOf(run: Run): Stream {
  if (run.stream !== undefined) return run.stream;
  const stream = new Stream(run);
  run.stream = stream;
  stream.startAt(run.streamed);
  for (const event of run.shown ?? []) stream.writeOwn(event);
  run.shown = undefined;
  if (run.told !== undefined) stream.end(run.told);
  return stream;
}

/** The offset of the next item, whether there is a stream yet or not. */
export function positionOf(run: Run): number {
  return run.stream?.position ?? run.streamed + (run.shown?.length ?? 0);
}

/** Publishes an event of the engine's: it never waits. Most runs that ask are read by nobody, and wait for long: they need no stream. Runs no user code. */
export function publishOwn(run: Run, event: Event): void {
  if (run.stream === undefined && (run.shown?.length ?? 0) < FEW) {
    if (run.shown === undefined) run.shown = [event];
    else run.shown.push(event);
  } else streamOf(run).writeOwn(event);
}
