import { close, exchange, frame, full, NONE, use } from "./buffer";
import { InputRequestEvent } from "./built-in";
import { attach } from "./cancel";
import type { Encoded, Types } from "./codec";
import { goOn } from "./dispatch";
import { DefinitionError } from "./errors";
import type { Event } from "./event";
import { ChildRun, type Flow, flowsOf } from "./flow";
import { IN_KEYED, IN_PAUSE } from "./generated/tables";
import type { RunOptions } from "./handler";
import { sameSlot } from "./host-part";
import { readEntries, revived, StateValue } from "./instance";
import { limitRun, startClocks } from "./limits";
import { memoryOf, type SessionPausePolicy } from "./memory";
import { upgraded } from "./migrate";
import { Numbers } from "./numbers";
import { outputOf, writeKeys } from "./output";
import { fieldPath } from "./path";
import type { Plan } from "./plan";
import { requestsOf } from "./requests";
import { type Restorable, restoreRun, restores } from "./restore";
import { addChildren, restored } from "./resume-children";
import { Run } from "./run";
import { sessionOf } from "./session";
import { parsed, refused, type Snapshot } from "./snapshot";
import { damaged, decodeKey, decodeStored, read, reading, type Stored, text, whole } from "./stored";
import { revive } from "./stored-event";
import { useStreamOptions } from "./stream-options";
import { timersOf } from "./timers";
import { writeNow } from "./waits";

/**
 * A run that goes on from a snapshot, after the caller has had a chance to say something to it.
 *
 * @param keep where it is kept from here on
 * @throws SnapshotError for what is damaged, newer, of another workflow, or does not fit this one: nothing of it is left
 */
export function resumeRun(plan: Plan, source: Snapshot | string | Uint8Array, options: RunOptions, keep?: (run: Run) => void): Run {
  use(plan.binding);
  let bytes = bytesOf(source);
  let stored = read(plan, bytes);
  if (stored.header.workflow === plan.name && stored.header.version < plan.version) {
    bytes = upgraded(plan, bytes, stored);
    stored = read(plan, bytes);
  }
  if (options.runId !== undefined && options.runId !== stored.header.runId)
    throw new DefinitionError(`${plan.title}: a run goes on under its own id ${stored.header.runId}, not as ${options.runId}.`);
  const run = new Run(plan, stored.header.runId, options.clock === undefined ? undefined : timersOf(options.clock));
  addChildren(run, stored);
  const handle = restored(run, bytes);
  if (handle < 0) refused(plan.binding.lastError());
  useStreamOptions(run, options);
  let restorable: Restorable[];
  try {
    restorable = fill(run, stored);
    for (const [key, value] of Object.entries(options.session ?? {})) sessionOf(run).set(key, value);
  } catch (error) {
    close(plan.binding, handle);
    throw error;
  }
  run.handle = handle;
  run.begun = false;
  run.dropped = stored.header.droppedSession;
  keep?.(run);
  run.checkpoints?.frameDurable();
  // Whatever is said to it first: nothing is routed before `begin`.
  frame(IN_PAUSE, 1, 0, 0);
  exchange(run);
  limitRun(run);
  attach(run, options.signal);
  const first = restorable.length === 0 ? undefined : () => restoreRun(run, restorable);
  if (!run.over) goOn(run, () => begin(run, stored.queued), first);
  return run;
}

function bytesOf(source: Snapshot | string | Uint8Array): Uint8Array<ArrayBuffer> {
  // A Snapshot may come from the package's other build.
  if (typeof source === "object" && source !== null && "toBytes" in source && typeof source.toBytes === "function") return parsed(source.toBytes());
  return parsed(source);
}

interface Filled extends Restorable {
  readonly keys: string[];
  readonly others: object[];
}

/**
 * Everything is decoded before any of it is used.
 *
 * @returns what has to be restored before the run goes on, if there is anything
 * @throws SnapshotError
 */
