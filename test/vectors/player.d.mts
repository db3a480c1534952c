export interface Vector {
  rule: string;
  title: string;
  definition: object;
  play?: { in: string[]; out: string[] }[];
  error?: { code: string; message: string };
  lacking?: string[];
}
/** Plays a vector through the public API; rejects where the run does otherwise than the vector says. */
export function play(vector: Vector, blazen: object): Promise<void>;
