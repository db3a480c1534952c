import { cold } from "./buffer";
import type { Plan } from "./plan";
import { own } from "./snapshot";

/** The snapshot that a base and the deltas after it make; undefined: the core's last error tells why there is none. */
export function mergedBytes(plan: Plan, pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> | undefined {
  const lengths = Uint32Array.from(pieces, ({ byteLength }) => byteLength);
  const parts = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    parts.set(piece, at);
    at += piece.byteLength;
  }
  const merged = cold(() => plan.binding.merge(parts, lengths));
  return merged === undefined ? undefined : own(merged);
}
