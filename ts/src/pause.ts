import { exchange, frame, GONE, track } from "./buffer";
import { dispatch, fromHost } from "./dispatch";
import { DefinitionError } from "./errors";
import { runOver } from "./failure";
import { IN_PAUSE } from "./generated/tables";
import { startClocks, stopClocks } from "./limits";
import type { Run } from "./run";
import { fetchCommands, takeSnapshot } from "./save";
import type { Snapshot } from "./snapshot";
import { Timer } from "./timers";
import { describe, isPlainObject } from "./values";
import { writeNow } from "./waits";

export interface PauseOptions {
  /** "drain" (default) lets running steps settle and commit, "now" waits for nothing (7.1). */
  mode?: "drain" | "now";
  /** Milliseconds after which a drain goes on as "now". Default: none. */
  timeout?: number;
}

/** A pause of a run, from the call until the run goes on (7.1). */
export class Pause {
  /** The snapshot is taken: what attempts do from now on waits until the run goes on. */
  taken = false;
  /** Up to where the run's commands have been looked at: those before it wait. */
  sifted = 0;
  /** Settled when the run goes on, or is over. */
  readonly over: Promise<void>;
  /** The same for all that ask, until something changes the run. */
  #snapshot: Promise<Snapshot>;
  #resolve!: (snapshot: Snapshot | Promise<Snapshot>) => void;
  #reject!: (error: unknown) => void;
  #release!: () => void;
  /** Of the end of the drain. */
  readonly #timer = new Timer(() => this.take());
  #changed = false;

  constructor(private readonly run: Run) {
    this.over = new Promise((resolve) => {
      this.#release = resolve;
    });
    this.#snapshot = this.#waitFor();
  }

  #waitFor(): Promise<Snapshot> {
    return new Promise<Snapshot>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get snapshot(): Promise<Snapshot> {
    if (this.taken && this.#changed) {
      this.#snapshot = this.#waitFor();
      this.#take();
    }
    return this.#snapshot;
  }

  /** Ends the drain after so many ms, if it would not end before. */
  limit(timeout: number): void {
    const { timers } = this.run;
    const ends = timers.now() + timeout;
    if (this.taken || timeout === Number.POSITIVE_INFINITY || (this.#timer.place >= 0 && ends >= this.#timer.at)) return;
    timers.set(this.#timer, ends);
  }

  /** The drain is over: this is the moment that the snapshot tells of. */
  take(): void {
    // The end of a run that its core has ended is on its way.
    if (this.taken || this.run.over || this.run.handle === GONE) return;
    this.taken = true;
    this.run.timers.clear(this.#timer);
    stopClocks(this.run);
    track(this.run);
    this.#take();
  }
  #take(): void {
    this.#changed = false;
    try {
      const snapshot = takeSnapshot(this.run);
      this.run.checkpoints?.touched();
      const closed = this.run.closeIdle().catch((error: unknown) => {
        if (this.run.pause === this) goOnInPlace(this.run);
        throw error;
      });
      this.#resolve(closed.then(() => snapshot));
    } catch (error) {
      this.#reject(error);
      goOnInPlace(this.run);
    }
  }

  /** Something from outside has become part of the paused run. */
  changed(): void {
    this.#changed = true;
  }

  /** The run goes on. */
  release(): void {
    this.run.timers.clear(this.#timer);
    this.#release();
  }

  /** The run has ended instead. */
  end(): void {
    this.release();
    if (this.taken) return;
    // Whoever paused may not look at it, and the end tells of itself.
    this.#snapshot.catch(() => {});
    this.#reject(runOver(this.run, "paused"));
  }
}

/** @throws (as a rejection) RunOverError, and why no snapshot can be taken: the run goes on then */
export function pauseRun(run: Run, options?: PauseOptions): Promise<Snapshot> {
  try {
    return pausing(run, options).snapshot;
  } catch (error) {
    return Promise.reject(error);
  }
}

function pausing(run: Run, options: PauseOptions = {}): Pause {
  const { mode, timeout } = checkPause(run, options);
  checkOver(run, "paused");
  let { pause } = run;
  if (pause === undefined) {
    pause = new Pause(run);
    run.pause = pause;
    if (run.alarm !== undefined) run.timers.clear(run.alarm);
    fetchCommands(run);
    // What the core has said before may be that the run is over.
    dispatch(run);
  }
  if (mode === "now") pause.take();
  else if (timeout !== undefined) pause.limit(timeout);
  return pause;
}

/** @throws (as a rejection) RunOverError, UnserializableError, SessionPauseError */
export async function snapshotRun(run: Run): Promise<Snapshot> {
  checkOver(run, "stored");
  return takeSnapshot(run);
}

/** A run that is not paused stays as it is. */
export function goOnInPlace(run: Run): void {
  const { pause } = run;
  if (pause === undefined || run.over) return;
  // Who waits for the drain gets the run as it is now.
  if (!pause.taken) pause.take();
  if (run.pause !== pause || !pause.taken) return;
  run.pause = undefined;
  if (run.begun) {
    if (run.alarm !== undefined) writeNow(run);
    frame(IN_PAUSE, 0, 0, 0);
    exchange(run);
    if (run.alarm !== undefined && run.alarm.place < 0 && run.alarm.at !== Number.POSITIVE_INFINITY) run.timers.set(run.alarm, run.alarm.at);
    startClocks(run);
  }
  pause.release();
  run.checkpoints?.touched();
  fromHost(run);
}

function checkOver(run: Run, what: string): void {
  if (run.over || run.cancelling) throw runOver(run, what);
}

/** @throws DefinitionError */
export function checkPause(run: Run, options: unknown): PauseOptions {
  const refuse = (why: string): never => {
    throw new DefinitionError(`${run.title}, handler.pause: ${why}`, { runId: run.runId });
  };
  if (!isPlainObject(options)) return refuse(`the options are an object, not ${describe(options)}.`);
  const { mode, timeout } = options;
  if (mode !== undefined && mode !== "drain" && mode !== "now") refuse(`"mode" is "drain" or "now", not ${describe(mode)}.`);
  if (timeout !== undefined && (typeof timeout !== "number" || !(timeout >= 0))) refuse(`"timeout" is a number of milliseconds, not ${describe(timeout)}.`);
  return options;
}
