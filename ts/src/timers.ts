import { type Clock, systemClock } from "./clock";

/** Milliseconds that timers which are due together may keep the host's event loop waiting (3.6). */
const SLICE = 4;

/** Calls back at a time, once it is set. */
export class Timer {
  /** When, in ms since 1970. */
  at = 0;
  /** Its place in the heap; -1: not set. */
  place = -1;
  /** Of those that are due together the first that was set comes first. */
  order = 0;

  constructor(readonly ring: () => void) {}
}

/** All timers of a clock in a heap: the clock itself has one, for the first that is due. */
export class Timers {
  readonly #clock: Clock;
  readonly #heap: Timer[] = [];
  #count = 0;
  /** When the clock calls back. */
  #armed = Number.POSITIVE_INFINITY;
  #disarm: (() => void) | undefined = undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds since 1970, whole. */
  now(): number {
    return Math.floor(this.#clock.now());
  }

  /** How many are set. */
  get size(): number {
    return this.#heap.length;
  }

  set(timer: Timer, at: number): void {
    if (timer.place >= 0) this.clear(timer);
    timer.at = at;
    timer.order = this.#count++;
    this.#up(timer, this.#heap.push(timer) - 1);
    this.#arm();
  }

  clear(timer: Timer): void {
    const { place } = timer;
    if (place < 0) return;
    timer.place = -1;
    const last = this.#heap.pop()!;
    if (last !== timer) {
      this.#up(last, place);
      this.#down(last, last.place);
    }
    // A timer of the host that rings for nothing costs less than one that is set anew; but with none the process may end.
    if (this.#heap.length === 0) this.#stop();
  }

  #arm(): void {
    const first = this.#heap[0];
    if (first === undefined || first.at >= this.#armed) return;
    this.#stop();
    this.#armed = first.at;
    this.#disarm = this.#clock.after(Math.max(0, first.at - this.#clock.now()), this.#ring);
  }
  #stop(): void {
    this.#disarm?.();
    this.#disarm = undefined;
    this.#armed = Number.POSITIVE_INFINITY;
  }

  readonly #ring = (): void => {
    this.#disarm = undefined;
    this.#armed = Number.POSITIVE_INFINITY;
    const now = this.now();
    const begun = performance.now();
    try {
      for (let first = this.#heap[0]; first !== undefined && first.at <= now; first = this.#heap[0]) {
        this.clear(first);
        first.ring();
        if (performance.now() - begun > SLICE) break;
      }
    } finally {
      this.#arm();
    }
  };

  #up(timer: Timer, from: number): void {
    let place = from;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = this.#heap[above]!;
      if (!before(timer, parent)) break;
      this.#put(parent, place);
      place = above;
    }
    this.#put(timer, place);
  }
  #down(timer: Timer, from: number): void {
    let place = from;
    for (;;) {
      let below = 2 * place + 1;
      let child = this.#heap[below];
      if (child === undefined) break;
      const right = this.#heap[below + 1];
      if (right !== undefined && before(right, child)) {
        child = right;
        below++;
      }
      if (!before(child, timer)) break;
      this.#put(child, place);
      place = below;
    }
    this.#put(timer, place);
  }
  #put(timer: Timer, place: number): void {
    this.#heap[place] = timer;
    timer.place = place;
  }
}

function before(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

const all = new WeakMap<Clock, Timers>();

export function timersOf(clock: Clock): Timers {
  let timers = all.get(clock);
  if (timers === undefined) {
    timers = new Timers(clock);
    all.set(clock, timers);
  }
  return timers;
}

/** Of the host's clock, which most runs use. */
export const systemTimers: Timers = timersOf(systemClock);

/** A time that is allowed: it counts only while it runs, and calls back when it is used up. */
export class Stopwatch {
  readonly #timers: Timers;
  readonly #timer: Timer;
  /** Milliseconds that are left, of when it was stopped last. */
  #left: number;
  #since: number | undefined = undefined;

  constructor(timers: Timers, left: number, over: () => void) {
    this.#timers = timers;
    this.#left = left;
    this.#timer = new Timer(over);
  }

  get left(): number {
    return this.#since === undefined ? this.#left : Math.max(0, this.#left - Math.max(0, this.#timers.now() - this.#since));
  }

  start(): void {
    if (this.#since !== undefined) return;
    this.#since = this.#timers.now();
    this.#timers.set(this.#timer, this.#since + this.#left);
  }
  stop(): void {
    this.#left = this.left;
    this.#since = undefined;
    this.#timers.clear(this.#timer);
  }
}
