import { type Attempt, Named } from "./attempt";
import { CMD_TELL } from "./buffer";
import { DONE } from "./commit";
import { guarded } from "./dispatch";
import { CancelledError } from "./errors";
import type { ChildRun, Flow } from "./flow";
import type { Run } from "./run";

/**
 * Nothing of a child run, or of those within it, is part of the run any more: the core has forgotten them. Runs no user code.
 *
 * @returns when all their attempts have settled
 */
export function detach(run: Run, top: ChildRun): Promise<void> {
  top.limit?.stop();
  if (top.live === undefined) return DONE;
  const children = run.children!;
  let left = 1;
  let settled = () => {};
  const all = new Promise<void>((resolve) => {
    settled = resolve;
  });
  const over = () => {
    if (--left === 0) settled();
  };
  eachWithin(top, (child) => {
    child.limit?.stop();
    if (child !== top) children.forget(child);
    for (let at = child.live; at !== undefined; at = at.next) {
      run.parked?.delete(at.invocation);
      at.invocation = -1;
      if (at.step.nest !== undefined) continue;
      if (!at.asks) child.leave();
      left++;
      const attempt = at;
      children.late ??= new Set();
      children.late.add(attempt);
      attempt.onLateSettle(() => {
        if (children.late?.delete(attempt) !== true) return;
        run.onSettled?.();
        over();
      });
    }
  });
  over();
  return all;
}

/**
 * Tells the attempts of a child run, and of those within it, that they are over; none of them keeps the run in memory.
 *
 * @param cause a CancelledError as it is; else the cause of one; undefined for a success
 * @returns when what they have opened is closed, if there is any
 */
export function abandon(top: ChildRun, cause: unknown): Promise<void> | undefined {
  const closing: Promise<void>[] = [];
  const flows: ChildRun[] = [];
  eachWithin(top, (child) => flows.push(child));
  for (const child of flows) {
    if (child.live !== undefined) abandonAttempts(child, cause);
    const session = child.branch.inherits ? undefined : child.memory?.session;
    if (session?.resources.any === true) closing.push(session.resources.end());
  }
  return closing.length === 0 ? undefined : closing.length === 1 ? closing[0] : Promise.all(closing).then(() => {});
}

/** Nothing that a running attempt does matters any more, and none of them keeps the run in memory (5.5). */
export function abandonAttempts(flow: Flow, cause: unknown): void {
  const named = new Named(flow);
  const reason =
    cause instanceof CancelledError ? cause : new CancelledError(`${flow.title}: the run is over.`, undefined, cause === undefined ? {} : { cause });
  let attempt = flow.live;
  flow.live = undefined;
  while (attempt !== undefined) {
    const { next } = attempt;
    const one: Attempt = attempt;
    one.flow = named;
    one.invocation = -1;
    one.next = undefined;
    one.previous = undefined;
    one.nested = undefined;
    guarded(() => one.abort(reason));
    one.end();
    forgetFrames(one.own?.reason);
    attempt = next;
  }
}

/** An attempt that has opened child runs is over: so are they, as far as they go on. What their steps are told comes after. */
export function endNested(run: Run, attempt: Attempt, cause: unknown): void {
  const { children } = attempt.nested!;
  attempt.nested = undefined;
  for (const child of children) {
    run.children!.forget(child);
    if (child.over) continue;
    child.outcome = { status: "cancelled" };
    void detach(run, child);
    const all = run.children!;
    if (all.endings === undefined) {
      all.endings = [];
      run.push(-CMD_TELL, 0, undefined);
    }
    all.endings.push({ child, cause });
  }
}

/** Tells the steps of child runs that are over. */
export function tellEnded(run: Run): void {
  const { children } = run;
  const endings = children?.endings;
  if (endings === undefined) return;
  children!.endings = undefined;
  for (const { child, cause } of endings) void abandon(child, cause);
}

/** A child run and those that its attempts wait for, however deep. */
function eachWithin(top: ChildRun, visit: (child: ChildRun) => void): void {
  const open = [top];
  for (let child = open.pop(); child !== undefined; child = open.pop()) {
    visit(child);
    for (let at = child.live; at !== undefined; at = at.next) if (at.nested !== undefined) open.push(...at.nested.children);
  }
}

/** V8 keeps the objects that an error's frames ran on, the run among them, until its stack is text. */
function forgetFrames(error: unknown): void {
  let at = error;
  for (let depth = 0; depth < 8 && at instanceof Error; depth++) {
    try {
      void at.stack;
      at = at.cause;
    } catch {
      return; // an accessor of the user's
    }
  }
}
