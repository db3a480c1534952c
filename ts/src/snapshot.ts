import { binding } from "./binding/load";
import { cold } from "./buffer";
import { SnapshotError } from "./errors";
import { describe } from "./values";

/** What a snapshot says of itself: docs/format.md. */
export interface SnapshotHeader {
  readonly format: number;
  readonly workflow: string;
  readonly version: number;
  readonly runId: string;
  readonly droppedSession?: readonly string[];
}

/** A snapshot in its binary form, as the core has just made it. */
export let snapshotOf: (bytes: Uint8Array<ArrayBuffer>) => Snapshot;

/**
 * A run as it stood at one moment: JSON text that a person can read, or a binary form of the same content in which bytes
 * lie raw (7.6). `workflow.resume` takes either.
 *
 * @example
 * const snapshot = await handler.pause();
 * await writeFile("run.json", snapshot.toString());
 */
export class Snapshot {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #header: SnapshotHeader;

  private constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.#bytes = bytes;
    this.#header = headerOf(bytes);
  }
  static {
    snapshotOf = (bytes) => new this(bytes);
  }

  /**
   * Reads a snapshot's text, the same as UTF-8 bytes, or its binary form, and checks that nothing is damaged.
   *
   * @throws SnapshotError for one that is damaged, cut short, or newer than this version of the package
   */
  static parse(source: string | Uint8Array): Snapshot {
    return snapshotOf(parsed(source));
  }

  /** Name of the workflow. */
  get workflow(): string {
    return this.#header.workflow;
  }
  /** Version of the workflow's definition. */
  get version(): number {
    return this.#header.version;
  }
  get runId(): string {
    return this.#header.runId;
  }
  /** Session keys left out by the policy "warn_drop" (7.4). */
  get droppedSession(): readonly string[] {
    return this.#header.droppedSession ?? [];
  }

  /** The text form: JSON, an entry a line. */
  toString(): string {
    const core = binding();
    return cold(() => core.text(this.#bytes)) ?? refused(core.lastError());
  }
  /** The text form's content, so that a snapshot may stand in a larger JSON document. */
  toJSON(): unknown {
    return JSON.parse(this.toString());
  }
  /** The binary form, a copy. */
  toBytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice();
  }
}

/** The binary form of a snapshot in any form, checked. @throws SnapshotError */
export function parsed(source: unknown): Uint8Array<ArrayBuffer> {
  const bytes = typeof source === "string" ? new TextEncoder().encode(source) : source;
  if (!(bytes instanceof Uint8Array)) throw new SnapshotError(`A snapshot is a Snapshot, its text, or bytes of it in a Uint8Array, not ${describe(source)}.`);
  const core = binding();
  return own(cold(() => core.parse(bytes)) ?? refused(core.lastError()));
}

/** Without what Node adds to its buffers, and without neighbours in a pool. */
export function own(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.byteLength === bytes.buffer.byteLength ? new Uint8Array(bytes.buffer as ArrayBuffer) : new Uint8Array(bytes);
}

/** The header's text stands behind the magic, the checksum, and two lengths. */
function headerOf(bytes: Uint8Array<ArrayBuffer>): SnapshotHeader {
  const length = new DataView(bytes.buffer).getUint32(16, true);
  return JSON.parse(new TextDecoder().decode(bytes.subarray(24, 24 + length)));
}

/** @throws SnapshotError, or what else the core has said */
export function refused(lastError: string): never {
  const { message } = JSON.parse(lastError) as { message: string };
  throw new SnapshotError(`The snapshot cannot be used: ${message}.`);
}
