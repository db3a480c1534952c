import type { CheckpointPolicy } from "./checkpoints";
import type { RunOptions } from "./handler";
import { describe, isPlainObject } from "./values";

type StoreOptions = Record<"store" | "checkpoint" | "durability", unknown>;

/** @param refuse throws the DefinitionError */
export function checkStoreOptions({ store, checkpoint, durability }: StoreOptions, refuse: (why: string) => never): void {
  if (store === undefined) {
    if (checkpoint !== undefined || durability !== undefined) refuse('"checkpoint" and "durability" are for a run with a "store".');
    return;
  }
  if (typeof (store as { append?: unknown } | null)?.append !== "function") refuse(`"store" is a CheckpointStore, not ${describe(store)}.`);
  if (durability !== undefined && durability !== "strict" && durability !== "relaxed")
    refuse(`"durability" is "strict" or "relaxed", not ${describe(durability)}.`);
  if (checkpoint === undefined || checkpoint === "step") return;
  const known = isPlainObject(checkpoint) && Object.keys(checkpoint).length === 1 && ("every" in checkpoint || "ms" in checkpoint);
  const number = known ? (checkpoint as { every?: unknown; ms?: unknown }) : undefined;
  const value = number?.every ?? number?.ms;
  if (typeof value !== "number" || !(value >= 1) || (number?.every !== undefined && !Number.isInteger(value)))
    refuse(`"checkpoint" is "step", { every: n } with a whole number of commits from 1, or { ms: n } with n from 1, not ${describe(checkpoint)}.`);
  // What goes on is on disk, so each commit has to be written.
  if (durability !== "relaxed") refuse('a "checkpoint" other than "step" goes with `durability: "relaxed"` alone: strict stores every commit.');
}

/** When a run's checkpoints are written, by its options. */
export function policyOf({ checkpoint, durability }: RunOptions): CheckpointPolicy {
  const strict = durability !== "relaxed";
  if (typeof checkpoint !== "object") return { strict, every: 1, ms: 0 };
  return "every" in checkpoint ? { strict, every: checkpoint.every, ms: 0 } : { strict, every: Number.POSITIVE_INFINITY, ms: checkpoint.ms };
}
