import { frame, NONE } from "./buffer";
import { IN_RANDOM } from "./generated/tables";
import type { PlanStep } from "./plan";
import type { Run } from "./run";
import { describe, isPlainObject } from "./values";
import { writeNow } from "./waits";

export interface RetryPolicy {
  /** Attempts in all. */
  maxAttempts: number;
  /** Whether the delay doubles with each failure. Default: "exponential". */
  backoff?: "fixed" | "exponential";
  /** Milliseconds before the second attempt. Default: 100. */
  initial?: number;
  /** Milliseconds that no delay is longer than. Default: 30,000. */
  max?: number;
  /** The share of the delay, 0 to 1, of which a random part is taken off. Default: 0. */
  jitter?: number;
  /** Whether an error is worth another attempt. Default: any is. */
  retryOn?: (error: unknown) => boolean;
}

/** A policy as the core wants it, and what only the facade can ask. */
export interface Retry {
  readonly policy: { readonly attempts: number; readonly exponential: boolean; readonly initial: number; readonly max: number; readonly jitter: number };
  readonly retryOn: ((error: unknown) => boolean) | undefined;
}

const KNOWN = "maxAttempts, backoff, initial, max, jitter, retryOn";
const MOST = 2 ** 30 - 1;
const MILLION = 1_000_000;

/** @param refuse throws a DefinitionError that names the step */
export function retryOf(given: unknown, refuse: (why: string) => never): Retry {
  const policy = typeof given === "number" ? { maxAttempts: given } : given;
  if (!isPlainObject(policy)) return refuse(`"retry" is a number of attempts in all, or { ${KNOWN} }, not ${describe(given)}.`);
  const { maxAttempts, backoff = "exponential", initial = 100, max = 30_000, jitter = 0, retryOn, ...unknown } = policy;
  const extra = Object.keys(unknown)[0];
  if (extra !== undefined) refuse(`"retry" has no field "${extra}". Known: ${KNOWN}.`);
  if (maxAttempts !== Number.POSITIVE_INFINITY && !(Number.isInteger(maxAttempts) && (maxAttempts as number) >= 1 && (maxAttempts as number) <= MOST))
    refuse(`"retry" counts attempts in all, a whole number from 1 up, not ${describe(maxAttempts)}.`);
  if (backoff !== "fixed" && backoff !== "exponential") refuse(`"backoff" is "exponential" or "fixed", not ${describe(backoff)}.`);
  const ms = (name: string, value: unknown): number => {
    if (typeof value !== "number" || !(value >= 0)) refuse(`"${name}" is a number of milliseconds, not ${describe(value)}.`);
    return Math.min(Number.MAX_SAFE_INTEGER, Math.round(value as number));
  };
  if (typeof jitter !== "number" || !(jitter >= 0 && jitter <= 1)) refuse(`"jitter" is a share of the delay, 0 to 1, not ${describe(jitter)}.`);
  if (retryOn !== undefined && typeof retryOn !== "function") refuse(`"retryOn" is a function of the error, not ${describe(retryOn)}.`);
  return {
    policy: {
      attempts: Math.min(maxAttempts as number, MOST),
      exponential: backoff === "exponential",
      initial: ms("initial", initial),
      max: ms("max", max),
      jitter: Math.round((jitter as number) * MILLION),
    },
    retryOn: retryOn as Retry["retryOn"],
  };
}

/** Before the frame of a failure: what the core needs to say when the step is tried again. */
export function writeChance(run: Run, { retry }: PlanStep): void {
  writeNow(run);
  if (retry!.policy.jitter > 0) frame(IN_RANDOM, Math.floor(Math.random() * 2 ** 30), NONE, NONE);
}
