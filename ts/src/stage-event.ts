import { define } from "./codec/define";
import { type Event, eventClass } from "./event";

/** Every stage's event has it, and no other. */
const STAGE = Symbol("stage");
const STAGE_EVENT = "blazen::StageEvent/";

/** The results of the stages that have ended, the latest first: one more costs the same however many there are. */
export class Ended {
  constructor(
    readonly stage: string,
    readonly result: unknown,
    readonly before: Ended | undefined,
  ) {}
}

/** What goes from stage to stage: by the type of the event it is known which stage is next. */
export interface StageEvent extends Event {
  /** The pipeline's. */
  readonly input: unknown;
  readonly previous: unknown;
  /** Of the stages that have ended in this process. */
  readonly ended: Ended | undefined;
  /** By stage; of an event from a snapshot a field of its own, with those that ended before. */
  readonly results: Readonly<Record<string, unknown>>;
  /** Of a loop, from 1; its first round has none. */
  readonly round?: number;
}
export type StageEventClass = new (
  input: unknown,
  previous: unknown,
  ended: Ended | undefined,
  stored: StageEvent["results"] | undefined,
  round?: number,
) => StageEvent;

/** The event class of a stage. */
export function stageEvent(stage: string): StageEventClass {
  const Base = eventClass(stageType(stage));
  return class extends Base {
    declare input: unknown;
    declare previous: unknown;
    declare ended: Ended | undefined;
    declare stored: StageEvent["results"] | undefined;
    declare round: number;
    constructor(input: unknown, previous: unknown, ended: Ended | undefined, stored: StageEvent["results"] | undefined, round?: number) {
      super();
      this.input = input;
      this.previous = previous;
      this.ended = ended;
      this.stored = stored;
      if (round !== undefined) this.round = round;
    }
    get [STAGE](): true {
      return true;
    }
    get results(): Record<string, unknown> {
      const stages: Ended[] = [];
      for (let one = this.ended; one !== undefined; one = one.before) stages.push(one);
      const results: Record<string, unknown> = { ...this.stored };
      for (const { stage, result } of stages.reverse()) define(results, stage, result);
      return results;
    }
  } as unknown as StageEventClass;
}

/** The results that a snapshot had when this process took it up; undefined in the process in which the pipeline began. */
export function storedResults(event: StageEvent): StageEvent["results"] | undefined {
  return Object.hasOwn(event, "results") ? event.results : (event as { stored?: StageEvent["results"] }).stored;
}

export function isStageEvent(event: Event): event is StageEvent {
  return STAGE in event;
}

/** As a snapshot has it: all results by stage. */
export function storedStageEvent({ input, previous, results, round }: StageEvent): object {
  return { input, previous, results, ...(round === undefined ? {} : { round }) };
}

/** The type of a stage's event. */
export function stageType(stage: string): string {
  return STAGE_EVENT + stage;
}

/** The stage whose event has a type. */
export function stageOf(type: string): string | undefined {
  return type.startsWith(STAGE_EVENT) ? type.slice(STAGE_EVENT.length) : undefined;
}
