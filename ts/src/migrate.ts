import { cold } from "./buffer";
import { encode } from "./codec";
import { define } from "./codec/define";
import { SnapshotError } from "./errors";
import { documentText, Entries, sameSlot } from "./host-part";
import { decodeValue, encodeValue, readEntries, StateValue, storedEntries, withUnloaded } from "./instance";
import type { SnapshotContent } from "./memory";
import { fieldPath } from "./path";
import type { Plan } from "./plan";
import { own, refused } from "./snapshot";
import { stageOf, stageType } from "./stage-event";
import { decodeStored, reading, type Stored } from "./stored";
import { describe, isPlainObject } from "./values";

/**
 * The snapshot of an older version of the workflow, brought to the present one by its `migrate` (7.5).
 *
 * @throws SnapshotError for a version without an entry, and for what an entry throws or gives
 */
export function upgraded(plan: Plan, bytes: Uint8Array, stored: Stored): Uint8Array<ArrayBuffer> {
  const { types, migrate } = plan.memory;
  const values = reading("state", () => readEntries(stored.section("state"), types));
  // Instances whose fields are with a store: they go on having them.
  const unloaded = new Map<unknown, StateValue>();
  const state: Record<string, unknown> = {};
  for (const [key, encoded] of values) {
    const value = reading(fieldPath("state", key), () => decodeValue(encoded, types));
    define(state, key, value);
    if (!(encoded instanceof StateValue)) continue;
    unloaded.set(value, encoded);
    // What an initialiser has given is no value of the run.
    for (const [field] of encoded.kept()) Reflect.deleteProperty(value as object, field);
  }
  // An event that stands in several slots is one.
  const originals = stored.events.flatMap((event, at) =>
    sameSlot(event.payload.tree) === undefined && !stored.owners.has(stored.slots[at]!) ? [{ ...event, slot: stored.slots[at]! }] : [],
  );
  let content: SnapshotContent = {
    state,
    events: originals.map(({ type, payload }) => ({
      type,
      payload: decodeStored(`events[${type}]`, payload, types) as Record<string, unknown>,
    })),
    steps: Object.fromEntries(stored.header.steps.map(({ name }) => [name, name])),
  };
  for (let version = stored.header.version; version < plan.version; version++) {
    const upgrade = migrate.get(version);
    const where = `${plan.title}, migrate[${version}]`;
    if (upgrade === undefined)
      throw new SnapshotError(
        `${where} is missing: the snapshot is of version ${stored.header.version}, and the workflow of version ${plan.version}. Add an entry for each version on the way.`,
      );
    try {
      content = upgrade(content);
    } catch (cause) {
      throw new SnapshotError(`${where} failed: ${cause instanceof Error ? cause.message : describe(cause)}`, { cause });
    }
    check(content, where, originals.length);
  }
  renameStages(plan, content);
  const entries = new Entries();
  for (const name of ["sent", "key", "once", "session", "policy", "commits", "stream", "answered", "elapsed", "progress", ...stored.inner]) {
    for (const [rest, value] of stored.section(name)) {
      entries.add(rest === "" ? name : `${name}/${rest}`, value);
    }
  }
  const where = `${plan.title}, migrate`;
  try {
    for (const [key, value] of Object.entries(content.state)) {
      const encoded = encodeValue(value, () => fieldPath("state", key), types, undefined);
      for (const [suffix, part] of storedEntries(withUnloaded(encoded, unloaded.get(value)))) {
        entries.add(`state/${encodeURIComponent(key)}${suffix}`, part);
      }
    }
    const upgradedBy = new Map(originals.map(({ slot }, at) => [slot as unknown, content.events[at]!]));
    const events = stored.events.map(({ type, payload }, at) => {
      const slot = stored.slots[at]!;
      const own = upgradedBy.get(slot);
      if (own === undefined) return { type: upgradedBy.get(sameSlot(payload.tree))?.type ?? type, payload: entries.keep(`event/${slot}`, payload) };
      return { type: own.type, payload: entries.keep(`event/${slot}`, encode({ ...own.payload }, `events[${own.type}]`, types)) };
    });
    const document = {
      version: plan.version,
      steps: content.steps,
      slots: stored.slots,
      types: events.map(({ type }) => type),
      payloads: events.map(({ payload }) => payload),
      entries: entries.list,
      bytes: entries.bytes,
    };
    const core = plan.binding;
    return own(cold(() => core.upgrade(bytes, documentText(document), entries.blob())) ?? refused(core.lastError()));
  } catch (cause) {
    if (cause instanceof SnapshotError) throw cause;
    throw new SnapshotError(`${where} gave what cannot be stored: ${cause instanceof Error ? cause.message : describe(cause)}`, { cause });
  }
}

/** A stage's event goes by the stage's name. */
function renameStages({ stages }: Plan, { steps, events }: SnapshotContent): void {
  if (stages === undefined) return;
  for (const event of events) {
    const stage = stageOf(event.type);
    if (stage !== undefined && Object.hasOwn(steps, stage)) event.type = stageType(steps[stage]!);
  }
}

function check(content: unknown, where: string, events: number): asserts content is SnapshotContent {
  const refuse = (why: string): never => {
    throw new SnapshotError(`${where} gave ${why}. Return the content it got, changed: { state, events, steps }.`);
  };
  if (!isPlainObject(content)) return refuse(describe(content));
  if (!isPlainObject(content["state"])) refuse(`${describe(content["state"])} for "state"`);
  const list = content["events"];
  if (!Array.isArray(list) || list.length !== events) return refuse(`other than ${events} events`);
  for (const event of list)
    if (!isPlainObject(event) || typeof event["type"] !== "string" || !isPlainObject(event["payload"])) refuse("an event that is not { type, payload }");
  const steps = content["steps"];
  if (!isPlainObject(steps) || !Object.values(steps).every((name) => typeof name === "string")) refuse('"steps" that are no names');
  const names = Object.values(steps as Record<string, string>);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) refuse(`two steps the name "${twice}"`);
}
