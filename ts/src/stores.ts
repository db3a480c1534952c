import type { Attempt } from "./attempt";
import { decode, type Encoded, encode, encodedEqual, marksOf, type StateClass } from "./codec";
import { FieldStoreError } from "./errors";
import type { FieldStore } from "./field-store";
import type { Flow } from "./flow";
import { Kept, StateValue } from "./instance";
import { memoryOf, type RunMemory } from "./memory";
import { fieldPath } from "./path";
import { describe } from "./values";

/** A field that a store keeps, and where it is. */
export interface Stored {
  readonly key: string;
  readonly type: StateClass;
  readonly field: string;
  readonly kept: Kept;
}

type Changes = ReadonlyMap<string, Encoded | undefined>;

function* keptIn(values: Iterable<readonly [string, Encoded | undefined]>): Generator<Stored> {
  for (const [key, value] of values) if (value instanceof StateValue) for (const [field, kept] of value.kept()) yield { key, type: value.type, field, kept };
}

/**
 * Saves the fields in a commit's changes that no store has yet (8.3).
 *
 * @param saved what this commit has saved before, for changes that an update has made anew since; gets what is saved now
 * @returns undefined if there are none
 * @throws (as a rejection) FieldStoreError: none of them counts as saved
 */
export function saveFields(attempt: Attempt, changes: Changes, saved: Stored[]): Promise<void> | undefined {
  const fields: Stored[] = [];
  for (const one of keptIn(changes)) {
    const { kept } = one;
    if (kept.place.key !== undefined) continue;
    const before = saved.find(({ key, field, kept: other }) => key === one.key && field === one.field && encodedEqual(other.value!, kept.value!));
    if (before?.kept.place.key !== undefined) kept.place = before.kept.place;
    else fields.push(one);
  }
  return fields.length === 0 ? undefined : saveAll(attempt, fields, saved);
}

async function saveAll(attempt: Attempt, fields: readonly Stored[], saved: Stored[]): Promise<void> {
  const memory = memoryOf(attempt.flow as Flow);
  const { types } = memory.options;
  const { runId } = attempt;
  memory.commits++;
  const commit = memory.commits;
  // A store's code is called when the step's own is not on the stack.
  await undefined;
  const outcomes = await Promise.allSettled(
    fields.map(async ({ key, type, field, kept }) => {
      const name = `${runId}/${encodeURIComponent(key)}/${field}/${commit}`;
      try {
        await storeOf(type, field).save(name, decode(kept.value!, types), attempt);
      } catch (cause) {
        throw storeError("save", key, type, field, cause, { runId, step: attempt.stepName });
      }
      return name;
    }),
  );
  outcomes.forEach((outcome, at) => {
    if (outcome.status === "rejected") return;
    const one = fields[at]!;
    one.kept.place = { key: outcome.value, pinned: false };
    saved.push(one);
  });
  for (const outcome of outcomes) {
    if (outcome.status === "fulfilled") continue;
    for (const one of saved) remove(one, runId);
    throw outcome.reason;
  }
}

/** Where fields are kept that a commit replaces. */
export function replacedBy(changes: Changes, memory: RunMemory): Stored[] {
  const replaced: Stored[] = [];
  for (const [key, next] of changes) {
    const before = memory.state.get(key);
    if (!(before instanceof StateValue)) continue;
    for (const [field, kept] of before.kept()) {
      const now = next instanceof StateValue ? next.fields.get(field) : undefined;
      if (!(now instanceof Kept) || now.place !== kept.place) replaced.push({ key, type: before.type, field, kept });
    }
  }
  return replaced;
}

/** Tells the store that nothing names a key any more, unless a snapshot does. Whoever holds the value would save it again. */
export function remove({ key, type, field, kept }: Stored, runId: string): void {
  const { place } = kept;
  const name = place.key;
  const store = marksOf(type).storeBy.get(field);
  if (name === undefined || place.pinned || store?.delete === undefined) return;
  place.key = undefined;
  void Promise.resolve().then(async () => {
    try {
      await store.delete!(name);
    } catch (cause) {
      // Nobody waits for it: it becomes an unhandled rejection (13).
      throw storeError("delete", key, type, field, cause, { runId });
    }
  });
}

/** Those of a commit that did not become part of the run. */
export function unused(saved: readonly Stored[], changes: Changes): Stored[] {
  const used = new Set([...keptIn(changes)].map(({ kept }) => kept.place));
  return saved.filter(({ kept }) => !used.has(kept.place));
}

/** Fields whose values are still with their store. */
export function unloaded(memory: RunMemory): Stored[] {
  return [...keptIn(memory.state)].filter(({ kept }) => kept.value === undefined);
}

/** @throws (as a rejection) FieldStoreError */
export async function loadField({ key, type, field, kept }: Stored, ctx: Attempt): Promise<void> {
  try {
    const value = await storeOf(type, field).load(kept.place.key!, ctx);
    kept.value = encode(value, fieldPath(fieldPath("state", key), field), ctx.flow.memoryOptions.types);
  } catch (cause) {
    throw storeError("load", key, type, field, cause, { runId: ctx.runId });
  }
}

function storeOf(type: StateClass, field: string): FieldStore {
  return marksOf(type).storeBy.get(field)!;
}

function storeError(what: string, key: string, type: StateClass, field: string, cause: unknown, details: { runId: string; step?: string }): FieldStoreError {
  const why = cause instanceof Error ? cause.message : describe(cause);
  return new FieldStoreError(
    `${fieldPath(fieldPath("state", key), field)}: the field store of "${field}" of ${type.meta.name} could not ${what} it: ${why}`,
    type.meta.name,
    field,
    { ...details, cause },
  );
}
