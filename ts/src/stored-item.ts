import { development } from "./environment";
import { UnserializableError } from "./errors";
import type { Event } from "./event";
import type { Plan } from "./plan";
import type { StoredItem } from "./store";
import { payloadOf, revive } from "./stored-event";
import { textValue, valueText } from "./stored-value";
import type { StreamItem } from "./stream";

interface Written {
  readonly type: string;
  /** A text of `stored-value.ts`. */
  readonly payload?: string;
  /** Why it has no payload. */
  readonly unreadable?: string;
  readonly path: readonly string[];
  readonly runId: string;
}

/** An item of a stream as a store has it; of an event that cannot be stored only its type, and why: `unreadable`. */
export function itemText({ types }: Plan["memory"], { offset, event, path, runId }: StreamItem): StoredItem {
  const { type } = event;
  const text = (rest: object) => ({ offset, text: JSON.stringify({ type, ...rest, path, runId } satisfies Written) });
  try {
    return text({ payload: valueText({ ...payloadOf(event) }, `events[${type}]`, types) });
  } catch (error) {
    if (error instanceof UnserializableError) return text({ unreadable: error.message });
    throw error;
  }
}

/** The same item: its event is an instance where the workflow knows its class. */
export function storedItem(plan: Plan, { offset, text }: StoredItem): StreamItem {
  const { type, payload, unreadable, path, runId } = JSON.parse(text) as Written;
  if (payload === undefined) return { offset, event: shown({ type, unreadable }), path, runId };
  const value = textValue(payload, plan.memory.types);
  try {
    return { offset, event: revive(plan, type, value), path, runId };
  } catch {
    // Of a child run's event the workflow may not know all.
    return { offset, event: shown({ type, ...(value as object) }), path, runId };
  }
}

function shown(event: Event & Readonly<Record<string, unknown>>): Event {
  if (development) Object.freeze(event);
  return event;
}
