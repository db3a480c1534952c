import type { StreamItem } from "./stream";
import { describe } from "./values";

/**
 * An item as JSON. What JSON cannot carry stands there in a form that a person can read: a bigint as its digits, a Map as a list of
 * pairs, a Set as a list, bytes as base64, an Error as its name, message, code and cause, other numbers, functions, symbols and cycles as texts.
 * An event that cannot be read at all (a `toJSON` or a getter throws) has only its `type` and why: `unreadable`.
 */
export function itemJson({ offset, event, path, runId }: StreamItem): string {
  try {
    return JSON.stringify({ offset, event, path, runId }, replacer());
  } catch (error) {
    const unreadable = error instanceof Error ? error.message : describe(error);
    return JSON.stringify({ offset, event: { type: event.type, unreadable }, path, runId });
  }
}

function replacer(): (this: unknown, key: string, value: unknown) => unknown {
  /** The objects that the present one is within, outermost first. */
  const around: unknown[] = [];
  return function (this: unknown, key, value) {
    // What it was before its toJSON, which a Buffer has.
    const original = (this as Record<string, unknown>)[key];
    const readable = readableForm(ArrayBuffer.isView(original) ? original : value);
    if (typeof readable !== "object" || readable === null) return readable;
    while (around.length > 0 && around[around.length - 1] !== this) around.pop();
    if (around.includes(value) || around.includes(readable)) return "[circular]";
    around.push(readable);
    return readable;
  };
}

function readableForm(value: unknown): unknown {
  switch (typeof value) {
    case "bigint":
      return String(value);
    case "number":
      return Number.isFinite(value) ? value : String(value);
    case "function":
    case "symbol":
      return `[${describe(value)}]`;
    case "object":
      break;
    default:
      return value;
  }
  if (value instanceof Map) return [...value];
  if (value instanceof Set) return [...value];
  if (value instanceof RegExp) return String(value);
  if (value instanceof ArrayBuffer) return base64(new Uint8Array(value));
  if (ArrayBuffer.isView(value)) return base64(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  if (!(value instanceof Error)) return value;
  const { name, message, code, cause } = value as Error & { code?: unknown };
  return { name, message, ...(code === undefined ? {} : { code }), ...(cause === undefined ? {} : { cause }) };
}

function base64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x2000) text += String.fromCharCode(...bytes.subarray(at, at + 0x2000));
  return btoa(text);
}
