import { CancelledError } from "./errors";
import type { Event } from "./event";
import type { PlanStep } from "./plan";
import type { Run } from "./run";
import { sendFromStep } from "./send";

/** What a step gets beside its event. After the attempt has ended all but its fields throws CancelledError (4.6). */
export interface Context {
  /** Id of the run, unique over all runs unless `runId` was given. */
  readonly runId: string;
  readonly workflowName: string;
  readonly stepName: string;
  /** Aborted when the run is over or cancelled, or this step's fan-out was; `reason` is a CancelledError (5.3). */
  readonly signal: AbortSignal;
  /**
   * Routes an event at once, while the step goes on. It belongs to the branch that the step runs in (2.5).
   *
   * @param options `id`: an event whose id the run has seen is dropped (4.2)
   * @throws StepReturnError for what is no event, CancelledError when the attempt is over
   */
  sendEvent(event: Event, options?: { id?: string }): Promise<void>;
}

/** One try of an invocation: the context that its step holds, and what the loop knows of it. */
export class Attempt implements Context {
  /** Neighbours among the run's live attempts. */
  previous: Attempt | undefined = undefined;
  next: Attempt | undefined = undefined;
  #controller: AbortController | undefined = undefined;
  #reason: unknown = undefined;

  constructor(
    /** Its run; for one that outlives its run only what names it, so that the run can leave memory (5.5). */
    public run: Run | Named,
    /** The core's number while the attempt can still settle, else -1. */
    public invocation: number,
    readonly step: PlanStep,
  ) {}

  get runId(): string {
    return this.run.runId;
  }
  get workflowName(): string {
    return this.run.workflowName;
  }
  get stepName(): string {
    return this.step.name;
  }
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  sendEvent(event: Event, options?: { id?: string }): Promise<void> {
    if (this.invocation < 0)
      throw new CancelledError(`Step "${this.stepName}": this attempt is over, so sendEvent does nothing any more.`, undefined, {
        step: this.stepName,
        runId: this.runId,
      });
    return sendFromStep(this, this.run as Run, event, options?.id);
  }

  get aborted(): boolean {
    return this.#reason !== undefined;
  }

  abort(reason: unknown): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#controller?.abort(reason);
  }
}

/** What is left of a run for a step that never settled. */
export interface Named {
  readonly runId: string;
  readonly workflowName: string;
}
