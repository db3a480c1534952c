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
/** Plays a vector through the public API; rejects where the run does otherwise than the vector says. */
export function play(vector: Vector, blazen: object, options?: { stops?: Stops; inPlace?: boolean }): Promise<void>;
/** The ways to stop a vector: after each one of its turns but the last, and after all of them. */
export function waysToStop(vector: Vector): Stops[];
