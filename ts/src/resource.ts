import type { Attempt } from "./attempt";
import type { Context } from "./context";
import { CancelledError, DefinitionError } from "./errors";
import { describe } from "./values";

/** Something that a run opens once and closes at its end: a connection, a browser, a temporary folder. */
export interface Resource<T> {
  // biome-ignore lint/suspicious/noExplicitAny: any workflow's steps may use it
  open(ctx: Context<any>): T | Promise<T>;
  close?(value: T): void | Promise<void>;
}

/**
 * Defines what `ctx.session.use` opens; make it once, outside the steps, for they share it by identity (6.5).
 *
 * @throws DefinitionError without a function `open`
 * @example
 * const database = resource({ open: () => connect(url), close: (db) => db.end() });
 * // in a step: const db = await ctx.session.use(database);
 */
export function resource<T>(definition: Resource<T>): Resource<T> {
  const { open, close } = (definition ?? {}) as Partial<Resource<T>>;
  if (typeof open !== "function" || (close !== undefined && typeof close !== "function"))
    throw new DefinitionError(`resource(${describe(definition)}): give it an object with a function "open", and "close" if there is something to close.`);
  return definition;
}

/** An open resource, or one that is being opened. */
export class Opened {
  /** Attempts that used it and have not settled. */
  holders = 0;
  declare value: Promise<unknown>;
  constructor(readonly resource: Resource<unknown>) {}
}

/** The resources of a run. */
export class Resources {
  readonly #known = new Map<Resource<unknown>, Opened>();
  /** In the order in which they became open: what one used to open came before it. */
  readonly #open: { readonly opened: Opened; readonly value: unknown }[] = [];
  #over = false;

  use<T>(resource: Resource<T>, attempt: Attempt, held: Set<Opened>): Promise<T> {
    let opened = this.#known.get(resource as Resource<unknown>);
    if (opened === undefined) {
      opened = new Opened(resource as Resource<unknown>);
      this.#known.set(resource as Resource<unknown>, opened);
      opened.value = this.#begin(opened, attempt);
    }
    if (!held.has(opened)) {
      held.add(opened);
      opened.holders++;
    }
    return opened.value as Promise<T>;
  }

  async #begin(opened: Opened, attempt: Attempt): Promise<unknown> {
    // A step's own code does not run within the call of another's.
    await undefined;
    const { resource } = opened;
    let value: unknown;
    try {
      value = await resource.open(attempt);
    } catch (error) {
      this.#known.delete(resource);
      throw error;
    }
    if (this.#over) {
      await resource.close?.(value);
      throw new CancelledError("The run was over before the resource was open. It is closed again.", undefined, {
        runId: attempt.runId,
        step: attempt.stepName,
      });
    }
    this.#open.push({ opened, value });
    return value;
  }

  /** True while there is anything to close, now or when it is open. */
  get any(): boolean {
    return this.#known.size > 0;
  }

  /**
   * Closes in reverse order of opening, one after another; the first use after that opens again.
   *
   * @param idle only those that no unsettled attempt holds
   * @throws (as a rejection) what a `close` threw, an AggregateError for several; all are closed nevertheless
   */
  async close(idle: boolean): Promise<void> {
    const errors: unknown[] = [];
    for (let at = this.#open.length - 1; at >= 0; at = Math.min(at, this.#open.length) - 1) {
      const { opened, value } = this.#open[at]!;
      if (idle && opened.holders > 0) continue;
      this.#open.splice(at, 1);
      this.#known.delete(opened.resource);
      try {
        await opened.resource.close?.(value);
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) throw new AggregateError(errors, "Several resources could not be closed.");
  }

  /** The run is over: closes all, and what is still being opened as soon as it is open. */
  end(): Promise<void> {
    this.#over = true;
    return this.close(false);
  }
}
