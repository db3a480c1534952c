import type { Attempt } from "./attempt";
import { emitAndSettle, exchange, frame, full, NONE } from "./buffer";
import { InputRequestEvent } from "./built-in";
import { endNested } from "./child-end";
import { commitWrites } from "./commit";
import { dispatch } from "./dispatch";
import { checkEmits, eventOf, kindOf } from "./emit";
import { development } from "./environment";
import { StepReturnError } from "./errors";
import type { Event } from "./event";
import type { Flow } from "./flow";
import { IN_EMIT, IN_FAN, IN_SETTLE } from "./generated/tables";
import { forgetOnce } from "./once";
import { type Output, outputOf, writeOutput } from "./output";
import { claimRequestId } from "./requests";
import { type Retry, writeChance } from "./retry";
import { type Run, Thrown } from "./run";

// Outcomes of a Settle frame.
const OK = 0;
export const FAILED = 1;
/** Failed, and not worth another attempt. */
export const FAILED_FOR_GOOD = 3;
/** Not an event, or not of `emits`: never retried. */
export const BAD = 2;

/** True if what an attempt does still matters; it is over afterwards. */
function finishAttempt(attempt: Attempt): boolean {
  if (attempt.invocation < 0) return false;
  const flow = attempt.flow as Flow;
  const { run } = flow;
  flow.unlink(attempt);
  if (attempt.nested !== undefined) endNested(run, attempt, undefined);
  if (attempt.own !== undefined) {
    attempt.end();
    run.parked?.delete(attempt.invocation);
  }
  if (flow !== run && attempt.step.nest === undefined) flow.leave();
  if (!run.cancelling) return true;
  attempt.invocation = -1;
  run.onSettled?.();
  return false;
}

export function settle(attempt: Attempt, value: unknown): void {
  const { invocation, step } = attempt;
  if (invocation < 0) return attempt.own?.late?.();
  const flow = attempt.flow as Flow;
  const { run } = flow;
  if (flow.memory !== undefined || run.pause !== undefined || attempt.own !== undefined || run.observers !== undefined || run.checkpoints !== undefined)
    return settleSlowly(attempt, value);
  if (value === null || value === undefined) {
    if (!finishAttempt(attempt)) return;
    frame(IN_SETTLE, invocation, OK, NONE);
  } else {
    const kind = kindOf(value);
    if (kind === undefined || kind !== step.lastKind) return settleSlowly(attempt, value);
    if (!finishAttempt(attempt)) return;
    if (development) Object.freeze(value);
    emitAndSettle(invocation, step.lastType, run.put(value, flow));
  }
  attempt.invocation = -1;
  exchange(run);
}

/** Everything but one event of the type that the step emitted last; and what comes with writes. */
function settleSlowly(attempt: Attempt, value: unknown): void {
  const flow = attempt.flow as Flow;
  const { run } = flow;
  const { step } = attempt;
  const pending = attempt.own?.pending ?? attempt.own?.writes?.over;
  if (pending !== undefined) return settleAfter(attempt, run, pending, value);
  const fan = Array.isArray(value);
  if (fan && run.checkpoints === undefined && ofLastKind(step, value)) {
    // Another attempt of the step may change what it emitted last before this one commits.
    const { lastType } = step;
    return commitSettle(attempt, run, () => settleFan(attempt, run, value, lastType));
  }
  const outputs: Output[] = [];
  try {
    for (const one of fan ? value : value === null || value === undefined ? [] : [value]) {
      const given = eventOf(flow.plan, one, `Step "${step.name}" returned`, step.name);
      checkEmits(step, given, "returned");
      const event = claimRequestId(run, given, attempt);
      outputs.push(outputOf(flow, event));
      run.observers?.emitted(attempt, event);
    }
  } catch (error) {
    return settleFailed(attempt, error, error instanceof StepReturnError ? BAD : FAILED);
  }
  commitSettle(attempt, run, () => settleOutputs(attempt, run, outputs, fan));
}

/** Its commit points and held writes to the stream come first, and a commit point that fails fails it (4.2, 10.3). */
function settleAfter(attempt: Attempt, run: Run, pending: Promise<void>, value: unknown): void {
  pending.then(
    () => {
      if (attempt.own?.expired) return;
      if (attempt.own?.pending === pending) attempt.own.pending = undefined;
      settle(attempt, value);
      dispatch(run);
    },
    (error) => {
      settleFailed(attempt, error, FAILED);
      dispatch(run);
    },
  );
}

