import type { Attempt } from "./attempt";
import { exchange, frame, frameTime, NONE } from "./buffer";
import type { InputRequestEvent, InputResponseEvent } from "./built-in";
import { fromHost, soon } from "./dispatch";
import { DefinitionError, type ErrorDetails, TimeoutError } from "./errors";
import type { Flow } from "./flow";
import { IN_ASK, IN_SLEEP, IN_TICK, IN_UNTIL } from "./generated/tables";
import { awaitRequest, type RequestOptions, requestOf } from "./requests";
import type { Run } from "./run";
import { describe } from "./values";

/** The latest time that a frame carries. */
const NEVER = 2 ** 53 - 1;

/** Something that an attempt waits for. */
interface Wait {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** What an attempt waits for: each kind in the order of its calls, by which the core knows them. */
export class Waits {
  #sleeps = 0;
  #requests = 0;
  readonly #sleeping = new Map<number, Wait>();
  readonly #asking = new Map<number, Wait>();

  /** The numbers of the next of each kind; they count when it has begun. */
  get nextSleep(): number {
    return this.#sleeps;
  }
  get nextRequest(): number {
    return this.#requests;
  }

  sleep(attempt: Attempt): Promise<void> {
    return this.#wait(attempt, this.#sleeping, this.#sleeps++) as Promise<void>;
  }
  ask(attempt: Attempt): Promise<unknown> {
    return this.#wait(attempt, this.#asking, this.#requests++);
  }
  #wait(attempt: Attempt, waits: Map<number, Wait>, at: number): Promise<unknown> {
    // At once, and not when the step goes on: a pause that comes between waits for it.
    const over = () => {
      attempt.unpark();
      if (waits === this.#asking) attempt.ask(-1);
    };
    const promise = new Promise((resolve, reject) => {
      waits.set(at, {
        resolve: (value) => {
          over();
          resolve(value);
        },
        reject: (error) => {
          over();
          reject(error);
        },
      });
    });
    // A step need not await it: what it gives then concerns nobody.
    promise.catch(() => {});
    attempt.park();
    if (waits === this.#asking) attempt.ask(1);
    return promise;
  }

  woken(at: number): void {
    this.#take(this.#sleeping, at)?.resolve(undefined);
  }
  answered(at: number, answer: unknown): void {
    this.#take(this.#asking, at)?.resolve(answer);
  }
  #take(waits: Map<number, Wait>, at: number): Wait | undefined {
    const wait = waits.get(at);
    waits.delete(at);
    return wait;
  }

  /** Nothing of it comes any more. */
  end(reason: () => unknown): void {
    for (const waits of [this.#sleeping, this.#asking]) {
      if (waits.size === 0) continue;
      const why = reason();
      for (const wait of waits.values()) wait.reject(why);
      waits.clear();
    }
  }
}

/** Tells the core what time it is, before frames to which that matters. */
export function writeNow(run: Run): void {
  frameTime(IN_TICK, run.timers.now());
}

/** The first of a run's timers is due. */
export function tick(run: Run): void {
  if (run.over || run.cancelling) return;
  writeNow(run);
  exchange(run);
  fromHost(run);
}

/** `ctx.sleep` and `ctx.sleepUntil`: until a time in ms since 1970 (5.4). */
export function sleepUntil(attempt: Attempt, run: Run, until: number): Promise<void> {
  if (attempt.aborted) return Promise.reject(attempt.own!.reason);
  const waits = attempt.waits(run);
  const at = waits.nextSleep;
  const woken = waits.sleep(attempt);
  writeNow(run);
  frameTime(IN_UNTIL, Math.min(NEVER, Math.max(0, Math.ceil(until))));
  frame(IN_SLEEP, attempt.invocation, at, NONE);
  exchange(run);
  soon(run);
  return woken;
}

/** @throws DefinitionError for what is no number of ms */
export function checkedMs(where: string, ms: unknown, details: ErrorDetails): number {
  if (typeof ms === "number" && !Number.isNaN(ms)) return ms;
  throw new DefinitionError(`${where}: give a number of milliseconds, not ${describe(ms)}.`, details);
}

/** @throws DefinitionError for what is no Date, or an invalid one */
export function checkedDate(where: string, date: unknown, details: ErrorDetails): number {
  if (date instanceof Date && !Number.isNaN(date.getTime())) return date.getTime();
  throw new DefinitionError(`${where}: give a valid Date, not ${date instanceof Date ? "an invalid one" : describe(date)}.`, details);
}

/** `ctx.requestInput`: a question that the step awaits (9.1). */
export function requestInput(attempt: Attempt, run: Run, options: RequestOptions): Promise<unknown> {
  const step = attempt.stepName;
  const where = `Step "${step}", ctx.requestInput`;
  const waits = attempt.waits(run);
  const at = waits.nextRequest;
  const id = `${attempt.invocationId}/${at}`;
  const details = { step, runId: attempt.runId };
  const { event, timeout } = requestOf(options, id, where, details);
  if (attempt.aborted) return Promise.reject(attempt.own!.reason);
  const { prompt } = event;
  const answered = waits.ask(attempt);
  if (timeout !== undefined) {
    writeNow(run);
    frameTime(IN_UNTIL, Math.min(NEVER, run.timers.now() + Math.ceil(timeout)));
  }
  frame(IN_ASK, attempt.invocation, at, run.put(event, attempt.flow as Flow));
  exchange(run);
  const pending = awaitRequest(run, id, options.schema, step);
  if (pending !== undefined && pending.prompt !== prompt) waits.answered(at, { prompt: pending.prompt, response: undefined, expired: false });
  soon(run);
  const response = answered.then((answer) => responseOf(answer as Answer, prompt, where, details));
  response.catch(() => {});
  return response;
}

/** What became of a question. */
interface Answer {
  readonly prompt: string;
  readonly response: unknown;
  readonly expired: boolean;
}

/** The k-th question of an invocation has its answer, from now or from before. */
export function answered(run: Run, invocation: number, at: number, { request, response }: InputResponseEvent): void {
  run.parked?.get(invocation)?.own?.waits?.answered(at, { prompt: request.prompt, response, expired: false });
}

/** Nobody has answered it in time. */
export function expired(run: Run, invocation: number, at: number, { id, prompt }: InputRequestEvent): void {
  run.requests?.withdrawn(id);
  run.parked?.get(invocation)?.own?.waits?.answered(at, { prompt, response: undefined, expired: true });
}

export function woken(run: Run, invocation: number, at: number): void {
  run.parked?.get(invocation)?.own?.waits?.woken(at);
}

/** @throws DefinitionError where another question stood at the same place before, TimeoutError for one that has expired */
function responseOf(answer: Answer, prompt: string, where: string, details: ErrorDetails): unknown {
  if (answer.prompt !== prompt)
    throw new DefinitionError(
      `${where}: this place of the step asked ${JSON.stringify(answer.prompt)} before, and now ${JSON.stringify(prompt)}. A step that runs again must ask the same in the same order: keep with ctx.once what may change.`,
      details,
    );
  if (answer.expired) throw new TimeoutError(`${where}: nobody answered ${JSON.stringify(prompt)} in time, so the request was withdrawn.`, details);
  return answer.response;
}
