import {
  assignFields,
  checkVersion,
  DecodeError,
  decode,
  type Encoded,
  type EncodedField,
  encode,
  encodedEqual,
  encodeState,
  marksOf,
  migrated,
  type StateClass,
  type Types,
  versionOf,
} from "./codec";
import { define } from "./codec/define";
import { UnserializableError } from "./errors";
import { fieldPath } from "./path";
import { describe, isPlainObject } from "./values";

/** What this process holds in the transient fields of an instance, by reference (8.2). */
type Held = Readonly<Record<string, unknown>> | undefined;

/** A value with BlazenState instances in it, in the order in which `decode` makes them. */
interface HeldValue extends Encoded {
  readonly held?: readonly Held[] | undefined;
}

/** Where a store keeps a value; shared by all that hold this value. */
export interface Place {
  /** Undefined until it is saved, and when it was deleted. */
  key: string | undefined;
  /** A snapshot names it: it is never deleted. */
  pinned: boolean;
}

/** A field that a store keeps (8.3). */
export class Kept {
  constructor(
    /** Undefined until it is loaded. */
    public value: HeldValue | undefined,
    public place: Place,
  ) {}

  get stored(): Encoded {
    return { tree: { $: "stored", key: this.place.key }, bytes: undefined };
  }
}

/** A BlazenState with a key of its own: each field is stored by itself (8.1). */
export class StateValue implements Encoded {
  readonly tree: unknown;
  readonly bytes: readonly Uint8Array[] | undefined;

  constructor(
    readonly type: StateClass,
    readonly version: number,
    /** By name, in the instance's order; if there is a `whole`, only those that have a store. */
    readonly fields: ReadonlyMap<string, HeldValue | Kept>,
    readonly held: Held,
    /** All other fields as one value: they share objects. */
    readonly whole: HeldValue | undefined,
  ) {
    this.tree = whole === undefined ? { $: "state", name: type.meta.name, version, keys: [...fields.keys()] } : whole.tree;
    this.bytes = whole?.bytes;
  }

  /** Fields that a store keeps. */
  *kept(): Generator<readonly [field: string, kept: Kept]> {
    for (const [field, part] of this.fields) if (part instanceof Kept) yield [field, part];
  }
}

/**
 * A copy of a value for the state. Of a BlazenState, fields that are what they were `before` are kept as they are.
 *
 * @throws UnserializableError with the path of what cannot be stored
 */
export function encodeValue(value: unknown, path: () => string, types: Types, before: Encoded | undefined): Encoded {
  if (!types.hasStates || typeof value !== "object" || value === null) return encode(value, path, types);
  const type = types.of(Object.getPrototypeOf(value))?.state;
  if (type !== undefined) return encodeInstance(value, type, path, types, before);
  const states: object[] = [];
  const encoded = encode(value, path, types, states);
  return states.length === 0 ? encoded : holding(encoded, states);
}

function encodeInstance(instance: object, type: StateClass, path: () => string, types: Types, before: Encoded | undefined): Encoded {
  const { fields, whole } = encodeState(instance, type, path, types);
  if (whole !== undefined && fields.size === 0) return holding(whole, whole.states);
  const old = before instanceof StateValue && before.type === type ? before.fields : undefined;
  const { storeBy } = marksOf(type);
  const parts = new Map<string, HeldValue | Kept>();
  for (const [name, field] of fields) {
    const prior = old?.get(name);
    if (storeBy.has(name)) parts.set(name, keptField(field, prior));
    else parts.set(name, prior instanceof Kept ? holding(field, field.states) : again(field, prior));
  }
  return new StateValue(type, versionOf(type), parts, heldBy(instance), whole === undefined ? undefined : holding(whole, whole.states));
}

function keptField(field: EncodedField, prior: HeldValue | Kept | undefined): Kept {
  if (!(prior instanceof Kept) || prior.value === undefined || !encodedEqual(prior.value, field))
    return new Kept(holding(field, field.states), { key: undefined, pinned: false });
  return new Kept(again(field, prior.value), prior.place);
}

