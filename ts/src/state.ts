import { decode, type Encoded, encode } from "./codec";
import type { Attempt } from "./context";
import { DefinitionError, UnserializableError } from "./errors";
import { memoryOf, type RunMemory } from "./memory";
import { fieldPath } from "./path";
import { placed } from "./place";
import type { Run } from "./run";
import { describe, isWellFormed } from "./values";

export type Key<S> = Extract<keyof S, string>;

/**
 * What outlives the run's process: values by key, copied in and out (6.1). A step sees its own writes at once; others see
 * them when it commits (4.1). Writing what rule 6.2 does not name throws UnserializableError with the path `state.<key>…`.
 */
export interface StateMap<S extends object = Record<string, unknown>> {
  /** A copy of the value; undefined where there is none. */
  get<K extends Key<S>>(key: K): S[K];
  get<T = unknown>(key: string): T | undefined;
  /** @throws UnserializableError, CancelledError when the attempt is over */
  set<K extends Key<S>>(key: K, value: S[K]): void;
  set(key: string, value: unknown): void;
  /**
   * Changes a value when the step commits, from what it is then: parallel updates are never lost (4.3). `change` may run
   * more than once and must be pure; when it throws at the commit, nothing is committed.
   */
  update<K extends Key<S>>(key: K, change: (current: S[K]) => S[K]): void;
  update<T>(key: string, change: (current: T | undefined) => T): void;
  has(key: string): boolean;
  /** @returns whether there was a value */
  delete(key: string): boolean;
  /** In the order of their code units, which is the same before and after a resume. */
  keys(): IterableIterator<string>;
  /** The bytes of a Uint8Array, however it was set; undefined for any other value. */
  getBytes(key: string): Uint8Array | undefined;
  /** Stores the bytes as they are, in a snapshot too. */
  setBytes(key: string, bytes: Uint8Array): void;
}

type Change = (current: unknown) => unknown;

/** Updates that wait for the commit, on top of what the attempt wrote before them, if it did. */
class Updates {
  constructor(
    readonly base: Encoded | undefined,
    /** Whether `base` is the attempt's own, which may be a removal. */
    readonly own: boolean,
    readonly changes: readonly Change[],
  ) {}
}

/** What an attempt wrote and did not commit yet; undefined is a removal. */
type Written = Encoded | undefined | Updates;

/** An attempt's view of the state: its uncommitted writes over what is committed. */
export class StateView implements StateMap {
  #written: Map<string, Written> | undefined = undefined;

  constructor(private readonly attempt: Attempt) {}

  get<T>(key: string): T {
    const encoded = this.encoded(key);
    return (encoded === undefined ? undefined : decode(encoded, this.#types)) as T;
  }
  set(key: string, value: unknown): void {
    this.#check(key, "set");
    this.put(key, this.#encode(key, value));
  }
  update(key: string, change: (current: never) => unknown): void {
    this.#check(key, "update");
    if (typeof change !== "function")
      throw new DefinitionError(`ctx.state.update(${JSON.stringify(key)}): the second argument is a function, not ${describe(change)}.`);
    const before = this.#written?.get(key);
    const own = this.#written?.has(key) === true;
    this.put(
      key,
      before instanceof Updates ? new Updates(before.base, before.own, [...before.changes, change as Change]) : new Updates(before, own, [change as Change]),
    );
  }
  has(key: string): boolean {
    const written = this.#written;
    return written?.has(key) ? written.get(key) !== undefined : this.#committed.has(key);
  }
  delete(key: string): boolean {
    this.attempt.alive("state.delete");
    const there = this.has(key);
    if (there) this.put(key, undefined);
    return there;
  }
  keys(): IterableIterator<string> {
    const keys = new Set(this.#committed.keys());
    for (const [key, value] of this.#written ?? []) {
      if (value === undefined) keys.delete(key);
      else keys.add(key);
    }
    return [...keys].sort().values();
  }
  getBytes(key: string): Uint8Array | undefined {
    const value: unknown = this.get(key);
    return value instanceof Uint8Array ? value : undefined;
  }
  setBytes(key: string, bytes: Uint8Array): void {
    this.#check(key, "setBytes");
    if (!(bytes instanceof Uint8Array)) throw new DefinitionError(`setBytes(${JSON.stringify(key)}): bytes are a Uint8Array, not ${describe(bytes)}.`);
    // A view of a larger buffer would be stored with all of it, an instance of a subclass not at all.
    const plain = Object.getPrototypeOf(bytes) === Uint8Array.prototype && bytes.byteLength === bytes.buffer.byteLength;
    this.put(key, this.#encode(key, plain && bytes.buffer instanceof ArrayBuffer ? bytes : new Uint8Array(bytes)));
  }

  /** The value as it stands for this attempt. */
  encoded(key: string): Encoded | undefined {
    const written = this.#written;
    if (written === undefined) return this.#committed.get(key);
    const own = written.get(key);
    if (own === undefined) return written.has(key) ? undefined : this.#committed.get(key);
    return own instanceof Updates ? this.#updated(key, own) : own;
  }
  put(key: string, value: Written): void {
    memoryOf(this.attempt.run as Run);
    this.#written ??= new Map();
    this.#written.set(key, value);
  }
  /** Drops what was not committed. */
  drop(): void {
    this.#written = undefined;
  }

  /**
   * What the commit of the attempt's writes changes, with all updates applied to what is committed now; undefined if there is
   * nothing to commit. Changes nothing yet.
   *
   * @throws what a function of `update` throws; UnserializableError for what it gives
   */
  changes(): ReadonlyMap<string, Encoded | undefined> | undefined {
    const written = this.#written;
    if (written === undefined) return undefined;
    const memory = this.#memory!;
    let applied: Map<string, Encoded | undefined> | undefined;
    memory.committing = true;
    try {
      for (const [key, value] of written) {
        if (value instanceof Updates) {
          applied ??= new Map(written as Map<string, Encoded | undefined>);
          applied.set(key, this.#updated(key, value));
        }
      }
    } finally {
      memory.committing = false;
    }
    return applied ?? (written as Map<string, Encoded | undefined>);
  }
  /** Makes the writes part of the run. */
  apply(changes: ReadonlyMap<string, Encoded | undefined>): void {
    this.#memory!.apply(changes);
    this.#written = undefined;
  }

  #updated(key: string, { base, own, changes }: Updates): Encoded {
    const before = own ? base : this.#committed.get(key);
    let value = before === undefined ? undefined : decode(before, this.#types);
    for (const change of changes) value = change(value);
    return this.#encode(key, value);
  }
  #encode(key: string, value: unknown): Encoded {
    return placed(this.attempt, () => encode(value, () => statePath(key), this.#types));
  }
  /** For an attempt that is over, as long as somebody holds its run. */
  get #memory(): RunMemory | undefined {
    return this.attempt.run.memory;
  }
  get #committed(): ReadonlyMap<string, Encoded> {
    return this.#memory?.state ?? this.attempt.run.memoryOptions.initial;
  }
  get #types() {
    return this.attempt.run.memoryOptions.types;
  }
  #check(key: unknown, method: string): void {
    this.attempt.alive(`state.${method}`);
    if (typeof key !== "string") throw new DefinitionError(`ctx.state.${method}: a key is a string, not ${describe(key)}.`);
    if (!isWellFormed(key))
      throw new UnserializableError(`ctx.state.${method}: the key ${JSON.stringify(key)} holds a lone surrogate. Use well-formed Unicode.`, statePath(key));
  }
}

function statePath(key: string): string {
  return fieldPath("state", key);
}
