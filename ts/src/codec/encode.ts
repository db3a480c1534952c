import { UnserializableError } from "../errors";
import { describe, isWellFormed } from "../values";
import { BufferTable } from "./buffers";
import { define } from "./define";
import { fieldsOf, isFlat, numberTree, plainCopy, withoutSymbols } from "./flat";
import { DEEPEST, type Encoded, ERROR_NAMES, NODE_BUFFER, type Tagged, UNDEFINED, VIEW_NAMES } from "./kinds";
import { marksOf } from "./marks";
import { HERE, Inside, type Segment, shortened, written } from "./segments";
import { type CodecEntry, isStateClass, type StateClass, type Types, versionOf } from "./types";

/**
 * A copy of a value in a form that can be stored (6.2).
 *
 * @param path what the value is called in errors, e.g. `state.customer`, or what gives it
 * @param states gets the BlazenState instances in the value, in the order in which `decode` makes them
 * @throws UnserializableError with the path of what cannot be stored
 */
export function encode(value: unknown, path: string | (() => string), types: Types, states?: object[]): Encoded {
  switch (typeof value) {
    case "string":
    case "boolean":
      return { tree: value, bytes: undefined };
    case "number":
      return { tree: numberTree(value), bytes: undefined };
    case "object":
      if (value !== null) {
        const copy = plainCopy(value);
        if (copy !== undefined && isFlat(copy)) return { tree: copy, bytes: undefined, flat: true };
        return new Encoder(path, types, value, copy).encode(value, states);
      }
  }
  return new Encoder(path, types).encode(value, states);
}

/** The own enumerable fields of an object, whatever its class, as those of a plain one. */
export function encodeFields(value: object, path: string | (() => string), types: Types): Encoded {
  const copy = fieldsOf(value);
  if (copy !== undefined && isFlat(copy)) return { tree: copy, bytes: undefined, flat: true };
  return new Encoder(path, types, value, copy).encodeFields(value);
}

/** A field of a BlazenState. */
export interface EncodedField extends Encoded {
  /** The BlazenState instances in it, in the order in which `decode` makes them. */
  readonly states: readonly object[];
}

/** A BlazenState that is a value by itself. */
export interface EncodedState {
  /** By name, in the instance's order: each stands alone. Those with a store only, if there is a `whole`. */
  readonly fields: ReadonlyMap<string, EncodedField>;
  /** The instance without its fields that have a store: where its fields share objects, or lead back to it. */
  readonly whole: EncodedField | undefined;
}

/**
 * The fields of a BlazenState but for the transient ones (8.1).
 *
 * @throws UnserializableError with the path of what cannot be stored
 */
export function encodeState(value: object, type: StateClass, path: string | (() => string), types: Types): EncodedState {
  return new Encoder(path, types).encodeState(value, type);
}

class Encoder {
  /** Objects that are being encoded, one within the other. */
  #depth = 0;
  /** By level: where in its object the encoder is. Paths are written only when something is refused. */
  readonly #at: Segment[] = [];
  /** Objects met so far: each has its number, by which a later meeting refers to it. */
  #count = 0;
  #first: object | undefined = undefined;
  /** Made for the second object: a flat one needs none. */
  #seen: Map<object, number> | undefined = undefined;
  #refers = false;
  #buffers: BufferTable | undefined = undefined;
  /** Gets each BlazenState, inner ones first. */
  #states: object[] | undefined = undefined;
  /** Where the numbers of the field that is being encoded count from, and whether it refers to an object outside of it. */
  #from = 0;
  #crosses = false;
  readonly #relative: [tree: Tagged, from: number][] = [];
  #refusal: UnserializableError | undefined = undefined;

  /** The level of the innermost instance with a codec around, and for levels the numbers of their objects. */
  #codecLevel = 0;
  readonly #numbers: number[] = [];
  /** The earliest object around it that each object leads back to, where it does. */
  #back: Map<number, number> | undefined = undefined;

