import type { Event } from "./event";
import type { Flow } from "./flow";

/** An event of the engine's that is kept for a stream that nobody has asked for yet: a list, the latest first. */
export abstract class Shown {
  readonly count: number;
  constructor(
    readonly flow: Flow,
    readonly before: Shown | undefined,
  ) {
    this.count = before === undefined ? 1 : before.count + 1;
  }
  /** It may be made only now. */
  abstract get event(): Event;
}

export class ShownEvent extends Shown {
  constructor(
    flow: Flow,
    before: Shown | undefined,
    readonly event: Event,
  ) {
    super(flow, before);
  }
}
