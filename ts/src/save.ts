import { cold, exchange, frame, GONE } from "./buffer";
import { type Encoded, encode, encodeFields } from "./codec";
import type { Event } from "./event";
import { internal, message, runOver } from "./failure";
import { ChildRun, type Flow } from "./flow";
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
  return fetched(run, () => {
    if (run.over || run.handle === GONE) throw runOver(run, "stored");
    return snapshotOf(save(run, hostPart(run)));
  });
}

/** Stores a run of which the host knows all commands. */
export function fetched<T>(run: Run, store: () => T): T {
  const stopped = run.more;
  if (stopped) fetchCommands(run);
  try {
    return store();
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
  /** Of a checkpoint, which has of the session what has codecs (12.2). */
  readonly checkpoint?: boolean;
  /** Deltas are to follow. */
  readonly base?: boolean;
  /** A member that a test leaves out. */
  readonly omit?: string;
}

/** @throws UnserializableError, SessionPauseError */
export function hostPart(run: Run, making: Making = {}): HostPart {
  const { lenient = false, base = false, omit = "" } = making;
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
    const encoded = encodeEvent(run.owner(slot), event, lenient ? slot : undefined);
    payloads.push(encoded.bytes === undefined ? encoded.tree : entries.keep(`event/${slot}`, encoded));
  });
  for (const [key, id] of run.joinKeys ?? []) entries.add(`key/${id}`, encode(key, "key", run.memoryOptions.types));
  let answers = 0;
  for (const [id, { digest }] of run.requests?.answers() ?? [])
    entries.list.push([`answered/${answers++}`, { id, ...(digest === undefined ? {} : { digest }) }]);
  const position = positionOf(run);
  if (position > 0) entries.list.push(["stream", position]);
  // Before it has begun, the run is what its snapshot says.
  const dropped = run.begun ? [] : [...(run.dropped ?? [])];
  saveFlow(run, "", entries, dropped, making);
  for (const child of run.children ?? []) saveChild(child, entries, dropped, making);
  const { list, bytes } = entries;
  const document = { runId: run.runId, droppedSession: dropped, unbegun: run.uncalled(), slots, types, payloads, written, entries: list, bytes, omit };
  return { document: base ? { ...document, base } : document, blob: entries.blob(), answers };
}

/** What a child run has of its own; of one that is over how it has ended, until the step that waits for it goes on. */
export function saveChild(child: ChildRun, entries: Entries, dropped: string[], making: Making): void {
  const prefix = `child/${child.number}/`;
  const { outcome } = child;
  const { name } = child.branch;
  entries.list.push([`${prefix}run`, { id: child.id, ...(name === undefined ? {} : { branch: name }) }]);
  if (outcome === undefined) return saveFlow(child, prefix, entries, dropped, making);
  entries.list.push([`${prefix}ended`, outcome.status]);
  if (outcome.status === "cancelled") return;
  const value = outcome.status === "fulfilled" ? outcome.value : outcome.reason;
  const { types } = child.parent.memoryOptions;
  try {
    entries.add(`${prefix}outcome`, encode(value, `results[${child.path.join("/")}]`, types));
  } catch (error) {
    if (!making.lenient) throw error;
    entries.list.push([`${prefix}outcome`, null]);
  }
}

/** State, session, results of `once`, ids and times of a run or child run. */
function saveFlow(flow: Flow, prefix: string, entries: Entries, dropped: string[], making: Making): void {
  const { lenient = false } = making;
  const { memory } = flow;
  for (const [id, number] of flow.ids ?? []) entries.list.push([`${prefix}sent/${number}`, id]);
  for (const [key, tree] of smallEntries(flow)) entries.list.push([prefix + key, tree]);
  for (const [key, value] of memory?.state ?? flow.memoryOptions.initial) {
    for (const [suffix, entry] of storedEntries(value)) entries.add(`${prefix}state/${encodeURIComponent(key)}${suffix}`, entry);
    if (!lenient) pin(value);
  }
  if (memory === undefined) return;
  const aborted = abortedOf(flow);
  for (const [seq, results] of memory.once ?? []) {
    if (aborted.has(seq)) continue;
    for (const [key, result] of results) if (!(result instanceof Promise)) entries.add(`${prefix}once/${seq}/${encodeURIComponent(key)}`, result);
  }
  // What it shares is its parent's.
  if (!(flow instanceof ChildRun && flow.branch.inherits)) storeSession(flow, entries, prefix, dropped, making);
}

/** Times, progress and the like: what there is one of. */
export function* smallEntries(flow: Flow): Generator<[string, unknown]> {
  const { memory, stage } = flow;
  const time = elapsed(flow);
  if (time > 0) yield ["elapsed", time];
  if (stage !== undefined) yield ["progress", { stage: stage.stage, ended: stage.ended }];
  const { pausePolicy } = memory ?? flow.memoryOptions;
  if (pausePolicy !== "pickle_or_error") yield ["policy", pausePolicy];
  if (memory !== undefined && memory.commits > 0) yield ["commits", memory.commits];
}

/** Numbers of the invocations that no resume calls again: nobody asks for their results. */
function abortedOf(flow: Flow): Set<number> {
  const aborted = new Set<number>();
  for (let at = flow.live; at !== undefined; at = at.next) if (at.aborted) aborted.add(at.seq);
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

/**
 * @param slot stands for an event that cannot be stored
 * @throws UnserializableError
 */
export function encodeEvent(flow: Flow, event: Event, slot?: number): Encoded {
  try {
    return encodeFields(payloadOf(event), () => `events[${event.type}]`, flow.memoryOptions.types);
  } catch (error) {
    if (slot === undefined) throw error;
    return { tree: standIn(event, slot), bytes: undefined };
  }
}
