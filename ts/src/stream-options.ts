import type { RunOptions } from "./handler";
import type { Run } from "./run";
import { Stream } from "./stream";
import { describe } from "./values";

const OVERFLOWS: readonly unknown[] = ["block", "drop-oldest", "error"];

/** @param refuse throws a DefinitionError that names the workflow */
export function checkStreamOptions(retention: unknown, overflow: unknown, refuse: (why: string) => never): void {
  if (retention !== undefined && !(Number.isSafeInteger(retention) && (retention as number) >= 1))
    refuse(`"streamRetention" is the number of events that are kept, a whole number from 1 up, not ${describe(retention)}.`);
  if (overflow !== undefined && !OVERFLOWS.includes(overflow))
    refuse(`"overflow" is one of ${OVERFLOWS.map((one) => JSON.stringify(one)).join(", ")}, not ${describe(overflow)}.`);
}

/** Options of the process: a snapshot has none of them. */
export function useStreamOptions(run: Run, { streamRetention, overflow }: RunOptions): void {
  if (streamRetention !== undefined || overflow !== undefined) run.stream = new Stream(run, streamRetention, overflow);
}
