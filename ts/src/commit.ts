import { exchange, frame } from "./buffer";
import type { Attempt } from "./context";
import { soon } from "./dispatch";
import { DefinitionError } from "./errors";
import { IN_COMMIT } from "./generated/tables";
import type { Run } from "./run";
import { writeId } from "./settle";
import { describe, isWellFormed } from "./values";

/** The promise of what is done already. */
export const DONE = Promise.resolve();

/**
 * Makes what an attempt wrote part of the run, in one stretch with the frames that `publish` writes: the one place where a
 * commit may have to wait for something. `publish` has run when this returns undefined.
 *
 * @throws (or as a rejection) what a function of `update` throws, and UnserializableError for what it gives: nothing is committed
 */
export function commitWrites(attempt: Attempt, publish: () => void): Promise<void> | undefined {
  const { pause } = attempt.run as Run;
  // The snapshot is taken: this is taken up when the run goes on (7.1).
  if (pause?.taken) return pause.over.then(() => commitWrites(attempt, publish));
  const state = attempt.own?.state;
  if (attempt.aborted) state?.drop();
  const changes = state?.changes();
  // The functions of updates are the user's: they may have ended the attempt.
  if (state !== undefined && changes !== undefined && attempt.invocation >= 0 && !attempt.aborted) state.apply(changes);
  publish();
  return undefined;
}

/** The same while the step goes on: after the commit points before it, and the attempt fails when it fails (4.2). */
export function commitPoint(attempt: Attempt, publish: () => void): Promise<void> {
  const before = attempt.own?.pending;
  let point: Promise<void> | undefined;
  if (before !== undefined) point = before.then(() => commitWrites(attempt, publish));
  else {
    try {
      point = commitWrites(attempt, publish);
    } catch (error) {
      point = Promise.reject(error);
    }
  }
  if (point === undefined) return DONE;
  // Nobody need await it: the attempt does.
  point.catch(() => {});
  attempt.await(point);
  return point;
}

/** `ctx.commit`: a commit point without an event. */
export function commitNow(attempt: Attempt, run: Run, id: string | undefined): Promise<void> {
  checkId(id, `Step "${attempt.stepName}", ctx.commit`);
  if (drops(attempt, run, id)) return DONE;
  return commitPoint(attempt, () => {
    if (attempt.invocation < 0) return;
    writeId(run, id);
    frame(IN_COMMIT, attempt.invocation, 0, 0);
    exchange(run);
    soon(run);
  });
}

/** True for a commit point that changes nothing: the run knows its id, or the attempt's fan-out is over. Its writes are dropped. */
export function drops(attempt: Attempt, run: Run, id: string | undefined): boolean {
  if (!attempt.aborted && (id === undefined || run.ids?.has(id) !== true)) return false;
  attempt.own?.state?.drop();
  return true;
}

export function checkId(id: unknown, caller: string): void {
  if (id === undefined || (typeof id === "string" && id !== "" && isWellFormed(id))) return;
  throw new DefinitionError(`${caller}: an id is a non-empty string of well-formed Unicode, not ${describe(id)}.`);
}
