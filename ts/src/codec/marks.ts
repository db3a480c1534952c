import type { FieldStore } from "../field-store";
import type { StateClass } from "./types";

/** Which fields of a BlazenState class are not stored as the others are. */
export interface Marks {
  readonly transient: ReadonlySet<string>;
  readonly storeBy: ReadonlyMap<string, FieldStore>;
}

/** Of a class, what decorators have said; a registered symbol, as the class may come from the package's other build. */
const MARKS = Symbol.for("blazen.fields");
type Marked = { [MARKS]?: Map<string, FieldStore | undefined> };

/** With what `meta` says; forgotten when a decorator says more. */
const known = new WeakMap<object, Marks>();

/** Says that a field is transient, or with a store that it is kept there: for the class and those derived from it. */
export function addMark(type: object, field: string, store: FieldStore | undefined): void {
  if (!Object.hasOwn(type, MARKS)) Object.defineProperty(type, MARKS, { value: new Map() });
  const marks = (type as Marked)[MARKS]!;
  if (marks.has(field) && marks.get(field) === store) return;
  marks.set(field, store);
  known.delete(type);
}

/** By `meta` and by the decorators of the class and its bases; complete when an instance was made. */
export function marksOf(type: StateClass): Marks {
  let marks = known.get(type);
  if (marks === undefined) {
    const transient = new Set(type.meta.transient);
    const storeBy = new Map(Object.entries(type.meta.storeBy ?? {}));
    const chain: Marked[] = [];
    for (let at: object | null = type; at !== null && at !== Function.prototype; at = Object.getPrototypeOf(at)) {
      if (Object.hasOwn(at, MARKS)) chain.unshift(at);
    }
    for (const { [MARKS]: added } of chain) {
      for (const [field, store] of added!) {
        if (store === undefined) transient.add(field);
        else storeBy.set(field, store);
      }
    }
    marks = { transient, storeBy };
    known.set(type, marks);
  }
  return marks;
}
