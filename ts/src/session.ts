import type { Attempt } from "./attempt";
import { DefinitionError, SessionValueError } from "./errors";
import { faithfulJson } from "./faithful";
import type { Flow } from "./flow";
import { memoryOf } from "./memory";
import { fieldPath } from "./path";
import { placed } from "./place";
import { type Opened, type Resource, Resources } from "./resource";
import { describe, isWellFormed } from "./values";

/**
 * Live values of this process, shared by the run's steps. Writes take effect at once and are never undone (4.1). With
 * `session: "live"`, the default in WASM, the same object comes back; with "json", the default on Node, an equal one (6.3).
 */
export interface SessionMap {
  get<T = unknown>(key: string): T | undefined;
  /** @throws SessionValueError for what JSON cannot carry, where it goes as JSON; CancelledError when the attempt is over */
  set(key: string, value: unknown): void;
  has(key: string): boolean;
  /** @returns whether there was a value */
  delete(key: string): boolean;
  keys(): IterableIterator<string>;
  /**
   * Opens the resource on first use; the run's steps share it, and it is closed when the run ends (6.5).
   *
   * @throws (as a rejection) what `open` throws, which the next use tries again; CancelledError when the run ends meanwhile
   */
  use<T>(resource: Resource<T>): Promise<T>;
}

/** The session of a run. */
export class Session {
  /** Opened by the run's steps; no part of the entries. */
  readonly resources = new Resources();
  /** By key: references, or JSON texts. */
  readonly entries = new Map<string, unknown>();

  constructor(readonly mode: "json" | "live") {}

  get(key: string): unknown {
    const entry = this.entries.get(key);
    return this.mode === "json" && entry !== undefined ? JSON.parse(entry as string) : entry;
  }
  /** @throws SessionValueError */
  set(key: string, value: unknown): void {
    if (typeof key !== "string") throw new DefinitionError(`ctx.session.set: a key is a string, not ${describe(key)}.`);
    const path = fieldPath("session", key);
    if (!isWellFormed(key))
      throw new SessionValueError(`ctx.session.set: the key ${JSON.stringify(key)} holds a lone surrogate. Use well-formed Unicode.`, path);
    this.entries.set(key, this.mode === "json" ? faithfulJson(value, path) : value);
  }
}

export function sessionOf(flow: Flow): Session {
  const memory = memoryOf(flow);
  memory.session ??= new Session(memory.options.session ?? flow.plan.binding.session);
  return memory.session;
}

/** An attempt's way to the session, which is dead when the attempt is over. */
export class SessionView implements SessionMap {
  #held: Set<Opened> | undefined = undefined;

  constructor(private readonly attempt: Attempt) {}

  get<T>(key: string): T {
    return this.#session?.get(key) as T;
  }
  set(key: string, value: unknown): void {
    this.attempt.alive("session.set");
    placed(this.attempt, () => sessionOf(this.attempt.flow as Flow).set(key, value));
  }
  has(key: string): boolean {
    return this.#session?.entries.has(key) === true;
  }
  delete(key: string): boolean {
    this.attempt.alive("session.delete");
    return this.#session?.entries.delete(key) === true;
  }
  keys(): IterableIterator<string> {
    return [...(this.#session?.entries.keys() ?? [])].sort().values();
  }
  use<T>(resource: Resource<T>): Promise<T> {
    this.attempt.alive("session.use");
    if (typeof resource?.open !== "function")
      throw new DefinitionError(`ctx.session.use: ${describe(resource)} is no resource. Make one with resource({ open, close }).`);
    this.#held ??= new Set();
    return sessionOf(this.attempt.flow as Flow).resources.use(resource, this.attempt, this.#held);
  }
  /** The attempt has settled: it holds no resource any more. */
  release(): void {
    for (const opened of this.#held ?? []) opened.holders--;
    this.#held = undefined;
  }

  get #session(): Session | undefined {
    return this.attempt.flow.memory?.session;
  }
}
