import { InternalError } from "../errors";
import type { Binding } from "./types";

export type { Binding };

/** One way to get a binding; tried in order. */
export interface Source {
  readonly name: string;
  readonly load: () => Binding;
}

let sources: readonly Source[] = [];
let current: Binding | undefined;

/** Tells where bindings come from; called by the entry. */
export function provide(ways: readonly Source[]): void {
  sources = ways;
}

/**
 * The binding that runs are started on; loaded by the first call.
 *
 * @throws InternalError listing every attempt when none succeeds
 */
export function binding(): Binding {
  current ??= load();
  return current;
}

/** Which carrier runs load here; undefined if none does, which the first run tells in full. */
export function carrier(): Binding["kind"] | undefined {
  try {
    return binding().kind;
  } catch {
    return undefined;
  }
}

/** After a trap: makes sure that the next start gets a fresh instance. */
export function renew(dead: Binding): Binding {
  if (current === dead) current = load();
  return binding();
}

function load(): Binding {
  const failures: unknown[] = [];
  for (const { name, load } of sources) {
    try {
      return load();
    } catch (error) {
      failures.push(new Error(`${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error }));
    }
  }
  const attempts = failures.map((failure) => `  - ${(failure as Error).message}`).join("\n");
  throw new InternalError(
    `The core of blazen could not be loaded.${attempts === "" ? ' In the entry "blazen/slim" call `await init(source)` first.' : `\n${attempts}\nReinstall with optional dependencies, or set BLAZEN_BINDING=wasm.`}`,
    { cause: new AggregateError(failures) },
  );
}
