import type { Attempt } from "./attempt";
import { decode, type Encoded, encode, type Types } from "./codec";
import type { Flow } from "./flow";
import type { RunMemory } from "./memory";
import { fieldPath } from "./path";
import { placed } from "./place";

/** Results of effects by number of the invocation and key; a promise while the effect is under way. */
export type OnceTable = Map<number, Map<string, Encoded | Promise<Encoded>>>;

/**
 * Runs an effect of an invocation once and gives a copy of its result, here and in every later attempt (4.4).
 *
 * @throws (as a rejection) what the effect throws; UnserializableError for a result that cannot be stored
 */
export async function once(memory: RunMemory, attempt: Attempt, key: string, effect: () => unknown): Promise<unknown> {
  const { types } = memory.options;
  const { seq } = attempt;
  memory.once ??= new Map();
  let results = memory.once.get(seq);
  if (results === undefined) {
    results = new Map();
    memory.once.set(seq, results);
  }
  let result = results.get(key);
  if (result === undefined) {
    result = record(results, attempt, key, effect, types);
    results.set(key, result);
  }
  return decode(result instanceof Promise ? await result : result, types);
}

async function record(results: Map<string, Encoded | Promise<Encoded>>, attempt: Attempt, key: string, effect: () => unknown, types: Types): Promise<Encoded> {
  // The effect may ask for itself: it must be known before it runs.
  await undefined;
  try {
    const given = await effect();
    const result = placed(attempt, () => encode(given, fieldPath("once", key), types));
    results.set(key, result);
    const flow = attempt.flow as Flow;
    // The step goes on when nothing makes the effect happen again.
    await flow.run.checkpoints?.onceRecorded(flow, attempt.seq, key, result);
    return result;
  } catch (error) {
    results.delete(key);
    throw error;
  }
}

/** The invocation has settled for good: nobody asks for its results any more. */
export function forgetOnce(flow: Flow, seq: number): void {
  if (flow.memory?.once?.delete(seq) === true) flow.run.checkpoints?.onceForgotten(flow, seq);
}
