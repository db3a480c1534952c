import type { Encoded, Types } from "./codec";
import type { Flow } from "./flow";
import type { OnceTable } from "./once";
import type { Session } from "./session";

/** What a workflow says about the memory of its runs: the same for all of them. */
export interface MemoryOptions {
  readonly types: Types;
  /** Initial state by key; encoded values are never changed, so all runs share them (6.1). */
  readonly initial: ReadonlyMap<string, Encoded>;
  /** Undefined: what the carrier says (6.3). */
  readonly session: "json" | "live" | undefined;
  readonly pausePolicy: SessionPausePolicy;
  /** By the version that each upgrades from. */
  readonly migrate: ReadonlyMap<number, Migration>;
  /** Commits check that a snapshot would lose nothing. */
  readonly verify: boolean;
}

/** What `migrate` functions read and return (7.5). */
export interface SnapshotContent {
  /** Decoded values by key. */
  state: Record<string, unknown>;
  /** Every waiting event: queued, joined, collected, and those of unsettled invocations. */
  events: { type: string; payload: Record<string, unknown> }[];
  /** Each step name in the snapshot, and the name it has now. */
  steps: Record<string, string>;
}
export type Migration = (old: SnapshotContent) => SnapshotContent;

/** What becomes of the session's entries when a snapshot is taken (7.4). */
export type SessionPausePolicy = "pickle_or_error" | "pickle_or_serialize" | "warn_drop" | "hard_error";

/** What a run or child run remembers beside its events; made when a step first uses any of it. */
export class RunMemory {
  /** Committed state by key. */
  state: ReadonlyMap<string, Encoded>;
  session: Session | undefined = undefined;
  once: OnceTable | undefined = undefined;
  /** Functions of a commit's updates are being called: no other commit may come between (4.3). */
  committing = false;
  /** Commits of which a field store has saved something: each has its number (8.3). */
  commits = 0;
  #own = false;

  /** What a snapshot does with the session; a resumed run keeps the one it had (7.4). */
  pausePolicy: SessionPausePolicy;

  constructor(readonly options: MemoryOptions) {
    this.state = options.initial;
    this.pausePolicy = options.pausePolicy;
  }

  /** The state of a stored run. */
  replace(state: Map<string, Encoded>): void {
    this.state = state;
    this.#own = true;
  }

  /** The same value, of which this process holds other transient fields. */
  hold(key: string, value: Encoded): void {
    (this.state as Map<string, Encoded>).set(key, value);
  }

  /** Makes a commit's writes part of the run; undefined removes a key. */
  apply(changes: ReadonlyMap<string, Encoded | undefined>): void {
    if (!this.#own) {
      this.state = new Map(this.state);
      this.#own = true;
    }
    const state = this.state as Map<string, Encoded>;
    for (const [key, value] of changes) {
      if (value === undefined) state.delete(key);
      else state.set(key, value);
    }
  }
}

/** The memory of a run, made when a step first needs it. */
export function memoryOf(flow: Flow): RunMemory {
  flow.memory ??= new RunMemory(flow.memoryOptions);
  return flow.memory;
}
