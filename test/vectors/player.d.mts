export interface Vector {
  rule: string;
  title: string;
  definition: object;
  play?: { in: string[]; out: string[] }[];
  error?: { code: string; message: string };
  lacking?: string[];
}
/** After which turns a run is paused, stored and resumed. */
export type Stops = readonly number[] | "each";
/** At most so many vectors cannot be said through the public API. */
export const UNSAYABLE: number;
/** Whether it can be said with `subworkflow`: it has no step that opens several child runs at once, or cancels one. */
export function sayable(vector: Vector): boolean;
/** Plays a vector through the public API; rejects where the run does otherwise than the vector says. */
export function play(vector: Vector, blazen: object, options?: { stops?: Stops; inPlace?: boolean }): Promise<void>;
/** The ways to stop a vector: after each one of its turns but the last, and after all of them. */
export function waysToStop(vector: Vector): Stops[];
