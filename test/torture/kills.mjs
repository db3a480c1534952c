// Part b: real processes, killed at random moments.
import { setTimeout as sleep } from "node:timers/promises";
import { Random } from "./random.mjs";
import { Database } from "./real.mjs";

/** Kills of the processes of one database, at most. */
const KILLS = 12;
/** Ms from a process' first effect to its kill, at most; mostly it is killed sooner. */
const LONGEST = 150;
const LEASE = 100;

/** Ten runs at once, in processes that are killed one after the other until the runs are over. */
export async function killed(seed, number) {
  const random = new Random(seed, number, 2);
  const database = new Database(seed, number, LEASE);
  let kills = 0;
  for (;;) {
    const process = database.process();
    await process.begun;
    if (kills < KILLS) {
      await sleep(random.chance(70) ? random.below(40) : random.below(LONGEST));
      process.signal("SIGKILL");
    }
    if ((await process.ended) !== "SIGKILL" || process.error !== "") break;
    kills++;
  }
  const counts = await database.check();
  if (counts.faults.length === 0) database.remove();
  return { ...counts, kills };
}
