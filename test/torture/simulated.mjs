// Part a: kills in one process, on a simulated disk. The work is shared by threads; a scenario is the same on each.
import "./still.mjs";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { Torture } from "./scenario.mjs";

const NOTHING = { programs: 0, scenarios: 0, kills: 0, repeated: 0, lost: 0, duplicated: 0, faulty: 0 };
/** Faulty scenarios after which a thread gives up. */
const ENOUGH = 100;

/**
 * All scenarios of so many programs, or of as many as there is time for.
 *
 * @param tell called with a scenario's name and its faults
 */
export async function simulate({ seed, programs, seconds, jobs, broken }, tell) {
  const counts = { ...NOTHING };
  const until = Date.now() + seconds * 1000;
  const threads = Array.from({ length: jobs }, (_, job) => {
    const thread = new Worker(new URL(import.meta.url), { workerData: { seed, programs, until, jobs, job, broken } });
    return new Promise((resolve, reject) => {
      thread.on("message", ({ name, faults, done }) => {
        if (done === undefined) tell(name, faults);
        else for (const key of Object.keys(counts)) counts[key] += done[key];
      });
      thread.on("error", reject);
      thread.on("exit", resolve);
    });
  });
  await Promise.all(threads);
  return counts;
}

/** One scenario again, by its name: "seed:program:moment:kind", or "seed:program" for the program without a kill. */
export async function simulateOne(name, broken) {
  const [seed, number, point, kind] = name.split(":");
  const torture = new Torture(Number(seed), Number(number), broken);
  const plain = await torture.plain();
  return { program: torture.program, ...(point === undefined ? plain : await torture.scenario({ point: Number(point), kind })) };
}

async function work({ seed, programs, until, jobs, job, broken }) {
  const counts = { ...NOTHING };
  const add = (name, { faults, lost, duplicated, repeated, kills = 0 }) => {
    counts.kills += kills;
    counts.repeated += repeated;
    counts.lost += lost;
    counts.duplicated += duplicated;
    if (faults.length === 0) return;
    counts.faulty++;
    parentPort.postMessage({ name, faults });
  };
  const over = () => Date.now() > until || counts.faulty >= ENOUGH;
  for (let number = job; number < programs && !over(); number += jobs) {
    const torture = new Torture(seed, number, broken);
    counts.programs++;
    add(`${seed}:${number}`, await torture.plain());
    for (const scenario of torture.scenarios()) {
      if (over()) break;
      counts.scenarios++;
      add(`${seed}:${number}:${scenario.point}:${scenario.kind}`, await torture.scenario(scenario));
    }
  }
  parentPort.postMessage({ done: counts });
}

if (!isMainThread) await work(workerData);
