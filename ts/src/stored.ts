import { cold } from "./buffer";
import { DecodeError, decode, type Encoded, type Types } from "./codec";
import { SnapshotError } from "./errors";
import type { Plan } from "./plan";
import { refused, type SnapshotHeader } from "./snapshot";

/** What the core tells of a snapshot (docs/internal/boundary.md). */
interface Document {
  readonly header: SnapshotHeader & { readonly steps: readonly { readonly name: string }[]; readonly children?: readonly { readonly workflow: string }[] };
  readonly slots: readonly number[];
  readonly events: readonly unknown[];
  /** With a 1 behind a value that is plain JSON of a bounded depth, which every reader can read. */
  readonly entries: readonly (readonly [string, unknown, 1?])[];
  readonly bytes: readonly (readonly [string, number, number])[];
  readonly queued: readonly number[];
  readonly flows?: readonly StoredChild[];
  /** Events that child runs hold: slot and child run. */
  readonly inner?: readonly (readonly [number, number])[];
}

/** A child run in a snapshot, as the core tells of it. */
export interface StoredChild {
  readonly id: number;
  /** Of the invocation that opened it. */
  readonly flow: number;
  readonly invocation: number;
  readonly seq: number;
  readonly step: string;
  readonly branch: number;
  readonly over: boolean;
  /** Its place among the workflows of child runs in the header. */
  readonly workflow: number;
}

/** A snapshot's content as the facade wants it, not decoded. */
export interface Stored {
  readonly header: Document["header"];
  readonly slots: readonly number[];
  readonly events: readonly { readonly type: string; readonly payload: Encoded }[];
  readonly queued: readonly number[];
  readonly flows: readonly StoredChild[];
  /** The child runs that hold events, by slot. */
  readonly owners: ReadonlyMap<number, number>;
  /** The sections of child runs. */
  readonly inner: readonly string[];
  /** Keys and values of a section, by what follows its name. Those of a child run are named as a run's, after `child/<id>/`. */
  readonly section: (name: string) => readonly (readonly [string, Encoded])[];
}

/** A snapshot in its binary form, read but not decoded. @throws SnapshotError */
export function read(plan: Plan, bytes: Uint8Array<ArrayBuffer>): Stored {
  const core = plan.binding;
  const text = cold(() => core.document(bytes)) ?? refused(core.lastError());
  const document = JSON.parse(text) as Document;
  const pieces = new Map<string, Uint8Array[]>();
  for (const [key, offset, length] of document.bytes) {
    const [, owner, at] = /^bytes\/(.*)\/(\d+)$/s.exec(key) ?? damaged(`the entry "${key}" belongs to nothing`);
    const list = pieces.get(owner!) ?? [];
    if (list.push(bytes.subarray(offset, offset + length)) - 1 !== Number(at)) damaged(`the entry "${key}" is not in its place`);
    pieces.set(owner!, list);
  }
  const sections = new Map<string, [string, Encoded][]>();
  for (const [key, tree, plain] of document.entries) {
    const [, name = key, rest = ""] = /^((?:child\/\d+\/)?[^/]*)(?:\/(.*))?$/s.exec(key) ?? [];
    const section = sections.get(name) ?? [];
    section.push([rest, { tree, bytes: pieces.get(key), plain: plain === 1 }]);
    sections.set(name, section);
  }
  const events = document.events.map((event, at) => {
    const { type, payload } = event as { type: string; payload: unknown };
    return { type, payload: { tree: payload, bytes: pieces.get(`event/${document.slots[at]}`) } };
  });
  return {
    header: document.header,
    slots: document.slots,
    events,
    queued: document.queued,
    flows: document.flows ?? [],
    owners: new Map(document.inner),
    inner: [...sections.keys()].filter((name) => name.startsWith("child/")),
    section: (name) => sections.get(name) ?? [],
  };
}

/** @throws SnapshotError that names what cannot be read */
export function decodeStored(what: string, value: Encoded, types: Types, states?: object[]): unknown {
  return reading(what, () => decode(value, types, states && ((state) => states.push(state))));
}

/** @throws SnapshotError that names what cannot be read */
export function reading<T>(what: string, read: () => T, runId?: string): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new SnapshotError(`The snapshot cannot be used: ${what}: ${error.message}.`, { cause: error, ...(runId === undefined ? {} : { runId }) });
  }
}

export function decodeKey(entry: string, part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return damaged(`the entry "${entry}" has no key`);
  }
}

export function whole(entry: string, tree: unknown): number {
  return Number.isSafeInteger(tree) && (tree as number) >= 0 ? (tree as number) : damaged(`the entry "${entry}" is no number`);
}

export function text(entry: string, tree: unknown): string {
  return typeof tree === "string" ? tree : damaged(`the entry "${entry}" is no text`);
}

export function damaged(what: string): never {
  return unusable(`it is damaged: ${what}`);
}

export function unusable(why: string): never {
  throw new SnapshotError(`The snapshot cannot be used: ${why}.`);
}
