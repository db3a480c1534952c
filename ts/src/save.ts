import { cold, exchange, frame, GONE } from "./buffer";
import { type Encoded, encode, encodeFields } from "./codec";
import type { Event } from "./event";
import { internal, message, runOver } from "./failure";
import { IN_PAUSE } from "./generated/tables";
import { documentText, Entries, type HostPart, items, sameAs } from "./host-part";
import { pin, storedEntries } from "./instance";
import { elapsed } from "./limits";
import type { Run } from "./run";
import { storeSession } from "./session-policy";
import { own, type Snapshot, snapshotOf } from "./snapshot";
import { payloadOf, standIn } from "./stored-event";
import { positionOf } from "./stream";

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

/** The core stops dispatch, and hands over all commands it has: it stores no run of which the host does not know all. */
export function fetchCommands(run: Run): void {
  frame(IN_PAUSE, 1, 0, 0);
  do exchange(run);
  while (run.more);
}

/** Payloads that are written at a time. */
const CHUNK = 1000;

/** How the host's part of a snapshot is made. */
export interface Making {
  /** What cannot be stored is left out, or stands as its slot: nobody gets this snapshot. */
  readonly lenient?: boolean;
  /** A member that a test leaves out. */
  readonly omit?: string;
}

/** @throws UnserializableError, SessionPauseError */
export function hostPart(run: Run, { lenient = false, omit = "" }: Making = {}): HostPart {
  const entries = new Entries();
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
    payloads.push(encoded.bytes === undefined ? encoded.tree : entries.keep(`event/${slot}`, encoded));
  });
  const { memory } = run;
  for (const [key, id] of run.joinKeys ?? []) entries.add(`key/${id}`, encode(key, "key", run.memoryOptions.types));
  for (const [id, number] of run.ids ?? []) entries.list.push([`sent/${number}`, id]);
  let answers = 0;
  for (const [id, { digest }] of run.requests?.answers() ?? [])
    entries.list.push([`answered/${answers++}`, { id, ...(digest === undefined ? {} : { digest }) }]);
  const time = elapsed(run);
  if (time > 0) entries.list.push(["elapsed", time]);
  // Before it has begun, the run is what its snapshot says.
  const dropped = run.begun ? [] : [...(run.dropped ?? [])];
  for (const [key, value] of memory?.state ?? run.memoryOptions.initial) {
    for (const [suffix, entry] of storedEntries(value)) entries.add(`state/${encodeURIComponent(key)}${suffix}`, entry);
    if (!lenient) pin(value);
  }
  const position = positionOf(run);
  if (position > 0) entries.list.push(["stream", position]);
  const { pausePolicy } = memory ?? run.memoryOptions;
  if (pausePolicy !== "pickle_or_error") entries.list.push(["policy", pausePolicy]);
  if (memory !== undefined) {
    const aborted = abortedOf(run);
    for (const [seq, results] of memory.once ?? []) {
      if (aborted.has(seq)) continue;
      for (const [key, result] of results) if (!(result instanceof Promise)) entries.add(`once/${seq}/${encodeURIComponent(key)}`, result);
    }
    if (memory.commits > 0) entries.list.push(["commits", memory.commits]);
    storeSession(run, entries, dropped, lenient);
  }
  const { list, bytes } = entries;
  return {
    document: { runId: run.runId, droppedSession: dropped, unbegun: run.uncalled(), slots, types, payloads, written, entries: list, bytes, omit },
    blob: entries.blob(),
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

/** @param slot stands for an event that cannot be stored */
function encodeEvent(run: Run, event: Event, slot?: number): Encoded {
  try {
    return encodeFields(payloadOf(event), () => `events[${event.type}]`, run.memoryOptions.types);
  } catch (error) {
    if (slot === undefined) throw error;
    return { tree: standIn(event, slot), bytes: undefined };
  }
}
