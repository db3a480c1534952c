import { DefinitionError } from "../errors";
import type { FieldStore } from "../field-store";
import { describe, isPlainObject, isWellFormed } from "../values";
import { isStoredAsItIs } from "./kinds";

const CODEC = Symbol.for("blazen.codec");
const STATE = Symbol.for("blazen.state");
const SERIALIZE = Symbol.for("workflow-serialize");
const DESERIALIZE = Symbol.for("workflow-deserialize");

// biome-ignore lint/suspicious/noExplicitAny: instances of any class, made in any way
type AnyClass<T = any> = abstract new (...args: any[]) => T;

/** How instances of a class are stored (6.2); made by `codec`. */
// biome-ignore lint/suspicious/noExplicitAny: a list of codecs is one of many types
export interface Codec<T = any> {
  /** What a snapshot calls the class: keep it when the class is renamed. */
  readonly name: string;
  readonly type: AnyClass<T>;
}

/** A Codec as it is inside. */
export interface CodecEntry extends Codec {
  readonly encode: (value: unknown) => unknown;
  readonly decode: (encoded: unknown) => unknown;
}

/** What a BlazenState class says about itself (8.1). */
export interface StateMeta {
  readonly name: string;
  /** Default 1. */
  readonly version?: number;
  /** Fields that are never stored: `restore` rebuilds them (8.2). */
  readonly transient?: readonly string[];
  /** Fields that are kept by a store of the user's (8.3). */
  readonly storeBy?: Readonly<Record<string, FieldStore>>;
  /** By the version that each upgrades from. */
  readonly migrate?: Readonly<Record<number, (old: Record<string, unknown>) => Record<string, unknown>>>;
}

/** A class that extends BlazenState. */
export interface StateClass<T extends object = object> {
  new (): T;
  readonly meta: StateMeta;
}

/**
 * Says how instances of a class are stored: `encode` gives what is stored in their place, itself anything that can be stored,
 * and `decode` makes an instance of it. Without the two, the class has static methods `[Symbol.for("workflow-serialize")]`
 * and `[Symbol.for("workflow-deserialize")]`. List it in the workflow's `types`.
 *
 * @example
 * const money = codec(Money, { name: "Money", encode: (money) => money.cents, decode: (cents: number) => new Money(cents) });
 * @throws DefinitionError
 */
export function codec<T, E>(type: AnyClass<T>, how: { name: string; encode?(value: T): E; decode?(encoded: E): T }): Codec<T> {
  if (typeof type !== "function" || typeof type.prototype !== "object")
    throw new DefinitionError(`codec: the first argument is a class, not ${describe(type)}.`);
  if (typeof how !== "object" || how === null)
    throw new DefinitionError(`codec(${type.name}): the second argument is { name, encode, decode }, not ${describe(how)}.`);
  if (isStoredAsItIs(type)) throw new DefinitionError(`codec(${type.name}): a ${type.name} is stored as it is and needs no codec.`);
  if ((type as { [STATE]?: unknown })[STATE] === true)
    throw new DefinitionError(`codec(${type.name}): ${type.name} is a BlazenState. List the class itself in the workflow's types.`);
  checkName(`codec(${type.name})`, how.name);
  const { encode, decode } = "encode" in how || "decode" in how ? how : staticPair(type);
  if (typeof encode !== "function" || typeof decode !== "function")
    throw new DefinitionError(
      `codec(${type.name}): give both encode and decode, or the class the static methods [Symbol.for("workflow-serialize")] and [Symbol.for("workflow-deserialize")].`,
    );
  const entry: CodecEntry & { [CODEC]: true } = {
    [CODEC]: true,
    name: how.name,
    type,
    encode: (value) => encode.call(how, value as T),
    decode: (encoded) => decode.call(how, encoded as E),
  };
  return Object.freeze(entry);
}

function staticPair<T>(type: AnyClass<T>): { encode?: (value: T) => never; decode?: (encoded: unknown) => T } {
  const pair = type as { [SERIALIZE]?: (value: T) => never; [DESERIALIZE]?: (encoded: unknown) => T };
  const found: ReturnType<typeof staticPair<T>> = {};
  if (typeof pair[SERIALIZE] === "function") found.encode = (value) => pair[SERIALIZE]!(value);
  if (typeof pair[DESERIALIZE] === "function") found.decode = (encoded) => pair[DESERIALIZE]!(encoded);
  return found;
}

function checkName(where: string, name: unknown): asserts name is string {
  if (typeof name !== "string" || name === "" || !isWellFormed(name))
    throw new DefinitionError(`${where}: name is a string of well-formed Unicode, not empty, not ${describe(name)}.`);
}

