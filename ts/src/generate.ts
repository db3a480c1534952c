import type { Attempt } from "./attempt";
import { exchange, frame } from "./buffer";
import { commitPoint, DONE } from "./commit";
import { dispatch, hostsTurn } from "./dispatch";
import { checkEmits, eventOf } from "./emit";
import { StepReturnError } from "./errors";
import type { Flow } from "./flow";
import { IN_COMMIT, IN_EMIT, IN_FAN } from "./generated/tables";
import { type Output, outputOf, writeOutput } from "./output";
import { claimRequestId } from "./requests";
import type { Run } from "./run";
import { BAD, FAILED, settle, settleFailed } from "./settle";

/** Of a Commit frame: it is a generator's yield. */
const YIELD = 1;

/** Each yielded event is emitted at once; the invocation's fan-out is open until the generator ends (2.1, 2.5). */
export async function generate(attempt: Attempt, run: Run, generator: AsyncIterable<unknown>): Promise<void> {
  const { step } = attempt;
  const flow = attempt.flow as Flow;
  let begun = false;
  let committed = attempt.yields;
  try {
    for await (const value of generator) {
      if (attempt.invocation < 0 || attempt.aborted || attempt.own?.expired || run.cancelling) break;
      // An earlier attempt has committed it.
      if (committed > 0) {
        committed--;
        attempt.own?.state?.drop();
        continue;
      }
      const given = eventOf(flow.plan, value, `Step "${step.name}" yielded`, step.name);
      checkEmits(step, given, "yielded");
      const event = claimRequestId(run, given, attempt);
      const output = outputOf(flow, event);
      run.observers?.emitted(attempt, event);
      const first = !begun;
      begun = true;
      if (flow.memory === undefined && run.pause === undefined) emitYielded(attempt, run, output, first);
      else {
        const point = commitPoint(attempt, () => emitYielded(attempt, run, output, first));
        if (point !== DONE) await point;
      }
      dispatch(run);
      // A collect had enough of its fan-out: what it would yield is dropped.
      if (attempt.aborted) break;
      const turn = hostsTurn();
      if (turn !== undefined) await turn;
    }
  } catch (error) {
    if (attempt.own?.expired) return;
    settleFailed(attempt, error, error instanceof StepReturnError && error.step === step.name ? BAD : FAILED);
    return dispatch(run);
  }
  if (attempt.own?.expired) return;
  // One that yielded nothing opens its fan-out all the same.
  settle(attempt, begun ? undefined : []);
  dispatch(run);
}

function emitYielded(attempt: Attempt, run: Run, output: Output, first: boolean): void {
  if (attempt.invocation < 0) return;
  if (first) frame(IN_FAN, attempt.invocation, 0, 0);
  writeOutput(attempt.flow as Flow, output, IN_EMIT, attempt.invocation);
  frame(IN_COMMIT, attempt.invocation, YIELD, 0);
  exchange(run);
}
