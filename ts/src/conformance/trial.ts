import type { CheckpointStore, Claim, Commit, NewRun, RunHead, RunInfo, StoredRun } from "../store";

/** How a store is tried out. */
export interface ConformanceOptions {
  /**
   * Opens once more what the store of the running case keeps: as another process would while it is open, and as the next one would when it
   * is closed. Default: the store itself is all that there is, and what is to outlive it is not tried.
   */
  reopen?: (store: CheckpointStore) => CheckpointStore | Promise<CheckpointStore>;
  /** The clock of the store, such as a `VirtualClock`. Default: real time, of which the cases let less than two seconds pass. */
  clock?: { now(): number; advance(ms: number): Promise<void> | void };
  /** How many runs the case with many of them makes. Default: 1,000. */
  runs?: number;
}

/** A lease that no case outlasts, in ms. */
export const LONG = 3_600_000;
/** A lease that is over soon, in ms. */
export const SHORT = 100;

/** One case's store, and what it does with it. */
export class Trial {
  readonly #opened: CheckpointStore[] = [];
  #now = 0;

  constructor(
    readonly store: CheckpointStore,
    readonly options: ConformanceOptions,
  ) {
    this.#opened.push(store);
  }

  /** The same runs, as another process sees them. */
  async other(): Promise<CheckpointStore> {
    const { reopen } = this.options;
    if (reopen === undefined) return this.store;
    const other = await reopen(this.store);
    this.#opened.push(other);
    return other;
  }
  async close(): Promise<void> {
    for (const store of this.#opened.splice(0)) await store.close();
  }

  now(): number {
    // What a case calls the same time is the same.
    if (this.#now === 0) this.#now = Math.floor(this.options.clock?.now() ?? Date.now());
    return this.#now;
  }
  /** Lets leases of `SHORT` and deadlines within it be over. */
  async pass(): Promise<void> {
    const { clock } = this.options;
    if (clock === undefined) await new Promise((resolve) => setTimeout(resolve, 2 * SHORT));
    else await clock.advance(2 * SHORT);
  }

  head(head: Partial<RunHead> = {}): RunHead {
    return { status: "running", requests: [], inbox: 0, stream: 0, at: this.now(), ...head };
  }
  newRun(runId: string, { head, ...run }: Partial<Omit<NewRun, "head">> & { head?: Partial<RunHead> } = {}): NewRun {
    return { runId, workflow: "flow", version: 1, base: bytes(0), ...run, head: this.head(head) };
  }
  /** Adds a run that nobody has. */
  async add(runId: string, head: Partial<RunHead> = {}, run: Partial<Omit<NewRun, "head">> = {}): Promise<void> {
    expect("create: a run whose id is new is added", await this.store.create(this.newRun(runId, { ...run, head })), true);
  }
  /** Adds a run of the owner "a", in epoch 1. */
  own(runId: string, leaseMs = LONG, head: Partial<RunHead> = {}): Promise<void> {
    return this.add(runId, head, { owner: { name: "a", leaseMs } });
  }
  commit(runId: string, sequence: number, { head, ...commit }: Partial<Omit<Commit, "head">> & { head?: Partial<RunHead> } = {}): Commit {
    return { runId, epoch: 1, sequence, kind: "delta", bytes: bytes(sequence), ...commit, head: this.head(head) };
  }
  claim(claim: Partial<Claim> = {}, store = this.store): Promise<StoredRun[]> {
    return store.claim({ workflow: "flow", owner: "b", leaseMs: LONG, limit: 1000, ...claim });
  }
  /** The ids of what is claimed, sorted: a store gives runs in any order. */
  async claimed(claim: Partial<Claim> = {}, store = this.store): Promise<string[]> {
    return (await this.claim(claim, store)).map(({ runId }) => runId).sort();
  }
}

export interface Case {
  readonly name: string;
  /** It needs a store that can be opened again. */
  readonly reopens?: true;
  run(trial: Trial): Promise<void>;
}

export const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

export async function infos(list: AsyncIterable<RunInfo>): Promise<RunInfo[]> {
  const all: RunInfo[] = [];
  for await (const info of list) all.push(info);
  return all;
}

/** @throws Error with the rule unless `actual` is `expected`, where objects may have more members than are expected. */
export function expect(rule: string, actual: unknown, expected: unknown): void {
  if (!fits(actual, expected)) throw new Error(`${rule}. Expected ${shown(expected)}, the store gave ${shown(actual)}.`);
}

function fits(actual: unknown, expected: unknown): boolean {
  if (Object.is(actual, expected)) return true;
  if (typeof actual !== "object" || typeof expected !== "object" || actual === null || expected === null) return false;
  if (expected instanceof Uint8Array)
    return actual instanceof Uint8Array && actual.length === expected.length && expected.every((byte, at) => byte === actual[at]);
  if (Array.isArray(expected)) return Array.isArray(actual) && actual.length === expected.length && expected.every((item, at) => fits(actual[at], item));
  return Object.entries(expected).every(([key, value]) => fits((actual as Record<string, unknown>)[key], value));
}

function shown(value: unknown): string {
  const text = JSON.stringify(value, (_, part) => (part instanceof Uint8Array ? Array.from(part) : part)) ?? String(value);
  return text.length > 500 ? `${text.slice(0, 500)}…` : text;
}
