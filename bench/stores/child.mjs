// One process: 20 steps with a state of 10 KB, stored at each step, beside the same by hand; what a step stores; runs that wait in a file.
//   node --expose-gc bench/stores/child.mjs <native|wasm> <memory|key|sqlite|many|bytes|waiting|recovery> [quick]
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Flow } from "../peers/adapters/floor.mjs";
import { eq, jsonValue, median } from "../peers/lib.mjs";

const [, , carrier, what, quick] = process.argv;
process.env.BLAZEN_BINDING = carrier;
const { MemoryStore, SqliteStore, StartEvent, StopEvent, Workflow, event } = await import("blazen");
const STEPS = 20;
const BYTES = 10_240;
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "blazen-bench-"));
const value = jsonValue(BYTES);

/** Microseconds of a step of each, in turns. */
async function inTurns(works, steps) {
  const times = works.map(() => []);
  const rounds = quick ? 3 : 6;
  for (let round = 0; round < rounds; round++) {
    for (const [at, work] of works.entries()) {
      globalThis.gc();
      const from = performance.now();
      let runs = 0;
      for (; performance.now() - from < (quick ? 30 : 600); runs++) await work();
      // The first rounds warm up.
      if (round > rounds / 5) times[at].push(((performance.now() - from) * 1000) / (runs * steps));
    }
  }
  return times.map(median);
}

/** By hand: the whole state as JSON text after each step. */
function floor(save) {
  const flow = new Flow();
  for (let at = 0; at < STEPS; at++) {
    flow.on(`s${at}`, async (ctx) => {
      ctx.state = { ...ctx.state, n: ctx.state.n + 1 };
      save(ctx.id, at + 1, JSON.stringify(ctx.state));
      return { type: at + 1 === STEPS ? "stop" : `s${at + 1}`, data: ctx.state.n };
    });
  }
  let runs = 0;
  return async () => eq(await flow.start({ type: "s0" }, { id: `run${runs++}`, state: { ...value } }), value.n + STEPS);
}

function floorInMemory() {
  let store;
  return floor((id, step, text) => {
    if (step === 1) store = new Map();
    store.set(`${id}/${step}`, text);
  });
}

function floorInSqlite() {
  const database = new DatabaseSync(path.join(folder, "floor.db"));
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE checkpoints (run TEXT, step INTEGER, state TEXT, PRIMARY KEY (run, step))");
  const insert = database.prepare("INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?)");
  return floor((id, step, text) => insert.run(id, step, text));
}

/** @param change what each step does to the state */
function workflow(initial, change, result) {
  const types = Array.from({ length: STEPS - 1 }, (_, at) => event(`S${at}`));
  const made = new Workflow("w7", { state: initial });
  for (let at = 0; at < STEPS; at++) {
    const Next = types[at];
    made.step(`s${at}`, at === 0 ? StartEvent : types[at - 1], async (_, ctx) => {
      change(ctx.state);
      return Next === undefined ? new StopEvent({ result: result(ctx.state) }) : new Next({});
    });
  }
  return made;
}

const whole = () =>
  workflow(
    { value },
    (state) => {
      const before = state.get("value");
      state.set("value", { ...before, n: before.n + 1 });
    },
    (state) => state.get("value").n,
  );
const oneKey = () =>
  workflow(
    { value, n: value.n },
    (state) => state.set("n", state.get("n") + 1),
    (state) => state.get("n"),
  );

/** What users get by default: strict, a checkpoint a step. */
function run(made, store, concurrent = 1) {
  return async () => {
    const results = await Promise.all(Array.from({ length: concurrent }, () => made.run({}, { store })));
    for (const result of results) eq(result, value.n + STEPS);
  };
}

/** A store of its own for each run: what has ended is no burden of the next. */
function inMemory(made) {
  return async () => eq(await made.run({}, { store: new MemoryStore() }), value.n + STEPS);
}

/** Bytes that a step stores, bases included, where it changes so many. */
async function bytesOfSteps(steps, change) {
  class Turn extends event("Turn") {}
  const text = "x".repeat(change);
  const loop = new Workflow("loop")
    .step("begin", StartEvent, () => new Turn({ n: 0 }))
    .step("turn", Turn, ({ n }, ctx) => {
      ctx.set("text", `${n} ${text}`.slice(0, change));
      return n + 1 < steps ? new Turn({ n: n + 1 }) : new StopEvent({ result: n });
    });
  let stored = 0;
  const store = new MemoryStore();
  const append = store.append.bind(store);
  store.append = (commits) => {
    for (const { bytes } of commits) stored += bytes.length;
    return append(commits);
  };
  eq(await loop.run({}, { store }), steps - 1);
  // The state's entry, and the event's.
  const changed = change + JSON.stringify({ type: "Turn", payload: { n: steps } }).length;
  return { stored: stored / steps, changed };
}

