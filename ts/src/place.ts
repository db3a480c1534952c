import { BlazenError } from "./errors";

/** Calls a function whose errors do not know where they happen, and tells them (13). */
export function placed<T>(where: { readonly runId: string; readonly stepName: string }, call: () => T): T {
  try {
    return call();
  } catch (error) {
    // Asked for only now: a run's id is made when somebody first wants it.
    if (error instanceof BlazenError) Object.assign(error, { runId: where.runId, step: where.stepName });
    throw error;
  }
}
