import { exchange, frame } from "./buffer";
import { type CancelReport, DefinitionError } from "./errors";
import { IN_CANCEL } from "./generated/tables";
import type { Run } from "./run";
import { describe, isPlainObject } from "./values";

/** Nothing more starts; the run ends when its steps have settled or `grace` ms are over (5.3). */
export function cancelRun(run: Run, reason: unknown, grace: number): Promise<CancelReport> {
  return run.cancel(reason, grace, () => dropWork(run));
}

/** `handler.cancel`. */
export async function cancelByHandler(run: Run, reason: unknown, options?: unknown): Promise<CancelReport> {
  return cancelRun(run, reason, graceOf(run, options));
}

/** @throws DefinitionError */
export function graceOf(run: Run, options: unknown = {}): number {
  const refuse = (why: string): never => {
    throw new DefinitionError(`${run.title}, handler.cancel: ${why}`, { runId: run.runId });
  };
  if (!isPlainObject(options)) return refuse(`the options are an object, not ${describe(options)}.`);
  const { grace = 1000 } = options;
  if (typeof grace !== "number" || !(grace >= 0)) return refuse(`"grace" is a number of milliseconds, not ${describe(grace)}.`);
  return grace;
}

export function dropWork(run: Run): void {
  run.clear();
  if (run.handle < 0) return;
  frame(IN_CANCEL, 0, 0, 0);
  exchange(run);
  run.clear();
}

/** Ends a run that the core would go on with. */
export function failRun(run: Run, error: Error): void {
  if (run.over || run.cancelling) return;
  dropWork(run);
  run.fail(error);
}

/** Cancels the run when the caller's signal is aborted, and leaves nothing on it. */
export function attach(run: Run, signal: AbortSignal | undefined): void {
  if (signal === undefined) return;
  if (signal.aborted) {
    void cancelRun(run, signal.reason, 0);
    return;
  }
  const onAbort = () => void cancelRun(run, signal.reason, 1000);
  signal.addEventListener("abort", onAbort, { once: true });
  run.onEnd = () => signal.removeEventListener("abort", onAbort);
}
