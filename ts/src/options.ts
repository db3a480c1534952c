import { typeRef } from "./accepts";
import { type Codec, type Encoded, NO_TYPES, type StateClass, Types } from "./codec";
import { verifies } from "./environment";
import { DefinitionError } from "./errors";
import type { EventClass } from "./event";
import { encodeValue, StateValue } from "./instance";
import type { MemoryOptions, Migration, SessionPausePolicy, SnapshotContent } from "./memory";
import { fieldPath } from "./path";
import type { WorkflowDefinition } from "./plan";
import { isLimit } from "./step";
import { describe, isPlainObject, isWellFormed } from "./values";

/** Options of a workflow about what its runs remember. */
export interface WorkflowMemory<State extends object = Record<string, unknown>> {
  /** Initial values of `ctx.state`; each run starts from its own copy (6.1). */
  state?: State;
  /** Whether the session keeps references or goes as JSON. Default: "json" on Node, "live" in WASM (6.3). */
  session?: "json" | "live";
  /** What becomes of the session when a snapshot is taken. Default: "pickle_or_error" (7.4). */
  sessionPausePolicy?: SessionPausePolicy;
  /** BlazenState classes and codecs whose instances may be stored (6.2). */
  types?: readonly (StateClass | Codec)[];
  /** What brings the snapshot of an older version to the next, by the version that it upgrades from (7.5). */
  migrate?: Record<number, (old: SnapshotContent) => SnapshotContent>;
  /** Checks at commits that a snapshot would lose nothing; for tests and staging. Default: BLAZEN_VERIFY=1. */
  verify?: boolean;
}

export interface WorkflowOptions<State extends object = Record<string, unknown>> extends WorkflowMemory<State> {
  /** Of the workflow's definition. Default: 1. */
  version?: number;
  /** What becomes of an event that no step accepts: it fails the run, is dropped, or is only for observers. Default: "error" (3.3). */
  unhandledEvents?: "error" | "ignore" | "stream";
  /** Milliseconds of running time: pauses and waiting for answers or events from outside do not count. Default: no limit (5.2). */
  timeout?: number;
  /** Types that may come from outside by `handler.send` (1.8). */
  external?: readonly EventClass[];
}

/** What a workflow or pipeline says of its runs. */
export type ProgramOptions = Omit<WorkflowDefinition, "start" | "stages" | "steps">;

/** @throws DefinitionError for bad options, UnserializableError for an initial state that cannot be stored */
export function programOptions(kind: "Workflow" | "Pipeline", name: string, options: WorkflowOptions<object>): ProgramOptions {
  if (typeof name !== "string" || name === "") throw new DefinitionError(`A ${kind.toLowerCase()}'s name is a non-empty string, not ${describe(name)}.`);
  const refuse = (why: string): never => {
    throw new DefinitionError(`${kind} "${name}": ${why}`);
  };
  if (!isPlainObject(options)) refuse(`the options are an object, not ${describe(options)}.`);
  const { version = 1, unhandledEvents = "error", external = [], timeout, state, session, sessionPausePolicy, types, migrate, verify, ...unknown } = options;
  const extra = Object.keys(unknown)[0];
  if (extra !== undefined)
    refuse(`there is no option "${extra}". Known: version, state, timeout, session, sessionPausePolicy, unhandledEvents, external, types, migrate, verify.`);
  if (!Number.isSafeInteger(version) || version < 1) refuse(`"version" is a whole number from 1 up, not ${describe(version)}.`);
  if (unhandledEvents !== "error" && unhandledEvents !== "ignore" && unhandledEvents !== "stream")
    refuse(`"unhandledEvents" is "error", "ignore" or "stream", not ${describe(unhandledEvents)}.`);
  if (!Array.isArray(external)) refuse(`"external" is an array of event classes, not ${describe(external)}.`);
  if (timeout !== undefined && !isLimit(timeout)) refuse(`"timeout" is a number of milliseconds above 0, not ${describe(timeout)}.`);
  return {
    kind,
    name,
    version,
    unhandled: unhandledEvents,
    external: external.map((one) => typeRef(`${kind} "${name}", external`, one)),
    timeout: timeout === Number.POSITIVE_INFINITY ? undefined : timeout,
    memory: memoryOptions(options, refuse),
  };
}

const POLICIES: readonly unknown[] = ["pickle_or_error", "pickle_or_serialize", "warn_drop", "hard_error"] satisfies SessionPausePolicy[];

/**
 * @param refuse throws a DefinitionError that names the workflow
 * @throws UnserializableError for an initial value that cannot be stored
 */
export function memoryOptions(options: WorkflowMemory<object>, refuse: (why: string) => never): MemoryOptions {
  const { state, session, sessionPausePolicy = "pickle_or_error", types, migrate = {}, verify = verifies() } = options;
  if (session !== undefined && session !== "json" && session !== "live") refuse(`"session" is "json" or "live", not ${describe(session)}.`);
  if (!POLICIES.includes(sessionPausePolicy))
    refuse(`"sessionPausePolicy" is one of ${POLICIES.map((policy) => JSON.stringify(policy)).join(", ")}, not ${describe(sessionPausePolicy)}.`);
  if (types !== undefined && !Array.isArray(types)) refuse(`"types" is an array of codecs and BlazenState classes, not ${describe(types)}.`);
  if (typeof verify !== "boolean") refuse(`"verify" is true or false, not ${describe(verify)}.`);
  const known = types === undefined || types.length === 0 ? NO_TYPES : new Types(types);
  return { types: known, initial: initialState(state, known, refuse), session, pausePolicy: sessionPausePolicy, migrate: migrations(migrate, refuse), verify };
}

const NOTHING: ReadonlyMap<string, Encoded> = new Map();

function initialState(state: unknown, types: Types, refuse: (why: string) => never): ReadonlyMap<string, Encoded> {
  if (state === undefined) return NOTHING;
  if (!isPlainObject(state)) return refuse(`"state" is an object with the state's first values by key, not ${describe(state)}.`);
  const initial = new Map<string, Encoded>();
  for (const [key, value] of Object.entries(state)) {
    if (!isWellFormed(key)) refuse(`"state": the key ${JSON.stringify(key)} holds a lone surrogate. Use well-formed Unicode.`);
    const encoded = encodeValue(value, () => fieldPath("state", key), types, undefined);
    if (encoded instanceof StateValue)
      for (const [field] of encoded.kept())
        refuse(`"state": a store keeps the field "${field}" of ${describe(value)}, and each run has its own: set it in a step.`);
    initial.set(key, encoded);
  }
  return initial;
}

function migrations(migrate: unknown, refuse: (why: string) => never): ReadonlyMap<number, Migration> {
  if (!isPlainObject(migrate)) return refuse(`"migrate" is an object of functions by version, not ${describe(migrate)}.`);
  const by = new Map<number, Migration>();
  for (const [from, upgrade] of Object.entries(migrate)) {
    if (!/^[1-9]\d*$/.test(from)) refuse(`"migrate" goes by version, a whole number from 1 up, not ${describe(from)}.`);
    if (typeof upgrade !== "function") refuse(`"migrate", version ${from}: give a function of the older content, not ${describe(upgrade)}.`);
    by.set(Number(from), upgrade as Migration);
  }
  return by;
}
