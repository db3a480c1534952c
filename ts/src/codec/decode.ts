import { describe, isPlainObject } from "../values";
import { define } from "./define";
import { DecodeError } from "./error";
import { copyOf } from "./flat";
import { DEEPEST, type Encoded, ERRORS, type Tagged, VIEWS } from "./kinds";
import { marksOf } from "./marks";
import { migrated } from "./migrate";
import type { Types } from "./types";

/**
 * A fresh copy of an encoded value. What is encoded may come from anywhere: it is checked, and nothing half-made gets out.
 *
 * @param onState called with each BlazenState in the value when all of it is made, inner ones first
 * @throws DecodeError
 */
export function decode(encoded: Encoded, types: Types, onState?: (instance: object) => void): unknown {
  const { tree, bytes } = encoded;
  if (encoded.flat === true) return copyOf(tree as object);
  if (typeof tree !== "object" || tree === null) return new Decoder(bytes, types).value(tree);
  const decoder = new Decoder(bytes, types);
  let value: unknown;
  try {
    value = decoder.root(tree);
  } catch (error) {
    if (error instanceof DecodeError) throw error;
    throw new DecodeError(error instanceof Error ? error.message : describe(error), { cause: error });
  }
  if (onState !== undefined) for (const state of decoder.states) onState(state);
  return value;
}

/** A node whose value is not made yet: an instance with a codec while its own data is decoded. */
const UNMADE = Symbol("unmade");

class Decoder {
  /** Instances of BlazenState classes, inner ones first. */
  readonly states: object[] = [];
  #depth = 0;
  /** By number, if the value has references. */
  #nodes: unknown[] | undefined = undefined;
  #buffers: (ArrayBuffer | undefined)[] | undefined = undefined;

  constructor(
    private readonly bytes: readonly Uint8Array[] | undefined,
    private readonly types: Types,
  ) {}

  root(tree: object): unknown {
    if (isTagged(tree) && tree.$ === "graph") {
      this.#nodes = [];
      return this.value(tree["value"]);
    }
    return this.#object(tree);
  }

  value(tree: unknown): unknown {
    switch (typeof tree) {
      case "string":
      case "boolean":
      case "number":
        return tree;
      case "object":
        return tree === null ? null : this.#object(tree);
      default:
        return fail(`${describe(tree)} is no part of a stored value`);
    }
  }

