import type { TypeRef } from "./accepts";
import { type Binding, binding } from "./binding/load";
import { refresh } from "./buffer";
import { InputRequestEvent } from "./built-in";
import { DefinitionError, InternalError } from "./errors";
import { type Event, type EventClass, type Kind, StartEvent, StopEvent } from "./event";
import { ERR_DEFINITION } from "./generated/tables";
import type { MemoryOptions } from "./memory";
import { type Nest, nestOf } from "./nest";
import type { Retry } from "./retry";
import type { StepDefinition, StepFunction } from "./step";

export interface WorkflowDefinition {
  readonly kind: "Workflow" | "Pipeline";
  readonly name: string;
  readonly version: number;
  /** What begins a run, in place of a StartEvent. */
  readonly start: Start | undefined;
  /** Of a pipeline, in order. */
  readonly stages: readonly string[] | undefined;
  readonly unhandled: "error" | "ignore" | "stream";
  readonly external: readonly TypeRef[];
  readonly steps: readonly StepDefinition[];
  readonly timeout: number | undefined;
  readonly memory: MemoryOptions;
}

/** An event class that begins runs, and how it is made of an input. */
export interface Start {
  readonly class: EventClass;
  readonly begin: (input: unknown) => Event;
}

/** A step as the run loop wants it. */
export class PlanStep {
  /** The kind this step emitted last and its type id: steps mostly emit one type, and a look-up by name costs more than the crossing. */
  lastKind: Kind | undefined;
  lastType = 0;
  constructor(
    readonly id: number,
    readonly name: string,
    readonly run: StepFunction,
    readonly emits: ReadonlySet<string> | undefined,
    /** Milliseconds. */
    readonly timeout: number | undefined = undefined,
    readonly retry: Retry | undefined = undefined,
    /** It is called with sets of events. */
    readonly gathers: boolean = false,
    /** It has child runs in place of a function. */
    readonly nest: Nest | undefined = undefined,
  ) {}
}

/** A keyed join, with the function that gives an event's key. */
export interface KeyedJoin {
  readonly step: number;
  readonly by: (event: Event) => unknown;
}

/** A workflow compiled by the core: type and step names as small integers. */
export class Plan {
  constructor(
    readonly kind: "Workflow" | "Pipeline",
    readonly name: string,
    readonly version: number,
    readonly binding: Binding,
    readonly id: number,
    readonly steps: readonly PlanStep[],
    readonly types: readonly string[],
    readonly typeIds: ReadonlyMap<string, number>,
    /** The accepted class of a type, which makes instances of plain objects (1.2). */
    readonly classes: readonly (EventClass | undefined)[],
    /** By type id. */
    readonly keyed: readonly (readonly KeyedJoin[] | undefined)[],
    readonly external: ReadonlySet<string>,
    /** Types that some step accepts. */
    readonly accepted: ReadonlySet<string>,
    /** Milliseconds that a run may take. */
    readonly timeout: number | undefined,
    readonly memory: MemoryOptions,
    /** The event that begins a run. @throws EventValidationError */
    readonly begin: (input: unknown) => Event,
    readonly stages: readonly string[] | undefined,
  ) {}

  /** For messages. */
  get title(): string {
    return `${this.kind} "${this.name}"`;
  }
  /** False once the binding it was compiled for has trapped. */
  get usable(): boolean {
    return this.binding === binding();
  }
}

/** Frees the core's plan when its workflow and its runs are gone. */
const plans = new FinalizationRegistry<{ binding: Binding; id: number }>(({ binding, id }) => binding.drop(id));

/** @throws DefinitionError for what is wrong with the whole (2.6) */
export function compile(definition: WorkflowDefinition): Plan {
  const types: string[] = [];
  const classes: (EventClass | undefined)[] = [];
  const typeIds = new Map<string, number>();
  const idOf = ({ name, class: made }: TypeRef): number => {
    let id = typeIds.get(name);
    if (id === undefined) {
      id = types.push(name) - 1;
      typeIds.set(name, id);
    }
    if (made !== undefined) {
      const other = classes[id];
      if (other !== undefined && other !== made)
        throw new DefinitionError(
          `${definition.kind} "${definition.name}": two classes have the type "${name}" (${other.name} and ${made.name}). Give one of them another type, or use one class.`,
        );
      classes[id] = made;
    }
    return id;
  };
  idOf({ name: StartEvent.type, class: StartEvent as unknown as EventClass });
  idOf({ name: StopEvent.type, class: StopEvent });
  idOf({ name: InputRequestEvent.type, class: InputRequestEvent as unknown as EventClass });
  if (definition.external.some(({ name }) => name === InputRequestEvent.type))
    throw new DefinitionError(`${definition.kind} "${definition.name}": "external" names InputRequestEvent, but only steps ask. Name the type of the answer.`);
  const start = definition.start === undefined ? 0 : idOf({ name: definition.start.class.type, class: definition.start.class });
  const external = definition.external.map(idOf);
  const keyed: KeyedJoin[][] = [];
  const accepted = definition.steps.map((step, id) => {
    const { accepting } = step;
    const ids = accepting.types.map(idOf);
    if (accepting.kind === "any") return { kind: "any", types: [...new Set(ids)] };
    if (accepting.kind === "collect") return { kind: "collect", types: [...new Set(ids)], ...accepting.options };
    const { by } = accepting;
    if (by !== undefined) for (const type of new Set(ids)) keyed[type] = [...(keyed[type] ?? []), { step: id, by }];
    return { kind: "all", types: ids, keyed: by !== undefined };
  });
  const steps = definition.steps.map((step, id) => ({
    name: step.name,
    accepts: accepted[id],
    ...(step.pool === undefined ? {} : { limit: step.pool.limit, ...(step.pool.name === undefined ? {} : { pool: step.pool.name }) }),
    ...(step.retry === undefined ? {} : { retry: step.retry.policy }),
    ...(step.emits === undefined ? {} : { emits: step.emits.map(idOf) }),
  }));
  const core = binding();
  const id = core.compile(
    JSON.stringify({ name: definition.name, version: definition.version, unhandled: definition.unhandled, types, start, external, steps }),
  );
  const refused = id < 0 ? compileError(`${definition.kind} "${definition.name}"`, -id, core.lastError()) : undefined;
  refresh();
  if (refused !== undefined) throw refused;
  const Start = classes[0] as unknown as new (payload: unknown) => Event;
  const plan = new Plan(
    definition.kind,
    definition.name,
    definition.version,
    core,
    id,
    definition.steps.map(
      (step, at) =>
        new PlanStep(
          at,
          step.name,
          step.run,
          step.emits && new Set(step.emits.map(({ name }) => name)),
          step.timeout,
          step.retry,
          step.accepting.kind !== "any",
          nestOf(step.run),
        ),
    ),
    types,
    typeIds,
    classes,
    keyed,
    new Set(definition.external.map(({ name }) => name)),
    new Set(definition.steps.flatMap(({ accepting }) => accepting.types.map(({ name }) => name))),
    definition.timeout,
    definition.memory,
    definition.start?.begin ?? ((input) => new Start(input)),
    definition.stages,
  );
  // What its child runs are of is checked with it.
  for (const { nest } of plan.steps) for (const branch of nest?.branches ?? []) if (!branch.later) branch.plan();
  plans.register(plan, { binding: core, id });
  return plan;
}

function compileError(title: string, code: number, text: string): Error {
  const { message, step } = JSON.parse(text) as { message: string; step?: string };
  if (code !== ERR_DEFINITION) return new InternalError(`${title}: ${message}`);
  return new DefinitionError(`${title}: ${message}`, { step });
}
