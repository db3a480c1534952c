import type { Attempt } from "./attempt";
import { failRun } from "./cancel";
import { dispatch, guarded } from "./dispatch";
import { TimeoutError } from "./errors";
import type { Run } from "./run";
import { FAILED, settleFailed } from "./settle";
import { Stopwatch } from "./timers";

/** The attempt may take so many ms, not counting when it waits or the run is paused (5.2). */
export function limitAttempt(attempt: Attempt, run: Run, ms: number): void {
  const watch = new Stopwatch(run.timers, ms, () => timeOut(attempt, ms));
  attempt.limit(watch);
  watch.start();
}

function timeOut(attempt: Attempt, ms: number): void {
  const run = attempt.run as Run;
  if (attempt.invocation < 0 || run.cancelling) return;
  const error = new TimeoutError(`Step "${attempt.stepName}": the attempt took longer than the ${ms} ms of its option "timeout".`, {
    runId: run.runId,
    step: attempt.stepName,
  });
  attempt.expire();
  settleFailed(attempt, error, FAILED);
  guarded(() => attempt.timeOut(error));
  dispatch(run);
}

/** The run may take so many ms in all, not counting when it is paused or only waits for answers and events from outside (5.2). */
export function limitRun(run: Run): void {
  const { timeout } = run.plan;
  if (timeout === undefined) return;
  run.limit = new Stopwatch(run.timers, Math.max(0, timeout - run.elapsed), () =>
    failRun(run, new TimeoutError(`Workflow "${run.workflowName}": the run took longer than the ${timeout} ms of its option "timeout".`, { runId: run.runId })),
  );
}

/** Milliseconds of running time so far, where that matters. */
export function elapsed(run: Run): number {
  return run.limit === undefined ? run.elapsed : Math.round(run.plan.timeout! - run.limit.left);
}

/** While a run is paused no time of it or of its steps is used up, and nothing of it is due. */
export function stopClocks(run: Run): void {
  run.limit?.stop();
  for (let at = run.live; at !== undefined; at = at.next) at.own?.limit?.stop();
}

export function startClocks(run: Run): void {
  if (!run.waiting) run.limit?.start();
  for (let at = run.live; at !== undefined; at = at.next) if (at.own?.parked === 0) at.own.limit?.start();
}
