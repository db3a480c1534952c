// A vector's turns as the public API has them. Importable everywhere.
import { words } from "./lines.mjs";

/** Of a child run: the invocation that opens it, with what its lines say. The player keeps here what it sees of the two. */
class Opening {
  /** Of the Child line. */
  child;
  slot;
  /** What the step gives for the result, as lines. */
  output = [];
  /** The turn in which it has got what its next line needs. */
  due;

  constructor(step, given, flow, turn) {
    Object.assign(this, { step, given, flow, due: turn });
  }
  /** What the step gets, in words. */
  get got() {
    return `${this.step} ${this.given}`;
  }
  /** Whether its step is part of a child run, or of one within it. */
  within(other) {
    return this === other || this.flow?.within(other) === true;
  }
  /** The steps that lead to the child run. */
  get path() {
    return [...(this.flow?.path ?? []), this.step];
  }
}

/**
 * What `subworkflow` does by itself, the lines of steps that open child runs, belongs to the turn before.
 *
 * @returns `turns`: each with its place `at`, the lines that come `in` and the `parts` that follow from them: the first is what comes `out`, others have the
 *   engine's `own` lines before. A line there has its `words`, the child run `flow` that it is about (an Opening; undefined for the run itself),
 *   and the opening that it is `of`, if it is one's own or of the end of its child run.
 *   `openers`: names of child runs by "workflow/step"; `openings`: by what the step got. Undefined where steps do what no `subworkflow` does.
 */
export function publicTurns({ definition, play }) {
  const turns = [];
  const openers = new Map();
  const openings = [];
  const called = [];
  const invocations = new Map();
  const flows = new Map([[0, undefined]]);
  const key = ({ flow, step }) => `${flow?.child ?? definition.name}/${step}`;
  let told = 0;
  let now;
  for (const [turn, { in: lines, out }] of play.entries()) {
    const own = [];
    const opened = [];
    for (const line of lines.map(words)) {
      const [verb, a, b, c] = line;
      if (verb === "CancelChild") return undefined;
      const of = invocations.get(a);
      if (verb !== "Child" && (of?.child === undefined || !["Emit", "Fan", "Settle"].includes(verb))) continue;
      if (of.due !== turn - 1 || (verb === "Child") !== (of.child === undefined)) return undefined;
      if (verb === "Child") {
        Object.assign(of, { child: b, slot: Number(c), due: undefined });
        openers.set(key(of), b);
        openings.push(of);
        opened.push(of);
      } else of.output.push(line);
      own.push({ words: line, flow: of.flow, of });
    }
    const ticks = lines.filter((line) => line.startsWith("Tick "));
    if (own.length === 0) turns.push({ at: turn, in: lines, parts: [] });
    else if (turns.length === 0 || own.length + ticks.length < lines.length || ticks.some((tick) => tick !== now)) return undefined;
    now = ticks.at(-1) ?? now;
    const part = { own, out: [] };
    turns.at(-1).parts.push(part);
    for (const line of out.map(words)) {
      const [verb, a, step, given] = line;
      if (verb === "Flow") {
        told = Number(a);
        continue;
      }
      if (verb === "Opened") flows.set(Number(a), opened.shift());
      const flow = flows.get(told);
      if (verb === "Invoke") {
        const one = new Opening(step, given, flow, turn);
        invocations.set(a, one);
        called.push(one);
      }
      const of = verb === "Ended" ? flows.get(Number(a)) : verb === "Fail" ? flow : verb === "Abort" ? invocations.get(a) : undefined;
      if (of !== undefined) of.due = turn;
      // A step is not called for a child run that is over by then.
      if (verb === "Ended" || verb === "Fail") part.out = part.out.filter((line) => line.words[0] !== "Invoke" || line.flow?.within(of) !== true);
      part.out.push({ words: line, flow, of });
    }
  }
  if (called.some((one) => one.child === undefined && openers.has(key(one)))) return undefined;
  return { turns, openers, openings };
}
