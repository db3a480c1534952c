import { Attempt } from "./attempt";
import { CMD_SETTLED, CMD_TELL, exchange, frame, NONE } from "./buffer";
import { failRun } from "./cancel";
import { tellEnded } from "./child-end";
import { callNest, childEnded, failChild } from "./children";
import { kindOf } from "./emit";
import { afterTurn } from "./environment";
import type { Event, StopEvent } from "./event";
import { attemptsOf, type ChildRun, type Flow, flowsOf } from "./flow";
import { generate } from "./generate";
import { CMD_ABORT, CMD_AGAIN, CMD_ASKED, CMD_ENDED, CMD_FAIL, CMD_FINISH, CMD_YIELDED, IN_SETTLE } from "./generated/tables";
import { limitAttempt } from "./limits";
import type { Pause } from "./pause";
import type { Run } from "./run";
import { FAILED, settle, settleFailed } from "./settle";

/** Milliseconds that a chain of steps may keep the host's event loop waiting (3.6). */
const SLICE = 4;
/** Dispatches between two looks at the clock: at first, and at most. */
const CLOCK = 16;
const CLOCK_MAX = 64;

/** A step's own code is on the stack: no other may be called (3.7). */
let busy = false;
/** The loop waits for the host's event loop to have a turn. */
let yielding = false;
/** When the present slice began, in ms; 0 while none is open. */
let sliceStart = 0;
let lastLook = 0;
/** Dispatches from the last look at the clock to the next, and how many of them are left. */
let interval = CLOCK;
let untilClock = CLOCK;
const ready: Run[] = [];

/** Calls the steps that are ready, unless a step is on the stack or the host's turn is due. */
export function dispatch(run: Run): void {
  if (busy || yielding) later(run);
  else drain(run);
}

/** Leaves a run's commands for the loop that runs already, or for the host's next turn. */
export function later(run: Run): void {
  if (run.ready) return;
  run.ready = true;
  ready.push(run);
}

function drain(first: Run, unchecked = 0): void {
  let run: Run | undefined = first;
  do {
    if (!drainOne(run, unchecked)) return;
    run = ready.shift();
    if (run !== undefined) run.ready = false;
  } while (run !== undefined);
}

/**
 * @param unchecked dispatches that are due before the host's turn, whatever the clock says
 * @returns false when the host's turn is due first
 */
function drainOne(run: Run, unchecked: number): boolean {
  for (;;) {
    if (run.pause !== undefined) return drainPaused(run, run.pause);
    let invocation: number;
    let step: number;
    let input: unknown;
    let flow: Flow;
    if (run.next !== -1) {
      invocation = run.next;
      step = run.nextStep;
      input = run.nextInput;
      flow = run.nextFlow;
      if (flow !== run) run.nextFlow = run;
      run.next = -1;
      run.nextInput = undefined;
    } else if (run.head < run.tail) {
      const queue = run.queue!;
      const { head } = run;
      invocation = queue[head] as number;
      step = queue[head + 1] as number;
      input = queue[head + 2];
      flow = queue[head + 3] as Flow;
      queue[head + 2] = undefined;
      queue[head + 3] = undefined;
      run.head = head + 4;
      if (run.head === run.tail) {
        run.head = 0;
        run.tail = 0;
        if (queue.length > 4096) run.queue = undefined;
      }
    } else if (run.more) {
      exchange(run);
      continue;
    } else return true;
    if (invocation >= 0) call(run, flow, invocation, step, input);
    else control(run, flow, -invocation, step, input);
    if (--untilClock <= 0 && --unchecked < 0 && sliceOver()) {
      later(run);
      yieldTurn();
      return false;
    }
  }
}

/** Calls nothing; but what was said about the run and its running steps takes effect. */
function drainPaused(run: Run, pause: Pause): true {
  while (run.next !== -1 && !waits(run.next)) {
    const { next, nextStep, nextInput, nextFlow } = run;
    run.nextFlow = run;
    run.next = -1;
    run.nextInput = undefined;
    control(run, nextFlow, -next, nextStep, nextInput);
    if (run.over || run.cancelling) return true;
  }
  // What comes meanwhile comes behind, so that the order stays.
  let kept = Math.max(pause.sifted, run.head);
  for (let at = kept; at < run.tail; at += 4) {
    const queue = run.queue!;
    const command = queue[at] as number;
    if (waits(command)) {
      if (kept < at) queue.copyWithin(kept, at, at + 4);
      kept += 4;
      continue;
    }
    control(run, queue[at + 3] as Flow, -command, queue[at + 1] as number, queue[at + 2]);
    if (run.over || run.cancelling) return true;
  }
  run.cut(kept);
  pause.sifted = run.tail;
  if (run.pause === pause && run.handle >= 0 && !commits(run)) pause.take();
  return true;
}

