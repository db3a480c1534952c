import { cancelRun } from "./cancel";
import type { Types } from "./codec";
import { BlazenError, SnapshotError } from "./errors";
import type { Event } from "./event";
import { goOnInPlace, pauseRun } from "./pause";
import type { Plan } from "./plan";
import { respond } from "./respond";
import type { Run } from "./run";
import { sendFromOutside } from "./send";
import type { StoredMessage } from "./store";
import { payloadOf, revive } from "./stored-event";
import { textValue, valueText } from "./stored-value";

/** What may be said to a run by way of its store: the bodies of messages, as JSON. Values in them are texts of `stored-value.ts`. */
export type Said =
  | { readonly op: "respond"; readonly requestId: string; readonly response: string }
  | { readonly op: "send"; readonly type: string; readonly payload: string; readonly id: string }
  | { readonly op: "cancel"; readonly reason: string; readonly grace: number }
  | { readonly op: "pause"; readonly mode: "drain" | "now"; readonly timeout?: number | undefined }
  | { readonly op: "resume" }
  | { readonly op: "watch"; readonly from: number; readonly ms: number };

export function eventSaid(event: Event, id: string, types: Types): Said {
  return { op: "send", type: event.type, payload: valueText({ ...payloadOf(event) }, `events[${event.type}]`, types), id };
}

/** The messages of a run that goes on here: taken one after the other, each once (12.3). */
export class Inbox {
  readonly #waiting: StoredMessage[] = [];
  #known = 0;
  #taking = false;

  constructor(
    private readonly run: Run,
    /** How many it has taken. */
    public taken: number,
  ) {
    this.#known = taken;
  }

  /** Messages as the store has them, of which some may be known. */
  give(messages: readonly StoredMessage[]): void {
    for (const message of messages) {
      if (message.number < this.#known) continue;
      this.#known = message.number + 1;
      this.#waiting.push(message);
    }
    if (!this.#taking) void this.#take();
  }

  async #take(): Promise<void> {
    this.#taking = true;
    for (let message = this.#waiting.shift(); message !== undefined && !this.run.over; message = this.#waiting.shift()) {
      const { number, body } = message;
      // With what it does, so that one checkpoint has both.
      const took = () => {
        this.taken = number + 1;
      };
      try {
        await hear(this.run, JSON.parse(body) as Said, took);
      } catch (error) {
        // Whoever said it sees that the run has taken it and that it had no effect. What is none of ours is no message.
        if (!(error instanceof BlazenError) && !(error instanceof SyntaxError) && !(error instanceof TypeError)) throw error;
      }
      took();
      this.run.checkpoints?.touched();
    }
    this.#taking = false;
  }
}

/** Does what was said. @throws (as a rejection) as the handler's method does */
async function hear(run: Run, said: Said, took: () => void): Promise<void> {
  const { types } = run.memoryOptions;
  switch (said.op) {
    case "respond":
      return respond(run, said.requestId, textValue(said.response, types), took);
    case "send": {
      took();
      return sendFromOutside(run, heardEvent(run.plan, said.type, textValue(said.payload, types)), said.id);
    }
    case "cancel":
      took();
      // Its end tells of it; to wait for that here would keep the run's end waiting for this.
      void cancelRun(run, textValue(said.reason, types), said.grace);
      return;
    case "pause":
      took();
      await pauseRun(run, said.timeout === undefined ? { mode: said.mode } : { mode: said.mode, timeout: said.timeout });
      return;
    case "resume":
      took();
      return goOnInPlace(run);
    case "watch":
      took();
      return run.checkpoints?.watch(said.from, said.ms);
  }
}

/** @throws SnapshotError for an event that is none of the workflow's */
function heardEvent(plan: Plan, type: unknown, payload: unknown): Event {
  if (typeof type !== "string") throw new SnapshotError(`${plan.title}: a message has no event.`);
  return revive(plan, type, payload);
}
