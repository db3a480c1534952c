import { exchange, frame, handle, NONE } from "./buffer";
import { type CheckpointPolicy, Checkpoints, storeError } from "./checkpoints";
import { fromHost } from "./dispatch";
import { development } from "./environment";
import { RunExistsError } from "./errors";
import type { Event } from "./event";
import { IN_DURABLE, IN_PAUSE, IN_START } from "./generated/tables";
import type { RunOptions } from "./handler";
import { leasesOf } from "./leases";
import { limitRun } from "./limits";
import type { Run } from "./run";
import { type CheckpointStore, isOver, type StoredRun } from "./store";
import { storedOutcome } from "./stored-outcome";
import { writerOf } from "./writer";

/** How a run is kept, and goes on when it has left memory. */
export interface Keeping {
  readonly policy: CheckpointPolicy;
  /** Ms after which it leaves memory, if it only waits. */
  readonly unloadAfter: number;
  /** In whose name it is claimed. */
  readonly owner: string;
  /** It goes on in this process when it is due; a worker's goes on where any worker is. */
  readonly returns: boolean;
  /** For when it goes on. */
  readonly options: RunOptions;
}

/** The run is kept in a store, of which it is the latest claim. */
export function keepIn(run: Run, store: CheckpointStore, keeping: Keeping, from?: StoredRun): void {
  run.checkpoints = new Checkpoints(run, writerOf(store), keeping, from);
}

/** The run is there, and nothing of it has begun. */
export function startPaused(run: Run, start: Event): void {
  if (development) Object.freeze(start);
  run.checkpoints?.emitted(run, start);
  frame(IN_START, run.plan.id, run.put(start), NONE);
  frame(IN_DURABLE, 0, 0, 0);
  frame(IN_PAUSE, 1, 0, 0);
  exchange(run);
  if (!run.over && run.handle === NONE) run.handle = handle();
}

/** Puts a new run into its store, and begins it. */
export async function create(run: Run, store: CheckpointStore): Promise<void> {
  const { plan, runId } = run;
  const checkpoints = run.checkpoints!;
  const leases = leasesOf(store);
  try {
    const base = checkpoints.first();
    const head = { status: "running" as const, requests: [], inbox: 0, stream: 0, at: run.timers.now() };
    const owner = { name: checkpoints.keeping.owner, leaseMs: leases.leaseMs };
    if (!(await store.create({ runId, workflow: plan.name, version: plan.version, head, base, owner }))) return await known(run, store);
  } catch (error) {
    return checkpoints.abandon(storeError(run, error));
  }
  checkpoints.created();
  if (run.over) return;
  leases.add(run, 1, checkpoints.keeping.owner);
  if (run.cancelling) return;
  checkpoints.frameDurable();
  frame(IN_PAUSE, run.pause === undefined ? 0 : 1, 0, 0);
  if (plan.timeout !== undefined) {
    limitRun(run);
    if (run.pause === undefined) run.limit?.start();
  }
  exchange(run);
  fromHost(run);
}

/** The store has a run of this id: one that is over gives what it gave. */
async function known(run: Run, store: CheckpointStore): Promise<void> {
  const stored = await store.read(run.runId);
  if (run.over || run.cancelling) return;
  const { plan, runId } = run;
  if (stored !== undefined && isOver(stored) && stored.workflow === plan.name) {
    return run.checkpoints!.known(storedOutcome(plan, runId, stored.status as "completed", stored.outcome));
  }
  const whose = stored !== undefined && stored.workflow !== plan.name ? ` of the workflow "${stored.workflow}"` : "";
  run.checkpoints!.abandon(
    new RunExistsError(`${plan.title}: the store has a run ${runId}${whose} already. Attach to it or recover it, or choose another runId.`, { runId }),
  );
}
