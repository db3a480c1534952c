import { decode, type Encoded, encode } from "./codec";
import { CancelledError, StoreError, UnserializableError } from "./errors";
import { StopEvent } from "./event";
import type { Plan } from "./plan";
import type { Outcome, Run } from "./run";
import { describe } from "./values";

/** How a run has ended, as its store has it; one whose result cannot be stored has failed (12.1). */
export function outcomeText(run: Run, outcome: Outcome): { readonly outcome: Outcome; readonly text: string } {
  const { types } = run.memoryOptions;
  if (outcome.status === "completed") {
    try {
      return { outcome, text: text(encode(outcome.stop.result, "result", types)) };
    } catch (error) {
      if (!(error instanceof UnserializableError)) throw error;
      return outcomeText(run, { status: "failed", error });
    }
  }
  const { error } = outcome;
  try {
    return { outcome, text: text(encode(error, "error", types)) };
  } catch {
    // What it carries beside its message cannot be stored.
    const message = error instanceof Error ? error.message : describe(error);
    return { outcome, text: text(encode(Object.assign(new Error(message), { name: (error as Error)?.name ?? "Error" }), "error", types)) };
  }
}

/** The end of a run that a store has: a copy. @throws StoreError for what cannot be read */
export function storedOutcome(plan: Plan, runId: string, status: Outcome["status"], stored: string | undefined): Outcome {
  try {
    const { tree, bytes } = JSON.parse(stored ?? "") as { tree: unknown; bytes?: string[] };
    const value = decode({ tree, bytes: bytes?.map(fromBase64) }, plan.memory.types);
    if (status === "completed") return { status, stop: new StopEvent({ result: value }) };
    if (status === "cancelled" && !(value instanceof CancelledError))
      return { status, error: new CancelledError(`${plan.title}: the run was cancelled.`, undefined, { cause: value, runId }) };
    return { status, error: value };
  } catch (cause) {
    throw new StoreError(`${plan.title}: the store says that run ${runId} is over, and not how.`, { cause, runId });
  }
}

function text({ tree, bytes }: Encoded): string {
  return JSON.stringify(bytes === undefined ? { tree } : { tree, bytes: bytes.map(toBase64) });
}

function toBase64(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}