export function fill(run: Run, stored: Stored): Restorable[] {
  const keys = new Numbers<string | number>();
  for (const [number, value] of stored.section("key")) {
    const key = decodeStored(`key/${number}`, value, run.memoryOptions.types);
    if (typeof key !== "string" && typeof key !== "number") damaged(`the entry "key/${number}" is no key`);
    keys.set(key as string | number, Number(number));
  }
  run.joinKeys = keys;
  for (const [number, { tree }] of stored.section("answered")) {
    const { id, digest } = (tree ?? {}) as { id?: unknown; digest?: unknown };
    const given = { digest: digest === undefined ? undefined : text(`answered/${number}`, digest), value: undefined };
    requestsOf(run).answered(text(`answered/${number}`, id), given);
  }
  const restorables = new Map<Flow, Filled>(Array.from(flowsOf(run), (flow) => [flow, { flow, keys: [], others: [] }]));
  fillEvents(run, stored, (flow) => restorables.get(flow)!.others);
  run.eachEvent((event) => {
    if (event.type !== InputRequestEvent.type) return;
    const { id } = event as InputRequestEvent;
    if (requestsOf(run).has(id)) damaged(`two requests have the id ${JSON.stringify(id)}`);
    requestsOf(run).emitted(id);
  });
  for (const [flow, filled] of restorables) fillFlow(flow, stored, filled);
  for (const [, { tree }] of stored.section("stream")) {
    run.streamed = whole("stream", tree);
    run.stream?.startAt(run.streamed);
  }
  return [...restorables.values()].filter(({ keys, others }) => keys.length > 0 || others.some(restores));
}

/** The events of the run, each read as the run or child run that holds it knows its types. */
function fillEvents(run: Run, stored: Stored, othersOf: (flow: Flow) => object[]): void {
  const owners = stored.slots.map((slot) => {
    const owner = stored.owners.get(slot);
    return owner === undefined ? run : (run.children?.known[owner] ?? damaged(`the entry "event/${slot}" is of no run`));
  });
  const events = stored.events.map(({ type, payload }, at) => {
    const flow = owners[at]!;
    if (sameSlot(payload.tree) !== undefined) return undefined;
    return revive(flow.plan, type, decodeStored(`events[${type}]`, payload, flow.memoryOptions.types, othersOf(flow)));
  });
  if (events.includes(undefined)) {
    const bySlot = new Map(stored.slots.map((slot, at) => [slot as unknown, events[at]]));
    stored.events.forEach(({ payload }, at) => {
      events[at] ??= bySlot.get(sameSlot(payload.tree)) ?? damaged(`the entry "event/${stored.slots[at]}" is no event`);
    });
  }
  run.fill(stored.slots, events, owners);
}

/** What a run or child run has of its own. */
function fillFlow(flow: Flow, stored: Stored, restorable: Filled): void {
  const prefix = flow instanceof ChildRun ? `child/${flow.number}/` : "";
  const section = (name: string) => stored.section(prefix + name);
  if (flow instanceof ChildRun && fillOutcome(flow, section)) return;
  const ids = new Numbers<string>();
  for (const [number, { tree }] of section("sent")) ids.set(text(`sent/${number}`, tree), Number(number));
  flow.ids = ids;
  const [elapsed] = section("elapsed");
  if (elapsed !== undefined) flow.elapsed = whole("elapsed", elapsed[1].tree);
  for (const [, { tree }] of section("progress")) {
    const { stage, ended } = (tree ?? {}) as { stage?: unknown; ended?: unknown };
    const { stages } = flow.plan;
    if (stages === undefined || !stages.includes(text("progress", stage))) continue;
    flow.stage = { stage: stage as string, ended: ended === true };
  }
  fillMemory(flow, section, restorable);
}

