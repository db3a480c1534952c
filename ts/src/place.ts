import { BlazenError } from "./errors";

/** Calls a function whose errors do not know where they happen, and tells them (13). */
export function placed<T>({ runId, stepName }: { readonly runId: string; readonly stepName: string }, call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (error instanceof BlazenError) Object.assign(error, { runId, step: stepName });
    throw error;
  }
}
