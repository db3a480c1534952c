import { CMD_SETTLED, GONE, inputOf, timeOf } from "./buffer";
import { type InputRequestEvent, type InputResponseEvent, StepFailedEvent } from "./built-in";
import { detach } from "./child-end";
import { development } from "./environment";
import type { Event, StopEvent } from "./event";
import { failure } from "./failure";
import type { ChildOutcome, ChildRun, Flow } from "./flow";
import {
  CMD_ABORT,
  CMD_ALARM,
  CMD_ANSWERED,
  CMD_ASKED,
  CMD_DELAYED,
  CMD_ENDED,
  CMD_EXPIRED,
  CMD_FAIL,
  CMD_FAILED,
  CMD_INVOKE,
  CMD_OPENED,
  CMD_PUBLISH,
  CMD_ROUTED,
  CMD_WITHDRAWN,
  CMD_WOKEN,
  ERR_CANCELLED,
} from "./generated/tables";
import { asked } from "./requests";
import type { Run, Thrown } from "./run";
import { publishOwn } from "./stream";
import { Timer } from "./timers";
import { answered, expired, tick, woken } from "./waits";

// Of an Abort: what the invocation was doing; else it waited to be tried again.
const RUNNING = 0;
const STORED = 1;

/** A command has its tag in the lower bits, and above them the number of the flow that it is about. */
const FLOW = 8;
const TAG = 2 ** FLOW - 1;

/** Commands that most runs never get, and all that are about child runs. Runs no user code. */
export function rare(run: Run, word: number, a: number, b: number, c: number): void {
  const tag = word & TAG;
  const number = word >> FLOW;
  const flow: Flow = number === 0 ? run : run.children!.known[number]!;
  switch (tag) {
    case CMD_INVOKE:
      return run.push(a, b, inputOf(run, c), flow);
    case CMD_OPENED: {
      const children = run.children!;
      const child = children.opening!;
      child.number = a;
      children.known[a] = child;
      return;
    }
    case CMD_ENDED:
      return ended(run, run.children!.known[a]!, { status: "fulfilled", value: (run.payload(b) as StopEvent).result });
    case CMD_FAIL:
      if (number !== 0) return ended(run, flow as ChildRun, { status: "rejected", reason: failure(flow, run.plan.binding, a, b, c) });
      run.handle = GONE;
      // On Cancel the core answers that it has: there is no more to do.
      if (a !== ERR_CANCELLED) run.push(-tag, 0, failure(run, run.plan.binding, a, b, c));
      return;
    case CMD_ABORT:
      // At once, so that it commits nothing any more; its step is told in turn.
      if (b === RUNNING) run.push(-tag, a, run.withdraw(a, flow));
      // It was aborted when the run was stored: nothing of it runs here.
      else if (b === STORED) run.push(-CMD_SETTLED, a, undefined);
      else {
        run.delayed?.get(a)?.flow.leave();
        run.delayed?.delete(a);
      }
      return;
    case CMD_ALARM:
      return setAlarm(run, a < 0 ? undefined : timeOf(a, b));
    case CMD_WOKEN:
      return woken(run, a, b);
    case CMD_DELAYED:
      run.delayed ??= new Map();
      run.delayed.set(a, { flow: flow, name: flow.plan.steps[b]!.name });
      flow.enter();
      return;
    case CMD_FAILED:
      return failed(flow, a, b, c);
    case CMD_ASKED: {
      const refusal = asked(flow, a, b, run.payload(c) as InputRequestEvent);
      if (refusal !== undefined) run.push(-tag, 0, refusal, flow);
      return;
    }
    case CMD_ANSWERED:
      return answered(run, a, b, run.payload(c) as InputResponseEvent);
    case CMD_EXPIRED:
      return expired(run, a, b, run.payload(c) as InputRequestEvent);
    case CMD_WITHDRAWN:
      run.requests?.withdrawn((run.payload(a) as InputRequestEvent).id);
      return;
    case CMD_ROUTED:
      run.observers?.routed(run.payload(a) as Event);
      return;
    case CMD_PUBLISH:
      publishOwn(flow, run.payload(a) as Event);
  }
}

/** A child run has ended. */
function ended(run: Run, child: ChildRun, outcome: ChildOutcome): void {
  child.outcome = outcome;
  void detach(run, child);
  run.push(-CMD_ENDED, 0, undefined, child);
}

/** A step has failed for good, and another is told: the event stands in the slot of the error. */
function failed(flow: Flow, slot: number, stepId: number, attempts: number): void {
  const { run } = flow;
  const step = flow.plan.steps[stepId]!;
  const set = run.set as Event[];
  run.set = undefined;
  const { error } = run.payload(slot) as Thrown;
  const event = new StepFailedEvent({ step: step.name, event: step.gathers ? set : set[0]!, error, attempts });
  if (development) Object.freeze(event);
  run.replace(slot, event);
}

/** When the run's next timer is due, in ms since 1970. */
function setAlarm(run: Run, at: number | undefined): void {
  if (run.alarm === undefined) {
    if (at === undefined) return;
    run.alarm = new Timer(() => tick(run));
  }
  run.alarm.at = at ?? Number.POSITIVE_INFINITY;
  run.timers.clear(run.alarm);
  if (at !== undefined && run.pause === undefined) run.timers.set(run.alarm, at);
}
