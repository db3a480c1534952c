// The parts of the torture, each until its limits are reached.
import { binding } from "blazen";
import { killed } from "./kills.mjs";
import { simulate, simulateOne } from "./simulated.mjs";
import { stalled } from "./stalls.mjs";

/** Databases with faults after which a part gives up. */
const ENOUGH = 5;

/** Why the parts with SQLite cannot be run here; undefined: they can. */
export const unreal =
  process.platform === "win32" ? "these parts are for POSIX systems" : binding === "native" ? undefined : "SqliteStore needs the native addon";

/** Databases one after the other in each of some lanes, until there were enough events, or the time is over. */
async function databases(name, one, event, { seed, seconds, limit, jobs }, tell) {
  const counts = { databases: 0, runs: 0, [event]: 0, lost: 0, duplicated: 0, repeated: 0, late: 0, attached: 0, faulty: 0 };
  const until = Date.now() + seconds * 1000;
  let next = 0;
  const lane = async () => {
    while (counts[event] < limit && counts.faulty < ENOUGH && Date.now() < until) {
      const number = next++;
      const { faults, ...more } = await one(seed, number);
      counts.databases++;
      counts.runs += 10;
      for (const key of Object.keys(more)) counts[key] += more[key];
      if (faults.length === 0) continue;
      counts.faulty++;
      tell(`${name}:${seed}:${number}`, faults);
    }
  };
  await Promise.all(Array.from({ length: jobs }, lane));
  return counts;
}

export const parts = {
  simulated: ({ limit, ...options }, tell) => simulate({ ...options, programs: limit }, tell),
  async power({ limit, ...options }, tell) {
    const { kills, ...counts } = await simulate({ ...options, power: true, programs: Number.POSITIVE_INFINITY, cuts: limit }, tell);
    return { ...counts, cuts: kills };
  },
  kills: (options, tell) => databases("kills", killed, "kills", options, tell),
  stalls: (options, tell) => databases("stalls", stalled, "stalls", options, tell),
};

/** What a fault was found in, once more. Real processes are not the same again, but killed at the same times. */
export async function again(name, broken) {
  const [part, seed, number] = name.split(":");
  if (part === "power") return simulateOne(name.slice("power:".length), broken, true);
  if (part !== "kills" && part !== "stalls") return simulateOne(name, broken);
  return (part === "kills" ? killed : stalled)(Number(seed), Number(number));
}
