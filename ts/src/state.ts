import type { Attempt } from "./attempt";
import { type Encoded, encode } from "./codec";
import { DefinitionError, UnserializableError } from "./errors";
import type { Flow } from "./flow";
import { decodeValue, encodeValue } from "./instance";
import { memoryOf, type RunMemory } from "./memory";
import { fieldPath } from "./path";
import { placed } from "./place";
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
    /** More may be added until a commit point takes them. */
    readonly changes: Change[],
  ) {}
}

/** What an attempt wrote and did not commit yet; undefined is a removal. */
type Written = Encoded | undefined | Updates;

/** What a commit point takes: by key, in the order in which it was first written. */
export type Batch = ReadonlyMap<string, Written>;

/** An attempt's view of the state: its uncommitted writes over what is committed. */
export class StateView implements StateMap {
  #written: Map<string, Written> | undefined = undefined;
  /** Taken by commit points that wait for something, the earliest first. */
  #waiting: Batch[] | undefined = undefined;

  constructor(private readonly attempt: Attempt) {}

  get<T>(key: string): T {
    const encoded = this.encoded(key);
    return (encoded === undefined ? undefined : decodeValue(encoded, this.#types)) as T;
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
    if (before instanceof Updates) before.changes.push(change as Change);
    else this.put(key, new Updates(before, this.#written?.has(key) === true, [change as Change]));
  }
  has(key: string): boolean {
    const written = this.#layer(key);
    return written === undefined ? this.#committed.has(key) : written.get(key) !== undefined;
  }
  delete(key: string): boolean {
    this.attempt.alive("state.delete");
    const there = this.has(key);
    if (there) this.put(key, undefined);
    return there;
  }
  keys(): IterableIterator<string> {
    const keys = new Set(this.#committed.keys());
    for (const layer of [...(this.#waiting ?? []), this.#written]) {
      for (const [key, value] of layer ?? []) {
        if (value === undefined) keys.delete(key);
        else keys.add(key);
      }
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
    if (written === undefined && this.#waiting === undefined) return this.#committed.get(key);
    const own = written?.get(key);
    if (own === undefined) return written?.has(key) ? undefined : this.#below(key, this.#waiting?.length ?? 0);
    return own instanceof Updates ? this.#updated(key, own, this.#waiting?.length ?? 0) : own;
  }
  put(key: string, value: Written): void {
    memoryOf(this.attempt.flow as Flow);
    this.#written ??= new Map();
    this.#written.set(key, value);
  }
  /** Drops what no commit point has taken. */
  drop(): void {
    this.#written = undefined;
  }
  /** Drops all that was not committed. */
  end(): void {
    this.#written = undefined;
    this.#waiting = undefined;
  }

  /** What a commit point commits: all that was written up to now. */
  take(): Batch | undefined {
    const batch = this.#written;
    this.#written = undefined;
    return batch;
  }
  /** The attempt reads it while its commit point waits. */
  wait(batch: Batch | undefined): void {
    if (batch === undefined || this.#waiting?.includes(batch)) return;
    this.#waiting ??= [];
    this.#waiting.push(batch);
  }
  /** It is committed, or dropped. */
  done(batch: Batch): void {
    const waiting = this.#waiting;
    const at = waiting?.indexOf(batch) ?? -1;
    if (at >= 0) waiting!.splice(at, 1);
    if (waiting?.length === 0) this.#waiting = undefined;
  }

  /**
   * What a batch changes, with all updates applied to what is committed now. Those of the attempt before it are done. Changes
   * nothing yet.
   *
   * @throws what a function of `update` throws; UnserializableError for what it gives
   */
  changes(batch: Batch): ReadonlyMap<string, Encoded | undefined> {
    const memory = this.#memory!;
    let applied: Map<string, Encoded | undefined> | undefined;
    memory.committing = true;
    try {
      for (const [key, value] of batch) {
        if (value instanceof Updates) {
          applied ??= new Map(batch as ReadonlyMap<string, Encoded | undefined>);
          applied.set(key, this.#updated(key, value, 0));
        }
      }
    } finally {
      memory.committing = false;
    }
    return applied ?? (batch as ReadonlyMap<string, Encoded | undefined>);
  }
  /** Makes the changes of a batch part of the run. */
  apply(changes: ReadonlyMap<string, Encoded | undefined>, batch: Batch): void {
    this.#memory!.apply(changes);
    if (this.#waiting !== undefined) this.done(batch);
  }

  /** What was written last of a key, if it was. */
  #layer(key: string): Batch | undefined {
    if (this.#written?.has(key)) return this.#written;
    return this.#waiting?.findLast((batch) => batch.has(key));
  }
  /** The value below a layer: in so many batches that wait, or committed. */
  #below(key: string, batches: number): Encoded | undefined {
    for (let at = batches - 1; at >= 0; at--) {
      const batch = this.#waiting![at]!;
      if (!batch.has(key)) continue;
      const value = batch.get(key);
      return value instanceof Updates ? this.#updated(key, value, at) : value;
    }
    return this.#committed.get(key);
  }
  #updated(key: string, { base, own, changes }: Updates, batches: number): Encoded {
    const before = own ? base : this.#below(key, batches);
    let value = before === undefined ? undefined : decodeValue(before, this.#types);
    // Not those that one of them adds, which is against the rules.
    for (const change of changes.slice()) value = change(value);
    return this.#encode(key, value, before);
  }
  #encode(key: string, value: unknown, before?: Encoded): Encoded {
    const types = this.#types;
    return placed(this.attempt, () =>
      types.hasStates ? encodeValue(value, () => statePath(key), types, before ?? this.#before(key)) : encode(value, () => statePath(key), types),
    );
  }
  /** What a BlazenState's fields are compared with. */
  #before(key: string): Encoded | undefined {
    const value = this.#layer(key)?.get(key);
    return value instanceof Updates || value === undefined ? this.#committed.get(key) : value;
  }
  /** For an attempt that is over, as long as somebody holds its run. */
  get #memory(): RunMemory | undefined {
    return this.attempt.flow.memory;
  }
  get #committed(): ReadonlyMap<string, Encoded> {
    return this.#memory?.state ?? this.attempt.flow.memoryOptions.initial;
  }
  get #types() {
    return this.attempt.flow.memoryOptions.types;
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
