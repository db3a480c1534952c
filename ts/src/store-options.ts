import type { CheckpointPolicy } from "./checkpoints";
import type { RunOptions } from "./handler";
import type { Keeping } from "./kept-run";
import { describe, isPlainObject } from "./values";

/** Ms after which a run that only waits leaves memory. */
export const UNLOAD = 60_000;

type StoreOptions = Record<"store" | "checkpoint" | "durability" | "unloadAfter", unknown>;

/** @param refuse throws the DefinitionError */
export function checkStoreOptions({ store, checkpoint, durability, unloadAfter }: StoreOptions, refuse: (why: string) => never): void {
  if (store === undefined) {
    if (checkpoint !== undefined || durability !== undefined || unloadAfter !== undefined)
      refuse('"checkpoint", "durability" and "unloadAfter" are for a run with a "store".');
    return;
  }
  if (typeof (store as { append?: unknown } | null)?.append !== "function") refuse(`"store" is a CheckpointStore, not ${describe(store)}.`);
  if (durability !== undefined && durability !== "strict" && durability !== "relaxed")
    refuse(`"durability" is "strict" or "relaxed", not ${describe(durability)}.`);
  if (!isUnloadAfter(unloadAfter)) refuse(`"unloadAfter" is a number of milliseconds, Infinity for never, not ${describe(unloadAfter)}.`);
  if (checkpoint === undefined || checkpoint === "step") return;
  const known = isPlainObject(checkpoint) && Object.keys(checkpoint).length === 1 && ("every" in checkpoint || "ms" in checkpoint);
  const number = known ? (checkpoint as { every?: unknown; ms?: unknown }) : undefined;
  const value = number?.every ?? number?.ms;
  if (typeof value !== "number" || !(value >= 1) || (number?.every !== undefined && !Number.isInteger(value)))
    refuse(`"checkpoint" is "step", { every: n } with a whole number of commits from 1, or { ms: n } with n from 1, not ${describe(checkpoint)}.`);
  // What goes on is on disk, so each commit has to be written.
  if (durability !== "relaxed") refuse('a "checkpoint" other than "step" goes with `durability: "relaxed"` alone: strict stores every commit.');
}

export function isUnloadAfter(value: unknown): boolean {
  return value === undefined || (typeof value === "number" && value >= 0);
}

/** How a run is kept, by its options, and goes on here when it has left memory. */
export function keepingOf(options: RunOptions, owner: string): Keeping {
  return { policy: policyOf(options), unloadAfter: options.unloadAfter ?? UNLOAD, owner, returns: true, options };
}

/** When a run's checkpoints are written, by its options. */
export function policyOf({ checkpoint, durability }: RunOptions): CheckpointPolicy {
  const strict = durability !== "relaxed";
  if (typeof checkpoint !== "object") return { strict, every: 1, ms: 0 };
  return "every" in checkpoint ? { strict, every: checkpoint.every, ms: 0 } : { strict, every: Number.POSITIVE_INFINITY, ms: checkpoint.ms };
}
