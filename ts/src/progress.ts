import { ProgressEvent } from "./built-in";
import { development } from "./environment";
import type { Flow } from "./flow";
import type { Plan } from "./plan";
import { Shown } from "./shown";
import { keepsShown, streamOf } from "./stream";

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
export function progressOf({ plan, stage: at }: Pick<Flow, "plan" | "stage">): Progress | undefined {
  if (at === undefined) return undefined;
  const { stage, ended } = at;
  const stages = plan.stages!;
  const index = stages.indexOf(stage);
  const total = stages.length;
  return { stage, index, total, percent: (100 * (index + (ended ? 1 : 0))) / total };
}

/** A stage that has started or ended. */
export interface StageAt {
  readonly stage: string;
  readonly ended: boolean;
}

/** A stage has started or ended: tells the stream, by an event that is made when somebody reads. */
export function publishProgress(flow: Flow, stage: string, ended: boolean): void {
  const { run } = flow;
  if (keepsShown(run)) {
    const shown = new ShownProgress(flow, run.shown, stage, ended);
    flow.stage = shown;
    run.shown = shown;
    return;
  }
  flow.stage = { stage, ended };
  streamOf(run).writeOwn(eventOf(flow.plan, flow.stage), flow);
}

export class ShownProgress extends Shown implements StageAt {
  constructor(
    flow: Flow,
    before: Shown | undefined,
    readonly stage: string,
    readonly ended: boolean,
  ) {
    super(flow, before);
  }
  get event(): ProgressEvent {
    return eventOf(this.flow.plan, this);
  }
}

function eventOf(plan: Plan, at: StageAt): ProgressEvent {
  const event = new ProgressEvent(progressOf({ plan, stage: at })!);
  if (development) Object.freeze(event);
  return event;
}
