import { Attempt } from "./attempt";
import { close } from "./buffer";
import { commitWrites } from "./commit";
import { CancelledError, StepError } from "./errors";
import type { Flow } from "./flow";
import { revived } from "./instance";
import { memoryOf } from "./memory";
import { fieldPath } from "./path";
import type { PlanStep } from "./plan";
import type { Run } from "./run";
import { reading } from "./stored";
import { loadField, unloaded } from "./stores";
import { describe } from "./values";

/** What a run from a snapshot has to do before any step runs (8.2). */
export interface Restorable {
  /** The run, or the child run. */
  readonly flow: Flow;
  /** Keys of the state, of values with instances. */
  readonly keys: readonly string[];
  /** Instances elsewhere, inner ones first: in events and in the session. */
  readonly others: readonly object[];
}

/** Whether an instance has something to say after a resume. */
export function restores(instance: object): boolean {
  return typeof (instance as { restore?: unknown }).restore === "function";
}

/** Loads what stores keep, then awaits each `restore`, and commits what they write. A failure fails the run. */
export async function restoreRun(run: Run, all: readonly Restorable[]): Promise<void> {
  for (const one of all) {
    if (run.over || run.cancelling) return;
    await restoreFlow(run, one);
  }
}

async function restoreFlow(run: Run, { flow, keys, others }: Restorable): Promise<void> {
  const ctx = new Attempt(flow, 0, { name: "" } as PlanStep, -1);
  const also = run.onEnd;
  const end = () => {
    ctx.invocation = -1;
    ctx.end();
    run.onEnd = also;
  };
  run.onEnd = () => {
    end();
    ctx.abort(new CancelledError(`${flow.title}: the run is over.`, undefined, { runId: flow.runId }));
    also?.();
  };
  const over = () => run.over || run.cancelling;
  try {
    const memory = memoryOf(flow);
    const { types } = memory.options;
    await Promise.all(unloaded(memory).map((field) => loadField(field, ctx)));
    for (const key of keys) {
      if (over()) return;
      const { instances, holding } = reading(fieldPath("state", key), () => revived(memory.state.get(key)!, types), flow.runId);
      await restoreAll(ctx, instances, over);
      if (!over()) memory.hold(key, holding());
    }
    await restoreAll(ctx, others, over);
    if (!over()) await commitWrites(ctx, () => {});
    if (!over()) end();
  } catch (error) {
    if (over()) return;
    const { handle } = run;
    run.fail(error);
    close(run.plan.binding, handle);
  }
}

async function restoreAll(ctx: Attempt, instances: readonly object[], over: () => boolean): Promise<void> {
  for (const instance of instances) {
    if (over()) return;
    if (!restores(instance)) continue;
    try {
      await (instance as { restore(ctx: unknown): unknown }).restore(ctx);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : describe(cause);
      throw new StepError(`${ctx.flow.title}: restore of ${describe(instance)} failed: ${why}`, 1, { cause, runId: ctx.runId });
    }
  }
}
