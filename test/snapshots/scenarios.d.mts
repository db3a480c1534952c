import type { Handler, Snapshot } from "blazen";

export interface Scenario {
  build(free: boolean): { resume(snapshot: Snapshot | string | Uint8Array): Handler };
  /** There is a file in binary form too. */
  binary?: boolean;
  dropped?: readonly string[];
}
/** Every kind of value that can be stored, by name. */
export function values(): Record<string, unknown>;
/** A value in words, with its kind and what is shared in it. */
export function tell(value: unknown): string;
/** By name: runs that stand still, one for each thing that a snapshot holds. */
export function scenarios(blazen: object): Record<string, Scenario>;
/** Brings a run of a scenario to where it is stored. */
export function reached(scenario: Scenario): Promise<Snapshot>;
/** What a run of a scenario ends with that goes on from a snapshot, in words. */
export function finished(scenario: Scenario, snapshot: Snapshot | string | Uint8Array): Promise<string>;
export function expected(scenario: Scenario): string;
