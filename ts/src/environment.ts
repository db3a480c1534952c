declare const process: { env: Record<string, string | undefined>; emitWarning?(text: string, type: string): void } | undefined;
declare const setImmediate: ((callback: () => void) => unknown) | undefined;

/** Whether emitted events are frozen, so that a step that mutates one is noticed (1.5). */
export const development: boolean = typeof process === "undefined" || process?.env["NODE_ENV"] !== "production";

/** Whether workflows check at commits that a snapshot would lose nothing, if they do not say so themselves. */
export function verifies(): boolean {
  return typeof process !== "undefined" && process?.env["BLAZEN_VERIFY"] === "1";
}

/** Tells the developer, by the runtime's own way. */
export function warn(text: string): void {
  if (typeof process !== "undefined" && typeof process.emitWarning === "function") process.emitWarning(text, "BlazenWarning");
  else console.warn(text);
}

/** Calls back after the host's event loop had a turn. */
export const afterTurn: (callback: () => void) => void = (() => {
  if (typeof setImmediate === "function") {
    const immediate = setImmediate;
    return (callback: () => void) => void immediate(callback);
  }
  const waiting: (() => void)[] = [];
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => waiting.shift()?.();
  return (callback: () => void) => {
    waiting.push(callback);
    port2.postMessage(0);
  };
})();

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
/** Bytes of a UUID's text before which a dash stands. */
const DASHES = new Set([4, 6, 8, 10]);
/** Randomness is asked for in advance: each call of the host costs more than the bytes. */
const pool = new Uint8Array(16 * 64);
let taken = pool.length;

/**
 * A version 4 UUID. Not by `randomUUID`: that is missing on pages that are not served securely, and what Node gives is a string of many parts, which
 * takes ten times the memory for as long as somebody keeps it.
 */
export function randomId(): string {
  if (taken === pool.length) {
    crypto.getRandomValues(pool);
    taken = 0;
  }
  const parts: string[] = [];
  for (let at = 0; at < 16; at++) {
    let byte = pool[taken++]!;
    if (at === 6) byte = (byte & 0x0f) | 0x40;
    else if (at === 8) byte = (byte & 0x3f) | 0x80;
    if (DASHES.has(at)) parts.push("-");
    parts.push(HEX[byte]!);
  }
  return parts.join("");
}