const asking = () => new Workflow("asking").step("ask", StartEvent, async (_, ctx) => new StopEvent({ result: await ctx.requestInput({ prompt: "May I?" }) }));

/** Milliseconds of one fsync of what an answer takes. */
function fsyncMs() {
  const file = fs.openSync(path.join(folder, "fsync"), "a");
  const times = Array.from({ length: 50 }, () => {
    const from = performance.now();
    fs.writeSync(file, "x".repeat(4096));
    fs.fdatasyncSync(file);
    return performance.now() - from;
  });
  fs.closeSync(file);
  return median(times);
}

/** So many runs that wait for a person in a file: bytes of each, and what it takes to find and answer one. */
async function waiting(count) {
  const file = path.join(folder, "waiting.db");
  const made = asking();
  let store = new SqliteStore(file);
  for (let at = 0; at < count; at += 1000) {
    for (let n = at; n < Math.min(count, at + 1000); n++) made.start({}, { store, runId: `run-${n}`, unloadAfter: 0 });
    let left = true;
    while (left) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      left = false;
      for (const runId of [`run-${at}`, `run-${Math.min(count, at + 1000) - 1}`]) {
        const info = await store.info(runId);
        left ||= info?.status !== "waiting" || info.leaseEnd > 0;
      }
    }
  }
  await store.close();
  const bytes = fs.statSync(file).size / count;
  store = new SqliteStore(file);
  await store.info("run-0");
  const fsync = fsyncMs();
  const times = [];
  for (let n = 0; n < 50; n++) {
    const from = performance.now();
    const runId = `run-${(n * 7919) % count}`;
    const [id] = (await store.info(runId)).requests;
    await made.attach(store, runId).respond(id, n);
    times.push(performance.now() - from);
  }
  await store.close();
  return { bytes, fsync, answer: median(times) };
}

/** Seconds until all unfinished runs of a file go on. */
async function recovery(count) {
  const made = new Workflow("unfinished").step("end", StartEvent, ({ n }) => new StopEvent({ result: n }));
  const file = path.join(folder, "recovery.db");
  const store = new SqliteStore(file);
  await Promise.all(Array.from({ length: count }, (_, n) => made.enqueue(store, { n }, { runId: `run-${n}` })));
  const from = performance.now();
  const handlers = await made.recover(store);
  const seconds = (performance.now() - from) / 1000;
  eq(handlers.length, count);
  const results = await Promise.all(handlers.map((handler) => handler.result()));
  eq(
    results.reduce((sum, n) => sum + n, 0),
    (count * (count - 1)) / 2,
  );
  return { seconds, all: (performance.now() - from) / 1000 };
}

const timed = ([byHand, own, byMemory]) => ({ floor: byHand, own, byMemory });
const works = {
  memory: async () => timed(await inTurns([floorInMemory(), inMemory(whole())], STEPS)),
  key: async () => timed(await inTurns([floorInMemory(), inMemory(oneKey())], STEPS)),
  sqlite: async () => timed(await inTurns([floorInSqlite(), run(whole(), new SqliteStore(path.join(folder, "own.db")))], STEPS)),
  many: async () => {
    const [bySqlite, byMemory, own] = await inTurns([floorInSqlite(), floorInMemory(), run(whole(), new SqliteStore(path.join(folder, "own.db")), 100)], STEPS);
    return timed([bySqlite, own / 100, byMemory]);
  },
  bytes: async () => {
    const out = {};
    for (const change of [10, 1000]) {
      out[change] = [];
      for (const steps of [10, 100, 1000, 10_000]) out[change].push(await bytesOfSteps(steps, change));
    }
    return out;
  },
  waiting: () => waiting(quick ? 1000 : 100_000),
  recovery: () => recovery(quick ? 1000 : 10_000),
};
const found = await works[what]();
fs.rmSync(folder, { recursive: true, force: true });
process.stdout.write(`@@${JSON.stringify(found)}\n`);
process.exit(0);
