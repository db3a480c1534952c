import * as errors from "./errors";
import { StopEvent } from "./event";
import type { Plan } from "./plan";
import type { Outcome, Run } from "./run";
import { textValue, valueText } from "./stored-value";
import { describe } from "./values";

/** How a run has ended, as its store has it; one whose result cannot be stored has failed (12.1). */
export function outcomeText(run: Run, outcome: Outcome): { readonly outcome: Outcome; readonly text: string } {
  const { types } = run.memoryOptions;
  if (outcome.status === "completed") {
    try {
      return { outcome, text: valueText(outcome.stop.result, "result", types) };
    } catch (error) {
      if (!(error instanceof errors.UnserializableError)) throw error;
      return outcomeText(run, { status: "failed", error });
    }
  }
  const { error } = outcome;
  try {
    return { outcome, text: valueText(error, "error", types) };
  } catch {
    // What it carries beside its message cannot be stored.
    const message = error instanceof Error ? error.message : describe(error);
    return { outcome, text: valueText(Object.assign(new Error(message), { name: (error as Error)?.name ?? "Error" }), "error", types) };
  }
}

/** The end of a run that a store has: a copy. @throws StoreError for what cannot be read */
export function storedOutcome(plan: Plan, runId: string, status: Outcome["status"], stored: string | undefined): Outcome {
  try {
    const value = textValue(stored ?? "", plan.memory.types);
    if (status === "completed") return { status, stop: new StopEvent({ result: value }) };
    for (let error = value; error instanceof Error; error = error.cause) revive(error);
    if (status === "cancelled" && !(value instanceof errors.CancelledError))
      return { status, error: new errors.CancelledError(`${plan.title}: the run was cancelled.`, undefined, { cause: value, runId }) };
    return { status, error: value };
  } catch (cause) {
    throw new errors.StoreError(`${plan.title}: the store says that run ${runId} is over, and not how.`, { cause, runId });
  }
}

/** Our kinds of error, by name. */
const KINDS = new Map(
  Object.values(errors)
    .filter((kind) => kind.prototype instanceof errors.BlazenError)
    .map((kind) => [kind.prototype.name, kind]),
);

/** A stored error of ours is one of its class again. */
function revive(error: Error & { readonly code?: unknown }): void {
  const kind = KINDS.get(error.name);
  if (kind !== undefined && typeof error.code === "string" && Object.getPrototypeOf(error) === Error.prototype) Object.setPrototypeOf(error, kind.prototype);
}
