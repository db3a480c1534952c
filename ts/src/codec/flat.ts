import { isWellFormed } from "../values";
import type { Tagged } from "./kinds";

/** The fields of a plain object, each accessor read once; undefined for another, and where reading one throws. */
export function plainCopy(value: object): Record<string, unknown> | undefined {
  try {
    return Object.getPrototypeOf(value) === Object.prototype ? copyOf(value) : undefined;
  } catch {
    return undefined;
  }
}

/** Fields above which V8 copies one by one where an object is spread, and all at once where they are assigned. */
const WIDE = 128;

export function copyOf(value: object): Record<string, unknown> {
  const fields = value as Record<string, unknown>;
  // Assigned, that name would set the prototype.
  if (Object.keys(fields).length <= WIDE || Object.hasOwn(fields, "__proto__")) return { ...fields };
  return Object.assign({}, fields);
}

/** Its own enumerable fields; undefined where reading one throws. */
export function fieldsOf(value: object): Record<string, unknown> | undefined {
  try {
    return { ...(value as Record<string, unknown>) };
  } catch {
    return undefined;
  }
}

/** Fields up to which looking at each is cheaper than a list of them. */
const FEW = 8;

/** Objects of one kind follow each other: their keys are the very strings that have been looked at. */
let known: readonly string[] = [];

/**
 * Most objects hold only what stands for itself, and need no more than a copy. Engines give all values at once for a third
 * of what each costs by its key.
 */
export function isFlat(copy: Record<string, unknown>): boolean {
  if ("$" in copy) return false;
  const keys = Object.keys(copy);
  const few = keys.length <= FEW;
  for (let at = 0; at < keys.length; at++) {
    const key = keys[at]!;
    if (key !== known[at] && !isWellFormed(key)) return false;
    if (few && !standsForItself(copy[key])) return false;
  }
  if ((!few && !Object.values(copy).every(standsForItself)) || Object.getOwnPropertySymbols(copy).length > 0) return false;
  known = keys;
  return true;
}

function standsForItself(value: unknown): boolean {
  return typeof value === "string" || typeof value === "boolean" || value === null || (typeof value === "number" && numberTree(value) === value);
}

export function numberTree(value: number): number | Tagged {
  if (Number.isFinite(value) && (value !== 0 || 1 / value > 0)) return value;
  return { $: "number", value: value === 0 ? "-0" : String(value) };
}

export function withoutSymbols(copy: Record<string, unknown>): Record<string, unknown> {
  for (const symbol of Object.getOwnPropertySymbols(copy)) delete (copy as Record<symbol, unknown>)[symbol];
  return copy;
}
