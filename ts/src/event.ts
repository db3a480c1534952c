import type { StandardSchemaV1 } from "@standard-schema/spec";
import { DefinitionError, EventValidationError } from "./errors";
import { describe, isPlainObject, isWellFormed } from "./values";

/** What every event carries. `type` is the durable name its author chose (1.1). */
export interface Event<Type extends string = string> {
  readonly type: Type;
}

/** Fields of an event: a plain object's own, or `{ data }` for anything else. A class instance is typed by its fields but found in `.data`: wrap it in an object. */
export type Fields<P> = [P] extends [
  readonly unknown[] | Date | Map<unknown, unknown> | Set<unknown> | Uint8Array | string | number | boolean | bigint | null | undefined,
]
  ? { readonly data: P }
  : { readonly [K in keyof P]: P[K] };

/** An event class: `new`able, and what a step accepts. */
export interface EventClass<E extends Event = Event> {
  // biome-ignore lint/suspicious/noExplicitAny: a class is accepted whatever its constructor takes
  new (...args: any[]): E;
  readonly type: E["type"];
}

/** What an event class is to the engine; every instance finds it on its prototype with one property load. */
export interface Kind {
  readonly type: string;
  readonly schema: StandardSchemaV1 | undefined;
}

/** Registered, so that events made by a second copy of this package (ESM and CommonJS) are events too. */
export const KIND: unique symbol = Symbol.for("blazen.event.kind") as never;

const BUILT_IN = ["StartEvent", "StopEvent", "InputRequestEvent", "InputResponseEvent", "StepFailedEvent", "ProgressEvent"];
const LONG = new Map(BUILT_IN.map((name) => [name, `blazen::${name}`]));
const RESERVED = new Set([...LONG.keys(), ...LONG.values()]);

/** Built-in types may be written without their prefix (1.3). */
export function longName(type: string): string {
  return LONG.get(type) ?? type;
}

/**
 * Makes an event class to extend.
 *
 * @param type the durable name, any non-empty string that is no built-in's
 * @param schema a Standard Schema validator; the payload is checked when the event is made
 * @throws DefinitionError for an empty, malformed or reserved name
 * @throws EventValidationError (from the class) for a payload that the schema refuses, or one with a field `type`
 * @example
 * class Greet extends event("Greet")<{ name: string }> {}
 * new Greet({ name: "Ada" }).name; // "Ada"
 */
export function event<Type extends string>(
  type: Type,
): {
  // biome-ignore lint/complexity/noBannedTypes: no payload
  new <P = {}>(...payload: {} extends P ? [payload?: P] : [payload: P]): Event<Type> & Fields<P>;
  readonly type: Type;
};
export function event<Type extends string, S extends StandardSchemaV1>(
  type: Type,
  schema: S,
): {
  new (payload: StandardSchemaV1.InferInput<S>): Event<Type> & Fields<StandardSchemaV1.InferOutput<S>>;
  readonly type: Type;
};
export function event(type: string, schema?: StandardSchemaV1): unknown {
  if (typeof type !== "string" || type === "")
    throw new DefinitionError(`event(${describe(type)}): an event's type is a non-empty string. Give it a durable name: event("OrderPlaced").`);
  if (!isWellFormed(type)) throw new DefinitionError(`event(${JSON.stringify(type)}): the type holds a lone surrogate. Use well-formed Unicode.`);
  if (RESERVED.has(type))
    throw new DefinitionError(
      `event("${type}"): this type is built in. Choose another name, or import the class ${type.replace("blazen::", "")} from "blazen".`,
    );
  if (schema !== undefined && typeof schema?.["~standard"]?.validate !== "function")
    throw new DefinitionError(`event("${type}"): the second argument is no Standard Schema validator. Pass a zod, valibot or arktype schema.`);
  return eventClass(type, schema);
}

const builtIn = new Map<string, EventClass>();

export function registerBuiltIn(made: EventClass): void {
  builtIn.set(made.type, made);
}

/** The class of one of the engine's own events. */
export function builtInClass(type: string): EventClass | undefined {
  return builtIn.get(type);
}

