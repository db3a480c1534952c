import { claims } from "./conformance/claims";
import { commits } from "./conformance/commits";
import { lists } from "./conformance/lists";
import { messages } from "./conformance/messages";
import { type ConformanceOptions, Trial } from "./conformance/trial";
import type { CheckpointStore } from "./store";

export type { ConformanceOptions };

/**
 * What runs expect of a store (12), as cases for any test framework. A case makes a store, and closes it at its end; one comes after the other.
 *
 * @param makeStore gives a store that is open and has no runs
 * @returns cases; `run` rejects with an Error that names the rule which the store has broken
 * @example
 * import { test } from "node:test";
 * import { MemoryStore } from "blazen";
 * import { storeConformance } from "blazen/testing";
 *
 * for (const { name, run } of storeConformance(() => new MemoryStore())) test(name, run);
 */
export function storeConformance(
  makeStore: () => CheckpointStore | Promise<CheckpointStore>,
  options: ConformanceOptions = {},
): readonly { readonly name: string; run(): Promise<void> }[] {
  const cases = [...commits, ...claims, ...messages, ...lists].filter(({ reopens }) => reopens === undefined || options.reopen !== undefined);
  return cases.map(({ name, run }) => ({
    name,
    async run() {
      const trial = new Trial(await makeStore(), options);
      try {
        await run(trial);
      } finally {
        await trial.close();
      }
    },
  }));
}
