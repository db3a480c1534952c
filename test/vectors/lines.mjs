// The lines of a vector, parsed. Importable everywhere: no imports.

/** `Emit 0 Page 1` as its words; a set `[1,2]` is one word. */
export const words = (line) => line.split(" ");

/** The slots of an Invoke's last word: those of a set, or the one of an event. */
export const slots = (word) => (word.startsWith("[") ? word.slice(1, -1).split(",").filter(Boolean) : [word]).map(Number);

/** The full name of a built-in type; `?Odd` is a type that the plan does not know. */
const BUILT_IN = ["StartEvent", "StopEvent", "InputRequestEvent", "InputResponseEvent", "StepFailedEvent"];
export const typeName = (word) => (BUILT_IN.includes(word) ? `blazen::${word}` : word.replace(/^\?/, ""));

/** What a step accepts, in one form. */
export function accepts(given) {
  if (typeof given === "string") return { kind: "any", types: [given] };
  if (Array.isArray(given)) return { kind: "any", types: given };
  if (given.all !== undefined) return { kind: "all", types: given.all, keyed: given.by === true };
  const { collect, ...options } = given;
  return { kind: "collect", types: collect, options };
}

export class Mismatch extends Error {}

/** @throws Mismatch saying what was expected and what came */
export function expect(condition, message) {
  if (!condition) throw new Mismatch(message);
}
