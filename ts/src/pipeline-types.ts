import type { Join } from "./nest";
import type { RetryPolicy } from "./retry";
import type { Runnable } from "./subworkflow";

declare const unset: unique symbol;
/** Of a pipeline without stages: it has neither input nor output yet. */
export type Unset = typeof unset;

export interface StageOptions {
  /** Attempts in all, or a policy; each attempt is a child run of its own, and of a loop each round counts anew. Default: 1 (2.3). */
  retry?: number | RetryPolicy;
  /** Milliseconds that the stage's child run may take; of a loop each round, of a parallel stage each branch. Default: what its workflow says (5.2). */
  timeout?: number;
}
/** A stage that is skipped where `when` says no: it passes the previous result on (11.2). */
export type Conditional<Previous> = StageOptions & { when: (previous: Previous) => boolean };
export type InputMap<Previous, I, Input, Results> = (previous: Previous, so: { input: Input; results: Results }) => I;
/** `input` is required where the previous result is no input of the stage. */
export type MapInput<Previous, I, Input, Results> = [Previous] extends [Unset]
  ? // biome-ignore lint/complexity/noBannedTypes: nothing is required
    {}
  : [Previous] extends [I]
    ? { input?: InputMap<Previous, I, Input, Results> }
    : { input: InputMap<Previous, I, Input, Results> };
export type Mapped<Previous, I, Input, Results, Extra = unknown> =
  // biome-ignore lint/complexity/noBannedTypes: whether nothing is required
  {} extends MapInput<Previous, I, Input, Results>
    ? [options?: MapInput<Previous, I, Input, Results> & StageOptions & Extra]
    : [options: MapInput<Previous, I, Input, Results> & StageOptions & Extra];
/** What a parallel stage gives. */
export type Joined<B, J> = J extends "settled"
  ? { [K in keyof B]: PromiseSettledResult<ResultsOf<B>[K]> }
  : J extends "first"
    ? { [K in keyof B]: { branch: K; result: ResultsOf<B>[K] } }[keyof B]
    : J extends { quorum: number }
      ? Partial<ResultsOf<B>>
      : ResultsOf<B>;
export type FirstInput<Input, I> = [Input] extends [Unset] ? I : Input;
// biome-ignore lint/suspicious/noExplicitAny: whatever it gives
export type InputOf<W> = (W extends Runnable<infer I, any> ? (input: I) => void : never) extends (input: infer I) => void ? I : never;
// biome-ignore lint/suspicious/noExplicitAny: whatever it takes
type ResultsOf<B> = { [K in keyof B]: B[K] extends Runnable<any, infer R> ? R : never };
/** The results by stage, with one more. */
export type With<Results, N extends string, R> = Results & { readonly [K in N]: R };
export type { Join };
