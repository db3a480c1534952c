import { type Event, eventClass } from "./event";

const STAGE_EVENT = "blazen::StageEvent/";

/** What goes from stage to stage: by the type of the event it is known which stage is next. */
export interface StageEvent extends Event {
  /** The pipeline's. */
  readonly input: unknown;
  readonly previous: unknown;
  readonly results: Readonly<Record<string, unknown>>;
  /** Of a loop, from 1; its first round has none. */
  readonly round?: number;
}
export type StageEventClass = new (input: unknown, previous: unknown, results: object, round?: number) => StageEvent;

export function stageEvent(stage: string): StageEventClass {
  const Base = eventClass(stageType(stage));
  return class extends Base {
    constructor(input: unknown, previous: unknown, results: object, round?: number) {
      super();
      const event = this as unknown as { input: unknown; previous: unknown; results: object; round?: number };
      event.input = input;
      event.previous = previous;
      event.results = results;
      if (round !== undefined) event.round = round;
    }
  } as unknown as StageEventClass;
}

/** The type of a stage's event. */
export function stageType(stage: string): string {
  return STAGE_EVENT + stage;
}

/** The stage whose event has a type. */
export function stageOf(type: string): string | undefined {
  return type.startsWith(STAGE_EVENT) ? type.slice(STAGE_EVENT.length) : undefined;
}
