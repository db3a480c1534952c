import { frame, NONE } from "./buffer";
import { InputRequestEvent } from "./built-in";
import { joinKey, typeIdOf } from "./emit";
import { development } from "./environment";
import type { Event } from "./event";
import type { ChildRun, Flow } from "./flow";
import { IN_EXTERNAL, IN_ID, IN_KEY } from "./generated/tables";
import { Numbers } from "./numbers";
import { requestsOf } from "./requests";
import { type Run, Thrown } from "./run";

/** An event on its way out, with all that user code had to say about it: frames are written without calling any. */
export interface Output {
  readonly event: Event;
  readonly type: number;
  /** For each keyed join that takes it. */
  readonly keys: readonly { readonly step: number; readonly key: number; readonly error: unknown }[] | undefined;
}

export function outputOf(flow: Flow, event: Event): Output {
  const { plan, run } = flow;
  if (development) Object.freeze(event);
  if (run.checkpoints !== undefined) run.checkpoints.emitted(flow, event);
  const type = typeIdOf(plan, event);
  const keys = plan.keyed[type]?.map(({ step, by }) => {
    const outcome = joinKey(plan.steps[step]!.name, by, event);
    if ("error" in outcome) return { step, key: NONE, error: outcome.error };
    run.joinKeys ??= new Numbers();
    return { step, key: run.joinKeys.of(outcome.key), error: undefined };
  });
  return { event, type, keys };
}

/** Writes an event's frame, `a` being an Emit's or Send's invocation; and before it those of its keys. */
export function writeOutput(flow: Flow, output: Output, tag: number, invocation: number): void {
  const { run } = flow;
  writeKeys(run, output);
  const { event, type } = output;
  if (event.type === InputRequestEvent.type) requestsOf(run).emitted((event as InputRequestEvent).id);
  if (tag === IN_EXTERNAL) frame(tag, type, run.put(event, flow), flow === run ? NONE : (flow as ChildRun).number);
  else frame(tag, invocation, type, run.put(event, flow));
}

export function writeKeys(run: Run, { keys }: Output): void {
  if (keys !== undefined) for (const { step, key, error } of keys) frame(IN_KEY, step, key, key === NONE ? run.put(new Thrown(error)) : NONE);
}

/** Writes the frame of an event's id, if it has one. */
export function writeId(flow: Flow, id: string | undefined): void {
  if (id === undefined) return;
  flow.ids ??= new Numbers();
  frame(IN_ID, flow.ids.of(id), 0, 0);
}
