import { cold } from "./buffer";
import { encode } from "./codec";
import { UnserializableError } from "./errors";
import type { Run } from "./run";

/** An answer that was given: a hash of its value, whatever the order of its keys; none of what cannot be stored. */
export interface Given {
  readonly digest: string | undefined;
  /** The very value, in the process that took it. */
  readonly value: unknown;
}

export function given(run: Run, value: unknown): Given {
  return { digest: digestOf(run, value), value };
}

export function sameAnswer(run: Run, before: Given, value: unknown): boolean {
  if (before.digest === undefined) return before.value !== undefined && before.value === value;
  return before.value === value || before.digest === digestOf(run, value);
}

const encoder = new TextEncoder();

function digestOf(run: Run, value: unknown): string | undefined {
  try {
    const { tree, bytes = [] } = encode(value, "response", run.memoryOptions.types);
    const core = run.plan.binding;
    return [encoder.encode(JSON.stringify(ordered(tree))), ...bytes].map((piece) => cold(() => core.digest(piece))).join("");
  } catch (error) {
    if (error instanceof UnserializableError) return undefined;
    throw error;
  }
}

/** The same for all orders of keys. */
function ordered(tree: unknown): unknown {
  if (typeof tree !== "object" || tree === null) return tree;
  if (Array.isArray(tree)) return tree.map(ordered);
  // Pairs, as names of an object would be in an order of their own.
  return {
    "": Object.entries(tree)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => [key, ordered(value)]),
  };
}
