import { cold } from "./buffer";
import { StoreError } from "./errors";
import { message } from "./failure";
import type { Plan } from "./plan";
import { own } from "./snapshot";
import type { StoredRun } from "./store";

/** A run's snapshot as its store has it. @throws StoreError for checkpoints that do not fit together */
export function mergedRun(plan: Plan, { runId, bytes }: StoredRun): Uint8Array<ArrayBuffer> {
  const whole = bytes.length === 1 ? new Uint8Array(bytes[0]!) : mergedBytes(plan, bytes);
  if (whole !== undefined) return whole;
  throw new StoreError(`${plan.title}: the checkpoints of run ${runId} cannot be used: ${message(plan.binding.lastError())}.`, { runId });
}

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
