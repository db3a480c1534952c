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

/** A version 4 UUID; `randomUUID` is missing on pages that are not served securely. */
export function randomId(): string {
  if (typeof crypto.randomUUID === "function") return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
