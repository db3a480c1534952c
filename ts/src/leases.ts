import { randomId } from "./environment";
import { FencedError } from "./errors";
import type { Run } from "./run";
import type { CheckpointStore } from "./store";

/** Ms for which a claim holds, if it is not renewed. */
const LEASE = 30_000;

/** The runs of a store that are this process': their leases are renewed for as long as they go on (12.3). */
export class Leases {
  /** This process' name, as owner of runs. */
  readonly owner = randomId();
  leaseMs = LEASE;
  readonly #runs = new Map<Run, number>();
  #timer: ReturnType<typeof setInterval> | undefined = undefined;

  constructor(private readonly store: CheckpointStore) {}

  add(run: Run, epoch: number): void {
    this.#runs.set(run, epoch);
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(() => void this.#renew(), this.leaseMs / 3);
    // It is no reason for a process to stay.
    (this.#timer as { unref?(): void }).unref?.();
  }
  remove(run: Run): void {
    this.#runs.delete(run);
    if (this.#runs.size > 0 || this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #renew(): Promise<void> {
    const runs = [...this.#runs];
    let kept: boolean[];
    try {
      kept = await this.store.renew(
        runs.map(([{ runId }, epoch]) => ({ runId, epoch })),
        this.leaseMs,
      );
    } catch {
      // A store that fails is told of by the next commit; and the lease may hold until it is well.
      return;
    }
    runs.forEach(([run], at) => {
      if (kept[at] === true || !this.#runs.has(run)) return;
      run.checkpoints?.abandon(new FencedError(`${run.title}: run ${run.runId} is not this process' any more: its lease was over.`, { runId: run.runId }));
    });
  }
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
