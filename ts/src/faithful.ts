import { SessionValueError } from "./errors";
import { fieldPath } from "./path";
import { describe, isPlainObject } from "./values";

/** Levels of nesting, as rule 6.2 has it for state. */
const DEEPEST = 1000;

/**
 * The JSON text of a value that JSON carries faithfully: what is parsed from it is equal (6.3).
 *
 * @throws SessionValueError with the path of what is lost and the way out
 */
export function faithfulJson(value: unknown, path: string): string {
  return JSON.stringify(copied(value, path, []));
}

/** Accessors are read once, here. */
function copied(value: unknown, path: string, within: object[]): unknown {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      if (Number.isFinite(value) && !Object.is(value, -0)) return value;
      return refuse(path, Object.is(value, -0) ? "the number -0" : describe(value));
    case "object":
      break;
    default:
      return refuse(path, describe(value));
  }
  if (value === null) return null;
  if (within.includes(value)) return refuse(path, "a cycle");
  if (within.length >= DEEPEST) return refuse(path, `an object more than ${DEEPEST.toLocaleString("en")} levels deep`);
  if (Object.getOwnPropertySymbols(value).length > 0) return refuse(path, "an object with symbols for keys");
  within.push(value);
  let copy: unknown;
  if (Array.isArray(value) && Object.getPrototypeOf(value) === Array.prototype) {
    if (Object.keys(value).length !== value.length) return refuse(path, "an array with holes or named fields");
    copy = value.map((one, at) => copied(one, `${path}[${at}]`, within));
  } else if (isPlainObject(value) && Object.getPrototypeOf(value) !== null) {
    copy = Object.fromEntries(Object.entries(value).map(([key, one]) => [key, copied(one, fieldPath(path, key), within)]));
  } else return refuse(path, Object.getPrototypeOf(value) === null ? "an object without a prototype" : describe(value));
  within.pop();
  return copy;
}

function refuse(path: string, what: string): never {
  throw new SessionValueError(
    `${path}: here the session's values go as JSON, which cannot carry ${what}. Give the workflow the option session: "live" to keep references, or store what must last with ctx.state.`,
    path,
  );
}