/** The tree and bytes there were, if they are the same. */
function again(field: EncodedField, prior: HeldValue | undefined): HeldValue {
  if (prior === undefined || !encodedEqual(prior, field)) return holding(field, field.states);
  return field.states.length === 0 && prior.held === undefined ? prior : holding(prior, field.states);
}

function holding({ tree, bytes }: Encoded, states: readonly object[]): HeldValue {
  const held = states.map(heldBy);
  return held.every((one) => one === undefined) ? { tree, bytes } : { tree, bytes, held };
}

function heldBy(instance: object): Held {
  const { transient } = marksOf(Object.getPrototypeOf(instance).constructor);
  let held: Record<string, unknown> | undefined;
  for (const field of transient) {
    if (!Object.hasOwn(instance, field)) continue;
    held ??= {};
    define(held, field, (instance as Record<string, unknown>)[field]);
  }
  return held;
}

function hold(instance: object, held: Held): void {
  if (held !== undefined) for (const field of Object.keys(held)) define(instance, field, held[field]);
}

/** A fresh copy of a value of the state, with what this process holds. @throws DecodeError */
export function decodeValue(value: Encoded, types: Types): unknown {
  if (!types.hasStates) return decode(value, types);
  return value instanceof StateValue ? decodeInstance(value, types) : decodeHeld(value, types);
}

function decodeHeld(value: HeldValue, types: Types, states?: object[]): unknown {
  const { held } = value;
  let at = 0;
  return decode(value, types, (instance) => {
    hold(instance, held?.[at++]);
    states?.push(instance);
  });
}

function decodeInstance({ type, version, fields, held, whole }: StateValue, types: Types, statesOf?: (field: string | undefined) => object[]): object {
  const stored: Record<string, unknown> = {};
  for (const [name, part] of fields) {
    const value = part instanceof Kept ? part.value : part;
    // While a run is being restored, some may not be there yet.
    if (value !== undefined) define(stored, name, decodeHeld(value, types, statesOf?.(name)));
  }
  if (whole !== undefined) {
    const all = decodeHeld(whole, types, statesOf?.(undefined)) as object;
    assignFields(all, stored, marksOf(type).transient);
    return all;
  }
  const instance = made(type);
  assignFields(instance, migrated(type, version, stored), marksOf(type).transient);
  hold(instance, held);
  statesOf?.(undefined).push(instance);
  return instance;
}

function made(type: StateClass): object {
  try {
    return new type();
  } catch (cause) {
    throw new DecodeError(`new ${type.name}() threw: ${cause instanceof Error ? cause.message : describe(cause)}`, { cause });
  }
}

/** The instances in a value, made once to be restored. */
export interface Revived {
  /** Inner ones first. */
  readonly instances: readonly object[];
  /** The same value, holding what is in their transient fields now. */
  readonly holding: () => Encoded;
}

/** @throws DecodeError */
export function revived(value: Encoded, types: Types): Revived {
  if (!(value instanceof StateValue)) {
    const instances: object[] = [];
    decodeHeld(value, types, instances);
    return { instances, holding: () => (instances.length === 0 ? value : holding(value, instances)) };
  }
  const groups = new Map<string | undefined, object[]>();
  const statesOf = (field: string | undefined) => {
    const group = groups.get(field) ?? [];
    groups.set(field, group);
    return group;
  };
  const instance = decodeInstance(value, types, statesOf);
  const own = groups.get(undefined)!;
  // Whatever a field holds lies within the instance.
  groups.delete(undefined);
  const of = (field: string) => groups.get(field) ?? [];
  return {
    instances: [...[...groups.values()].flat(), ...own],
    holding: () => {
      const fields = new Map<string, HeldValue | Kept>();
      for (const [name, part] of value.fields)
        fields.set(name, part instanceof Kept ? new Kept(part.value && holding(part.value, of(name)), part.place) : holding(part, of(name)));
      return new StateValue(value.type, value.version, fields, heldBy(instance), value.whole && holding(value.whole, own));
    },
  };
}

/** What a snapshot holds of a value: its entries, by what follows `state/<key>`. */
export function storedEntries(value: Encoded): readonly (readonly [suffix: string, value: Encoded])[] {
  if (!(value instanceof StateValue)) return [["", value]];
  const entries: [string, Encoded][] = [["", value]];
  for (const [name, part] of value.fields) entries.push([`/${encodeURIComponent(name)}`, part instanceof Kept ? part.stored : part]);
  return entries;
}

