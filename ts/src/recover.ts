import { Away } from "./away";
import { close, use } from "./buffer";
import { type Clock, systemClock } from "./clock";
import { checkId } from "./commit";
import { randomId } from "./environment";
import { DefinitionError, RunExistsError } from "./errors";
import { type Keeping, keepIn, startPaused } from "./kept-run";
import { leasesOf } from "./leases";
import { mergedRun } from "./merge";
import { pauseRun } from "./pause";
import type { Plan } from "./plan";
import { resumeRun } from "./resume";
import { type Retention, sweep } from "./retention";
import { Run } from "./run";
import type { CheckpointStore, StoredRun } from "./store";
import { isUnloadAfter, keepingOf } from "./store-options";
import { describe, isPlainObject } from "./values";

/** What `recover` and `worker` take. */
export interface WorkerOptions {
  /** Runs at a time, a whole number from 1. Default: of `recover` no limit, of `worker` 10. */
  concurrency?: number;
  /** Milliseconds after which others may claim a run whose owner is not heard of. Default: 30,000. */
  leaseMs?: number;
  /** Put into `ctx.session` of each run. */
  session?: Record<string, unknown>;
  /** When it is aborted a worker stops, and the runs of `recover` are let go. */
  signal?: AbortSignal;
  /** Default: "strict" (12.1). */
  durability?: "strict" | "relaxed";
  /** Milliseconds after which a run that only waits leaves memory. Default: 60,000 (9.3). */
  unloadAfter?: number;
  /** Of a worker: what becomes of runs of its workflow that are over. Default: they stay. */
  retention?: Retention;
  /** Where the time of the runs comes from. Default: the system's clock. */
  clock?: Clock;
}

/** What `recover` takes. */
export interface RecoverOptions extends WorkerOptions {
  /** This run alone, also where it only waits. Default: all that can go on. */
  runId?: string;
}

export function checkWorkerOptions(where: string, options: unknown): void {
  const refuse = (why: string): never => {
    throw new DefinitionError(`${where}: ${why}`);
  };
  if (!isPlainObject(options)) return refuse(`the options are an object, not ${describe(options)}.`);
  const { concurrency, leaseMs, session, signal, durability, unloadAfter, clock, retention, ...unknown } = options;
  const extra = Object.keys(unknown)[0];
  if (extra !== undefined) refuse(`there is no option "${extra}". Known: concurrency, leaseMs, session, signal, durability, unloadAfter, clock, retention.`);
  if (concurrency !== undefined && !(Number.isInteger(concurrency) && (concurrency as number) >= 1))
    refuse(`"concurrency" is a whole number from 1, not ${describe(concurrency)}.`);
  if (leaseMs !== undefined && !(typeof leaseMs === "number" && leaseMs >= 100))
    refuse(`"leaseMs" is a number of milliseconds from 100, not ${describe(leaseMs)}.`);
  if (session !== undefined && !isPlainObject(session)) refuse(`"session" is an object with the session's first values by key, not ${describe(session)}.`);
  if (signal !== undefined && !(signal instanceof AbortSignal)) refuse(`"signal" is an AbortSignal, not ${describe(signal)}.`);
  if (durability !== undefined && durability !== "strict" && durability !== "relaxed")
    refuse(`"durability" is "strict" or "relaxed", not ${describe(durability)}.`);
  if (!isUnloadAfter(unloadAfter)) refuse(`"unloadAfter" is a number of milliseconds, Infinity for never, not ${describe(unloadAfter)}.`);
  if (retention !== undefined) checkRetention(retention, refuse);
  if (clock !== undefined && (typeof (clock as Clock)?.now !== "function" || typeof (clock as Clock).after !== "function"))
    refuse(`"clock" has the functions now() and after(ms, callback); ${describe(clock)} has not.`);
}

export function checkRecoverOptions(where: string, options: unknown): void {
  if (!isPlainObject(options)) return checkWorkerOptions(where, options);
  const { runId, ...others } = options;
  checkWorkerOptions(where, others);
  checkId(runId, where);
}

function checkRetention(retention: unknown, refuse: (why: string) => never): void {
  const { ms, archive } = isPlainObject(retention) ? retention : {};
  if (typeof ms !== "number" || !(ms >= 0) || (archive !== undefined && typeof archive !== "function"))
    refuse(`"retention" is { ms } or { ms, archive }: milliseconds from 0, and a function; not ${describe(retention)}.`);
}

/** Claims runs that nobody goes on with, up to so many, and goes on with them (12.3). @throws (as a rejection) StoreError, SnapshotError */
export async function recoverRuns(plan: Plan, store: CheckpointStore, keeping: Keeping, limit: number, runId?: string): Promise<Run[]> {
  const claimed = await store.claim({ workflow: plan.name, owner: keeping.owner, leaseMs: leasesOf(store).leaseMs, limit, runId });
  const failures: unknown[] = [];
  const runs = claimed.flatMap((stored) => {
    try {
      return [goOnWith(plan, store, stored, keeping)];
    } catch (error) {
      // It stays as it is, and is this owner's until the lease is over.
      failures.push(error);
      return [];
    }
  });
  if (runs.length === 0 && failures.length > 0) throw failures[0];
  return runs;
}

export function keepingFor(store: CheckpointStore, { session, leaseMs, durability, unloadAfter, clock }: WorkerOptions): Keeping {
  const leases = leasesOf(store);
  if (leaseMs !== undefined) leases.leaseMs = leaseMs;
  const options = {
    ...(session && { session }),
    ...(durability && { durability }),
    ...(unloadAfter !== undefined && { unloadAfter }),
    ...(clock && { clock }),
  };
  return keepingOf(options, leases.owner);
}

