import type { Cursor } from "./cursor";
import { development, randomId } from "./environment";
import type { Event } from "./event";
import type { Flow } from "./flow";
import { List, type Listed } from "./list";
import type { Outcome, Run } from "./run";
import { type Shown, ShownEvent } from "./shown";

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
  readonly flow: Flow;
  /** It has its place in the stream. Runs no user code. */
  published(): void;
}

/** Items that are kept for readers, if a run does not say otherwise. */
const RETENTION = 10_000;
/** Of readers: not counted yet. */
const UNKNOWN = -1;
const leave = (cursor: Cursor): void => cursor.leave();

/** What observers see of one run: a bounded buffer of items, the readers that are attached, and the writes that wait for room. */
export class Stream {
  /** A ring: the item of an offset is at `(offset - start) & mask`. It is as long as it had to be so far. */
  #ring: (StreamItem | undefined)[] = [];
  #start = 0;
  #mask: number;
  /** Offsets of the oldest item kept, and of the next to come. */
  #oldest = 0;
  #next = 0;
  /** Of the first item that there was. */
  #first = 0;
  /** Readers that are attached. */
  #attached = 0;
  /** Those of them that writes wait for. */
  readonly #holding = new Set<Cursor>();
  /** How many of those have not taken the oldest item; counted when the buffer is full, and known while a write waits. */
  #behind = UNKNOWN;
  /** Those whose EventStream may be collected. The stream's own: of all streams, it would hold each run that somebody reads. */
  #forgotten: FinalizationRegistry<Cursor> | undefined = undefined;
  /** Those that were asked for an item that is not there yet. */
  readonly #waiting = new List<Cursor>();
  /** Writes that wait for room. */
  readonly held = new List<Held>();
  #outcome: Outcome | undefined = undefined;
  /** Sees each item when it is published. Runs no user code. */
  tee: ((item: StreamItem) => void) | undefined = undefined;
  #epoch: string | undefined = undefined;

  constructor(
    readonly run: Run,
    readonly retention = RETENTION,
    readonly overflow: Overflow = "block",
  ) {
    this.#mask = 2 ** Math.min(30, Math.ceil(Math.log2(retention))) - 1;
  }

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
    // Those who began at the oldest item begin here; what others lack is told by `dropped`.
    for (const cursor of this.#holding) if (cursor.from === undefined && this.#next === this.#first) cursor.offset = position;
    this.#first = position;
    this.#start = position;
    this.#oldest = position;
    this.#next = position;
  }

