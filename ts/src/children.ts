import type { Attempt } from "./attempt";
import { exchange, frame, NONE } from "./buffer";
import { abandon, detach } from "./child-end";
import { dispatch, hold, letGo } from "./dispatch";
import { development } from "./environment";
import { CancelledError, LoopLimitError } from "./errors";
import type { Event } from "./event";
import { ChildRun, Children, type Flow } from "./flow";
import { IN_CANCEL, IN_CHILD } from "./generated/tables";
import { joined } from "./join";
import { limitChild } from "./limits";
import { memoryOf } from "./memory";
import { type Nest, Nested } from "./nest";
import type { Run } from "./run";
import { sessionOf } from "./session";
import { FAILED, FAILED_FOR_GOOD, settle, settleFailed } from "./settle";
import { Timer } from "./timers";

/** Milliseconds that child runs which nobody needs any more have for their cleanup. */
const GRACE = 1000;

/** Calls a step that has child runs in place of a function: opens them, or takes up those that a stored run has opened already. */
export function callNest(run: Run, attempt: Attempt, event: Event): void {
  const nest = attempt.step.nest!;
  if (attempt.aborted) return settle(attempt, undefined);
  const stored = run.children?.stored?.get(attempt.invocation);
  if (stored !== undefined) {
    run.children!.stored!.delete(attempt.invocation);
    attempt.nested = new Nested(event, stored);
    for (const child of stored) {
      child.opener = attempt;
      if (!child.over) limitChild(child);
    }
    return proceed(run, attempt, attempt.nested);
  }
  open(run, attempt, nest, event);
}

/** Opens a child run for each branch, or settles with what the step gives without any. */
function open(run: Run, attempt: Attempt, nest: Nest, event: Event): void {
  const { branches } = nest;
  const flow = attempt.flow as Flow;
  let children: ChildRun[] | undefined;
  let starts: Event[] | undefined;
  let start: Event | undefined;
  const before = hold();
  try {
    const skipped = nest.skip(event, attempt);
    if (skipped !== undefined) {
      letGo(before);
      return settle(attempt, skipped);
    }
    const input = nest.input(event);
    for (const branch of branches) {
      const plan = branch.plan();
      const begins = plan.begin(input);
      if (start === undefined) start = begins;
      else {
        starts ??= [start];
        starts.push(begins);
      }
      const child = new ChildRun(plan, flow, attempt.stepName, attempt.seq, attempt.attempt, children?.length ?? 0, branch);
      if (children === undefined) children = [child];
      else children.push(child);
    }
  } catch (error) {
    letGo(before);
    return settleFailed(attempt, error, FAILED);
  }
  letGo(before);
  // What the user's functions have done may have ended it.
  if (attempt.invocation < 0 || attempt.aborted) return;
  attempt.nested = new Nested(event, children!);
  for (let at = 0; at < children!.length && !run.over; at++) {
    const child = children![at]!;
    child.opener = attempt;
    // Where each commit is verified, those within it are too.
    if (run.memory?.options.verify === true) memoryOf(child);
    if (child.branch.inherits) memoryOf(child).session = sessionOf(flow);
    const begins = starts === undefined ? start : starts[at];
    if (development) Object.freeze(begins);
    run.children ??= new Children();
    run.children.opening = child;
    frame(IN_CHILD, attempt.invocation, child.plan.id, run.put(begins, child));
    exchange(run);
    limitChild(child);
  }
}

/** A child run has ended, and nothing of it goes on: tells its steps, closes what it has opened, and goes on with the step that waits for it. */
export function childEnded(run: Run, child: ChildRun, cause: unknown): void {
  const closing = child.live === undefined && child.memory === undefined ? undefined : abandon(child, cause);
  if (closing === undefined) return goOnWith(run, child);
  closing.then(
    () => {
      goOnWith(run, child);
      dispatch(run);
    },
    (reason) => {
      // Beside another end nobody would hear of it.
      if (child.outcome?.status === "fulfilled") child.outcome = { status: "rejected", reason };
      else void Promise.reject(reason);
      goOnWith(run, child);
      dispatch(run);
    },
  );
}

function goOnWith(run: Run, child: ChildRun): void {
  const attempt = child.opener;
  if (attempt === undefined || attempt.invocation < 0 || attempt.aborted || run.cancelling) return;
  proceed(run, attempt, attempt.nested!);
}

/** Goes on with a step if it has of its child runs what it needs. */
function proceed(run: Run, attempt: Attempt, nested: Nested): void {
  if (nested.decided) return;
  const nest = attempt.step.nest!;
  const { children, event } = nested;
  const [only] = children;
  if (nest.join === undefined && only!.outcome?.status === "fulfilled") return finish(attempt, nest, only!.outcome.value, event);
  const verdict = joined(nest, children);
  if (verdict === undefined) return;
  if ("error" in verdict) return settleFailed(attempt, verdict.error, FAILED);
  const rest = children.filter((child) => !child.over);
  if (rest.length === 0) return finish(attempt, nest, verdict.result, event);
  nested.decided = true;
  cancelRest(run, attempt, rest).then(() => {
    if (attempt.invocation < 0 || attempt.aborted || run.cancelling) return;
    finish(attempt, nest, verdict.result, event);
    dispatch(run);
  });
}

function finish(attempt: Attempt, nest: Nest, result: unknown, event: Event): void {
  let output: unknown;
  const before = hold();
  try {
    output = nest.output(result, event, attempt);
  } catch (error) {
    letGo(before);
    // Another attempt would go round as often.
    return settleFailed(attempt, error, error instanceof LoopLimitError ? FAILED_FOR_GOOD : FAILED);
  }
  letGo(before);
  settle(attempt, output);
}

/** Those that a join does not need: their steps are told, and have some time for their cleanup. */
function cancelRest(run: Run, { stepName, flow }: Attempt, rest: readonly ChildRun[]): Promise<void> {
  const reason = new CancelledError(`${flow.title}: step "${stepName}" needs this child run no longer.`, undefined, {
    runId: flow.runId,
    step: stepName,
  });
  return new Promise((resolve) => {
    const timer = new Timer(resolve);
    run.timers.set(timer, run.timers.now() + GRACE);
    const closings: (Promise<void> | undefined)[] = [];
    const settled: Promise<void>[] = [];
    for (const child of rest) {
      frame(IN_CANCEL, child.number, NONE, NONE);
      exchange(run);
      child.outcome = { status: "cancelled" };
      settled.push(detach(run, child));
    }
    for (const child of rest) closings.push(abandon(child, reason));
    void Promise.allSettled([...settled, ...closings]).then(() => {
      run.timers.clear(timer);
      resolve();
    });
  });
}

/** The host ends a child run with an error. */
export function failChild(run: Run, child: ChildRun, error: unknown): void {
  if (child.over || run.over || run.cancelling) return;
  frame(IN_CANCEL, child.number, NONE, NONE);
  exchange(run);
  child.outcome = { status: "rejected", reason: error };
  void detach(run, child);
  childEnded(run, child, error);
  dispatch(run);
}
