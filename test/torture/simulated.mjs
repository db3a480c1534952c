// Kills in one process, on a simulated disk, or power cuts under SQLite. The work is shared by threads; a scenario is the same on each.
import "./still.mjs";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { Machine } from "./power.mjs";
import { Random } from "./random.mjs";
import { Torture } from "./scenario.mjs";

const NOTHING = { programs: 0, scenarios: 0, kills: 0, repeated: 0, lost: 0, duplicated: 0, faulty: 0 };
/** Faulty scenarios after which a thread gives up. */
const ENOUGH = 100;
/** Of a hundred scenarios of a program those that SQLite has its power cut in: rather more programs than all of each. */
const SAMPLE = 25;

const nothing = (power) => ({ ...NOTHING, ...(power && { checkpoints: 0 }) });

/**
 * All scenarios of so many programs, or of as many as there is time for.
 *
 * @param options `power`: the disk is SQLite's, until there were so many `cuts`
 * @param tell called with a scenario's name and its faults
 */
export async function simulate({ seconds, ...options }, tell) {
  const { jobs, power } = options;
  const counts = nothing(power);
  const until = Date.now() + seconds * 1000;
  const threads = Array.from({ length: jobs }, (_, job) => {
    const thread = new Worker(new URL(import.meta.url), { workerData: { ...options, until, job } });
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
export async function simulateOne(name, broken, power = false) {
  const [seed, number, point, kind] = name.split(":");
  const machine = power ? new Machine() : undefined;
  const torture = new Torture(Number(seed), Number(number), broken, { machine });
  const plain = await torture.plain();
  const given = point === undefined ? plain : await torture.scenario({ point: Number(point), kind });
  machine?.remove();
  return { program: torture.program, ...given };
}

async function work({ seed, programs, cuts, until, jobs, job, broken, power }) {
  const counts = nothing(power);
  const machine = power ? new Machine() : undefined;
  const add = (name, { faults, ...more }) => {
    for (const key of ["kills", "checkpoints", "repeated", "lost", "duplicated"]) if (key in counts) counts[key] += more[key] ?? 0;
    if (faults.length === 0) return;
    counts.faulty++;
    parentPort.postMessage({ name: power ? `power:${name}` : name, faults });
  };
  const over = () => Date.now() > until || counts.faulty >= ENOUGH || counts.kills >= cuts / jobs;
  for (let number = job; number < programs && !over(); number += jobs) {
    const torture = new Torture(seed, number, broken, { machine });
    counts.programs++;
    add(`${seed}:${number}`, await torture.plain());
    const random = new Random(seed, number, 5);
    for (const scenario of torture.scenarios()) {
      if (power && (scenario.kind === "stalled" || !random.chance(SAMPLE))) continue;
      if (over()) break;
      counts.scenarios++;
      add(`${seed}:${number}:${scenario.point}:${scenario.kind}`, await torture.scenario(scenario));
    }
  }
  machine?.remove();
  parentPort.postMessage({ done: counts });
}

if (!isMainThread) await work(workerData);
