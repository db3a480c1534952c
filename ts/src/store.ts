import type { RunStatus } from "./run";

/** What stands beside a run's bytes in a store: all that lists, workers and an attached handler need without reading them. */
export interface RunHead {
  /** "queued": no worker has begun it. */
  readonly status: RunStatus;
  /** When it goes on by itself, in ms since 1970; undefined: not by time. */
  readonly deadline?: number | undefined;
  /** Ids of the questions that wait for an answer. */
  readonly requests: readonly string[];
  /** How many messages of its inbox it has taken. */
  readonly inbox: number;
  /** The offset of the next item of its stream. */
  readonly stream: number;
  /** When this was so, in ms since 1970 by the clock of the run, which never runs backwards. */
  readonly at: number;
  /** How it has ended: JSON, see docs/stores.md. */
  readonly outcome?: string | undefined;
}

/** What lists tell of a run. */
export interface RunInfo extends RunHead {
  readonly runId: string;
  readonly workflow: string;
  readonly version: number;
  /** When others may claim it, in ms since 1970; 0: nobody goes on with it. */
  readonly leaseEnd: number;
}

/** A run that is to be kept. */
export interface NewRun {
  readonly runId: string;
  readonly workflow: string;
  readonly version: number;
  readonly head: RunHead;
  /** Its first base. */
  readonly base: Uint8Array;
  /** Who goes on with it, and for how many ms before others may; undefined: whoever claims it first. */
  readonly owner?: { readonly name: string; readonly leaseMs: number } | undefined;
}

/** A commit of one run. It counts only where the run's epoch is still this one and its sequence one less. */
export interface Commit {
  readonly runId: string;
  readonly epoch: number;
  readonly sequence: number;
  /** "base" takes the place of all bytes before it, a "delta" comes behind them, with "head" there are none. */
  readonly kind: "base" | "delta" | "head";
  readonly bytes: Uint8Array;
  readonly head: RunHead;
  /** What was published since, if somebody elsewhere reads it. */
  readonly items?: readonly StoredItem[] | undefined;
}

/** An item of a run's stream. */
export interface StoredItem {
  readonly offset: number;
  readonly text: string;
}

/** "fenced": another owner has claimed the run since; "unknown": the store has no such run. */
export type CommitResult = "stored" | "fenced" | "unknown";

/** Something said to a run by whoever does not own it. */
export interface Message {
  /** The sender's: of two with one id the first counts. */
  readonly id: string;
  readonly body: string;
}

/** A message as a run finds it. */
export interface StoredMessage extends Message {
  /** Its place among all that the run was told, from 0: taken when the head's `inbox` is more. */
  readonly number: number;
}

/** A run as a store has it. */
export interface StoredRun extends RunInfo {
  /** Raised by each claim: commits of the owner before are refused. */
  readonly epoch: number;
  /** The number of its latest commit. */
  readonly sequence: number;
  /** The base, and the deltas after it in their order. */
  readonly bytes: readonly Uint8Array[];
  /** The messages that it has not taken, in their order. */
  readonly messages: readonly StoredMessage[];
}

export interface Claim {
  readonly workflow: string;
  readonly owner: string;
  /** Ms until others may claim what is claimed now, unless it is renewed. */
  readonly leaseMs: number;
  readonly limit: number;
  /** This run alone, also where it waits and nothing is due. */
  readonly runId?: string | undefined;
  /** Only runs whose latest owner was this one, and which it has released. */
  readonly released?: boolean | undefined;
}

/** A part of a list of runs. */
export interface RunFilter {
  readonly status?: RunStatus | undefined;
  readonly workflow?: string | undefined;
  /** Those whose deadline is at most this, in ms since 1970. */
  readonly dueBy?: number | undefined;
  /** Those that have not changed since: whose `at` is at most this, in ms since 1970. */
  readonly unchangedSince?: number | undefined;
}

/**
 * Where runs are kept (12): bytes that it does not look into, a head, and an inbox for each. Every method is atomic, and what it has
 * answered is durable.
 *
 * @throws (each method, as a rejection) StoreError when the store fails
 */
export interface CheckpointStore {
  /** Adds a run in epoch 1 with sequence 0. False: there is one with this id, which stays as it is. */
  create(run: NewRun): Promise<boolean>;
  /**
   * Takes over runs that are neither over nor another's, or whose owner's lease is over: those that are queued, running, or due by their deadline, or
   * have messages. Raises their epoch by one.
   */
  claim(claim: Claim): Promise<StoredRun[]>;
  /** Commits of many runs in one go: each is stored, or has its own reason why not. */
  append(commits: readonly Commit[]): Promise<CommitResult[]>;
  /** Prolongs the leases of runs, also those that are over. Gives for each whether it is still the owner's, which has not let it go. */
  renew(runs: readonly { readonly runId: string; readonly epoch: number }[], leaseMs: number): Promise<boolean[]>;
  /** Lets runs go: others may claim them at once, and this owner knows them by `released`. */
  release(runs: readonly { readonly runId: string; readonly epoch: number }[]): Promise<void>;
  /** Puts a message into a run's inbox. "known": its id was there before; "over": the run has ended. */
  push(runId: string, message: Message): Promise<"stored" | "known" | "over" | "unknown">;
  /** A run as it is; undefined: there is none. */
  read(runId: string): Promise<StoredRun | undefined>;
  /** What lists tell of it; undefined: there is none. */
  info(runId: string): Promise<RunInfo | undefined>;
  /** The runs of an owner that have messages which they have not taken. */
  told(owner: string): Promise<readonly string[]>;
  /** The messages of a run that it has not taken. */
  messages(runId: string): Promise<readonly StoredMessage[]>;
  /**
   * The items of a run's stream that commits had, from an offset on and in their order, at most so many. Those of a run that is over are there
   * until it is deleted; of more than 10,000 the oldest may be gone.
   */
  items(runId: string, from: number, limit: number): Promise<readonly StoredItem[]>;
  /** In the order of their ids; those that are added or go meanwhile may be left out. */
  list(filter?: RunFilter): AsyncIterable<RunInfo>;
  /** Forgets a run. False: there is none, or it is not over. */
  delete(runId: string): Promise<boolean>;
  close(): Promise<void>;
}

/** Whether a run has ended. */
export function isOver({ status }: { readonly status: RunHead["status"] }): boolean {
  return status === "completed" || status === "failed" || status === "cancelled";
}

/** Whether a filter lets a run pass. */
export function isWanted(run: RunInfo, { status, workflow, dueBy, unchangedSince }: RunFilter): boolean {
  if (status !== undefined && run.status !== status) return false;
  if (workflow !== undefined && run.workflow !== workflow) return false;
  if (dueBy !== undefined && !(run.deadline !== undefined && run.deadline <= dueBy)) return false;
  return unchangedSince === undefined || run.at <= unchangedSince;
}
