import type { Binding } from "./binding/load";
import { NONE } from "./buffer";
import { CancelledError, InternalError, RunOverError, StalledError, StepError, UnhandledEventError } from "./errors";
import type { Event } from "./event";
import type { Flow } from "./flow";
import { ERR_CANCELLED, ERR_STALLED, ERR_STEP, ERR_STEP_RETURN, ERR_UNHANDLED_EVENT } from "./generated/tables";
import { type Run, Thrown } from "./run";
import { describe } from "./values";

/** The error that a run ends with. */
export function failure(flow: Flow, core: Binding, code: number, stepId: number, slot: number): Error {
  const { plan, run } = flow;
  const step = stepId === NONE ? undefined : plan.steps[stepId]!.name;
  const payload = slot === NONE ? undefined : run.payload(slot);
  const subject = payload instanceof Thrown ? payload.error : payload;
  const details = { runId: flow.runId, step };
  const where = `${plan.kind} "${plan.name}"`;
  const part = plan.kind === "Pipeline" ? "stage" : "step";
  switch (code) {
    case ERR_STEP:
      return new StepError(`${where}: ${part} "${step}" failed: ${subject instanceof Error ? subject.message : describe(subject)}`, attempts(core), {
        ...details,
        cause: subject,
      });
    case ERR_STEP_RETURN:
      return subject as Error;
    case ERR_UNHANDLED_EVENT: {
      const { type } = subject as Event;
      const from = step === undefined ? "" : ` that ${part} "${step}" emitted`;
      return new UnhandledEventError(
        `${where}: no step accepts the event "${type}"${from}. Add a step that accepts it, or set unhandledEvents to "ignore" or "stream".`,
        type,
        details,
      );
    }
    case ERR_STALLED: {
      const { message: text, lacking = [] } = JSON.parse(core.lastError()) as { message: string; lacking?: string[] };
      return new StalledError(`${where}: ${text}`, lacking, details);
    }
    case ERR_CANCELLED:
      return new CancelledError(`${where}: the run was cancelled.`, undefined, details);
    default:
      return internal(run, message(core.lastError()));
  }
}

/** How often the step was tried that has failed the run. */
function attempts(core: Binding): number {
  return (JSON.parse(core.lastError()) as { attempts?: number }).attempts ?? 1;
}

export function message(lastError: string): string {
  return (JSON.parse(lastError) as { message: string }).message;
}

export function internal(run: Run, text: string, cause?: unknown): InternalError {
  return new InternalError(`${run.plan.title}: ${text}. This is a fault of the engine: please report it.`, {
    runId: run.runId,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** @param what of the run that is asked for: "paused", "stored" */
export function runOver(run: Run, what: string): RunOverError {
  const how = run.over || run.cancelling ? run.status : "it is about to tell its outcome";
  return new RunOverError(`${run.title}: the run is over (${how}), so it cannot be ${what}.`, { runId: run.runId });
}