  #object(tree: object): unknown {
    if (Array.isArray(tree)) return this.#array(tree);
    if (!isTagged(tree)) {
      const copy: Record<string, unknown> = { ...tree };
      this.#enter(copy);
      return this.#filled(copy);
    }
    switch (tree.$) {
      case "undefined":
        return undefined;
      case "number":
        return number(tree);
      case "bigint": {
        const digits = text(tree, "value");
        if (!/^(?:0|-?[1-9]\d*)$/.test(digits)) damaged(tree, "value");
        return BigInt(digits);
      }
      case "ref":
        return this.#reference(tree);
      case "object": {
        const copy = { ...fields(tree) };
        this.#enter(copy);
        return this.#filled(copy);
      }
      case "dict": {
        const copy = Object.assign(Object.create(null), fields(tree));
        this.#enter(copy);
        return this.#filled(copy);
      }
      case "sparse":
        return this.#sparse(tree);
      case "date":
        return this.#leaf(date(tree));
      case "regexp":
        return this.#leaf(regexp(tree));
      case "url":
        return this.#leaf(new URL(text(tree, "href")));
      case "buffer":
        return this.#leaf(this.#buffer(tree));
      case "view":
        return this.#leaf(this.#view(tree));
      case "map":
        return this.#map(tree);
      case "set":
        return this.#set(tree);
      case "error":
        return this.#error(tree);
      case "class":
        return this.#class(tree);
      case "state":
        return this.#state(tree);
      default:
        return fail(`the kind ${describe(tree.$)} is unknown`);
    }
  }

  /** Counts an object in, before what is within it: numbers go by the order in which a reader meets them. */
  #enter(value: unknown): void {
    if (this.#depth >= DEEPEST) fail(`the value is more than ${DEEPEST.toLocaleString("en")} levels deep`);
    this.#depth++;
    this.#nodes?.push(value);
  }
  #leaf<T>(value: T): T {
    this.#enter(value);
    this.#depth--;
    return value;
  }
  /** Decodes the fields of a copy in place. They are the copy's own, so no setter is called, not for `__proto__` either. */
  #filled(copy: Record<string, unknown>): object {
    for (const key of Object.keys(copy)) {
      const tree = copy[key];
      if (typeof tree !== "string") copy[key] = this.value(tree);
    }
    this.#depth--;
    return copy;
  }
  #array(trees: readonly unknown[]): unknown[] {
    const items: unknown[] = [];
    this.#enter(items);
    for (let at = 0; at < trees.length; at++) items.push(this.value(trees[at]));
    this.#depth--;
    return items;
  }
  #sparse(tree: Tagged): unknown[] {
    const length = whole(tree, "length", 2 ** 32 - 1);
    const trees = pairs(tree, "items");
    const items: unknown[] = [];
    this.#enter(items);
    // Items far from the others before the length: memory is taken for what is there, not for what a length says.
    if (length > 0) {
      items[length - 1] = undefined;
      delete items[length - 1];
    }
    let before = -1;
    for (let at = 0; at < trees.length; at += 2) {
      const index = trees[at];
      if (!Number.isInteger(index) || (index as number) <= before || (index as number) >= length) damaged(tree, "items");
      before = index as number;
      items[before] = this.value(trees[at + 1]);
    }
    this.#depth--;
    return items;
  }
  #map(tree: Tagged): Map<unknown, unknown> {
    const trees = pairs(tree, "entries");
    const map = new Map();
    this.#enter(map);
    for (let at = 0; at < trees.length; at += 2) {
      const key = this.value(trees[at]);
      map.set(key, this.value(trees[at + 1]));
    }
    if (map.size !== trees.length / 2) damaged(tree, "entries");
    this.#depth--;
    return map;
  }
  #set(tree: Tagged): Set<unknown> {
    const trees = list(tree, "items");
    const set = new Set();
    this.#enter(set);
    for (const item of trees) set.add(this.value(item));
    if (set.size !== trees.length) damaged(tree, "items");
    this.#depth--;
    return set;
  }

  #buffer(tree: Tagged): ArrayBuffer {
    const at = whole(tree, "bytes", (this.bytes?.length ?? 0) - 1);
    this.#buffers ??= [];
    const bytes = this.bytes![at];
    if (!(bytes instanceof Uint8Array)) damaged(tree, "bytes");
    // Views that share a buffer share its copy. (Not slice: a Node Buffer's is no copy.)
    this.#buffers[at] ??= new Uint8Array(bytes).buffer;
    return this.#buffers[at];
  }
  #view(tree: Tagged): ArrayBufferView {
    const type = VIEWS.get(text(tree, "type"));
    if (type === undefined) return fail(`there is no ${describe(tree["type"])} here`);
    const buffer = this.#buffer(tree);
    const size = type.BYTES_PER_ELEMENT ?? 1;
    const offset = whole(tree, "offset", buffer.byteLength);
    const length = whole(tree, "length", (buffer.byteLength - offset) / size);
    if (offset % size !== 0) damaged(tree, "offset");
    return new type(buffer, offset, length);
  }

  #error(tree: Tagged): Error {
    const type = ERRORS.get(text(tree, "type"));
    if (type === undefined) return damaged(tree, "type");
    const message = optional(tree, "message");
    const error: Error = type === (AggregateError as unknown) ? new AggregateError([]) : new type();
    if (message !== undefined && message !== "") hide(error, "message", message);
    hide(error, "stack", optional(tree, "stack"));
    const name = optional(tree, "name");
    if (name !== undefined && name !== error.name) hide(error, "name", name);
    this.#enter(error);
    if (Object.hasOwn(tree, "cause")) hide(error, "cause", this.value(tree["cause"]));
    if (Object.hasOwn(tree, "errors")) hide(error, "errors", this.value(tree["errors"]));
    this.#assign(error, fields(tree));
    this.#depth--;
    return error;
  }
  #class(tree: Tagged): object {
    const name = text(tree, "name");
    const codec = this.types.named(name)?.codec;
    if (codec === undefined) return fail(`the class "${name}" is not among the workflow's types: list its codec there`);
    const number = this.#nodes?.length;
    this.#enter(UNMADE);
    const instance = codec.decode(this.value(tree["value"]));
    if (typeof instance !== "object" || instance === null || Object.getPrototypeOf(instance) !== codec.type.prototype)
      return fail(`decode of the codec "${name}" gave ${describe(instance)}, not an instance of ${codec.type.name}`);
    if (number !== undefined) this.#nodes![number] = instance;
    this.#depth--;
    return instance;
  }
  #state(tree: Tagged): object {
    const name = text(tree, "name");
    const type = this.types.named(name)?.state;
    if (type === undefined) return fail(`the BlazenState class "${name}" is not among the workflow's types: list it there`);
    const version = whole(tree, "version", Number.MAX_SAFE_INTEGER);
    const trees = fields(tree);
    const instance = new type();
    this.#enter(instance);
    const stored = {};
    this.#assign(stored, trees);
    assignFields(instance, migrated(type, version, stored), marksOf(type).transient);
    this.states.push(instance);
    this.#depth--;
    return instance;
  }
  #assign(target: object, trees: object): void {
    for (const [key, tree] of Object.entries(trees)) define(target, key, this.value(tree));
  }

  #reference(tree: Tagged): unknown {
    const nodes = this.#nodes;
    if (nodes === undefined) return fail("a reference in a value that has none");
    const node = nodes[whole(tree, "to", nodes.length - 1)];
    if (node === UNMADE) return fail("a class instance that holds itself");
    return node;
  }
}

