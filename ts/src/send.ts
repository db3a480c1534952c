import type { Attempt } from "./attempt";
import { exchange, NONE } from "./buffer";
import { checkId, commitPoint, DONE, drops } from "./commit";
import { fromHost, soon } from "./dispatch";
import { checkEmits, eventOf } from "./emit";
import { StepReturnError, UnhandledEventError } from "./errors";
import type { Event } from "./event";
import { IN_EXTERNAL, IN_SEND } from "./generated/tables";
import { type Output, outputOf, writeId, writeOutput } from "./output";
import { claimRequestId } from "./requests";
import type { Run } from "./run";
import { BAD, settleFailed } from "./settle";

export function sendFromStep(attempt: Attempt, run: Run, value: unknown, id: string | undefined): Promise<void> {
  const { step } = attempt;
  checkId(id, `Step "${step.name}", sendEvent`);
  let event: Event;
  try {
    event = eventOf(run.plan, value, `Step "${step.name}" sent`, step.name);
    checkEmits(step, event, "sent");
  } catch (error) {
    // Caught by the step or not, a wrong type fails the run (2.3).
    if (error instanceof StepReturnError) {
      settleFailed(attempt, error, BAD);
      soon(run);
    }
    throw error;
  }
  if (drops(attempt, run, id)) return DONE;
  claimRequestId(run, event, attempt);
  const output = outputOf(run, event);
  run.observers?.emitted(attempt, event);
  if (run.memory !== undefined || run.pause !== undefined) return commitPoint(attempt, () => publish(attempt, run, output, id), id);
  publish(attempt, run, output, id);
  return DONE;
}

function publish(attempt: Attempt, run: Run, output: Output, id: string | undefined): void {
  if (attempt.invocation < 0) return;
  writeId(run, id);
  writeOutput(run, output, IN_SEND, attempt.invocation);
  exchange(run);
  soon(run);
}

export function sendFromOutside(run: Run, value: unknown, id: string | undefined): void {
  const { plan } = run;
  checkId(id, "handler.send");
  const event = eventOf(plan, value, `handler.send of workflow "${plan.name}" was given`);
  if (!plan.external.has(event.type)) {
    throw new UnhandledEventError(
      `Workflow "${plan.name}": the event "${event.type}" may not come from outside. Name its class in the workflow's option "external".`,
      event.type,
      { runId: run.runId },
    );
  }
  const output = outputOf(run, event);
  if (run.over || run.cancelling) return;
  writeId(run, id);
  writeOutput(run, output, IN_EXTERNAL, NONE);
  exchange(run);
  run.pause?.changed();
  fromHost(run);
}
