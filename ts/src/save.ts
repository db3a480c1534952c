import { cold, exchange, frame, GONE } from "./buffer";
import { type Encoded, encode, encodeFields } from "./codec";
import { warn } from "./environment";
import { RunOverError, SessionPauseError, UnserializableError } from "./errors";
import { type Event, KIND } from "./event";
import { internal, message } from "./failure";
import { IN_PAUSE } from "./generated/tables";
import { pin, storedEntries } from "./instance";
import { fieldPath } from "./path";
import type { Run } from "./run";
import { own, type Snapshot, snapshotOf } from "./snapshot";

/** The host's part of a snapshot, as the core wants it (docs/internal/boundary.md). */
export interface HostPart {
  readonly document: {
    readonly runId: string;
    readonly droppedSession: readonly string[];
    readonly unbegun: readonly number[];
    readonly slots: readonly number[];
    /** By slot: type and payload. */
    readonly types: readonly string[];
    readonly payloads: readonly unknown[];
    /** Payloads before those, as JSON: of many events none is kept longer than its text takes. */
    readonly written: readonly string[];
    readonly entries: readonly (readonly [string, unknown])[];
    readonly bytes: readonly (readonly [string, readonly number[]])[];
    /** A member that a test leaves out. */
    readonly omit: string;
  };
  readonly blob: Uint8Array<ArrayBuffer>;
}

/**
 * The run as it stands: between two steps, or within one that counts as not settled.
 *
 * @throws UnserializableError for an event that cannot be stored, SessionPauseError, RunOverError when the core has ended it
 */
export function takeSnapshot(run: Run): Snapshot {
  const stopped = run.more;
  if (stopped) fetchCommands(run);
  try {
    if (run.over || run.handle === GONE) throw runOver(run, "stored");
    return snapshotOf(save(run, hostPart(run)));
  } finally {
    if (stopped && run.pause === undefined) {
      frame(IN_PAUSE, 0, 0, 0);
      exchange(run);
    }
  }
}

export function save(run: Run, { document, blob }: HostPart): Uint8Array<ArrayBuffer> {
  const core = run.plan.binding;
  const bytes = cold(() => core.save(run.handle, documentText(document), blob));
  if (bytes === undefined) throw internal(run, message(core.lastError()));
  return own(bytes);
}

const encoder = new TextEncoder();

/** Payloads that are written at a time. */
const CHUNK = 1000;

/** What stands between the brackets of a list. */
function items(list: readonly unknown[]): string {
  return JSON.stringify(list).slice(1, -1);
}

/** What `documentText` writes, beside what it leaves as it is. */
interface Lists {
  readonly types: readonly string[];
  readonly payloads: readonly unknown[];
  readonly written?: readonly string[];
  readonly entries: readonly (readonly [string, unknown])[];
}

/** JSON in UTF-8: lists side by side, which the core reads in one pass, and each type's name once. */
export function documentText({ types, payloads, written = [], entries, ...rest }: Lists): Uint8Array {
  const names = new Map<string, number>();
  const of = types.map((type) => {
    const known = names.get(type);
    if (known !== undefined) return known;
    names.set(type, names.size);
    return names.size - 1;
  });
  const document = { ...rest, types: [...names.keys()], of, keys: entries.map(([key]) => key), values: entries.map(([, value]) => value) };
  const all = payloads.length === 0 ? written : [...written, items(payloads)];
  return encoder.encode(`{"payloads":[${all.join(",")}],${JSON.stringify(document).slice(1)}`);
}

/** The core stops dispatch, and hands over all commands it has: it stores no run of which the host does not know all. */
export function fetchCommands(run: Run): void {
  frame(IN_PAUSE, 1, 0, 0);
  do exchange(run);
  while (run.more);
}

/** How the host's part of a snapshot is made. */
export interface Making {
  /** What cannot be stored is left out, or stands as its slot: nobody gets this snapshot. */
  readonly lenient?: boolean;
  /** A member that a test leaves out. */
  readonly omit?: string;
}

/** @throws UnserializableError, SessionPauseError */
export function hostPart(run: Run, { lenient = false, omit = "" }: Making = {}): HostPart {
  const entries: [string, unknown][] = [];
  const bytes: [string, number[]][] = [];
  const pieces: Uint8Array[] = [];
  const keep = (key: string, value: Encoded): unknown => {
    if (value.bytes !== undefined) {
      bytes.push([key, value.bytes.map(({ byteLength }) => byteLength)]);
      pieces.push(...value.bytes);
    }
    return value.tree;
  };
  const add = (key: string, value: Encoded) => entries.push([key, keep(key, value)]);

  const slots: number[] = [];
  const types: string[] = [];
  const payloads: unknown[] = [];
  const written: string[] = [];
  // An event that was emitted twice is one object, and stays one (7.3).
  const seen = new Set<Event>();
  let firsts: Map<Event, number> | undefined;
  run.eachEvent((event, slot) => {
    slots.push(slot);
    types.push(event.type);
    if (seen.size === seen.add(event).size) {
      firsts ??= firstSlots(run);
      payloads.push(sameAs(firsts.get(event)!));
      return;
    }
    if (payloads.length === CHUNK && !lenient) written.push(items(payloads.splice(0)));
    const encoded = encodeEvent(run, event, lenient ? slot : undefined);
    payloads.push(encoded.bytes === undefined ? encoded.tree : keep(`event/${slot}`, encoded));
  });
  const { memory } = run;
  for (const [key, id] of run.joinKeys ?? []) add(`key/${id}`, encode(key, "key", run.memoryOptions.types));
  for (const [id, number] of run.ids ?? []) entries.push([`sent/${number}`, id]);
  // Before it has begun, the run is what its snapshot says.
  const dropped = run.begun ? [] : [...(run.dropped ?? [])];
  for (const [key, value] of memory?.state ?? run.memoryOptions.initial) {
    for (const [suffix, entry] of storedEntries(value)) add(`state/${encodeURIComponent(key)}${suffix}`, entry);
    if (!lenient) pin(value);
  }
  const { pausePolicy } = memory ?? run.memoryOptions;
  if (pausePolicy !== "pickle_or_error") entries.push(["policy", pausePolicy]);
  if (memory !== undefined) {
    const aborted = abortedOf(run);
    for (const [seq, results] of memory.once ?? []) {
      if (aborted.has(seq)) continue;
      for (const [key, result] of results) if (!(result instanceof Promise)) add(`once/${seq}/${encodeURIComponent(key)}`, result);
    }
    if (memory.commits > 0) entries.push(["commits", memory.commits]);
    storeSession(run, add, dropped, lenient);
  }
  return {
    document: { runId: run.runId, droppedSession: dropped, unbegun: run.uncalled(), slots, types, payloads, written, entries, bytes, omit },
    blob: joined(pieces),
  };
}