  constructor(
    private readonly path: string | (() => string),
    private readonly types: Types,
    /** An object whose fields were read already. */
    private readonly root?: object,
    private readonly copied?: Record<string, unknown>,
  ) {}

  encode(value: unknown, states: object[] | undefined): Encoded {
    this.#states = states;
    try {
      return this.#encoded(this.#value(value, HERE));
    } catch (error) {
      throw this.#explained(error);
    }
  }
  encodeFields(value: object): Encoded {
    try {
      this.#enter(value);
      return this.#encoded(this.#plain(value));
    } catch (error) {
      throw this.#explained(error);
    }
  }
  encodeState(value: object, type: StateClass): EncodedState {
    try {
      this.#enter(value);
      return this.#apart(value, type);
    } catch (error) {
      throw this.#explained(error);
    }
  }
  #encoded(tree: unknown): Encoded {
    return { tree: this.#refers ? { $: "graph", value: tree } : tree, bytes: this.#buffers?.bytes() };
  }

  #value(value: unknown, at: Segment): unknown {
    switch (typeof value) {
      case "string":
      case "boolean":
        return value;
      case "number":
        return numberTree(value);
      case "undefined":
        return UNDEFINED;
      case "bigint":
        return { $: "bigint", value: String(value) };
      case "object":
        if (value === null) return null;
        this.#at[this.#depth] = at;
        return this.#object(value);
      default:
        this.#at[this.#depth] = at;
        return this.#refuse(describe(value));
    }
  }

  #object(value: object): unknown {
    if (this.#count > 0) {
      this.#seen ??= new Map([[this.#first!, 0]]);
      const number = this.#seen.get(value);
      if (number !== undefined) return this.#reference(number);
      this.#seen.set(value, this.#count);
    }
    this.#enter(value);
    const prototype: object | null = Object.getPrototypeOf(value);
    let tree: unknown;
    if (prototype === Object.prototype) tree = this.#plain(value);
    else if (prototype === Array.prototype && Array.isArray(value)) tree = this.#array(value);
    else if (prototype === null) tree = { $: "dict", fields: this.#fields(value) };
    else tree = this.#other(value, prototype);
    this.#depth--;
    return tree;
  }
  #enter(value: object): void {
    if (this.#depth >= DEEPEST) this.#refuse(`an object more than ${DEEPEST.toLocaleString("en")} levels deep`);
    if (this.#count === 0) this.#first = value;
    this.#depth++;
    this.#numbers[this.#depth] = this.#count++;
    this.#at[this.#depth] = HERE;
  }

  #plain(value: object): unknown {
    const fields = this.#fields(value);
    return Object.hasOwn(fields, "$") ? { $: "object", fields } : fields;
  }
  #fields(value: object): Record<string, unknown> {
    const fields = this.#copied(value);
    for (const key of Object.keys(fields)) {
      if (!isWellFormed(key)) this.#refuseKey(key);
      const field = fields[key];
      if (typeof field === "string") continue;
      const tree = this.#value(field, key);
      // The key is the copy's own, so this calls no setter, not for `__proto__` either.
      if (tree !== field) fields[key] = tree;
    }
    return fields;
  }
  /** The own enumerable fields; each accessor is read here, once. */
  #copied(value: object): Record<string, unknown> {
    if (value === this.root && this.copied !== undefined) return withoutSymbols(this.copied);
    let copy: Record<string, unknown>;
    try {
      copy = { ...(value as Record<string, unknown>) };
    } catch (error) {
      // Something threw: find out which field it was, for the path.
      for (const key of Object.keys(value)) {
        this.#at[this.#depth] = key;
        void (value as Record<string, unknown>)[key];
      }
      this.#at[this.#depth] = HERE;
      throw error;
    }
    return withoutSymbols(copy);
  }

  #array(value: readonly unknown[]): unknown {
    const { length } = value;
    const trees: unknown[] = [];
    for (let at = 0; at < length; at++) {
      this.#at[this.#depth] = at;
      const item = value[at];
      if (item === undefined && !Object.hasOwn(value, at)) return this.#sparse(value, length, trees);
      trees.push(this.#value(item, at));
    }
    return trees;
  }
  /** An array with a hole; `before` are the items before it. Visits what is there, as there may be billions of holes. */
  #sparse(value: readonly unknown[], length: number, before: readonly unknown[]): Tagged {
    const items: unknown[] = before.flatMap((tree, at) => [at, tree]);
    const isAhead = (at: number) => at >= before.length && at < length;
    // Other than a proxy's, own index keys are in order already.
    const indices = Object.getOwnPropertyNames(value)
      .filter((key) => String(Number(key) >>> 0) === key)
      .map(Number);
    for (const at of indices.filter(isAhead).sort((a, b) => a - b)) {
      this.#at[this.#depth] = at;
      items.push(at, this.#value(value[at], at));
    }
    return { $: "sparse", length, items };
  }

  #other(value: object, prototype: object): Tagged {
    const listed = this.types.of(prototype);
    if (listed?.codec !== undefined) return this.#class(value, listed.codec);
    if (listed !== undefined) return this.#state(value, listed.state);
    switch (prototype) {
      case Date.prototype: {
        const time = Date.prototype.getTime.call(value);
        return { $: "date", value: Number.isNaN(time) ? null : new Date(time).toISOString() };
      }
      case Map.prototype:
        return this.#map(value as Map<unknown, unknown>);
      case Set.prototype:
        return this.#set(value as Set<unknown>);
      case RegExp.prototype:
        return this.#regexp(value as RegExp);
      case ArrayBuffer.prototype:
        return this.#buffer(value as ArrayBuffer);
      case URL.prototype:
        return { $: "url", href: (value as URL).href };
      case NODE_BUFFER:
        this.#buffers ??= new BufferTable();
        return this.#buffers.alone(value as Uint8Array);
    }
    const view = VIEW_NAMES.get(prototype);
    if (view !== undefined) return this.#view(value as ArrayBufferView, view);
    if (value instanceof Error) return this.#error(value, prototype);
    return this.#unlisted(value);
  }

  #map(value: Map<unknown, unknown>): Tagged {
    const entries: unknown[] = [];
    let at = 0;
    // The method, as a subclass's iterator would be another; it throws for what only looks like a Map.
    Map.prototype.forEach.call(value, (item, key) => {
      entries.push(this.#value(key, isSimple(key) ? HERE : new Inside("keys", at)));
      entries.push(this.#value(item, isSimple(item) ? HERE : new Inside("value", at, key)));
      at++;
    });
    return { $: "map", entries };
  }
  #set(value: Set<unknown>): Tagged {
    const items: unknown[] = [];
    Set.prototype.forEach.call(value, (item) => {
      items.push(this.#value(item, isSimple(item) ? HERE : new Inside("values", items.length)));
    });
    return { $: "set", items };
  }
  #regexp(value: RegExp): Tagged {
    const tree: Tagged = { $: "regexp", source: value.source, flags: value.flags };
    const { lastIndex } = value;
    if (!Number.isSafeInteger(lastIndex) || lastIndex < 0) this.#refuse(`a RegExp with a lastIndex of ${describe(lastIndex)}`);
    if (lastIndex !== 0) tree["lastIndex"] = lastIndex;
    return tree;
  }
  #buffer(value: ArrayBuffer): Tagged {
    this.#attached(value);
    this.#buffers ??= new BufferTable();
    return this.#buffers.whole(value);
  }
  #view(value: ArrayBufferView, type: string): Tagged {
    const { buffer } = value;
    if (Object.getPrototypeOf(buffer) !== ArrayBuffer.prototype) this.#refuse(`a ${type} of a SharedArrayBuffer`);
    this.#attached(buffer as ArrayBuffer);
    this.#buffers ??= new BufferTable();
    return this.#buffers.view(value, type);
  }
  #attached(buffer: ArrayBuffer): void {
    if (buffer.byteLength > 0) return;
    try {
      new Uint8Array(buffer);
    } catch {
      this.#refuse("an ArrayBuffer that was transferred elsewhere");
    }
  }

  #error(value: Error, prototype: object): Tagged {
    const tree: Tagged = { $: "error", type: ERROR_NAMES.get(prototype) ?? "Error" };
    const own: Record<string, unknown> = {};
    const others = new Set(Object.keys(value));
    const read = (key: string): unknown => {
      others.delete(key);
      this.#at[this.#depth] = key;
      return (value as unknown as Record<string, unknown>)[key];
    };
    for (const key of ["name", "message", "stack"]) {
      const text = read(key);
      if (typeof text === "string") tree[key] = text;
      else if (text !== undefined) own[key] = text;
    }
    if (Object.hasOwn(value, "cause")) tree["cause"] = this.#value(read("cause"), "cause");
    if (value instanceof AggregateError) tree["errors"] = this.#value(read("errors"), "errors");
    for (const key of others) define(own, key, read(key));
    // A `code` may be the class's, as a DOMException's is.
    if (!Object.hasOwn(own, "code") && "code" in value) own["code"] = read("code");
    // Encoded when all are there, in the order that a reader finds: index keys come before others.
    tree["fields"] = this.#fields(own);
    return tree;
  }
  #class(value: object, { name, encode }: CodecEntry): Tagged {
    const outer = this.#codecLevel;
    this.#codecLevel = this.#depth;
    const tree = { $: "class", name, value: this.#value(encode(value), HERE) };
    this.#codecLevel = outer;
    return tree;
  }
  #state(value: object, type: StateClass): Tagged {
    const { name } = type.meta;
    const { transient, storeBy } = marksOf(type);
    const fields: Record<string, unknown> = {};
    for (const key of Object.keys(value)) {
      if (transient.has(key)) continue;
      this.#at[this.#depth] = key;
      if (storeBy.has(key))
        this.#refuse(
          `a field with a store (storeBy) of a ${name} within another value`,
          `storeBy works for a state set under a key of its own: ctx.set(key, state).`,
        );
      if (!isWellFormed(key)) this.#refuseKey(key);
      define(fields, key, this.#value((value as Record<string, unknown>)[key], key));
    }
    this.#states?.push(value);
    return { $: "state", name, version: versionOf(type), fields };
  }
  #reference(number: number): Tagged {
    if (this.types.size > 0) this.#checkCycle(number);
    this.#refers = true;
    const tree: Tagged = { $: "ref", to: number - this.#from };
    if (this.#from > 0) this.#relative.push([tree, this.#from]);
    if (number < this.#from) this.#crosses = true;
    return tree;
  }

  /** Each field for itself: its objects are numbered from 0, and so are its byte arrays. */
  #apart(value: object, type: StateClass): EncodedState {
    const { transient, storeBy } = marksOf(type);
    const names = Object.keys(value).filter((name) => !transient.has(name));
    // Those with a store last, so that the others could do without them.
    const plain = names.filter((name) => !storeBy.has(name));
    const found: { name: string; tree: unknown; refers: boolean; start: number; end: number; states: object[] }[] = [];
    this.#buffers ??= new BufferTable();
    const buffers = this.#buffers;
    let shared = false;
    let shares: readonly [number, number] = [0, 0];
    for (const name of [...plain, ...names.filter((one) => storeBy.has(one))]) {
      this.#at[this.#depth] = name;
      if (!isWellFormed(name)) this.#refuseKey(name);
      this.#from = this.#count;
      buffers.from = buffers.size;
      this.#crosses = false;
      buffers.crosses = false;
      this.#refers = false;
      const states: object[] = [];
      this.#states = states;
      const tree = this.#value((value as Record<string, unknown>)[name], name);
      this.#at[this.#depth] = name;
      if (this.#crosses || buffers.crosses) {
        if (storeBy.has(name)) this.#refuse("a field with a store (storeBy) that shares an object with another field", "Give it a copy of its own.");
        shared = true;
      }
      if (!storeBy.has(name)) shares = [this.#relative.length, buffers.relative];
      found.push({ name, tree, refers: this.#refers, start: buffers.from, end: buffers.size, states });
    }
    if (shared) {
      for (const [tree, from] of this.#relative.slice(0, shares[0])) tree["to"] = (tree["to"] as number) + from;
      buffers.rebase(shares[1]);
    }
    const bytes = buffers.bytes();
    const of = (start: number, end: number) => (start === end ? undefined : bytes.slice(start, end));
    const byName = new Map<string, EncodedField>();
    const own = found.slice(0, plain.length);
    let whole: EncodedField | undefined;
    if (shared) {
      const fields: Record<string, unknown> = {};
      for (const { name, tree } of own) define(fields, name, tree);
      const tree = { $: "state", name: type.meta.name, version: versionOf(type), fields };
      whole = {
        tree: own.some(({ refers }) => refers) ? { $: "graph", value: tree } : tree,
        bytes: of(0, own.at(-1)?.end ?? 0),
        states: [...own.flatMap(({ states }) => states), value],
      };
    }
    for (const { name, tree, refers, start, end, states } of shared ? found.slice(plain.length) : found)
      byName.set(name, { tree: refers ? { $: "graph", value: tree } : tree, bytes: of(start, end), states });
    return { fields: new Map(names.flatMap((name) => (byName.has(name) ? [[name, byName.get(name)!]] : []))), whole };
  }
  /** Refuses a reference that makes a cycle through an instance with a codec: `decode` would need the instance it makes. */
  #checkCycle(number: number): void {
    let target = number;
    for (let next = this.#back?.get(target); next !== undefined; next = this.#back!.get(target)) target = next;
    // Objects around are numbered in ascending order; most references are to others.
    const level = this.#numbers.lastIndexOf(target, this.#depth);
    if (level < 1) return;
    if (level <= this.#codecLevel)
      this.#refuse(
        "a cycle through an instance of a class with a codec",
        "Its decode would be given the very instance that it makes: leave one of the references out of what encode gives.",
      );
    this.#back ??= new Map();
    for (let one = this.#depth; one > level; one--) {
      const node = this.#numbers[one]!;
      const before = this.#back.get(node);
      if (before !== undefined && before <= target) break;
      this.#back.set(node, target);
    }
  }

  #unlisted(value: object): never {
    const type: unknown = value.constructor;
    if (isStateClass(type))
      return this.#refuse(`${describe(value)}, which is not among the workflow's types`, `List it: new Workflow(name, { types: [${type.name}] }).`);
    const hint = value instanceof Promise ? "Await it first." : "Store its data as a plain object, or give its class a codec in the workflow's types.";
    return this.#refuse(describe(value), hint);
  }
  #refuseKey(key: string): never {
    this.#at[this.#depth] = key;
    return this.#refuse("a key that holds a lone surrogate", "Use well-formed Unicode for keys.");
  }
  #refuse(what: string, hint = "Leave it out, or keep it in ctx.session."): never {
    const path = this.#path();
    this.#refusal = new UnserializableError(`${shortened(path)}: ${what} cannot be stored. ${hint}`, path);
    throw this.#refusal;
  }
  /** What was thrown, if not by the encoder itself then with the path of the accessor or the instance that threw. */
  #explained(error: unknown): unknown {
    if (error === this.#refusal) return error;
    const path = this.#path();
    const reason = error instanceof Error ? error.message : describe(error);
    return new UnserializableError(`${shortened(path)}: this could not be read: ${reason}`, path, { cause: error });
  }
  #path(): string {
    return written(typeof this.path === "string" ? this.path : this.path(), this.#at, this.#depth);
  }
}

function isSimple(value: unknown): boolean {
  return typeof value !== "object" && typeof value !== "function" && typeof value !== "symbol";
}
