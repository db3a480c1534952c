import type { Away } from "./away";
import { randomId } from "./environment";
import { FencedError } from "./errors";
import type { Run } from "./run";
import { type CheckpointStore, isOver } from "./store";

/** Ms for which a claim holds, if it is not renewed. */
const LEASE = 30_000;
/** Ms from one look at the inboxes to the next. */
const LOOK = 100;

/** A run that is this process'. */
interface Lease {
  readonly run: Run;
  readonly epoch: number;
  readonly owner: string;
}

/** The runs of a store that are this process': their leases are renewed, and their inboxes looked into, for as long as they go on (12.3). */
export class Leases {
  /** This process' name, as owner of runs. */
  readonly owner = randomId();
  #leaseMs = LEASE;
  readonly #leases = new Map<string, Lease>();
  /** Runs that wait, and have left memory: they go on here when they are due. */
  readonly #away = new Map<string, Away>();
  #renewing: ReturnType<typeof setInterval> | undefined = undefined;
  #looking: ReturnType<typeof setInterval> | undefined = undefined;
  #look: Promise<void> | undefined = undefined;

  constructor(private readonly store: CheckpointStore) {}

  get leaseMs(): number {
    return this.#leaseMs;
  }
  set leaseMs(leaseMs: number) {
    if (leaseMs === this.#leaseMs) return;
    this.#leaseMs = leaseMs;
    if (this.#renewing === undefined) return;
    // What goes on was renewed at the old pace, which may be too slow for the next ones.
    clearInterval(this.#renewing);
    this.#renewing = every(leaseMs / 3, () => void this.#renew());
    void this.#renew();
  }

  /** A run that goes on in this process. */
  find(runId: string): Run | undefined {
    return this.#leases.get(runId)?.run;
  }
  add(run: Run, epoch: number, owner: string): void {
    this.#leases.set(run.runId, { run, epoch, owner });
    const away = this.#away.get(run.runId);
    if (away !== undefined) this.forget(away);
    this.#renewing ??= every(this.leaseMs / 3, () => void this.#renew());
    this.#looking ??= every(LOOK, () => this.#glance());
  }
  remove(run: Run): void {
    if (this.#leases.get(run.runId)?.run !== run) return;
    this.#leases.delete(run.runId);
    if (this.#leases.size === 0) {
      clearInterval(this.#renewing);
      this.#renewing = undefined;
    }
    this.#rest();
  }
  addAway(away: Away): void {
    this.#away.set(away.run.runId, away);
    this.#looking ??= every(LOOK, () => this.#glance());
  }
  /** It is over, or goes on for good where it is. */
  forget({ run, timer }: Away): void {
    if (timer !== undefined) run.timers.clear(timer);
    if (this.#away.get(run.runId)?.run === run) this.#away.delete(run.runId);
    this.#rest();
  }
  #rest(): void {
    if (this.#leases.size > 0 || this.#away.size > 0) return;
    clearInterval(this.#looking);
    this.#looking = undefined;
  }

  /** Gives the runs the messages that have come, and takes up those that are due; after the look that is under way. */
  look(): Promise<void> {
    const look = (this.#look ?? Promise.resolve())
      .then(() => this.#lookNow())
      // A store that fails is told of by whatever is done with it next.
      .catch(() => {})
      .finally(() => {
        if (this.#look === look) this.#look = undefined;
      });
    this.#look = look;
    return look;
  }
  #glance(): void {
    if (this.#look === undefined) void this.look();
  }
  async #lookNow(): Promise<void> {
    for (const owner of new Set(Array.from(this.#leases.values(), ({ owner }) => owner))) {
      for (const runId of await this.store.told(owner)) {
        const run = this.find(runId);
        if (run !== undefined) run.checkpoints?.inbox.give(await this.store.messages(runId));
      }
    }
    const plans = new Set(Array.from(this.#away.values(), ({ run }) => run.plan));
    for (const { name } of plans) {
      const { owner, leaseMs } = this;
      const limit = this.#away.size;
      for (const stored of await this.store.claim({ workflow: name, owner, leaseMs, limit, released: true })) {
        const away = this.#away.get(stored.runId);
        if (away !== undefined) away.goOn?.(stored);
      }
    }
    await this.#checkOne();
    this.#rest();
  }
  /** Whether one of those that have left memory has ended elsewhere: one at a time, all in turn. */
  async #checkOne(): Promise<void> {
    const [first] = this.#away.values();
    if (first === undefined) return;
    const { runId } = first.run;
    const info = await this.store.info(runId);
    if (info === undefined || isOver(info)) return this.forget(first);
    if (this.#away.get(runId) !== first) return;
    this.#away.delete(runId);
    this.#away.set(runId, first);
  }

  async #renew(): Promise<void> {
    const leases = [...this.#leases.values()];
    let kept: boolean[];
    try {
      kept = await this.store.renew(
        leases.map(({ run, epoch }) => ({ runId: run.runId, epoch })),
        this.leaseMs,
      );
    } catch {
      // A store that fails is told of by the next commit; and the lease may hold until it is well.
      return;
    }
    leases.forEach((lease, at) => {
      const { run } = lease;
      if (kept[at] === true || this.#leases.get(run.runId) !== lease) return;
      run.checkpoints?.abandon(new FencedError(`${run.title}: run ${run.runId} is not this process' any more: its lease was over.`, { runId: run.runId }));
    });
  }
}

/** It is no reason for a process to stay. */
function every(ms: number, call: () => void): ReturnType<typeof setInterval> {
  const timer = setInterval(call, ms);
  (timer as { unref?(): void }).unref?.();
  return timer;
}

const all = new WeakMap<CheckpointStore, Leases>();

export function leasesOf(store: CheckpointStore): Leases {
  let leases = all.get(store);
  if (leases === undefined) {
    leases = new Leases(store);
    all.set(store, leases);
  }
  return leases;
}
