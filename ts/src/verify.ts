import { close, cold } from "./buffer";
import { encodedEqual } from "./codec";
import { InternalError, SnapshotError } from "./errors";
import { internal, message } from "./failure";
import type { HostPart } from "./host-part";
import { fill } from "./resume";
import { addChildren, restored } from "./resume-children";
import { Run } from "./run";
import { hostPart, save } from "./save";
import { read } from "./stored";
import { describe } from "./values";

/** Items of a run up to which every commit is verified; then one each time that their number has doubled. */
const EVERY = 1000;

/**
 * Stores the run, goes on from that in a second run, stores it again, and compares: what a snapshot would lose fails the run
 * with an InternalError that names it. Runs between two exchanges, and changes nothing.
 */
export function verifyRun(run: Run): void {
  // What the host has not fetched yet is verified with the next commit.
  if (run.over || run.handle < 0 || run.more || run.requests?.refused) return;
  const items = run.size + (run.memory?.state.size ?? 0) + run.plan.steps.length;
  if (items > EVERY && items < 2 * run.verified) return;
  run.verified = items;
  const error = verificationError(run);
  if (error === undefined) return;
  const { handle } = run;
  run.fail(error);
  close(run.plan.binding, handle);
}

function verificationError(run: Run): Error | undefined {
  const lost = (part: string, cause?: unknown) => internal(run, `a snapshot taken now would lose a part of the run: ${part}`, cause);
  try {
    const part = lostPart(run);
    return part === undefined ? undefined : lost(part);
  } catch (error) {
    // The commit is done: thrown on, this would fail an attempt that may have settled, and nobody would hear of it.
    if (error instanceof InternalError) return error;
    // What cannot be read names the part itself.
    return lost(error instanceof SnapshotError ? error.message.replace(/^The snapshot cannot be used: |\.$/g, "") : describe(error), error);
  }
}

function lostPart(run: Run): string | undefined {
  const { plan } = run;
  const core = plan.binding;
  const part = hostPart(run, { lenient: true });
  const bytes = save(run, part);
  const member = cold(() => core.verify(plan.id, run.handle, bytes, Uint32Array.from(part.document.unbegun))) ?? message(core.lastError());
  if (member !== "") return member;
  const other = new Run(plan, run.runId);
  const stored = read(plan, bytes);
  addChildren(other, stored);
  other.handle = restored(other, bytes);
  if (other.handle < 0) return message(core.lastError());
  try {
    fill(other, stored);
    const again = hostPart(other, { lenient: true });
    return difference(part, again) ?? (sameBytes(bytes, save(other, again)) ? undefined : "bytes");
  } finally {
    close(core, other.handle);
  }
}

/** The section in which two host's parts differ. */
function difference(one: HostPart, two: HostPart): string | undefined {
  if (one.document.runId !== two.document.runId) return "runId";
  // What lies where in the blobs says nothing: the entries of a stored run are in another order.
  const [mine, its] = [piecesOf(one), piecesOf(two)];
  const differ = (key: string, a: unknown, b: unknown) => !encodedEqual({ tree: a, bytes: mine.get(key) }, { tree: b, bytes: its.get(key) });
  const { slots, types, payloads } = one.document;
  if (slots.length !== two.document.slots.length) return "event";
  const other = two.document;
  const differs = (slot: number, at: number) =>
    slot !== other.slots[at] || types[at] !== other.types[at] || differ(`event/${slot}`, payloads[at], other.payloads[at]);
  if (slots.some(differs)) return "event";
  const others = new Map(two.document.entries);
  for (const [key, tree] of one.document.entries) {
    // The core keeps those that something waits for, and has compared them.
    if (!others.has(key) && /^(?:key|(?:child\/\d+\/)?sent)\//.test(key)) continue;
    if (!others.has(key) || differ(key, tree, others.get(key))) return key.split("/")[0];
    others.delete(key);
  }
  for (const key of others.keys()) return key.split("/")[0];
  return undefined;
}

/** Byte arrays by the key of what holds them. */
function piecesOf({ document, blob }: HostPart): Map<string, Uint8Array[]> {
  let offset = 0;
  const piece = (length: number) => {
    offset += length;
    return blob.subarray(offset - length, offset);
  };
  return new Map(document.bytes.map(([key, lengths]) => [key, lengths.map(piece)]));
}

function sameBytes(one: Uint8Array, two: Uint8Array): boolean {
  return one.length === two.length && one.every((byte, at) => byte === two[at]);
}
