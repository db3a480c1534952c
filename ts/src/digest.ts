import { cold } from "./buffer";
import { encode } from "./codec";
import { define } from "./codec/define";
import { UnserializableError } from "./errors";
import type { Run } from "./run";

/** An answer that was given: a hash of its value, whatever the order of its keys; none of what cannot be stored. */
export interface Given {
  readonly digest: string | undefined;
  /** The very value where it has no digest, in the process that took it. */
  readonly value: unknown;
}

export function given(run: Run, value: unknown): Given {
  const digest = digestOf(run, value);
  return { digest, value: digest === undefined ? value : undefined };
}

export function sameAnswer(run: Run, before: Given, value: unknown): boolean {
  if (before.digest === undefined) return before.value !== undefined && before.value === value;
  return before.digest === digestOf(run, value);
}

const encoder = new TextEncoder();

function digestOf(run: Run, value: unknown): string | undefined {
  try {
    const { types } = run.memoryOptions;
    let encoded = encode(value, "response", types);
    // Bytes and objects that are there twice are counted in the order of the keys.
    if ((encoded.bytes?.length ?? 0) > 1 || isGraph(encoded.tree)) encoded = encode(inOrder(value, new Map()), "response", types);
    const { tree, bytes = [] } = encoded;
    const core = run.plan.binding;
    return [encoder.encode(JSON.stringify(ordered(tree))), ...bytes].map((piece) => cold(() => core.digest(piece))).join("");
  } catch (error) {
    if (error instanceof UnserializableError) return undefined;
    throw error;
  }
}

function isGraph(tree: unknown): boolean {
  return typeof tree === "object" && tree !== null && (tree as { $?: unknown }).$ === "graph";
}

/** A copy whose objects have their keys in one order, for all orders of keys. */
function inOrder(value: unknown, copies: Map<object, object>): unknown {
  if (typeof value !== "object" || value === null) return value;
  const known = copies.get(value);
  if (known !== undefined) return known;
  const made = <T extends object>(copy: T): T => {
    copies.set(value, copy);
    return copy;
  };
  const prototype = Object.getPrototypeOf(value);
  switch (prototype) {
    case Map.prototype: {
      const copy = made(new Map());
      for (const [key, item] of value as Map<unknown, unknown>) copy.set(inOrder(key, copies), inOrder(item, copies));
      return copy;
    }
    case Set.prototype: {
      const copy = made(new Set());
      for (const item of value as Set<unknown>) copy.add(inOrder(item, copies));
      return copy;
    }
    case Array.prototype:
    case Object.prototype:
    case null: {
      const copy: object = made(Array.isArray(value) ? new Array(value.length) : Object.create(prototype));
      for (const key of Object.keys(value).sort()) define(copy, key, inOrder((value as Record<string, unknown>)[key], copies));
      return copy;
    }
  }
  return value;
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
