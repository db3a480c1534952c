import type { Attempt } from "./attempt";
import { exchange, NONE } from "./buffer";
import { checkId, commitPoint, DONE, drops } from "./commit";
import { fromHost, soon } from "./dispatch";
import { checkEmits, eventOf } from "./emit";
import { StepReturnError, UnhandledEventError } from "./errors";
import type { Event } from "./event";
import { ChildRun, type Flow, flowsOf } from "./flow";
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
    event = eventOf((attempt.flow as Flow).plan, value, `Step "${step.name}" sent`, step.name);
    checkEmits(step, event, "sent");
  } catch (error) {
    // Caught by the step or not, a wrong type fails the run (2.3).
    if (error instanceof StepReturnError) {
      settleFailed(attempt, error, BAD);
      soon(run);
    }
    throw error;
  }
  if (drops(attempt, id)) return DONE;
  event = claimRequestId(run, event, attempt);
  const output = outputOf(attempt.flow as Flow, event);
  run.observers?.emitted(attempt, event);
  if (attempt.flow.memory !== undefined || run.pause !== undefined || run.checkpoints !== undefined)
    return commitPoint(attempt, () => publish(attempt, run, output, id), id);
  publish(attempt, run, output, id);
  return DONE;
}

function publish(attempt: Attempt, run: Run, output: Output, id: string | undefined): void {
  if (attempt.invocation < 0) return;
  writeId(attempt.flow as Flow, id);
  writeOutput(attempt.flow as Flow, output, IN_SEND, attempt.invocation);
  exchange(run);
  soon(run);
}

export function sendFromOutside(run: Run, value: unknown, id: string | undefined): void {
  const { plan } = run;
  checkId(id, "handler.send");
  const given = eventOf(plan, value, `handler.send of workflow "${plan.name}" was given`);
  const takers = [...flowsOf(run)].filter((flow) => flow.plan.external.has(given.type) && !(flow instanceof ChildRun && flow.over));
  const outputs = takers.map((flow) => ({ flow, output: outputOf(flow, eventOf(flow.plan, value, "handler.send was given")) }));
  if (outputs.length === 0) {
    throw new UnhandledEventError(
      `${plan.title}: the event "${given.type}" may not come from outside. Name its class in the option "external" of the workflow, or of a sub-workflow that runs.`,
      given.type,
      { runId: run.runId },
    );
  }
  if (run.over || run.cancelling) return;
  for (const { flow, output } of outputs) {
    writeId(flow, id);
    writeOutput(flow, output, IN_EXTERNAL, NONE);
    exchange(run);
  }
  run.pause?.changed();
  fromHost(run);
}
