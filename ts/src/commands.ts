import { CMD_SETTLED, GONE, timeOf } from "./buffer";
import { type InputRequestEvent, type InputResponseEvent, StepFailedEvent } from "./built-in";
import { development } from "./environment";
import type { Event } from "./event";
import { failure } from "./failure";
import {
  CMD_ABORT,
  CMD_ALARM,
  CMD_ANSWERED,
  CMD_ASKED,
  CMD_DELAYED,
  CMD_EXPIRED,
  CMD_FAIL,
  CMD_FAILED,
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

/** Commands that most runs never get. Runs no user code. */
export function rare(run: Run, tag: number, a: number, b: number, c: number): void {
  switch (tag) {
    case CMD_FAIL:
      run.handle = GONE;
      // On Cancel the core answers that it has: there is no more to do.
      if (a !== ERR_CANCELLED) run.push(-tag, 0, failure(run, run.plan.binding, a, b, c));
      return;
    case CMD_ABORT:
      // At once, so that it commits nothing any more; its step is told in turn.
      if (b === RUNNING) run.push(-tag, a, run.withdraw(a));
      // It was aborted when the run was stored: nothing of it runs here.
      else if (b === STORED) run.push(-CMD_SETTLED, a, undefined);
      else run.delayed?.delete(a);
      return;
    case CMD_ALARM:
      return setAlarm(run, a < 0 ? undefined : timeOf(a, b));
    case CMD_WOKEN:
      return woken(run, a, b);
    case CMD_DELAYED:
      run.delayed ??= new Map();
      run.delayed.set(a, b);
      return;
    case CMD_FAILED:
      return failed(run, a, b, c);
    case CMD_ASKED: {
      const refusal = asked(run, a, b, run.payload(c) as InputRequestEvent);
      if (refusal !== undefined) run.push(-tag, 0, refusal);
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
      publishOwn(run, run.payload(a) as Event);
  }
}

/** A step has failed for good, and another is told: the event stands in the slot of the error. */
function failed(run: Run, slot: number, stepId: number, attempts: number): void {
  const step = run.plan.steps[stepId]!;
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
