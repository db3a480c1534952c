import { DefinitionError } from "./errors";
import { type Event, type EventClass, longName } from "./event";
import { describe, isWellFormed } from "./values";

export interface All<T extends Event[]> {
  readonly kind: "all";
  readonly types: T;
}
export interface Collect<E extends Event> {
  readonly kind: "collect";
  readonly type: E;
}

type Instances<C> = C extends readonly EventClass[] ? InstanceType<C[number]> : C extends EventClass ? InstanceType<C> : never;

/**
 * What a step may accept: an event class, several (any of them), `all(…)`, `collect(…)`, or a type name.
 */
// biome-ignore lint/suspicious/noExplicitAny: All and Collect of whatever they join
export type Accepts = EventClass | readonly EventClass[] | All<any> | Collect<any> | string;

export type CollectOptions = { of?: string; count?: number } | { of: string; first: number; rest?: "cancel" | "ignore" };

type By = (event: Event) => unknown;

/** A type by name, with the class that makes it where one was given. */
export interface TypeRef {
  readonly name: string;
  readonly class: EventClass | undefined;
}

/** `accepts` of a step, in one form. */
export type Accepting =
  | { readonly kind: "any"; readonly types: readonly TypeRef[] }
  | { readonly kind: "all"; readonly types: readonly TypeRef[]; readonly by: By | undefined }
  | { readonly kind: "collect"; readonly types: readonly TypeRef[]; readonly options: { of?: string; count?: number; first?: number; rest?: string } };

class Joining {
  readonly kind = "all";
  constructor(
    readonly types: readonly EventClass[],
    readonly by: By | undefined,
  ) {}
}
class Collecting {
  readonly kind = "collect";
  constructor(
    readonly types: readonly EventClass[],
    readonly options: CollectOptions,
  ) {}
}

/**
 * Accepts a complete set: the step runs once for each, first in first out for each type, or per key (2.4).
 *
 * @param types the event classes of a set, in the order the step gets them; one may appear twice. Last, optionally
 * `{ by: (event) => key }`: sets are completed per key, a string or a number
 * @example
 * workflow.step("ship", all(Paid, Packed, { by: (event) => event.order }), ([paid, packed]) => …);
 */
export function all<C extends EventClass[]>(...types: C): All<{ [K in keyof C]: InstanceType<C[K]> }>;
export function all<C extends EventClass[]>(
  ...typesThenOptions: [...C, { by: (event: InstanceType<C[number]>) => string | number }]
): All<{ [K in keyof C]: InstanceType<C[K]> }>;
export function all(...given: unknown[]): unknown {
  const last = given.at(-1);
  const keyed = typeof last === "object" && last !== null && "by" in last;
  return new Joining((keyed ? given.slice(0, -1) : given) as EventClass[], keyed ? (last.by as By) : undefined);
}

/**
 * Gathers events and gives them to the step as one array: of a fan-out (`of` names the step that opened it), or of the
 * whole run (2.5).
 *
 * @param types one event class, or several
 * @param options `count: n` runs for every n as they come; `first: n` runs at the nth and ends the fan-out
 * @example
 * workflow.step("total", collect(Scored, { of: "fan" }), (scores) => new StopEvent({ result: scores.length }));
 */
export function collect<C extends EventClass | readonly EventClass[]>(types: C, options: CollectOptions = {}): Collect<Instances<C>> {
  return new Collecting((Array.isArray(types) ? types : [types]) as EventClass[], options) as unknown as Collect<Instances<C>>;
}

/** @throws DefinitionError naming the step and what is wrong */
export function accepting(step: string, accepts: unknown): Accepting {
  if (accepts instanceof Joining) {
    if (accepts.types.length === 0) throw new DefinitionError(`Step "${step}": all() joins no types. Name at least one event class.`, { step });
    if (accepts.by !== undefined && typeof accepts.by !== "function")
      throw new DefinitionError(`Step "${step}": "by" of all(…) is a function from an event to its key, not ${describe(accepts.by)}.`, { step });
    return { kind: "all", types: typeRefs(step, accepts.types), by: accepts.by };
  }
  if (accepts instanceof Collecting) {
    const types = typeRefs(step, accepts.types);
    return { kind: "collect", types, options: collectOptions(step, accepts.options) };
  }
  return { kind: "any", types: typeRefs(step, Array.isArray(accepts) ? accepts : [accepts]) };
}

const REQUEST = longName("InputRequestEvent");

export function typeRefs(step: string, given: readonly unknown[]): TypeRef[] {
  if (given.length === 0) throw new DefinitionError(`Step "${step}" accepts no event. Name at least one event class.`, { step });
  return given.map((one) => {
    const ref = typeRef(`Step "${step}"`, one, step);
    if (ref.name === REQUEST)
      throw new DefinitionError(
        `Step "${step}" accepts InputRequestEvent, but requests wait for handler.respond and come to no step. Accept the class of the answer.`,
        { step },
      );
    return ref;
  });
}

/** The type that a class or a name stands for. */
export function typeRef(where: string, given: unknown, step?: string): TypeRef {
  if (typeof given === "string" && given !== "" && isWellFormed(given)) return { name: longName(given), class: undefined };
  const name = typeof given === "function" ? (given as { type?: unknown }).type : undefined;
  if (typeof name === "string" && name !== "") return { name: longName(name), class: given as EventClass };
  throw new DefinitionError(
    `${where}: ${describe(given)} is no event type. Give a class made with event("…")${given === undefined ? "; undefined may come from files that import each other" : ", or a type's name"}.`,
    { step },
  );
}

function collectOptions(step: string, options: object) {
  const refuse = (why: string): never => {
    throw new DefinitionError(`Step "${step}": collect(…, ${JSON.stringify(options)}): ${why}`, { step });
  };
  if (typeof options !== "object" || options === null) return refuse("the options are an object.");
  const { of, count, first, rest, ...unknown } = options as Record<string, unknown>;
  const extra = Object.keys(unknown)[0];
  if (extra !== undefined) refuse(`there is no option "${extra}". Known: of, count, first, rest.`);
  if (of !== undefined && (typeof of !== "string" || of === "")) refuse('"of" is the name of the step that opens the fan-out.');
  if (count !== undefined && !isCount(count)) refuse('"count" is a whole number from 1 up.');
  if (first !== undefined && !isCount(first)) refuse('"first" is a whole number from 1 up.');
  if (first !== undefined && of === undefined) refuse('"first" ends a fan-out, so it needs "of".');
  if (first !== undefined && count !== undefined) refuse('"first" and "count" exclude each other.');
  if (rest !== undefined && (first === undefined || (rest !== "cancel" && rest !== "ignore"))) refuse('"rest" goes with "first" and is "cancel" or "ignore".');
  return options as { of?: string; count?: number; first?: number; rest?: string };
}

/** A whole number from 1 up that fits a frame. */
export function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 1 && value < 2 ** 30;
}
