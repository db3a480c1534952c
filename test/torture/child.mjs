// A process of the parts with real ones: goes on with ten runs in one SQLite file, tells what happens in a log beside it, and ends when they are over.
import { appendFileSync, openSync, readFileSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { SqliteStore } from "blazen";
import { answerTo } from "./acts.mjs";
import { build } from "./build.mjs";
import { marksIn } from "./disk.mjs";
import { program as programOf } from "./programs.mjs";
import { hashText, Random } from "./random.mjs";

const { database, log, seed, numbers, number, leaseMs, starts, attaches } = JSON.parse(process.argv[2]);
/** Ms between two looks at the runs. */
const LOOK = 5;

/** How often steps have failed on purpose, in whichever process. */
let failures = new Map();
function readFailures() {
  failures = new Map();
  for (const line of readFileSync(log, "utf8").split("\n")) if (line.startsWith("failed ")) fail(line.split(" ")[1]);
}
function fail(name) {
  failures.set(name, (failures.get(name) ?? 0) + 1);
}

// Opened for appending: each line is one write, which no kill undoes.
const file = openSync(log, "a");
readFailures();
let told = false;
function tell(...words) {
  writeSync(file, `${words.join(" ")}\n`);
  if (told) return;
  told = true;
  process.stdout.write("begun\n");
}

const random = new Random(seed, numbers[0], number);
/** This process, as the steps know it. */
const life = {
  number,
  dead: false,
  // Days become minutes.
  scale: 0.001,
  clock: Date,
  moment() {},
  during: () => sleep(random.between(1, 10)),
  world: {
    add: (kind, name) => tell(kind, name, number),
    started: (name) => tell("start", name, number),
    fails(name, times) {
      if ((failures.get(name) ?? 0) >= times) return false;
      fail(name);
      tell("failed", name, number);
      return true;
    },
    told() {},
    sleeps() {},
    woke() {},
  },
};

/** Claims each run once: what it has lost is for another process. */
class Store extends SqliteStore {
  had = new Set();
  create(run) {
    this.had.add(run.runId);
    return super.create(run);
  }
  async claim(claim) {
    const { runId } = claim;
    if (runId === undefined || this.had.has(runId)) return [];
    const claimed = await super.claim(claim);
    if (claimed.length > 0) readFailures();
    for (const { bytes, epoch } of claimed) {
      this.had.add(runId);
      tell("claim", runId, number, epoch, marksIn(Buffer.concat(bytes)).join());
    }
    return claimed;
  }
}
const isOver = ({ status }) => status === "completed" || status === "failed" || status === "cancelled";

const store = new Store(database);
const runs = numbers.map((one, at) => {
  const program = programOf(seed, one);
  const workflow = build(program, { life, scale: life.scale }, `tortured${at}`);
  return { runId: `q${at}`, program, workflow, handler: undefined, over: false, lost: false };
});

function watch(run, handler) {
  run.handler = handler;
  handler.result().then(
    (result) => ended(run, "end", JSON.stringify(result)),
    (error) => ended(run, error.name === "FencedError" ? "fenced" : "failure", String(error)),
  );
}
function ended(run, how, text) {
  run.handler = undefined;
  tell(how, run.runId, number, text);
}

async function look(run) {
  const { runId, workflow, program } = run;
  if (run.handler !== undefined) return answer(run.handler, true);
  const info = await store.info(runId);
  if (info === undefined) {
    if (starts) watch(run, workflow.start({ path: runId, value: 0, by: [] }, { runId, store, unloadAfter: Number.POSITIVE_INFINITY, ...program.policy }));
  } else if (isOver(info)) run.over = true;
  else if (store.had.has(runId)) run.lost = run.handler === undefined;
  else await recover(run);
  if (info === undefined || run.handler !== undefined || !attaches) return;
  run.attached ??= workflow.attach(store, runId);
  answer(run.attached, false);
}
/** Where there are others, half of the questions are answered from one that the run is not going on in. */
function answer(handler, here) {
  for (const request of handler.pendingInputs) {
    const key = `${handler.runId} ${request.id}`;
    if (answered.has(key) || (attaches && (hashText(key) % 2 === 0) !== here)) continue;
    answered.add(key);
    // One that was answered meanwhile, or of a run that is lost, is none.
    handler.respond(request.id, answerTo(request)).then(
      () => here || tell("attached", handler.runId, number),
      () => answered.delete(key),
    );
  }
}
const answered = new Set();
async function recover(run) {
  const options = { runId: run.runId, leaseMs, durability: run.program.policy.durability, unloadAfter: Number.POSITIVE_INFINITY };
  for (const handler of await run.workflow.recover(store, options)) watch(run, handler);
}
// The lease of what this process starts is that of what it recovers.
for (const run of runs) await recover(run);
while (runs.some(({ over, lost }) => !over && !lost)) {
  await Promise.all(runs.filter(({ over }) => !over).map(look));
  await sleep(LOOK);
}
const all = runs.every(({ over }) => over);
for (const { runId, workflow } of all ? runs : []) {
  const result = await workflow.run({ path: runId, value: 0, by: [] }, { runId, store }).then(JSON.stringify, String);
  appendFileSync(log, `result ${runId} ${number} ${result}\n`);
}
if (all) process.stdout.write("over\n");
await store.close();