  /** The items that are kept, from an offset on. */
  *kept(from: number): Generator<StreamItem> {
    for (let offset = Math.max(from, this.#oldest); offset < this.#next; offset++) yield this.#ring[this.#place(offset)]!;
  }
  /** An item of another process: what is between it and the one before is lost. */
  add(item: StreamItem): void {
    if (item.offset < this.#next) return;
    if (item.offset > this.#next) this.startAt(item.offset);
    this.#makeRoom();
    this.#keep(item);
  }

  /** @returns false when it has to wait for room */
  write(event: Event, flow: Flow): boolean {
    // While a write waits there is none, so that they stay in order.
    if (!this.#makeRoom()) return false;
    this.#append(event, flow);
    return true;
  }
  /** For the engine's own events, which never wait: they may exceed the bound (10.3). */
  writeOwn(event: Event, flow: Flow): void {
    this.#makeRoom();
    this.#append(event, flow);
  }

  /** The item that a reader is at, which it goes past; undefined where there is none yet. */
  take(cursor: Cursor): StreamItem | undefined {
    const { offset } = cursor;
    if (offset >= this.#next) return undefined;
    const item = this.#ring[this.#place(offset)];
    cursor.offset = offset + 1;
    if (offset === this.#oldest && this.#behind > 0 && cursor.overflow === "block") this.#passed();
    return item;
  }
  /** @param reader the reader is gone when this is collected */
  attach(cursor: Cursor, reader: object): void {
    if (this.#outcome !== undefined) return;
    this.#attached++;
    this.#forgotten ??= new FinalizationRegistry(leave);
    this.#forgotten.register(reader, cursor, cursor);
    if (cursor.overflow !== "block") return;
    this.#holding.add(cursor);
    if (cursor.offset === this.#oldest && this.#behind !== UNKNOWN) this.#behind++;
  }
  /** @param waits it waits for an item */
  detach(cursor: Cursor, waits: boolean): void {
    if (waits) this.#waiting.drop(cursor);
    this.#forgotten?.unregister(cursor);
    if (this.#outcome !== undefined) return;
    this.#attached--;
    if (this.#holding.delete(cursor) && cursor.offset === this.#oldest && this.#behind > 0) this.#passed();
  }
  /** The reader gets the item when it comes. */
  await(cursor: Cursor): void {
    this.#waiting.push(cursor);
  }

  /** The run's outcome is told: its StopEvent is the last item, and readers that have all get the end. */
  end(outcome: Outcome): void {
    if (outcome.status === "completed") this.writeOwn(outcome.stop, this.run);
    this.#outcome = outcome;
    for (let cursor = this.#waiting.first; cursor !== undefined; cursor = this.#waiting.first) cursor.end(outcome);
  }

  #append(event: Event, flow: Flow): void {
    this.#keep({ offset: this.#next, event, path: flow.path, runId: flow.runId });
  }
  #keep(item: StreamItem): void {
    const { offset } = item;
    if (offset - this.#oldest > this.#mask) this.#grow();
    if (development) Object.freeze(item);
    this.#ring[this.#place(offset)] = item;
    this.#next = offset + 1;
    this.tee?.(item);
    if (this.#waiting.first !== undefined) this.#hand(item);
  }
  #place(offset: number): number {
    return (offset - this.#start) & this.#mask;
  }
  /** Gives it to those that wait for it. No code of theirs runs before the stack is empty. */
  #hand(item: StreamItem): void {
    let next: Cursor | undefined;
    for (let cursor = this.#waiting.first; cursor !== undefined; cursor = next) {
      next = cursor.next;
      if (cursor.offset !== item.offset) continue;
      cursor.offset++;
      if (cursor.give(item)) this.#waiting.drop(cursor);
    }
  }
  /** Only for the engine's own events, beyond the bound. */
  #grow(): void {
    const from = this.#place(this.#oldest);
    this.#ring = [...this.#ring.slice(from), ...this.#ring.slice(0, from)];
    this.#start = this.#oldest;
    this.#mask = 2 * this.#mask + 1;
  }

  /** @returns whether there is room for one more, the oldest items having gone that no reader holds */
  #makeRoom(): boolean {
    while (this.#next - this.#oldest >= this.retention) {
      if (this.overflow === "block" && this.#isHeld()) return false;
      this.#ring[this.#place(this.#oldest)] = undefined;
      this.#oldest++;
      this.#behind = UNKNOWN;
    }
    return true;
  }
  /** Each reader takes each item once, so that looking at all of them for each item costs no more than that. */
  #isHeld(): boolean {
    if (this.#behind === UNKNOWN) {
      this.#behind = 0;
      for (const { offset } of this.#holding) if (offset === this.#oldest) this.#behind++;
    }
    return this.#behind > 0;
  }
  /** One of those that held the oldest item does so no longer. */
  #passed(): void {
    this.#behind--;
    for (let held = this.held.first; held !== undefined && this.#makeRoom(); held = this.held.first) {
      this.held.drop(held);
      this.#append(held.event, held.flow);
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
  const shown: Shown[] = [];
  for (let one = run.shown; one !== undefined; one = one.before) shown.push(one);
  run.shown = undefined;
  for (const { event, flow } of shown.reverse()) stream.writeOwn(event, flow);
  if (run.told !== undefined) stream.end(run.told);
  return stream;
}

/** The offset of the next item, whether there is a stream yet or not. */
export function positionOf(run: Run): number {
  return run.stream?.position ?? run.streamed + (run.shown?.count ?? 0);
}

/** Whether events of the engine are kept for later: most runs are read by nobody, and wait for long: they need no stream. */
export function keepsShown(run: Run): boolean {
  return run.stream === undefined && (run.shown === undefined || run.shown.count < FEW);
}

/** Publishes an event of the engine's: it never waits. Runs no user code. */
export function publishOwn(flow: Flow, event: Event): void {
  const { run } = flow;
  if (keepsShown(run)) run.shown = new ShownEvent(flow, run.shown, event);
  else streamOf(run).writeOwn(event, flow);
}
