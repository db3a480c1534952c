// Part c: two real processes with clocks that disagree, which stand still in turn for longer than their lease.
import { setTimeout as sleep } from "node:timers/promises";
import { Random } from "./random.mjs";
import { Database } from "./real.mjs";

const LEASE = 300;
const STALLS = 4;
/** Ms by which clocks are wrong, at most. */
const OFFSET = 400;

export async function stalled(seed, number) {
  const random = new Random(seed, number, 3);
  const database = new Database(seed, number, LEASE);
  const living = [];
  const begin = (starts) => {
    const process = database.process({ starts, attaches: true, offset: random.between(1, OFFSET) * (random.chance(50) ? 1 : -1) });
    living.push(process);
    void process.ended.then(() => living.splice(living.indexOf(process), 1));
    return process;
  };
  await begin(true).begun;
  begin(false);
  let stalls = 0;
  while (!database.over) {
    const [victim] = living;
    if (stalls < STALLS) {
      await sleep(random.below(60));
      stalls++;
      victim?.signal("SIGSTOP");
      // What it loses now it claims no more.
      begin(false);
      await sleep(LEASE + random.between(50, 400));
      victim?.signal("SIGCONT");
    } else if (living.length < 2) begin(false);
    if (stalls === STALLS && living.length > 0) await Promise.race(living.map(({ ended }) => ended));
  }
  await Promise.all(database.processes.map(({ ended }) => ended));
  const counts = await database.check();
  if (counts.faults.length === 0) database.remove();
  return { ...counts, stalls };
}
