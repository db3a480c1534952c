import { addMark, isFieldStore, type StateClass, type StateMeta } from "./codec";
import type { Context } from "./context";
import { DefinitionError } from "./errors";
import type { FieldStore } from "./field-store";
import { describe } from "./values";

// biome-ignore lint/suspicious/noExplicitAny: an instance may lie in any workflow's state
type AnyContext = Context<any>;

/** A registered symbol: a class may come from the package's other build. */
const BLAZEN_STATE: unique symbol = Symbol.for("blazen.state") as never;

/**
 * State with behaviour: `ctx.set(key, instance)` stores each field under its own key, `ctx.get(key)` gives a real instance (8).
 * List the class in the workflow's `types`. Instances are made with `new`, without arguments.
 *
 * @example
 * class Agent extends BlazenState {
 *   static meta = { name: "Agent", version: 1, transient: ["cache"] };
 *   turns: string[] = [];
 *   cache = new Map<string, string>();
 *   override restore() { this.cache = new Map(); }
 * }
 * new Workflow("chat", { types: [Agent] });
 */
export abstract class BlazenState {
  /** @internal */
  static readonly [BLAZEN_STATE] = true;
  /** `name` is what a snapshot calls the class: keep it when the class is renamed. */
  declare static readonly meta: StateMeta;

  /** Rebuilds the transient fields: called once for each instance when a run is resumed, before any step runs. A throw fails the run. */
  restore?(ctx: AnyContext): void | Promise<void>;

  /** As `ctx.set(key, this)`. @throws (as a rejection) UnserializableError, CancelledError when the attempt is over */
  async saveTo(ctx: AnyContext, key: string): Promise<void> {
    ctx.set(key, this);
  }

  /** As `ctx.get(key)`; undefined where there is none. @throws (as a rejection) DefinitionError for a value of another class */
  static async loadFrom<T extends BlazenState>(this: StateClass<T>, ctx: AnyContext, key: string): Promise<T | undefined> {
    return loaded(this, ctx, key);
  }
}

function loaded<T extends BlazenState>(type: StateClass<T>, ctx: AnyContext, key: string): T | undefined {
  const value: unknown = ctx.get(key);
  if (value === undefined || value instanceof type) return value;
  throw new DefinitionError(`${type.name}.loadFrom(ctx, ${JSON.stringify(key)}): the value there is ${describe(value)}, not an instance of ${type.name}.`);
}

/** A decorator of a field, standard or `experimentalDecorators`. */
export interface FieldDecorator {
  // biome-ignore lint/suspicious/noExplicitAny: a field of any class, of any type
  (value: undefined, context: ClassFieldDecoratorContext<any, any>): void;
  (target: BlazenState, field: string): void;
}

/**
 * Field decorator: the field is never stored, as if `meta.transient` named it (8.4).
 *
 * @throws DefinitionError on something else than a public field
 * @example
 * class Agent extends BlazenState {
 *   static meta = { name: "Agent" };
 *   \@transient cache = new Map<string, string>();
 * }
 */
export const transient: FieldDecorator = marking("@transient", undefined);

/**
 * Field decorator: the field is kept by a store, as if `meta.storeBy` named it (8.3).
 *
 * @throws DefinitionError for what is no store, and on something else than a public field
 */
export function storeBy(store: FieldStore): FieldDecorator {
  if (!isFieldStore(store)) throw new DefinitionError(`@storeBy: a field store is { save(key, value, ctx), load(key, ctx) }, not ${describe(store)}.`);
  return marking("@storeBy", store);
}

function marking(decorator: string, store: FieldStore | undefined): FieldDecorator {
  return (target: object | undefined, context: string | symbol | ClassFieldDecoratorContext) => {
    if (typeof context !== "object") {
      if (typeof context !== "string" || typeof target !== "object") throw new DefinitionError(`${decorator} on ${String(context)}: it marks public fields.`);
      addMark(target.constructor, context, store);
      return;
    }
    const { kind, name } = context;
    if (kind !== "field" || context.private || context.static || typeof name !== "string")
      throw new DefinitionError(`${decorator} on ${String(name)}: it marks public fields.`);
    // Standard decorators do not see the class: its first instance tells.
    context.addInitializer(function (this: unknown) {
      addMark((this as object).constructor, name, store);
    });
  };
}