/** The class behind `event()` and the built-in events. */
export function eventClass(type: string, schema?: StandardSchemaV1) {
  const kind: Kind = { type, schema };
  const checked = schema === undefined ? undefined : schema;
  let kept: object | undefined;
  const Base = class {
    constructor(payload?: unknown) {
      if (payload === undefined && checked === undefined) return;
      const value = checked === undefined || payload instanceof Blank ? payload : validated(type, checked, payload);
      // The first test is the quick one; a payload with a field "constructor" fails it.
      if ((value as { constructor?: unknown } | null)?.constructor !== Object && !isPlainObject(value) && !(value instanceof Blank)) {
        (this as { data?: unknown }).data = value;
        return;
      }
      try {
        Object.assign(this, value);
      } catch (error) {
        assignGuarded(this, type, value as object, error);
      }
      if (kept === undefined) {
        kept = this; // the blank one must not make another
        kept = Reflect.construct(Base, [new Blank(this)], new.target);
      }
    }
  };
  Object.defineProperty(Base, "name", { value: type });
  Object.defineProperty(Base, "type", { value: type, enumerable: true });
  Object.defineProperties(Base.prototype, {
    [KIND]: { value: kind },
    // Not writable, so that the assignment of a payload's own `type` throws at no cost for the others.
    type: { value: type, enumerable: true },
    // Likewise: a payload's own `__proto__` must not become the event's prototype.
    ["__proto__"]: { value: undefined },
    toJSON: {
      value: function (this: object) {
        return { type, ...this };
      },
    },
  });
  return Base;
}

/**
 * A payload of the same fields without their values. V8 forgets the shape of objects that have all died, and with it the code that
 * was optimized for it; so each class keeps one event that holds nothing of the user's.
 */
class Blank {
  constructor(like: object) {
    for (const [key, value] of Object.entries(like)) (this as Record<string, unknown>)[key] = typeof value === "number" ? 0 : undefined;
  }
}

function assignGuarded(target: object, type: string, payload: object, error: unknown): void {
  if (Object.hasOwn(payload, "type")) {
    throw new EventValidationError(`${type}: the payload has a field "type", which is the event's own name. Rename the field.`, "type");
  }
  if (!Object.hasOwn(payload, "__proto__")) throw error;
  for (const key of Reflect.ownKeys(payload)) {
    Object.defineProperty(target, key, { value: (payload as Record<PropertyKey, unknown>)[key], writable: true, enumerable: true, configurable: true });
  }
}

function validated(type: string, schema: StandardSchemaV1, payload: unknown): unknown {
  const outcome = schema["~standard"].validate(payload);
  if (outcome instanceof Promise) {
    outcome.catch(() => {});
    throw new DefinitionError(
      `event "${type}": its schema validates asynchronously, and events are made synchronously. Use a synchronous schema and check the rest in a step.`,
    );
  }
  if (outcome.issues === undefined) return outcome.value;
  const issue = outcome.issues[0];
  const path = pathOf(issue?.path);
  throw new EventValidationError(`${type}${path === "" ? "" : ` at ${path}`}: ${issue?.message ?? "the schema refuses this payload"}`, path, {
    cause: outcome.issues,
  });
}

/** Where in a payload an issue is. */
export function pathOf(path: StandardSchemaV1.Issue["path"]): string {
  let text = "";
  for (const part of path ?? []) {
    const key = typeof part === "object" ? part.key : part;
    if (typeof key === "number") text += `[${key}]`;
    else text += text === "" ? String(key) : `.${String(key)}`;
  }
  return text;
}

declare const payload: unique symbol;

/** Begins a run. A step that accepts `StartEvent<{ name: string }>` gives the workflow its input type (1.3). */
export const StartEvent = eventClass("blazen::StartEvent") as unknown as {
  new <P = Record<string, unknown>>(payload: P): StartEvent<P>;
  readonly type: "blazen::StartEvent";
};
export type StartEvent<P = Record<string, unknown>> = Event<"blazen::StartEvent"> & Fields<P> & { readonly [payload]?: P };
export type StartPayload<A> = A extends EventClass<infer E> ? (E extends StartEvent<infer P> ? P : never) : never;

const StopBase = eventClass("blazen::StopEvent") as unknown as {
  new (payload: { result: unknown }): Event<"blazen::StopEvent">;
  readonly type: "blazen::StopEvent";
};

/**
 * Ends a run. `result` reaches the caller as the very object given here (1.4).
 *
 * @example
 * new StopEvent({ result: 42 });
 */
export class StopEvent<R = unknown> extends StopBase {
  declare readonly type: "blazen::StopEvent";
  declare readonly result: R;
  constructor(payload: { result: R }) {
    super(payload);
  }
}
registerBuiltIn(StartEvent as unknown as EventClass);
registerBuiltIn(StopEvent);
