import { type Encoded, encode } from "./codec";
import { warn } from "./environment";
import { SessionPauseError, UnserializableError } from "./errors";
import type { Flow } from "./flow";
import type { Entries } from "./host-part";
import { fieldPath } from "./path";
import type { Making } from "./save";

/** What a checkpoint keeps of the session, by the names of its entries: values with a codec (12.2). @throws UnserializableError */
export function* storedSession({ memory }: Flow): Generator<[string, Encoded]> {
  const session = memory?.session;
  if (memory === undefined || session === undefined) return;
  const { types } = memory.options;
  for (const key of [...session.entries.keys()].sort()) {
    const value = session.get(key);
    if (types.lists(value)) yield [`session/${encodeURIComponent(key)}`, encode(value, fieldPath("session", key), types)];
  }
}

/** What a snapshot keeps of the session, by the policy (7.4). */
export function storeSession(flow: Flow, entries: Entries, prefix: string, dropped: string[], { lenient = false, checkpoint = false }: Making): void {
  const { memory } = flow;
  const session = memory?.session;
  if (memory === undefined || session === undefined || session.entries.size === 0) return;
  const { types } = memory.options;
  if (checkpoint) {
    for (const [key, value] of storedSession(flow)) entries.add(prefix + key, value);
    return;
  }
  const keys = [...session.entries.keys()].sort();
  if (memory.pausePolicy === "warn_drop") {
    if (lenient) return;
    const known = new Set(dropped);
    for (const key of keys) if (!known.has(key)) dropped.push(key);
    warn(`${flow.title}: the snapshot of run ${flow.runId} leaves out the session's ${keys.map((key) => JSON.stringify(key)).join(", ")}.`);
    return;
  }
  const refused: string[] = [];
  let cause: unknown;
  for (const key of keys) {
    const value = session.get(key);
    try {
      if (memory.pausePolicy !== "hard_error" && (memory.pausePolicy === "pickle_or_serialize" || types.lists(value))) {
        entries.add(`${prefix}session/${encodeURIComponent(key)}`, encode(value, fieldPath("session", key), types));
        continue;
      }
    } catch (error) {
      if (!(error instanceof UnserializableError)) throw error;
      cause ??= error;
    }
    refused.push(key);
  }
  if (refused.length === 0 || lenient) return;
  const why =
    memory.pausePolicy === "hard_error"
      ? "the policy allows none"
      : memory.pausePolicy === "pickle_or_error"
        ? "they have no codec"
        : "they can be stored neither by a codec nor as plain values";
  throw new SessionPauseError(
    `${flow.title}: no snapshot can be taken while the session holds ${refused.map((key) => JSON.stringify(key)).join(", ")}: ${why} (sessionPausePolicy "${memory.pausePolicy}"). Delete them, list codecs in "types", open them with ctx.session.use, or choose another policy.`,
    refused,
    { runId: flow.runId, ...(cause === undefined ? {} : { cause }) },
  );
}
