import type { Encoded } from "./codec";

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
    /** Deltas are to follow. */
    readonly base?: true;
  };
  readonly blob: Uint8Array<ArrayBuffer>;
  /** How many answers of requests are among the entries. */
  readonly answers: number;
}

/** Entries of a snapshot, and the bytes in them one after the other. */
export class Entries {
  readonly list: (readonly [string, unknown])[] = [];
  /** Lengths by key. */
  readonly bytes: (readonly [string, readonly number[]])[] = [];
  readonly #pieces: Uint8Array[] = [];

  add(key: string, value: Encoded): void {
    this.list.push([key, this.keep(key, value)]);
  }
  /** What stands for a value in an entry: its bytes are kept apart. */
  keep(key: string, { tree, bytes }: Encoded): unknown {
    if (bytes !== undefined) {
      this.bytes.push([key, bytes.map(({ byteLength }) => byteLength)]);
      for (const piece of bytes) this.#pieces.push(piece);
    }
    return tree;
  }
  blob(): Uint8Array<ArrayBuffer> {
    return this.#pieces.length === 0 ? NO_BYTES : joined(this.#pieces);
  }
}

const encoder = new TextEncoder();
/** Of texts that are read at once: memory for each costs more than to write it. */
let room = new Uint8Array(0x4000);
/** Bytes up to which that memory is kept. */
const MOST = 0x100000;
const NO_BYTES = new Uint8Array(0);

/** UTF-8, until the next call. */
function utf8(text: string): Uint8Array {
  // A unit of UTF-16 takes three bytes at most.
  const most = 3 * text.length;
  if (most > MOST) return encoder.encode(text);
  if (most > room.length) room = new Uint8Array(2 * most);
  return room.subarray(0, encoder.encodeInto(text, room).written);
}

/** What stands between the brackets of a list. */
export function items(list: readonly unknown[]): string {
  return JSON.stringify(list).slice(1, -1);
}

/** What `documentText` writes, beside what it leaves as it is. */
interface Lists {
  readonly types: readonly string[];
  readonly payloads: readonly unknown[];
  readonly written?: readonly string[];
  readonly entries: readonly (readonly [string, unknown])[];
}

/** JSON in UTF-8, until the next call: lists side by side, which the core reads in one pass, and each type's name once. */
export function documentText({ types, payloads, written = [], entries, ...rest }: Lists): Uint8Array {
  const names = new Map<string, number>();
  const of = types.map((type) => {
    const known = names.get(type);
    if (known !== undefined) return known;
    names.set(type, names.size);
    return names.size - 1;
  });
  const document = { ...rest, types: [...names.keys()], of, keys: entries.map(([key]) => key), values: entries.map(([, value]) => value) };
  if (written.length === 0) return utf8(JSON.stringify({ payloads, ...document }));
  const all = payloads.length === 0 ? written : [...written, items(payloads)];
  return utf8(`{"payloads":[${all.join(",")}],${JSON.stringify(document).slice(1)}`);
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

/** Pieces of bytes one after the other. */
function joined(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
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