/** Numbers of the invocations that no resume calls again: nobody asks for their results. */
function abortedOf(run: Run): Set<number> {
  const aborted = new Set<number>();
  for (let at = run.live; at !== undefined; at = at.next) if (at.aborted) aborted.add(at.seq);
  return aborted;
}

/** By event; most runs hold none twice, and need no such table. */
function firstSlots(run: Run): Map<Event, number> {
  const firsts = new Map<Event, number>();
  run.eachEvent((event, slot) => {
    if (!firsts.has(event)) firsts.set(event, slot);
  });
  return firsts;
}

/** The payload of an event that is the very object of another slot. */
export function sameAs(slot: number): unknown {
  return { $: "event", slot };
}

/** The slot whose event a payload stands for; undefined for a payload of its own. */
export function sameSlot(payload: unknown): unknown {
  const tagged = payload as { $?: unknown; slot?: unknown } | null;
  return typeof tagged === "object" && tagged?.$ === "event" ? tagged.slot : undefined;
}

/** @param slot stands for an event that cannot be stored */
export function encodeEvent(run: Run, event: Event, slot?: number): Encoded {
  try {
    return encodeFields(fieldsOf(event), () => `events[${event.type}]`, run.memoryOptions.types);
  } catch (error) {
    if (slot === undefined) throw error;
    return { tree: { slot }, bytes: undefined };
  }
}

/** An event's payload: an instance has its type from its class, a plain object its own. */
export function fieldsOf(event: Event): object {
  if (KIND in event) return event;
  const { type: _, ...fields } = event;
  return fields;
}

/** What a snapshot keeps of the session, by the policy (7.4). */
function storeSession(run: Run, add: (key: string, value: Encoded) => void, dropped: string[], lenient: boolean): void {
  const { memory } = run;
  const session = memory?.session;
  if (memory === undefined || session === undefined || session.entries.size === 0) return;
  const { types } = memory.options;
  const keys = [...session.entries.keys()].sort();
  if (memory.pausePolicy === "warn_drop") {
    if (lenient) return;
    dropped.push(...keys.filter((key) => !dropped.includes(key)));
    warn(`Workflow "${run.workflowName}": the snapshot of run ${run.runId} leaves out the session's ${keys.map((key) => JSON.stringify(key)).join(", ")}.`);
    return;
  }
  const refused: string[] = [];
  let cause: unknown;
  for (const key of keys) {
    const value = session.get(key);
    try {
      if (memory.pausePolicy !== "hard_error" && (memory.pausePolicy === "pickle_or_serialize" || types.lists(value))) {
        add(`session/${encodeURIComponent(key)}`, encode(value, fieldPath("session", key), types));
        continue;
      }
    } catch (error) {
      if (!(error instanceof UnserializableError)) throw error;
      cause ??= error;
    }
    refused.push(key);
  }
  if (refused.length === 0 || lenient) return;
  const why =
    memory.pausePolicy === "hard_error"
      ? "the policy allows none"
      : memory.pausePolicy === "pickle_or_error"
        ? "they have no codec"
        : "they can be stored neither by a codec nor as plain values";
  throw new SessionPauseError(
    `Workflow "${run.workflowName}": no snapshot can be taken while the session holds ${refused.map((key) => JSON.stringify(key)).join(", ")}: ${why} (sessionPausePolicy "${memory.pausePolicy}"). Delete them, list codecs in "types", open them with ctx.session.use, or choose another policy.`,
    refused,
    { runId: run.runId, ...(cause === undefined ? {} : { cause }) },
  );
}

export function runOver(run: Run, what: string): RunOverError {
  const how = run.over || run.cancelling ? run.status : "it is about to tell its outcome";
  return new RunOverError(`Workflow "${run.workflowName}": the run is over (${how}), so it cannot be ${what}.`, { runId: run.runId });
}

/** Pieces of bytes one after the other. */
export function joined(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0;
  for (const piece of pieces) length += piece.byteLength;
  const blob = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    blob.set(piece, at);
    at += piece.byteLength;
  }
  return blob;
}
