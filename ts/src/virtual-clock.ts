import type { Clock } from "./clock";
import { afterTurn } from "./environment";

interface Alarm {
  readonly at: number;
  readonly callback: () => void;
}

/** Turns of the host's event loop that what an alarm has caused gets before time goes on. */
const TURNS = 3;

/**
 * A clock that stands still until a test lets time pass: a run with it sleeps a week in a millisecond. Given to a run by the option `clock`.
 *
 * What happens in real time, such as reading a file, is not waited for: give such steps something quicker in tests.
 *
 * @example
 * const clock = new VirtualClock();
 * const handler = reminder.start({ days: 7 }, { clock });
 * await clock.advance(7 * 24 * 3600 * 1000);
 * await handler.result();
 */
export class VirtualClock implements Clock {
  #now: number;
  readonly #alarms = new Set<Alarm>();
  #wake: (() => void) | undefined = undefined;

  /** @param start what time it is at first; default: 2000-01-01 in UTC */
  constructor(start: Date | number = Date.UTC(2000, 0, 1)) {
    this.#now = Number(start);
  }

  now(): number {
    return this.#now;
  }

  after(ms: number, callback: () => void): () => void {
    const alarm = { at: this.#now + Math.max(0, ms), callback };
    this.#alarms.add(alarm);
    this.#wake?.();
    // What is due at once needs no time to pass.
    if (ms <= 0) afterTurn(() => this.#alarms.delete(alarm) && callback());
    return () => void this.#alarms.delete(alarm);
  }

  /** Whether something waits for time to pass. */
  get waiting(): boolean {
    return this.#alarms.size > 0;
  }

  /** Lets so many ms pass. What is due on the way happens in its order, with all it causes. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await turns();
    for (let next = this.#first(); next !== undefined && next.at <= end; next = this.#first()) await this.#ring(next);
    this.#now = end;
  }

  /** Sets the clock, also back, as a user may set a real one: nothing happens by itself. */
  set(time: Date | number): void {
    this.#now = Number(time);
  }

  /** Lets time pass, from one thing that is due to the next, until the promise has settled; gives what it gives. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const end = () => {
      settled = true;
      this.#wake?.();
    };
    promise.then(end, end);
    for (;;) {
      await turns();
      if (settled) return promise;
      const next = this.#first();
      if (next !== undefined) await this.#ring(next);
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }

  #first(): Alarm | undefined {
    let first: Alarm | undefined;
    for (const alarm of this.#alarms) if (first === undefined || alarm.at < first.at) first = alarm;
    return first;
  }
  #ring(alarm: Alarm): Promise<void> {
    this.#now = Math.max(this.#now, alarm.at);
    this.#alarms.delete(alarm);
    alarm.callback();
    return turns();
  }
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await new Promise<void>((resolve) => afterTurn(resolve));
}
