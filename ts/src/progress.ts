import { ProgressEvent } from "./built-in";
import { development } from "./environment";
import type { Flow } from "./flow";
import { show } from "./stream";

/** Where a pipeline is (11.4). */
export interface Progress {
  /** The stage that started or ended last. */
  readonly stage: string;
  /** Its place, from 0. */
  readonly index: number;
  /** How many stages there are. */
  readonly total: number;
  /** Of the stages that have ended, 0 to 100. */
  readonly percent: number;
}

/** Where a run is, if it is of a pipeline. Stages may have been added since it began. */
export function progressOf({ plan, stage, stageEnded }: Pick<Flow, "plan" | "stage" | "stageEnded">): Progress | undefined {
  if (stage === undefined) return undefined;
  const stages = plan.stages!;
  const index = stages.indexOf(stage);
  const total = stages.length;
  return { stage, index, total, percent: (100 * (index + (stageEnded ? 1 : 0))) / total };
}

/** A stage has started or ended: tells the stream, by an event that is made when somebody reads. */
export function publishProgress(flow: Flow, stage: string, ended: boolean): void {
  flow.stage = stage;
  flow.stageEnded = ended;
  show(new Shown(flow, stage, ended));
}

class Shown {
  constructor(
    readonly flow: Flow,
    readonly stage: string,
    readonly stageEnded: boolean,
  ) {}
  get plan() {
    return this.flow.plan;
  }
  get event(): ProgressEvent {
    const event = new ProgressEvent(progressOf(this)!);
    if (development) Object.freeze(event);
    return event;
  }
}
