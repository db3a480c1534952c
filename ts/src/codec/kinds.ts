/** Levels of nesting (6.2); the outermost object is level 1. */
export const DEEPEST = 1000;

/**
 * An encoded value: a tree that JSON carries, and the bytes that its buffers refer to by index. Neither is ever changed. What
 * the tree means is written down in docs/format.md.
 */
export interface Encoded {
  readonly tree: unknown;
  readonly bytes: readonly Uint8Array[] | undefined;
  /** The tree is known to be a plain object of strings, numbers, booleans and null: a copy of it is what was encoded. */
  readonly flat?: boolean;
  /** The tree is known to be JSON that stands for itself, of no more levels than are allowed. */
  readonly plain?: boolean;
}

/** A tree of a value that JSON has no word for. */
export interface Tagged {
  /** The kind; the first key. */
  readonly $: string;
  [field: string]: unknown;
}

export const UNDEFINED: Tagged = Object.freeze({ $: "undefined" });

type Builtin = abstract new (...args: never[]) => object;

/** Looked up by name, as engines lack some and a bundler should not bring others in. */
function builtins<T extends Builtin>(names: readonly string[]): ReadonlyMap<string, T> {
  const all = globalThis as unknown as Record<string, T | undefined>;
  return new Map(names.flatMap((name) => (all[name] === undefined ? [] : [[name, all[name]]])));
}

interface ViewClass {
  new (buffer: ArrayBuffer, offset: number, length: number): ArrayBufferView;
  readonly BYTES_PER_ELEMENT?: number;
}

/** By name. A DataView has elements of one byte. */
export const VIEWS = builtins<ViewClass>([
  "Uint8Array",
  "Uint8ClampedArray",
  "Int8Array",
  "Uint16Array",
  "Int16Array",
  "Uint32Array",
  "Int32Array",
  "Float16Array",
  "Float32Array",
  "Float64Array",
  "BigInt64Array",
  "BigUint64Array",
  "DataView",
]);

/** Errors that come back as what they were; by name. */
export const ERRORS = builtins<ErrorConstructor>([
  "Error",
  "EvalError",
  "RangeError",
  "ReferenceError",
  "SyntaxError",
  "TypeError",
  "URIError",
  "AggregateError",
]);

export const VIEW_NAMES = byPrototype(VIEWS);
export const ERROR_NAMES = byPrototype(ERRORS);
/** Node's Buffer, where there is one. */
export const NODE_BUFFER: object | undefined = (globalThis as { Buffer?: Builtin }).Buffer?.prototype;

const OTHERS = builtins(["Object", "Array", "Date", "RegExp", "Map", "Set", "ArrayBuffer", "URL", "Buffer"]);
const STORED_AS_THEY_ARE = new Set<unknown>([...OTHERS.values(), ...VIEWS.values(), ...ERRORS.values()]);

/** Whether instances of a class have a kind of their own. */
export function isStoredAsItIs(type: unknown): boolean {
  return STORED_AS_THEY_ARE.has(type);
}

function byPrototype(classes: ReadonlyMap<string, { readonly prototype: object }>): ReadonlyMap<object, string> {
  return new Map([...classes].map(([name, { prototype }]) => [prototype, name]));
}
