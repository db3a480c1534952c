import { exchange, NONE } from "./buffer";
import type { Attempt } from "./context";
import { fromHost, soon } from "./dispatch";
import { checkEmits, eventOf } from "./emit";
import { DefinitionError, StepReturnError, UnhandledEventError } from "./errors";
import type { Event } from "./event";
import { IN_EXTERNAL, IN_SEND } from "./generated/tables";
import type { Run } from "./run";
import { BAD, outputOf, settleFailed, writeId, writeOutput } from "./settle";
import { describe, isWellFormed } from "./values";

const DONE = Promise.resolve();

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
  const output = outputOf(run, event);
  if (attempt.invocation < 0) return DONE;
  writeId(run, id);
  writeOutput(run, output, IN_SEND, attempt.invocation);
  exchange(run);
  soon(run);
  return DONE;
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
  run.waiting = false;
  writeId(run, id);
  writeOutput(run, output, IN_EXTERNAL, NONE);
  exchange(run);
  fromHost(run);
}

function checkId(id: unknown, caller: string): void {
  if (id === undefined || (typeof id === "string" && id !== "" && isWellFormed(id))) return;
  throw new DefinitionError(`${caller}: an event's id is a non-empty string of well-formed Unicode, not ${describe(id)}.`);
}