/** How a child run has ended; false for one that goes on. */
function fillOutcome(child: ChildRun, section: Stored["section"]): boolean {
  const [ended] = section("ended");
  if (!child.over) {
    if (ended !== undefined) damaged(`the entry "child/${child.number}/ended" is of a child run that goes on`);
    return false;
  }
  const status = ended === undefined ? undefined : ended[1].tree;
  const [given] = section("outcome");
  const key = `child/${child.number}/outcome`;
  const value = given === undefined ? undefined : decodeStored(key, given[1], child.parent.memoryOptions.types);
  if (status === "cancelled") child.outcome = { status };
  else if (status === "fulfilled" && given !== undefined) child.outcome = { status, value };
  else if (status === "rejected" && given !== undefined) child.outcome = { status, reason: value };
  else damaged(`the entry "child/${child.number}/ended" does not say how it has ended`);
  return true;
}

function fillMemory(flow: Flow, section: Stored["section"], restorable: Filled): void {
  const { types } = flow.memoryOptions;
  const { others } = restorable;
  const decoded = (what: string, value: Encoded, states?: object[]) => decodeStored(what, value, types, states);
  const state = section("state");
  const once = section("once");
  const session = section("session");
  const [entry] = section("policy");
  const policy = entry === undefined ? "pickle_or_error" : (text("policy", entry[1].tree) as SessionPausePolicy);
  const commits = section("commits")[0];
  const { initial, pausePolicy, verify } = flow.memoryOptions;
  if (flow instanceof ChildRun && flow.branch.inherits) memoryOf(flow).session = sessionOf(flow.parent);
  if (state.length + once.length + session.length + initial.size === 0 && policy === pausePolicy && commits === undefined && !verify) {
    if (flow.run.plan.memory.verify) memoryOf(flow);
    return;
  }
  const memory = memoryOf(flow);
  if (commits !== undefined) memory.commits = whole("commits", commits[1].tree);
  memory.pausePolicy = policy;
  const values = reading("state", () => readEntries(state, types));
  for (const [key, value] of values) {
    // Whether a value can be read is known now, not when a step asks for it.
    const states = value instanceof StateValue ? checkInstance(key, value, types) : checkValue(value, (states) => decoded(`state.${key}`, value, states));
    if (states) restorable.keys.push(key);
  }
  memory.replace(values);
  for (const [part, value] of once) {
    const [seq = "", key = ""] = part.split("/");
    decoded(`once/${part}`, value);
    memory.once ??= new Map();
    const results = memory.once.get(Number(seq)) ?? new Map();
    memory.once.set(Number(seq), results.set(decodeKey(`once/${part}`, key), value));
  }
  for (const [part, value] of session) {
    const key = decodeKey(`session/${part}`, part);
    sessionOf(flow).set(key, decoded(`session.${key}`, value, others));
  }
}

/** @returns whether the value has something to restore */
function checkValue({ plain }: Encoded, decodeInto: (states: object[]) => unknown): boolean {
  if (plain === true) return false;
  const states: object[] = [];
  decodeInto(states);
  return states.some(restores);
}

function checkInstance(key: string, value: StateValue, types: Types): boolean {
  // Without the fields that stores keep not even `migrate` can be asked.
  for (const _ of value.kept()) return true;
  return reading(fieldPath("state", key), () => revived(value, types)).instances.some(restores);
}

/** The first exchange: the keys of queued events are asked for again, then what had not settled is called. */
function begin(run: Run, queued: readonly number[]): void {
  if ([...flowsOf(run)].some(({ plan }) => plan.keyed.length > 0)) {
    const outputs = queued
      .map((slot) => ({ slot, output: outputOf(run.owner(slot), run.payload(slot) as Event) }))
      .filter(({ output }) => output.keys !== undefined);
    for (const { slot, output } of outputs) {
      writeKeys(run, output);
      frame(IN_KEYED, slot, 0, NONE);
      if (full()) exchange(run);
    }
  }
  run.begun = true;
  writeNow(run);
  frame(IN_PAUSE, run.pause === undefined ? 0 : 1, 0, 0);
  exchange(run);
  if (run.pause === undefined) startClocks(run);
}