/** A BlazenState that was made while its stores were not asked, with the fields that they keep. @throws UnserializableError for another */
export function withUnloaded(value: Encoded, before: StateValue | undefined): Encoded {
  if (!(value instanceof StateValue)) return value;
  for (const [field] of value.kept()) {
    const path = fieldPath("state", field);
    throw new UnserializableError(`${path}: a store keeps the field "${field}" of a ${value.type.meta.name}: only a step can change it.`, path);
  }
  const kept = [...(before?.kept() ?? [])];
  return kept.length === 0 ? value : new StateValue(value.type, value.version, new Map([...value.fields, ...kept]), value.held, value.whole);
}

/** A snapshot names the keys that stores keep its fields under. */
export function pin(value: Encoded): void {
  if (value instanceof StateValue) for (const [, { place }] of value.kept()) place.pinned = true;
}

/**
 * The values of a snapshot's section `state` by key.
 *
 * @throws DecodeError for entries that do not fit together, or do not fit the class
 */
export function readEntries(section: readonly (readonly [string, Encoded])[], types: Types): Map<string, Encoded> {
  const values = new Map<string, Encoded>();
  const fields = new Map<string, Map<string, Encoded>>();
  for (const [part, value] of section) {
    const [key = "", field] = part.split("/").map(decoded);
    if (field === undefined) values.set(key, value);
    else fields.set(key, (fields.get(key) ?? new Map()).set(field, value));
  }
  for (const [key, value] of values) {
    const own = fields.get(key);
    fields.delete(key);
    const read = stateOf(key, value, own, types);
    if (read !== undefined) values.set(key, read);
  }
  for (const key of fields.keys()) throw new DecodeError(`fields belong to no value: ${fieldPath("state", key)}`);
  return values;
}

function stateOf(key: string, value: Encoded, fields: ReadonlyMap<string, Encoded> | undefined, types: Types): StateValue | undefined {
  const { tree } = value;
  const root = isPlainObject(tree) && tree["$"] === "graph" ? tree["value"] : tree;
  const keys = isPlainObject(root) && root["$"] === "state" ? root["keys"] : undefined;
  if (keys === undefined && fields === undefined) return undefined;
  const path = fieldPath("state", key);
  const damaged = (what: string): never => {
    throw new DecodeError(`${path}: it is damaged: ${what}`);
  };
  if (!isPlainObject(root) || root["$"] !== "state") return damaged("it has fields, and is no BlazenState");
  const { name, version } = root;
  const type = typeof name === "string" ? types.named(name)?.state : undefined;
  if (type === undefined) throw new DecodeError(`${path}: the BlazenState class ${describe(name)} is not among the workflow's types: list it there`);
  if (!Number.isSafeInteger(version) || (version as number) < 0) damaged(`its version is ${describe(version)}`);
  checkVersion(type, version as number);
  const own = fields ?? new Map<string, Encoded>();
  const order = keys === undefined ? [...own.keys()] : keys;
  if (!Array.isArray(order) || new Set(order).size !== own.size || order.length !== own.size || !order.every((field) => own.has(field)))
    return damaged("its fields are not those it names");
  // Some decorators are known when there is an instance.
  made(type);
  const { storeBy } = marksOf(type);
  const parts = new Map<string, Encoded | Kept>();
  for (const field of order as string[]) {
    const part = own.get(field)!;
    if (isPlainObject(part.tree) && part.tree["$"] === "stored") {
      const at = part.tree["key"];
      if (typeof at !== "string") return damaged(`the field ${describe(field)} has no key`);
      if (!storeBy.has(field))
        throw new DecodeError(
          `${path}: a store keeps the field "${field}", and ${type.name} names none for it: name it in meta.storeBy, a renamed field under both names`,
        );
      parts.set(field, new Kept(undefined, { key: at, pinned: true }));
    } else parts.set(field, part);
  }
  return new StateValue(type, version as number, parts, undefined, keys === undefined ? value : undefined);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new DecodeError(`it is damaged: the entry "state/${part}" has no key`);
  }
}