/** Sets the fields of a BlazenState, but for the transient ones. */
export function assignFields(instance: object, stored: object, transient: ReadonlySet<string>): void {
  for (const [key, value] of Object.entries(stored)) if (!transient.has(key)) define(instance, key, value);
}

function hide(target: object, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, writable: true, enumerable: false, configurable: true });
}

function number(tree: Tagged): number {
  switch (tree["value"]) {
    case "NaN":
      return Number.NaN;
    case "Infinity":
      return Number.POSITIVE_INFINITY;
    case "-Infinity":
      return Number.NEGATIVE_INFINITY;
    case "-0":
      return -0;
  }
  return damaged(tree, "value");
}
function date(tree: Tagged): Date {
  const at = tree["value"];
  if (at === null) return new Date(Number.NaN);
  const made = new Date(text(tree, "value"));
  if (Number.isNaN(made.getTime()) || made.toISOString() !== at) damaged(tree, "value");
  return made;
}
function regexp(tree: Tagged): RegExp {
  const made = new RegExp(text(tree, "source"), text(tree, "flags"));
  if (Object.hasOwn(tree, "lastIndex")) made.lastIndex = whole(tree, "lastIndex", Number.MAX_SAFE_INTEGER);
  return made;
}

function isTagged(tree: object): tree is Tagged {
  return Object.hasOwn(tree, "$");
}
function text(tree: Tagged, field: string): string {
  const value = tree[field];
  return typeof value === "string" ? value : damaged(tree, field);
}
function optional(tree: Tagged, field: string): string | undefined {
  return Object.hasOwn(tree, field) ? text(tree, field) : undefined;
}
function whole(tree: Tagged, field: string, most: number): number {
  const value = tree[field];
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= most ? (value as number) : damaged(tree, field);
}
function list(tree: Tagged, field: string): readonly unknown[] {
  const value = tree[field];
  return Array.isArray(value) ? value : damaged(tree, field);
}
function pairs(tree: Tagged, field: string): readonly unknown[] {
  const both = list(tree, field);
  return both.length % 2 === 0 ? both : damaged(tree, field);
}
function fields(tree: Tagged): Record<string, unknown> {
  const value = tree["fields"];
  return isPlainObject(value) ? value : damaged(tree, "fields");
}

function damaged(tree: Tagged, field: string): never {
  return fail(`a stored ${tree.$} has ${describe(tree[field])} for "${field}"`);
}
function fail(message: string): never {
  throw new DecodeError(message);
}
