import type { CheckpointStore, RunInfo } from "./store";

/** What becomes of runs that are over (12.4). */
export interface Retention {
  /** Milliseconds from a run's end until it is deleted. */
  ms: number;
  /** Gets each run before it is deleted; one for which it throws stays, and comes again. */
  archive?: (run: RunInfo) => void | Promise<void>;
}

const ENDS = ["completed", "failed", "cancelled"] as const;

/** Deletes the runs of a workflow that have been over for long enough. @throws (as a rejection) StoreError */
export async function sweep(store: CheckpointStore, workflow: string, { ms, archive }: Retention, now: number): Promise<void> {
  for (const status of ENDS) {
    const old: RunInfo[] = [];
    for await (const run of store.list({ status, workflow, unchangedSince: now - ms })) old.push(run);
    for (const run of old) {
      try {
        await archive?.(run);
      } catch {
        // Whoever archives knows why; the run is not lost.
        continue;
      }
      await store.delete(run.runId);
    }
  }
}
