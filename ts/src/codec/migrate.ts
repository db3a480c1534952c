import { describe } from "../values";
import { DecodeError } from "./error";
import { type StateClass, versionOf } from "./types";

/** @throws DecodeError for a newer version and for a missing entry */
export function checkVersion(type: StateClass, version: number): void {
  const { name } = type.meta;
  const now = versionOf(type);
  if (version > now) throw new DecodeError(`a stored "${name}" is of version ${version}, which is newer than this class's version ${now}`);
  for (let from = version; from < now; from++) upgradeOf(type, version, from);
}

function upgradeOf(type: StateClass, version: number, from: number): (old: Record<string, unknown>) => Record<string, unknown> {
  const { name, migrate } = type.meta;
  const upgrade = migrate !== undefined && Object.hasOwn(migrate, from) ? migrate[from] : undefined;
  if (typeof upgrade === "function") return upgrade.bind(migrate);
  throw new DecodeError(
    `a stored "${name}" is of version ${version}, and ${type.name}.meta.migrate has no entry ${from} on the way to version ${versionOf(type)}`,
  );
}

/**
 * Stored fields of a BlazenState as its class has them now: `meta.migrate` is asked from version to version (8.4).
 *
 * @throws DecodeError for a newer version, a missing entry and what an entry throws
 */
export function migrated(type: StateClass, version: number, stored: Record<string, unknown>): Record<string, unknown> {
  const now = versionOf(type);
  if (version === now) return stored;
  checkVersion(type, version);
  let fields = stored;
  for (let from = version; from < now; from++) {
    const upgrade = upgradeOf(type, version, from);
    try {
      fields = upgrade(fields);
    } catch (cause) {
      throw new DecodeError(`${type.name}.meta.migrate[${from}] threw: ${cause instanceof Error ? cause.message : describe(cause)}`, { cause });
    }
    if (typeof fields !== "object" || fields === null) throw new DecodeError(`${type.name}.meta.migrate[${from}] gave ${describe(fields)}, not the fields`);
  }
  return fields;
}