export type Listed = { readonly codec: CodecEntry; readonly state?: undefined } | { readonly state: StateClass; readonly codec?: undefined };

/** The classes whose instances a workflow may store: its option `types`. */
export class Types {
  readonly #byName = new Map<string, Listed>();
  readonly #byPrototype = new Map<object, Listed>();
  /** Whether a BlazenState class is among them. */
  readonly hasStates: boolean;

  /** @throws DefinitionError for what is no codec and no BlazenState, and for two of one name or class */
  constructor(list: readonly (Codec | StateClass)[]) {
    if (!Array.isArray(list)) throw new DefinitionError(`types: expected an array of codecs and BlazenState classes, not ${describe(list)}.`);
    list.forEach((entry: unknown, at) => {
      if (isCodec(entry)) this.#add(`types[${at}]`, entry.name, entry.type, { codec: entry });
      else if (isStateClass(entry)) {
        checkMeta(`types[${at}]`, entry);
        this.#add(`types[${at}]`, entry.meta.name, entry, { state: entry });
      } else
        throw new DefinitionError(
          `types[${at}]: expected a BlazenState class or codec(Class, { name, … }), not ${describe(entry)}.${typeof entry === "function" ? " Give the class a codec." : ""}`,
        );
    });
    this.hasStates = [...this.#byName.values()].some(({ state }) => state !== undefined);
  }

  get size(): number {
    return this.#byName.size;
  }
  named(name: string): Listed | undefined {
    return this.#byName.get(name);
  }
  /** By the very prototype: an instance of a subclass is none of its class. */
  of(prototype: object): Listed | undefined {
    return this.#byPrototype.get(prototype);
  }
  /** Whether a value is an instance of a listed class. */
  lists(value: unknown): boolean {
    return typeof value === "object" && value !== null && this.#byPrototype.has(Object.getPrototypeOf(value));
  }

  #add(where: string, name: string, type: AnyClass, listed: Listed): void {
    if (this.#byName.has(name)) throw new DefinitionError(`${where}: two classes are named "${name}". Names are unique within a workflow's types.`);
    if (this.#byPrototype.has(type.prototype)) throw new DefinitionError(`${where}: the class ${type.name} is listed twice.`);
    this.#byName.set(name, listed);
    this.#byPrototype.set(type.prototype, listed);
  }
}

export const NO_TYPES = new Types([]);

/** By a registered symbol: the class may come from the package's other build. */
function isCodec(entry: unknown): entry is CodecEntry {
  return typeof entry === "object" && entry !== null && (entry as { [CODEC]?: unknown })[CODEC] === true;
}

export function isStateClass(entry: unknown): entry is StateClass {
  return typeof entry === "function" && (entry as { [STATE]?: unknown })[STATE] === true;
}

function checkMeta(where: string, type: StateClass): void {
  const meta: unknown = type.meta;
  if (typeof meta !== "object" || meta === null) throw new DefinitionError(`${where}: the class ${type.name} has no static meta = { name: "…" }.`);
  checkName(`${where}: ${type.name}.meta`, (meta as StateMeta).name);
  const version = versionOf(type);
  if (!Number.isSafeInteger(version) || version < 0)
    throw new DefinitionError(`${where}: ${type.name}.meta.version is a whole number from 0, not ${describe(version)}.`);
  const { transient = [], storeBy = {}, migrate = {} } = meta as StateMeta;
  const refuse = (field: string, what: string, value: unknown): never => {
    throw new DefinitionError(`${where}: ${type.name}.meta.${field} is ${what}, not ${describe(value)}.`);
  };
  if (!Array.isArray(transient) || !transient.every((field) => typeof field === "string")) refuse("transient", "an array of names of fields", transient);
  if (!isPlainObject(storeBy)) refuse("storeBy", "an object of field stores by the names of fields", storeBy);
  for (const [field, store] of Object.entries(storeBy)) {
    if (!isFieldStore(store)) refuse(`storeBy.${field}`, "a field store: { save(key, value, ctx), load(key, ctx) }", store);
    if (transient.includes(field)) refuse("transient", "for fields that are not stored", `"${field}", which has a store`);
  }
  if (typeof migrate !== "object" || migrate === null) refuse("migrate", "an object of functions by version", migrate);
}

export function isFieldStore(store: unknown): store is FieldStore {
  if (typeof store !== "object" || store === null) return false;
  const { save, load } = store as Partial<FieldStore>;
  return typeof save === "function" && typeof load === "function";
}

export function versionOf(type: StateClass): number {
  return type.meta.version ?? 1;
}