/** Whether a step runs that a drain waits for: one that is parked may take days, and what one whose fan-out is over does is dropped. */
export function commits(run: Run): boolean {
  for (const { live } of run.children === undefined ? [run] : flowsOf(run)) {
    let attempt = live;
    while (attempt !== undefined && (attempt.step.nest !== undefined || (attempt.own !== undefined && (attempt.own.parked > 0 || attempt.aborted))))
      attempt = attempt.next;
    if (attempt !== undefined) return true;
  }
  return false;
}

/** What stands for the call of a step. */
function waits(command: number): boolean {
  return command >= 0 || command === -CMD_AGAIN || command === -CMD_YIELDED;
}

function control(run: Run, flow: Flow, command: number, subject: number, input: unknown): void {
  if (command === CMD_ENDED) {
    const child = flow as ChildRun;
    childEnded(run, child, child.outcome?.status === "rejected" ? child.outcome.reason : undefined);
  } else if (command === CMD_FINISH) run.complete(run.payload(subject) as StopEvent);
  else if (command === CMD_FAIL) run.fail(input);
  else if (command === CMD_TELL) tellEnded(run);
  else if (command === CMD_ASKED) {
    if (flow === run) failRun(run, input as Error);
    else failChild(run, flow as ChildRun, input as Error);
  } else if (command === CMD_AGAIN) {
    run.nextSeq = input as number;
    run.nextAttempt = subject;
  } else if (command === CMD_YIELDED) run.nextYields = subject;
  else if (command === CMD_SETTLED) {
    frame(IN_SETTLE, subject, 0, NONE);
    exchange(run);
  } else if (command === CMD_ABORT) tellWithdrawn(run, subject, input as Attempt | undefined);
}

/** Looks at the clock now and then only, by the pace of the steps so far: it costs as much as a crossing. */
function sliceOver(): boolean {
  const now = performance.now();
  let left = SLICE;
  if (sliceStart === 0) {
    // A slice ends with the host's turn, so that steps which wait for I/O never yield on top of it.
    sliceStart = now;
    interval = CLOCK;
    afterTurn(endSlice);
  } else {
    left -= now - sliceStart;
    const each = (now - lastLook) / (interval - untilClock);
    interval = Math.min(CLOCK_MAX, Math.max(1, Math.floor(left / (2 * each))));
  }
  lastLook = now;
  untilClock = interval;
  return left <= 0;
}

/** Where the host's turn is due: a promise of it, for a generator, which yields without being called. */
export function hostsTurn(): Promise<void> | undefined {
  return yielding || (--untilClock <= 0 && sliceOver()) ? new Promise(afterTurn) : undefined;
}

function endSlice(): void {
  sliceStart = 0;
  interval = CLOCK;
  untilClock = CLOCK;
}

function yieldTurn(): void {
  yielding = true;
  afterTurn(() => {
    yielding = false;
    endSlice();
    const run = ready.shift();
    if (run === undefined) return;
    run.ready = false;
    drain(run);
  });
}

/** Waits for one promise at a time: its two callbacks serve the next step, which would else allocate both. */
class Watch {
  run: Run | undefined = undefined;
  attempt: Attempt | undefined = undefined;
  readonly fulfilled = (value: unknown): void => {
    const run = this.run!;
    const attempt = this.attempt!;
    this.free();
    fulfilled(run, attempt, value);
  };
  readonly rejected = (error: unknown): void => {
    const run = this.run!;
    const attempt = this.attempt!;
    this.free();
    rejected(run, attempt, error);
  };
  free(): void {
    this.run = undefined;
    this.attempt = undefined;
    idle.push(this);
  }
}
/** A few are enough: where many steps wait at once, old objects that point to young ones cost more than they save. */
const idle = Array.from({ length: 16 }, () => new Watch());

