import { Attempt } from "./attempt";
import { exchange, frame, handle, NONE, use } from "./buffer";
import { attach } from "./cancel";
import type { Clock } from "./clock";
import { fromHost } from "./dispatch";
import { development } from "./environment";
import { DefinitionError } from "./errors";
import { type Event, StopEvent } from "./event";
import { ChildRun } from "./flow";
import { IN_START } from "./generated/tables";
import type { RunOptions } from "./handler";
import { create, keepIn, startPaused } from "./kept-run";
import { leasesOf } from "./leases";
import { limitRun } from "./limits";
import { memoryOf } from "./memory";
import { Nested } from "./nest";
import type { Plan } from "./plan";
import { Run } from "./run";
import { sessionOf } from "./session";
import type { CheckpointStore } from "./store";
import { checkStoreOptions, keepingOf } from "./store-options";
import { checkStreamOptions, useStreamOptions } from "./stream-options";
import { timersOf } from "./timers";
import { describe, isPlainObject, isWellFormed } from "./values";

/**
 * Starts a run with `input` as the StartEvent's payload; its first step has run when this returns.
 *
 * @throws DefinitionError for bad options, EventValidationError for an input with a field `type`, SessionValueError
 */
export function begin(plan: Plan, input: unknown, options: RunOptions | undefined): Run {
  if (options !== undefined) checkOptions(plan.title, options);
  const start = plan.begin(input);
  return options?.store === undefined ? startRun(plan, start, options) : startStored(plan, start, options, options.store);
}

export function checkOptions(title: string, options: unknown): void {
  const refuse = (why: string): never => {
    throw new DefinitionError(`${title}: ${why}`);
  };
  if (!isPlainObject(options)) return refuse(`the options of a run are an object, not ${describe(options)}.`);
  const { runId, signal, session, clock, streamRetention, overflow, store, checkpoint, durability, unloadAfter, ...unknown } = options;
  const extra = Object.keys(unknown)[0];
  if (extra !== undefined)
    refuse(`a run has no option "${extra}". Known: runId, signal, session, clock, streamRetention, overflow, store, checkpoint, durability, unloadAfter.`);
  if (runId !== undefined && (typeof runId !== "string" || runId === "" || !isWellFormed(runId)))
    refuse(`"runId" is a non-empty string of well-formed Unicode, not ${describe(runId)}.`);
  if (signal !== undefined && !(signal instanceof AbortSignal)) refuse(`"signal" is an AbortSignal, not ${describe(signal)}.`);
  if (clock !== undefined && (typeof (clock as Clock)?.now !== "function" || typeof (clock as Clock).after !== "function"))
    refuse(`"clock" has the functions now() and after(ms, callback); ${describe(clock)} has not.`);
  if (session !== undefined && !isPlainObject(session)) refuse(`"session" is an object with the session's first values by key, not ${describe(session)}.`);
  checkStreamOptions(streamRetention, overflow, refuse);
  checkStoreOptions({ store, checkpoint, durability, unloadAfter }, refuse);
}

function startRun(plan: Plan, start: Event, options: RunOptions | undefined): Run {
  const run = newRun(plan, options);
  if (run.cancelling) return run;
  if (plan.timeout !== undefined) {
    limitRun(run);
    run.limit?.start();
  }
  if (development) Object.freeze(start);
  frame(IN_START, plan.id, run.put(start), NONE);
  exchange(run);
  if (!run.over && run.handle === NONE) run.handle = handle();
  fromHost(run);
  return run;
}

/** A run that begins when its store has it. */
function startStored(plan: Plan, start: Event, options: RunOptions, store: CheckpointStore): Run {
  const run = newRun(plan, options);
  if (run.cancelling) return run;
  keepIn(run, store, keepingOf(options, leasesOf(store).owner));
  startPaused(run, start);
  run.checkpoints!.creating = create(run, store);
  return run;
}

function newRun(plan: Plan, options: RunOptions | undefined): Run {
  const run = new Run(plan, options?.runId, options?.clock === undefined ? undefined : timersOf(options.clock));
  if (options !== undefined) useStreamOptions(run, options);
  if (options?.session !== undefined) for (const [key, value] of Object.entries(options.session)) sessionOf(run).set(key, value);
  attach(run, options?.signal);
  if (plan.memory.verify) memoryOf(run);
  use(plan.binding);
  return run;
}

/** Likewise (see Blank in event.ts), one of each object that comes and goes with a run stays alive. */
function keepShapes(): void {
  const fresh = new Run(undefined as never, undefined);
  const completed = new Run(undefined as never, undefined);
  void completed.result();
  completed.complete(new StopEvent({ result: undefined }));
  const branch = { name: undefined, timeout: 0, inherits: false, later: false, plan: () => fresh.plan };
  const child = new ChildRun({} as never, fresh, "", 0, 1, 0, branch);
  child.outcome = { status: "fulfilled", value: undefined };
  Run.kept.push(fresh, completed, new Attempt(fresh, -1, undefined as never, 0), new Nested(undefined as never, [child]));
}
keepShapes();
