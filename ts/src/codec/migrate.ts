import { describe } from "../values";
import { DecodeError } from "./error";
import { type StateClass, versionOf } from "./types";

/**
 * Stored fields of a BlazenState as its class has them now: `meta.migrate` is asked from version to version (8.4).
 *
 * @throws DecodeError for a newer version, a missing entry and what an entry throws
 */
export function migrated(type: StateClass, version: number, stored: Record<string, unknown>): Record<string, unknown> {
  const { name, migrate } = type.meta;
  const now = versionOf(type);
  if (version > now) throw new DecodeError(`a stored "${name}" is of version ${version}, which is newer than this class's version ${now}`);
  let fields = stored;
  for (let from = version; from < now; from++) {
    const upgrade = migrate !== undefined && Object.hasOwn(migrate, from) ? migrate[from] : undefined;
    if (typeof upgrade !== "function")
      throw new DecodeError(`a stored "${name}" is of version ${version}, and ${type.name}.meta.migrate has no entry ${from} on the way to version ${now}`);
    try {
      fields = upgrade.call(migrate, fields);
    } catch (cause) {
      throw new DecodeError(`${type.name}.meta.migrate[${from}] threw: ${cause instanceof Error ? cause.message : describe(cause)}`, { cause });
    }
    if (typeof fields !== "object" || fields === null) throw new DecodeError(`${type.name}.meta.migrate[${from}] gave ${describe(fields)}, not the fields`);
  }
  return fields;
}