function watch(run: Run, attempt: Attempt, promise: Promise<unknown>): void {
  const one = idle.pop();
  if (one === undefined) {
    promise.then(
      (value) => fulfilled(run, attempt, value),
      (error) => rejected(run, attempt, error),
    );
    return;
  }
  one.run = run;
  one.attempt = attempt;
  promise.then(one.fulfilled, one.rejected);
}

function fulfilled(run: Run, attempt: Attempt, value: unknown): void {
  if (attempt.own?.expired) return;
  settle(attempt, value);
  dispatch(run);
}

function rejected(run: Run, attempt: Attempt, error: unknown): void {
  if (attempt.own?.expired) return;
  settleFailed(attempt, error, FAILED);
  dispatch(run);
}

function call(run: Run, flow: Flow, invocation: number, stepId: number, input: unknown): void {
  const step = flow.plan.steps[stepId]!;
  const attempt = new Attempt(flow, invocation, step, run.nextSeq++);
  if (run.nextAttempt !== 1) {
    attempt.attempt = run.nextAttempt;
    attempt.yields = run.nextYields;
    run.nextAttempt = 1;
    run.nextYields = 0;
    if (run.delayed?.delete(invocation) === true) flow.leave();
  }
  if (run.withdrawn?.delete(invocation) === true) attempt.withdraw();
  // It has ended since the core said so.
  if (flow !== run && (flow as ChildRun).over) return;
  flow.link(attempt);
  if (step.nest !== undefined) {
    if (run.observers !== undefined) run.observers.started(attempt, input);
    return callNest(run, attempt, input as Event);
  }
  if (flow !== run) flow.enter();
  if (step.timeout !== undefined) limitAttempt(attempt, run, step.timeout);
  if (run.observers !== undefined) run.observers.started(attempt, input);
  let returned: unknown;
  busy = true;
  try {
    returned = step.run(input as never, attempt);
  } catch (error) {
    busy = false;
    return settleFailed(attempt, error, FAILED);
  }
  busy = false;
  if (returned instanceof Promise) {
    watch(run, attempt, returned);
  } else if (returned === null || typeof returned !== "object" || kindOf(returned) !== undefined) settle(attempt, returned);
  else if (Symbol.asyncIterator in returned) void generate(attempt, run, returned as AsyncGenerator<unknown>);
  else if (typeof (returned as { then?: unknown }).then === "function") {
    watch(run, attempt, Promise.resolve(returned));
  } else settle(attempt, returned);
}

/** `exchange` has withdrawn it; one that had not been called then is looked up. */
function tellWithdrawn(run: Run, invocation: number, known: Attempt | undefined): void {
  let attempt = known;
  if (known === undefined) {
    for (const one of attemptsOf(run)) {
      if (one.invocation !== invocation) continue;
      attempt = one;
      break;
    }
  }
  if (attempt?.invocation !== invocation) return;
  guarded(() => attempt.abort());
  // What waits for child runs does nothing itself: it is over with them.
  if (attempt.step.nest !== undefined) settle(attempt, undefined);
}

/** Until `letGo` is given what this gives, no step is called: code of the user's that is no step runs. */
export function hold(): boolean {
  const before = busy;
  busy = true;
  return before;
}
export function letGo(before: boolean): void {
  busy = before;
}

/** Runs code of the user's that is no step, such as a listener of a signal: no step is called meanwhile. */
export function guarded(call: () => void): void {
  const before = hold();
  try {
    call();
  } finally {
    letGo(before);
  }
}

/**
 * A run that goes on from a snapshot does so when whoever resumed it has had a chance to say something to it.
 *
 * @param first what is waited for before; it fails the run itself
 */
export function goOn(run: Run, begin: () => void, first: (() => Promise<void>) | undefined): void {
  const go = () => {
    if (run.over || run.cancelling) return;
    begin();
    fromHost(run);
  };
  queueMicrotask(() => {
    if (first === undefined || run.over || run.cancelling) go();
    else void first().then(go);
  });
}

/** What the host starts or sends is dispatched before the call returns (3.7). */
export function fromHost(run: Run): void {
  if (busy) later(run);
  else if (yielding) drainOne(run, CLOCK);
  else drain(run, CLOCK);
}

/** After the synchronous part of the step that is on the stack. */
export function soon(run: Run): void {
  later(run);
  if (!busy) {
    queueMicrotask(() => {
      if (busy || yielding) return;
      const next = ready.shift();
      if (next === undefined) return;
      next.ready = false;
      drain(next);
    });
  }
}
