import type { Cursor } from "./cursor";
import { development, randomId } from "./environment";
import type { Event } from "./event";
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
export interface Held {
  readonly event: Event;
  previous: Held | undefined;
  next: Held | undefined;
  /** It has its place in the stream. Runs no user code. */
  published(): void;
}

/** Items that are kept for readers, if a run does not say otherwise. */
const RETENTION = 10_000;
const ITSELF: readonly string[] = Object.freeze([]);
const UNKNOWN = -1;

/** What observers see of one run: a bounded buffer of items, the readers that are attached, and the writes that wait for room. */
export class Stream {
  /** A ring: the item of an offset is at `offset & mask`. Its length is a power of two and grows up to what is kept. */
  #ring: (StreamItem | undefined)[] = new Array(16);
  /** Offsets of the oldest item kept, and of the next to come. */
  #oldest = 0;
  #next = 0;
  /** Readers that are attached. */
  #attached = 0;
  /** Those of them that writes wait for. */
  readonly #holding = new Set<Cursor>();
  /** How many of those have not taken the oldest item; counted when the buffer is full, and known while a write waits. */
  #behind = UNKNOWN;
  /** Those that were asked for an item that is not there yet. */
  readonly #waiting = new Set<Cursor>();
  #first: Held | undefined = undefined;
  #last: Held | undefined = undefined;
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
    return this.#attached > 0;
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
  /** Puts a write at the end of the line. */
  hold(held: Held): void {
    held.previous = this.#last;
    if (this.#last === undefined) this.#first = held;
    else this.#last.next = held;
    this.#last = held;
  }
  /** Takes a write out of the line. */
  drop({ previous, next }: Held): void {
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
  }

  /** The item that a reader is at, which it goes past; undefined where there is none yet. */
  take(cursor: Cursor): StreamItem | undefined {
    const { offset } = cursor;
    if (offset >= this.#next) return undefined;
    const item = this.#ring[offset & (this.#ring.length - 1)];
    cursor.offset = offset + 1;
    if (offset === this.#oldest && this.#behind > 0 && this.#holding.has(cursor)) this.#passed();
    return item;
  }
  attach(cursor: Cursor): void {
    if (this.#outcome !== undefined) return;
    this.#attached++;
    if (cursor.overflow !== "block") return;
    this.#holding.add(cursor);
    if (cursor.offset === this.#oldest && this.#behind !== UNKNOWN) this.#behind++;
  }
  detach(cursor: Cursor): void {
    this.#waiting.delete(cursor);
    if (this.#outcome !== undefined) return;
    this.#attached--;
    if (this.#holding.delete(cursor) && cursor.offset === this.#oldest && this.#behind > 0) this.#passed();
  }
  /** The reader gets the item when it comes. */
  await(cursor: Cursor): void {
    this.#waiting.add(cursor);
  }

  /** The run's outcome is told: its StopEvent is the last item, and readers that have all get the end. */
  end(outcome: Outcome): void {
    if (outcome.status === "completed") this.writeOwn(outcome.stop);
    this.#outcome = outcome;
    for (const cursor of this.#waiting) cursor.end(outcome);
    this.#waiting.clear();
    this.#holding.clear();
  }

  #append(event: Event): void {
    const offset = this.#next;
    if (offset - this.#oldest === this.#ring.length) this.#grow();
    const item: StreamItem = { offset, event, path: ITSELF, runId: this.run.runId };
    if (development) Object.freeze(item);
    this.#ring[offset & (this.#ring.length - 1)] = item;
    this.#next = offset + 1;
    if (this.#waiting.size > 0) this.#hand(item);
  }
  /** Gives it to those that wait for it. No code of theirs runs before the stack is empty. */
  #hand(item: StreamItem): void {
    for (const cursor of this.#waiting) if (cursor.offset === item.offset && cursor.give(item)) this.#waiting.delete(cursor);
  }
  #grow(): void {
    const ring = this.#ring;
    const larger: typeof ring = new Array(2 * ring.length);
    for (let offset = this.#oldest; offset < this.#next; offset++) larger[offset & (larger.length - 1)] = ring[offset & (ring.length - 1)];
    this.#ring = larger;
  }

  /** @returns whether there is room for one more, the oldest items having gone that nobody holds */
  #makeRoom(): boolean {
    while (this.#next - this.#oldest >= this.retention) {
      if (this.#isHeld()) return false;
      this.#ring[this.#oldest & (this.#ring.length - 1)] = undefined;
      this.#oldest++;
      this.#behind = UNKNOWN;
    }
    return true;
  }
  /** Each reader takes each item once, so that counting them for each costs no more than that. */
  #isHeld(): boolean {
    if (this.#behind === UNKNOWN) {
      this.#behind = 0;
      for (const { offset } of this.#holding) if (offset <= this.#oldest) this.#behind++;
    }
    return this.#behind > 0;
  }
  /** A reader holds the oldest item no longer. */
  #passed(): void {
    this.#behind--;
    while (this.#first !== undefined && this.#makeRoom()) {
      const held = this.#first;
      this.drop(held);
      this.#append(held.event);
      held.published();
    }
  }
}

/** The stream of a run, made when it is first written or read. */
export function streamOf(run: Run): Stream {
  if (run.stream === undefined) {
    run.stream = new Stream(run);
    if (run.told !== undefined) run.stream.end(run.told);
  }
  return run.stream;
}

/** Publishes an event of the engine's: it never waits. Runs no user code. */
export function publishOwn(run: Run, event: Event): void {
  streamOf(run).writeOwn(event);
}
