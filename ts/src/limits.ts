import type { Attempt } from "./attempt";
import { failRun } from "./cancel";
import { failChild } from "./children";
import { dispatch, guarded } from "./dispatch";
import { TimeoutError } from "./errors";
import { attemptsOf, ChildRun, type Flow, flowsOf } from "./flow";
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
  if (attempt.invocation < 0) return;
  const { run } = attempt;
  if (run.cancelling) return;
  const error = new TimeoutError(`Step "${attempt.stepName}": the attempt took longer than the ${ms} ms of its option "timeout".`, {
    runId: attempt.runId,
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
    failRun(run, new TimeoutError(`${run.title}: the run took longer than the ${timeout} ms of its option "timeout".`, { runId: run.runId })),
  );
}

/** The same for a child run: its time runs while something goes on in it that does not wait for an answer. */
export function limitChild(child: ChildRun): void {
  const { timeout, run } = child;
  if (timeout === undefined || child.limit !== undefined) return;
  const said = child.branch.timeout === timeout ? `of the option "timeout" of "${child.step}"` : `of its option "timeout"`;
  child.limit = new Stopwatch(run.timers, Math.max(0, timeout - child.elapsed), () =>
    failChild(run, child, new TimeoutError(`${child.title}: the run took longer than the ${timeout} ms ${said}.`, { runId: child.runId })),
  );
  if (child.busy > 0 && run.pause?.taken !== true) child.limit.start();
}

/** Milliseconds of running time so far, where that matters. */
export function elapsed(flow: Flow): number {
  const { limit } = flow;
  const timeout = flow instanceof ChildRun ? flow.timeout : flow.plan.timeout;
  return limit === undefined ? flow.elapsed : Math.round(timeout! - limit.left);
}

/** While a run is paused no time of it or of its steps is used up, and nothing of it is due. */
export function stopClocks(run: Run): void {
  for (const { limit } of flowsOf(run)) limit?.stop();
  for (const { own } of attemptsOf(run)) own?.limit?.stop();
}

export function startClocks(run: Run): void {
  if (!run.waiting) run.limit?.start();
  for (const child of run.children ?? []) if (child.busy > 0) child.limit?.start();
  for (const { own } of attemptsOf(run)) if (own?.parked === 0) own.limit?.start();
}
