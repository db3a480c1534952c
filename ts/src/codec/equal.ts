import type { Encoded } from "./kinds";

/**
 * Whether two encoded values are the same.
 *
 * @param anyOrder whether the keys of objects may come in any order
 */
export function encodedEqual(a: Encoded, b: Encoded, anyOrder = false): boolean {
  return a === b || (bytesEqual(a.bytes, b.bytes) && treesEqual(a.tree, b.tree, anyOrder));
}

function treesEqual(a: unknown, b: unknown, anyOrder: boolean): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    for (let at = 0; at < a.length; at++) if (!treesEqual(a[at], b[at], anyOrder)) return false;
    return true;
  }
  if (Array.isArray(b)) return false;
  const keys = Object.keys(a);
  const others = Object.keys(b);
  if (keys.length !== others.length) return false;
  for (let at = 0; at < keys.length; at++) {
    const key = keys[at]!;
    if (anyOrder ? !Object.hasOwn(b, key) : key !== others[at]) return false;
    if (!treesEqual((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key], anyOrder)) return false;
  }
  return true;
}

function bytesEqual(a: readonly Uint8Array[] = [], b: readonly Uint8Array[] = []): boolean {
  return a.length === b.length && a.every((bytes, at) => bytes.length === b[at]!.length && bytes.every((byte, place) => byte === b[at]![place]));
}