/** Writes the frames of an attempt that succeeded, and commits its writes with them (4.1). */
function commitSettle(attempt: Attempt, run: Run, write: () => void): void {
  if (attempt.flow.memory === undefined && run.pause === undefined) return write();
  let saving: Promise<void> | undefined;
  try {
    saving = commitWrites(attempt, write);
  } catch (error) {
    return settleFailed(attempt, error, FAILED);
  }
  saving?.then(
    () => dispatch(run),
    (error) => {
      settleFailed(attempt, error, FAILED);
      dispatch(run);
    },
  );
}

function settleOutputs(attempt: Attempt, run: Run, outputs: readonly Output[], fan: boolean): void {
  const { invocation, step } = attempt;
  const flow = attempt.flow as Flow;
  if (!finishAttempt(attempt)) return;
  attempt.invocation = -1;
  forgetOnce(flow, attempt.seq);
  run.observers?.settled(attempt);
  if (fan) frame(IN_FAN, invocation, 0, 0);
  if (outputs[0] !== undefined) remember(flow, step, outputs[0]);
  for (const output of outputs) {
    writeOutput(flow, output, IN_EMIT, invocation);
    if (full()) exchange(run);
  }
  frame(IN_SETTLE, invocation, OK, NONE);
  exchange(run);
}

/** True for events that are all of the kind that the step emitted last. */
function ofLastKind({ lastKind }: Attempt["step"], values: readonly unknown[]): values is Event[] {
  if (lastKind === undefined) return false;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (value === null || value === undefined || kindOf(value) !== lastKind) return false;
  }
  return true;
}

function settleFan(attempt: Attempt, run: Run, events: readonly Event[], type: number): void {
  const { invocation } = attempt;
  const flow = attempt.flow as Flow;
  if (!finishAttempt(attempt)) return;
  attempt.invocation = -1;
  forgetOnce(flow, attempt.seq);
  run.observers?.settled(attempt);
  frame(IN_FAN, invocation, 0, 0);
  for (const event of events) {
    run.observers?.emitted(attempt, event);
    if (development) Object.freeze(event);
    frame(IN_EMIT, invocation, type, run.put(event, flow));
    if (full()) exchange(run);
  }
  frame(IN_SETTLE, invocation, OK, NONE);
  exchange(run);
}

/** The next event of this kind from this step takes the short way. */
function remember(flow: Flow, step: Attempt["step"], { event, type }: Output): void {
  const kind = kindOf(event);
  // A request has an id, which has to be looked up.
  if (kind === undefined || flow.plan.keyed[type] !== undefined || event.type === InputRequestEvent.type) return;
  step.lastKind = kind;
  step.lastType = type;
}

export function settleFailed(attempt: Attempt, error: unknown, outcome: number): void {
  const { invocation } = attempt;
  if (invocation < 0) return attempt.own?.late?.();
  const pending = attempt.own?.pending;
  // What it has committed before stays: its commit points come first.
  if (pending !== undefined && outcome === FAILED && !attempt.aborted) {
    attempt.own!.pending = undefined;
    const { run } = attempt;
    const again = () => {
      settleFailed(attempt, error, outcome);
      dispatch(run);
    };
    pending.then(again, again);
    return;
  }
  const { pause } = attempt.run;
  if (pause?.taken) {
    void pause.over.then(() => {
      settleFailed(attempt, error, outcome);
      dispatch(attempt.run);
    });
    return;
  }
  const { step } = attempt;
  const verdict = outcome === FAILED && step.retry !== undefined && !attempt.aborted ? retryVerdict(step.retry, error) : { error, outcome };
  if (attempt.invocation < 0 || !finishAttempt(attempt)) return;
  attempt.invocation = -1;
  const flow = attempt.flow as Flow;
  const { run } = flow;
  if (outcome === BAD && error instanceof StepReturnError) Object.assign(error, { runId: flow.runId });
  if (step.retry !== undefined) writeChance(run, step);
  const { observers } = run;
  frame(IN_SETTLE, invocation, verdict.outcome, run.put(new Thrown(verdict.error), flow));
  exchange(run);
  observers?.failed(attempt, verdict.error, run.delayed?.has(invocation) === true);
  // One that is tried again gets its results then.
  if (run.delayed?.has(invocation) !== true) forgetOnce(flow, attempt.seq);
}

/** What the step's `retryOn` says of an error; what it throws itself is no reason to try again. */
function retryVerdict({ retryOn }: Retry, error: unknown): { error: unknown; outcome: number } {
  try {
    return { error, outcome: retryOn === undefined || retryOn(error) ? FAILED : FAILED_FOR_GOOD };
  } catch (thrown) {
    return { error: thrown, outcome: FAILED_FOR_GOOD };
  }
}
