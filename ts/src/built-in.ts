import { randomId } from "./environment";
import { DefinitionError } from "./errors";
import { type Event, type EventClass, eventClass, registerBuiltIn } from "./event";
import { describe, isPlainObject, isWellFormed } from "./values";

const ResponseBase = eventClass("blazen::InputResponseEvent") as unknown as {
  new (payload: object): Event<"blazen::InputResponseEvent">;
};

/**
 * The answer to a request that names no event class for it (9.2).
 *
 * @example
 * workflow.step("heard", InputResponseEvent, ({ request, response }) => new StopEvent({ result: `${request.prompt} ${response}` }));
 */
export class InputResponseEvent<R = unknown> extends ResponseBase {
  declare static readonly type: "blazen::InputResponseEvent";
  declare readonly type: "blazen::InputResponseEvent";
  declare readonly requestId: string;
  declare readonly response: R;
  /** What was asked; the engine sets it. */
  declare readonly request: InputRequestEvent;
  constructor(payload: { requestId: string; response: R; request?: InputRequestEvent }) {
    super(payload);
  }
}

const RequestBase = eventClass("blazen::InputRequestEvent") as unknown as {
  new (payload: object): Event<"blazen::InputRequestEvent">;
};

/**
 * Asks a person (9.1). The answer, given to `handler.respond`, comes as the event class `answer`, whose schema checks it, or else as an
 * InputResponseEvent.
 *
 * @example
 * new InputRequestEvent({ prompt: "Pay 12?", answer: Decided });
 */
// biome-ignore lint/suspicious/noExplicitAny: a response may be anything
export class InputRequestEvent<Answer extends EventClass = typeof InputResponseEvent<any>> extends RequestBase {
  declare static readonly type: "blazen::InputRequestEvent";
  declare readonly type: "blazen::InputRequestEvent";
  /** Names the request in the run; a random one unless it is given. */
  declare readonly id: string;
  declare readonly prompt: string;
  declare readonly metadata?: unknown;
  declare readonly answer: Answer;
  /** @throws DefinitionError for a prompt or id that is no text, or an `answer` that is no event class */
  constructor(payload: { prompt: string; metadata?: unknown; answer?: Answer; id?: string }) {
    super(checkedRequest(payload));
    if (payload.id === undefined) unnamed.add(this);
  }
}

/** Requests whose author gave no id: theirs are unique anyway. */
const unnamed = new WeakSet<object>();
export function hasRandomId(request: object): boolean {
  return unnamed.has(request);
}

function checkedRequest(payload: unknown): object {
  const refuse = (why: string): never => {
    throw new DefinitionError(`InputRequestEvent: ${why}`);
  };
  if (!isPlainObject(payload)) return refuse(`give { prompt, metadata?, answer?, id? }, not ${describe(payload)}.`);
  const { prompt, metadata, answer = InputResponseEvent, id = randomId(), ...unknown } = payload;
  const extra = Object.keys(unknown)[0];
  if (extra !== undefined) refuse(`there is no field "${extra}". What belongs to the question goes into "metadata".`);
  if (typeof prompt !== "string") refuse(`"prompt" is a text, not ${describe(prompt)}.`);
  if (typeof id !== "string" || id === "" || !isWellFormed(id)) refuse(`"id" is a non-empty string of well-formed Unicode, not ${describe(id)}.`);
  if (typeof answer !== "function" || typeof (answer as { type?: unknown }).type !== "string")
    refuse(`"answer" is the event class of the answer, not ${describe(answer)}.`);
  return { id, prompt, ...("metadata" in payload ? { metadata } : {}), answer };
}

const FailedBase = eventClass("blazen::StepFailedEvent") as unknown as {
  new (payload: object): Event<"blazen::StepFailedEvent">;
};

/**
 * A step has failed for good; routed where some step accepts it (5.1).
 *
 * @example
 * workflow.step("failed", StepFailedEvent, ({ step, error }) => new StopEvent({ result: `${step}: ${error}` }));
 */
export class StepFailedEvent extends FailedBase {
  declare static readonly type: "blazen::StepFailedEvent";
  declare readonly type: "blazen::StepFailedEvent";
  /** The name of the step. */
  declare readonly step: string;
  /** What it was called for: an array where the step joins or collects. */
  declare readonly event: Event | readonly Event[];
  /** The very object thrown. */
  declare readonly error: unknown;
  /** How often it was tried. */
  declare readonly attempts: number;
  constructor(payload: { step: string; event: Event | readonly Event[]; error: unknown; attempts: number }) {
    super(payload);
  }
}

const ProgressBase = eventClass("blazen::ProgressEvent") as unknown as {
  new (payload: object): Event<"blazen::ProgressEvent">;
};

/**
 * On the stream of a pipeline when a stage starts and ends, also a skipped one (11.4).
 *
 * @example
 * for await (const { event } of handler.stream()) if (event instanceof ProgressEvent) console.log(event.stage, `${event.percent} %`);
 */
export class ProgressEvent extends ProgressBase {
  declare static readonly type: "blazen::ProgressEvent";
  declare readonly type: "blazen::ProgressEvent";
  declare readonly stage: string;
  /** Its place, from 0. */
  declare readonly index: number;
  /** How many stages there are. */
  declare readonly total: number;
  /** Of the stages that have ended, 0 to 100. */
  declare readonly percent: number;
  constructor(payload: { stage: string; index: number; total: number; percent: number }) {
    super(payload);
  }
}

for (const made of [InputRequestEvent, InputResponseEvent, StepFailedEvent, ProgressEvent]) registerBuiltIn(made as unknown as EventClass);
