import { InputRequestEvent, InputResponseEvent, StepFailedEvent } from "./built-in";
import { define } from "./codec/define";
import { development } from "./environment";
import { builtInClass, type Event, type EventClass, eventClass, KIND } from "./event";
import type { Plan } from "./plan";
import { isStageEvent, storedStageEvent } from "./stage-event";
import { damaged, unusable } from "./stored";

/** An event within the payload of another. */
interface Nested {
  readonly type: string;
  readonly payload: unknown;
}

/** An event's payload as a snapshot has it: event classes by their names, and events within it with theirs. */
export function payloadOf(event: Event): object {
  switch (event.type) {
    case InputRequestEvent.type: {
      const { answer, ...payload } = event as InputRequestEvent;
      return answer === InputResponseEvent ? payload : { ...payload, answer: answer.type };
    }
    case InputResponseEvent.type: {
      const { request, ...payload } = event as InputResponseEvent;
      return { ...payload, request: payloadOf(request) };
    }
    case StepFailedEvent.type: {
      const { event: subject, ...payload } = event as StepFailedEvent;
      return { ...payload, event: Array.isArray(subject) ? subject.map(nested) : nested(subject as Event) };
    }
  }
  if (isStageEvent(event)) return storedStageEvent(event);
  // An instance has its type from its class, a plain object its own.
  if (KIND in event) return event;
  const { type: _, ...fields } = event;
  return fields;
}

/** Stands for the payload of an event that cannot be stored, where nobody gets what is stored. */
export function standIn(event: Event, slot: number): object {
  switch (event.type) {
    case InputRequestEvent.type: {
      const { id, prompt, answer } = event as InputRequestEvent;
      return { id, prompt, slot, ...(answer === InputResponseEvent ? {} : { answer: answer.type }) };
    }
    case InputResponseEvent.type: {
      const { requestId, request } = event as InputResponseEvent;
      return { requestId, slot, request: standIn(request, slot) };
    }
    case StepFailedEvent.type: {
      const { step, attempts } = event as StepFailedEvent;
      return { step, attempts, slot, event: [] };
    }
  }
  if (isStageEvent(event)) return { input: slot, previous: null, results: {} };
  return { slot };
}

function nested(event: Event): Nested {
  // An instance is its own payload; within another it would be one of a class that nobody listed.
  return { type: event.type, payload: { ...payloadOf(event) } };
}

/**
 * The event that a stored payload was: it has been validated once.
 *
 * @throws SnapshotError for what is none, or needs an event class that the workflow no longer has
 */
export function revive(plan: Plan, type: string, payload: unknown): Event {
  if (typeof payload !== "object" || payload === null || Array.isArray(payload)) return damaged(`the payload of an event "${type}" is no object`);
  const made = classOf(plan, type);
  const event: object = made === undefined ? { type } : Object.create(made.prototype);
  for (const [key, value] of Object.entries(revivedPayload(plan, type, payload))) define(event, key, value);
  if (development) Object.freeze(event);
  return event as Event;
}

function classOf(plan: Plan, type: string): EventClass | undefined {
  const id = plan.typeIds.get(type);
  return (id === undefined ? undefined : plan.classes[id]) ?? builtInClass(type);
}

function revivedPayload(plan: Plan, type: string, payload: object): object {
  const read = payload as Readonly<Record<string, unknown>>;
  const bad = (field: string) => damaged(`the payload of an event "${type}" has no right "${field}"`);
  switch (type) {
    case InputRequestEvent.type: {
      const { id, prompt, answer } = read;
      if (typeof id !== "string" || id === "") bad("id");
      if (typeof prompt !== "string") bad("prompt");
      if (answer === undefined) return { ...payload, answer: InputResponseEvent };
      if (typeof answer !== "string") return bad("answer");
      return { ...payload, answer: answerClass(plan, answer) };
    }
    case InputResponseEvent.type: {
      const { requestId, request } = read;
      if (typeof requestId !== "string") bad("requestId");
      return { ...payload, request: revive(plan, InputRequestEvent.type, request) };
    }
    case StepFailedEvent.type: {
      const { event, step, attempts } = read;
      if (typeof step !== "string") bad("step");
      if (typeof attempts !== "number") bad("attempts");
      const one = (subject: unknown) => {
        const { type: inner, payload: of } = (subject ?? {}) as Partial<Nested>;
        return typeof inner === "string" ? revive(plan, inner, of) : bad("event");
      };
      return { ...payload, event: Array.isArray(event) ? event.map(one) : one(event) };
    }
  }
  return payload;
}

/** Its answer's step has to be there, as for everything that waits (7.5). */
function answerClass(plan: Plan, type: string): EventClass {
  if (!plan.accepted.has(type)) return unusable(`a request waits for an answer "${type}", which no step accepts any more`);
  // One that steps accept by its name has no class here.
  return classOf(plan, type) ?? (eventClass(type) as unknown as EventClass);
}
