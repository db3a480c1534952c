/** Where time comes from. The runs of one clock share one timer of it. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /**
   * Calls back once after so many milliseconds, or earlier.
   *
   * @returns what prevents it
   */
  after(ms: number, callback: () => void): () => void;
}

/** The longest wait in ms: so a clock that is set, or a machine that slept, is noticed; and timers of hosts end after 24.8 days. */
const LONGEST = 60_000;

/** The host's own. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, Math.min(ms, LONGEST));
    return () => clearTimeout(timer);
  },
};
