import type { Attempt } from "./attempt";
import { exchange, frame } from "./buffer";
import type { Encoded } from "./codec";
import { soon } from "./dispatch";
import { DefinitionError } from "./errors";
import type { Flow } from "./flow";
import { IN_COMMIT } from "./generated/tables";
import { memoryOf } from "./memory";
import { writeId } from "./output";
import type { Run } from "./run";
import type { Batch } from "./state";
import { remove, replacedBy, type Stored, saveFields, unused } from "./stores";
import { describe, isWellFormed } from "./values";
import { verifyRun } from "./verify";

/** The promise of what is done already. */
export const DONE = Promise.resolve();

/**
 * Makes what an attempt wrote up to now part of the run, in one stretch with the frames that `publish` writes: the one place
 * where a commit may have to wait for something. `publish` has run when this returns undefined.
 *
 * @param id when the run has come to know it meanwhile, nothing is committed or published
 * @throws (or as a rejection) what a function of `update` throws, UnserializableError for what it gives, and FieldStoreError:
 *   nothing is committed
 */
export function commitWrites(attempt: Attempt, publish: () => void, id?: string): Promise<void> | undefined {
  return commitBatch(attempt, attempt.run, publish, id, attempt.own?.state?.take(), undefined);
}

/** @param saved what the batch's commit has saved so far */
function commitBatch(
  attempt: Attempt,
  run: Run,
  publish: () => void,
  id: string | undefined,
  batch: Batch | undefined,
  saved: Stored[] | undefined,
): Promise<void> | undefined {
  const { pause } = run;
  const state = attempt.own?.state;
  // The snapshot is taken: this is taken up when the run goes on (7.1).
  if (pause?.taken) {
    // A run with a memory looks whether commit points are waiting before an attempt settles.
    memoryOf(attempt.flow as Flow);
    state?.wait(batch);
    return pause.over.then(() => commitBatch(attempt, run, publish, id, batch, saved));
  }
  const dropped = attempt.invocation < 0 || attempt.aborted || (id !== undefined && (attempt.flow as Flow).ids?.has(id) === true);
  if (batch !== undefined && dropped) {
    state!.done(batch);
    for (const one of saved ?? []) remove(one, attempt.runId);
  } else if (batch !== undefined) {
    const states = attempt.flow.memoryOptions.types.hasStates;
    let changes: ReadonlyMap<string, Encoded | undefined>;
    try {
      changes = state!.changes(batch);
    } catch (error) {
      for (const one of saved ?? []) remove(one, attempt.runId);
      throw error;
    }
    // The functions of updates are the user's: they may have ended the attempt.
    if (attempt.invocation >= 0 && !attempt.aborted) {
      if (states) {
        const all = saved ?? [];
        const saving = saveFields(attempt, changes, all);
        if (saving !== undefined) {
          state!.wait(batch);
          return saving.then(() => commitBatch(attempt, run, publish, id, batch, all));
        }
        const replaced = [...replacedBy(changes, attempt.flow.memory!), ...unused(all, changes)];
        state!.apply(changes, batch);
        for (const one of replaced) remove(one, attempt.runId);
      } else state!.apply(changes, batch);
      run.checkpoints?.stateChanged(attempt.flow as Flow, changes);
    }
  }
  if (id !== undefined && dropped && attempt.invocation >= 0) return undefined;
  publish();
  if (run.memory?.options.verify) verifyRun(run);
  return undefined;
}

/** The same while the step goes on: after the commit points before it, and the attempt fails when it fails (4.2). */
export function commitPoint(attempt: Attempt, publish: () => void, id?: string): Promise<void> {
  const before = attempt.own?.pending;
  let point: Promise<void> | undefined;
  if (before !== undefined) {
    const { run } = attempt;
    const batch = attempt.own?.state?.take();
    // What the step writes from now on is none of this commit's.
    attempt.own?.state?.wait(batch);
    point = before.then(() => commitBatch(attempt, run, publish, id, batch, undefined));
  } else {
    try {
      point = commitWrites(attempt, publish, id);
    } catch (error) {
      point = Promise.reject(error);
    }
  }
  const { checkpoints } = attempt.run;
  if (checkpoints !== undefined) point = point === undefined ? checkpoints.durable() : point.then(() => checkpoints.durable());
  if (point === undefined) return DONE;
  attempt.await(point);
  return point;
}

/** `ctx.commit`: a commit point without an event. */
export function commitNow(attempt: Attempt, run: Run, id: string | undefined): Promise<void> {
  checkId(id, `Step "${attempt.stepName}", ctx.commit`);
  if (drops(attempt, id)) return DONE;
  const publish = () => {
    if (attempt.invocation < 0) return;
    writeId(attempt.flow as Flow, id);
    frame(IN_COMMIT, attempt.invocation, 0, 0);
    exchange(run);
    soon(run);
  };
  return commitPoint(attempt, publish, id);
}

/** True for a commit point that changes nothing: the run knows its id, or the attempt's fan-out is over. Its writes are dropped. */
export function drops(attempt: Attempt, id: string | undefined): boolean {
  if (!attempt.aborted && (id === undefined || (attempt.flow as Flow).ids?.has(id) !== true)) return false;
  attempt.own?.state?.drop();
  return true;
}

export function checkId(id: unknown, caller: string): void {
  if (id === undefined || (typeof id === "string" && id !== "" && isWellFormed(id))) return;
  throw new DefinitionError(`${caller}: an id is a non-empty string of well-formed Unicode, not ${describe(id)}.`);
}
