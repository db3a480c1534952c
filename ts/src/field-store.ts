import type { Context } from "./context";
import { DefinitionError } from "./errors";
import { describe } from "./values";

// biome-ignore lint/suspicious/noExplicitAny: a store knows nothing of the state's type
type AnyContext = Context<any>;

/**
 * Keeps fields of BlazenState classes outside of the run and its snapshots (8.3): large ones, or what must not lie in a
 * snapshot. A snapshot holds only the key, `<runId>/<state key, percent-encoded>/<field>/<commit>`; each key is saved once.
 */
export interface FieldStore {
  /** Called when the step commits a changed field, which waits for it. A throw fails the step's attempt. */
  save(key: string, value: unknown, ctx: AnyContext): void | Promise<void>;
  /** Called when a run is resumed: gives what was saved, or a promise of it. */
  load(key: string, ctx: AnyContext): unknown;
  /** Called for a key that a later commit has replaced, unless a snapshot names it. */
  delete?(key: string): void | Promise<void>;
}

/**
 * A FieldStore of two functions.
 *
 * @example
 * const store = new CallbackFieldStore({
 *   saveFn: (key, value) => writeFile(path(key), JSON.stringify(value)),
 *   loadFn: async (key) => JSON.parse(await readFile(path(key), "utf8")),
 * });
 * @throws DefinitionError
 */
export class CallbackFieldStore implements FieldStore {
  readonly save: FieldStore["save"];
  readonly load: FieldStore["load"];

  constructor({ saveFn, loadFn }: { saveFn: FieldStore["save"]; loadFn: FieldStore["load"] }) {
    for (const [name, fn] of Object.entries({ saveFn, loadFn }))
      if (typeof fn !== "function") throw new DefinitionError(`new CallbackFieldStore: ${name} is a function, not ${describe(fn)}.`);
    this.save = saveFn;
    this.load = loadFn;
  }
}
