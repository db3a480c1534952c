// Random programs, as data: what steps there are, how they are wired, and what each does.
import { Random } from "./random.mjs";

/** What a step may do, with how often it is chosen. The first three need no `await`. */
const ACTS = ["raw", "set", "update", "once", "once", "once", "commit", "turn", "sleep", "ask", "stream"];
const SYNC = 3;

function acts(random, most) {
  const sync = random.chance(35);
  const list = [];
  for (let left = random.between(1, most); left > 0; left--) {
    const kind = random.pick(sync ? ACTS.slice(0, SYNC) : ACTS);
    if (kind === "commit") list.push({ kind, awaited: random.chance(70) });
    else if (kind === "sleep") list.push({ kind, ms: random.pick([1, 500, 20_000, 90_000]) });
    else list.push({ kind });
  }
  if (random.chance(20)) list.splice(random.below(list.length + 1), 0, { kind: "fail", times: random.between(1, 2), delay: random.pick([1, 400, 40_000]) });
  return { sync, acts: list };
}

const OPS = ["plain", "plain", "fan", "fan", "generate", "loop", "join", "child", "pipeline", "question"];

function op(random) {
  const kind = random.pick(OPS);
  const made = { kind, ...acts(random, 2) };
  if (kind === "fan" || kind === "generate") {
    return { ...made, width: random.between(kind === "fan" ? 0 : 1, 2), limit: random.pick([0, 0, 1, 2]), work: acts(random, 2), gather: acts(random, 1) };
  }
  if (kind === "loop") return { ...made, rounds: random.between(1, 3) };
  if (kind === "join") return { ...made, awaited: random.chance(50), joined: acts(random, 1) };
  if (kind === "child") return { ...made, steps: Array.from({ length: random.between(1, 2) }, () => acts(random, 1)) };
  if (kind === "pipeline") return { ...made, steps: [acts(random, 1), acts(random, 1)], rounds: random.between(1, 2) };
  return made;
}

const POLICIES = [
  { durability: "strict" },
  { durability: "strict" },
  { durability: "strict" },
  { durability: "relaxed" },
  { durability: "relaxed", checkpoint: { every: 3 } },
];

/** The program of a seed. */
export function program(seed, number) {
  const random = new Random(seed, number);
  return {
    policy: random.pick(POLICIES),
    runs: random.chance(15) ? 2 : 1,
    /** Turns of the event loop that the disk takes to make things durable; 0: the next microtask. */
    latency: random.pick([0, 0, 1, 2]),
    root: acts(random, 1),
    lanes: Array.from({ length: random.pick([1, 1, 2]) }, () => Array.from({ length: random.pick([1, 1, 2]) }, () => op(random))),
    end: acts(random, 1),
  };
}