/** A run that was claimed goes on. @throws SnapshotError for one that is damaged, or does not fit this workflow */
export function goOnWith(plan: Plan, store: CheckpointStore, stored: StoredRun, keeping: Keeping): Run {
  use(plan.binding);
  const { runId: _, ...options } = keeping.options;
  const run = resumeRun(plan, mergedRun(plan, stored), options, (run) => keepIn(run, store, keeping, stored));
  if (run.over) return run;
  leasesOf(store).add(run, stored.epoch, keeping.owner);
  // It stays so until it is told otherwise, which may be among its messages.
  if (stored.status === "paused") pauseRun(run, { mode: "now" }).catch(() => {});
  run.checkpoints!.inbox.give(stored.messages);
  return run;
}

/** When a signal is aborted the runs are let go; nothing is left on it when they are over. */
export function letGoOn(signal: AbortSignal | undefined, runs: readonly Run[]): void {
  if (signal === undefined) return;
  for (const run of runs) {
    const letGo = () => void run.checkpoints?.leave();
    if (signal.aborted) letGo();
    signal.addEventListener("abort", letGo, { once: true });
    run.onEnd = () => signal.removeEventListener("abort", letGo);
  }
}

/** The handler's run of one that is in a store. */
export function attachRun(plan: Plan, store: CheckpointStore, runId: string): Run {
  checkId(runId, `${plan.title}, attach`);
  const run = new Run(plan, runId);
  // Also where it goes on here: this process may lose it.
  run.away = new Away(run, store, undefined);
  return run;
}

/** Puts a run into a store that any worker may begin. @throws (as a rejection) RunExistsError, StoreError */
export async function enqueueRun(plan: Plan, store: CheckpointStore, input: unknown, runId: string | undefined): Promise<string> {
  checkId(runId, `${plan.title}, enqueue`);
  const run = new Run(plan, runId);
  const start = plan.begin(input);
  use(plan.binding);
  keepIn(run, store, keepingFor(store, {}));
  startPaused(run, start);
  const base = run.checkpoints!.first();
  close(plan.binding, run.handle);
  const head = { status: "queued" as const, requests: [], inbox: 0, stream: 0, at: run.timers.now() };
  const fresh = await store.create({ runId: run.runId, workflow: plan.name, version: plan.version, head, base });
  if (!fresh) throw new RunExistsError(`${plan.title}: the store has a run ${run.runId} already. Choose another runId.`, { runId: run.runId });
  return run.runId;
}

/** Goes on with a store's runs until it is stopped (12.3). */
export class Worker implements AsyncDisposable {
  readonly #running = new Set<Run>();
  readonly #keeping: Keeping;
  #stopped = false;
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;
  #claiming: Promise<void> | undefined = undefined;
  /** Ms from one look for runs to the next. */
  static readonly #PAUSE = 200;
  /** Ms from one look for runs that are to be deleted to the next. */
  static readonly #SWEEP = 60_000;
  #sweeping: ReturnType<typeof setTimeout> | undefined = undefined;

  constructor(
    private readonly plan: Plan,
    private readonly store: CheckpointStore,
    private readonly options: WorkerOptions,
  ) {
    // Its own name: what it lets go is no other's of this process.
    this.#keeping = { ...keepingFor(store, options), owner: randomId(), returns: false };
    options.signal?.addEventListener("abort", this.#onAbort);
    if (options.signal?.aborted === true) void this.stop();
    else {
      this.#look();
      if (options.retention !== undefined) this.#sweep(options.retention);
    }
  }
  readonly #onAbort = (): void => void this.stop();

  /** How many runs go on here; those that only wait do not count. */
  get running(): number {
    let running = 0;
    for (const run of this.#running) if (run.status === "running" && run.away === undefined) running++;
    return running;
  }

  /** Claims no further runs, and resolves when those that it has are over, or wait and are let go. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.options.signal?.removeEventListener("abort", this.#onAbort);
    clearTimeout(this.#sweeping);
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    await this.#claiming;
    await Promise.all(Array.from(this.#running, (run) => run.checkpoints?.leave()));
  }
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #sweep(retention: Retention): void {
    const now = (this.options.clock ?? systemClock).now();
    const swept = sweep(this.store, this.plan.name, retention, now)
      // A store that fails may be well the next time.
      .catch(() => {})
      .then(() => {
        if (!this.#stopped) this.#sweeping = setTimeout(() => this.#sweep(retention), Worker.#SWEEP);
      });
    void swept;
  }

  #look(): void {
    if (this.#stopped || this.#claiming !== undefined) return;
    this.#claiming = this.#claim().finally(() => {
      this.#claiming = undefined;
      if (!this.#stopped) this.#timer = setTimeout(() => this.#look(), Worker.#PAUSE);
    });
  }

  async #claim(): Promise<void> {
    const room = (this.options.concurrency ?? 10) - this.running;
    if (room <= 0) return;
    let runs: Run[] = [];
    try {
      runs = await recoverRuns(this.plan, this.store, this.#keeping, room);
    } catch {
      // A store that fails may be well at the next look; a run that does not fit stays for a version that it fits.
    }
    for (const run of runs) {
      this.#running.add(run);
      const over = () => {
        this.#running.delete(run);
        this.#look();
      };
      run.checkpoints!.onLeave = over;
      run.result().then(over, over);
    }
  }
}
