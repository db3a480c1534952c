import { StepReturnError } from "./errors";
import { type Event, type EventClass, KIND, type Kind, longName } from "./event";
import type { Plan, PlanStep } from "./plan";
import { describe, isPlainObject } from "./values";

/** The kind of an instance of an event class; undefined for anything else. */
export function kindOf(value: unknown): Kind | undefined {
  return (value as { [KIND]?: Kind })[KIND];
}

/** Where a value comes from, for the message: `Step "a" returned`. */
export type Where = string;

/**
 * The event that a value is: an instance as it is; a plain object of an accepted class's type as an instance of it (1.2).
 *
 * @throws StepReturnError for what is no event, EventValidationError for a payload its class refuses
 */
export function eventOf(plan: Plan, value: unknown, where: Where, step?: string): Event {
  if (value !== null && value !== undefined && kindOf(value) !== undefined) return value as Event;
  if (!isPlainObject(value) || typeof value["type"] !== "string" || value["type"] === "") {
    throw new StepReturnError(
      `${where} ${describe(value)}. A step returns an event, an array of events or nothing: new Greet({ … }) or { type: "Greet", … }.`,
      { step },
    );
  }
  const { type: given, ...payload } = value;
  const type = longName(given as string);
  const id = plan.typeIds.get(type);
  const made: EventClass | undefined = id === undefined ? undefined : plan.classes[id];
  if (made !== undefined) return new made(payload);
  return type === given ? (value as unknown as Event) : ({ ...value, type } as unknown as Event);
}

/** The plan's number for an event's type; the number of types for one it does not know. */
export function typeIdOf(plan: Plan, event: Event): number {
  return plan.typeIds.get(event.type) ?? plan.types.length;
}

/** @throws StepReturnError where the step's `emits` leaves the type out (2.3) */
export function checkEmits(step: PlanStep, event: Event, verb: string): void {
  if (step.emits === undefined || step.emits.has(event.type)) return;
  throw new StepReturnError(
    `Step "${step.name}" ${verb} "${event.type}", which its option "emits" does not name (${[...step.emits].join(", ") || "nothing"}). Add the type there, or do not emit it.`,
    { step: step.name },
  );
}

/**
 * The key of an event for a keyed join, or the error that fails the joining step (2.4).
 */
export function joinKey(step: string, by: (event: Event) => unknown, event: Event): { key: string | number } | { error: unknown } {
  try {
    const key = by(event);
    if (typeof key === "string" || typeof key === "number") return { key };
    return { error: new StepReturnError(`Step "${step}": "by" gave ${describe(key)} for an event "${event.type}". A key is a string or a number.`, { step }) };
  } catch (error) {
    return { error };
  }
}
