import type { StandardSchemaV1 } from "@standard-schema/spec";
import { exchange, frame, GONE } from "./buffer";
import { type InputRequestEvent, InputResponseEvent } from "./built-in";
import { given, sameAnswer } from "./digest";
import { fromHost } from "./dispatch";
import {
  AlreadyAnsweredError,
  type BlazenError,
  type ErrorDetails,
  EventValidationError,
  InvalidResponseError,
  RunOverError,
  UnknownRequestError,
} from "./errors";
import { type Event, type EventClass, pathOf } from "./event";
import { IN_RESPOND } from "./generated/tables";
import { outputOf, writeKeys } from "./output";
import type { Pending } from "./requests";
import type { Run } from "./run";

/**
 * Answers a pending request (9.2): the same answer twice is one, and the first counts.
 *
 * @param recorded called with the answer's becoming part of the run
 * @throws (as a rejection) InvalidResponseError, AlreadyAnsweredError, UnknownRequestError, RunOverError
 */
export async function respond(run: Run, id: string, response: unknown, recorded?: () => void): Promise<void> {
  for (;;) {
    const { requests } = run;
    const before = requests?.answer(id);
    if (before !== undefined) {
      if (sameAnswer(run, before, response)) return;
      throw new AlreadyAnsweredError(`The request ${JSON.stringify(id)} has been answered already, and not like this. The first answer counts.`, {
        runId: run.runId,
      });
    }
    const pending = requests?.pending(id);
    if (pending === undefined)
      throw new UnknownRequestError(`${run.title}: there is no request ${JSON.stringify(id)} in this run, or it was withdrawn.`, {
        runId: run.runId,
      });
    if (run.over || run.cancelling || run.handle === GONE)
      throw new RunOverError(`${run.title}: the run is over, so nobody waits for an answer to ${JSON.stringify(id)}.`, { runId: run.runId });
    // The step has to run again before its answer can be checked (7.3).
    if (pending.awaited && pending.schema === undefined) {
      await pending.known();
      continue;
    }
    const answer = answerEvent(pending, response);
    if (!(answer instanceof Promise)) return record(run, pending, response, answer, recorded);
    const checked = await answer;
    // Meanwhile another may have answered.
    if (requests!.pending(id) === pending && !run.over && !run.cancelling) return record(run, pending, response, checked, recorded);
  }
}

/** @returns when it is durable */
function record(run: Run, pending: Pending, response: unknown, answer: Event, recorded: (() => void) | undefined): Promise<void> | undefined {
  recorded?.();
  const { event, number } = pending;
  const kept = given(run, response);
  const output = outputOf(pending.flow, answer);
  run.requests!.answered(event.id, kept);
  run.checkpoints?.answered(event.id, kept.digest);
  writeKeys(run, output);
  frame(IN_RESPOND, number, output.type, run.put(answer, pending.flow));
  exchange(run);
  run.pause?.changed();
  fromHost(run);
  return run.checkpoints?.durable();
}

/** The event that a response becomes. @throws InvalidResponseError for one that is refused */
export function answerEvent({ event: request, awaited, schema, step, flow }: Pending, response: unknown): Event | Promise<Event> {
  const { runId } = flow;
  const made = (checked: unknown) => new InputResponseEvent({ requestId: request.id, response: checked, request });
  if (!awaited) {
    const Answer = request.answer as EventClass;
    if (Answer.type === InputResponseEvent.type) return made(response);
    try {
      return new Answer(response);
    } catch (error) {
      if (error instanceof EventValidationError) throw invalid(request, issueOf(error), error.path, { cause: error, runId });
      throw error;
    }
  }
  if (schema === null || schema === undefined) return made(response);
  const checked = (outcome: StandardSchemaV1.Result<unknown>) => {
    if (outcome.issues === undefined) return made(outcome.value);
    const issue = outcome.issues[0];
    throw invalid(request, issue?.message ?? "the schema refuses it", pathOf(issue?.path), { cause: outcome.issues, runId, step });
  };
  const outcome = schema["~standard"].validate(response);
  return outcome instanceof Promise ? outcome.then(checked) : checked(outcome);
}

/** What the schema said: the event's own message names the path, as ours will. */
function issueOf({ cause, message }: EventValidationError): string {
  return Array.isArray(cause) && typeof cause[0]?.message === "string" ? cause[0].message : message;
}

function invalid({ id, prompt }: InputRequestEvent, why: string, path: string, details: ErrorDetails): BlazenError {
  const at = path === "" ? "" : ` at ${path}`;
  return new InvalidResponseError(
    `The request ${JSON.stringify(id)} (${JSON.stringify(prompt)}) does not accept this response${at}: ${why} It stays pending.`,
    path,
    details,
  );
}
