// One process: 20 steps with a state of 10 KB, stored at each step, beside the same by hand.
//   node --expose-gc bench/stores/child.mjs <native|wasm> <memory|key|sqlite|many> [quick]
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
  const rounds = quick ? 3 : 15;
  for (let round = 0; round < rounds; round++) {
    for (const [at, work] of works.entries()) {
      globalThis.gc();
      const from = performance.now();
      let runs = 0;
      for (; performance.now() - from < (quick ? 30 : 150); runs++) await work();
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

const works = {
  memory: async () => inTurns([floorInMemory(), inMemory(whole())], STEPS),
  key: async () => inTurns([floorInMemory(), inMemory(oneKey())], STEPS),
  sqlite: async () => inTurns([floorInSqlite(), run(whole(), new SqliteStore(path.join(folder, "own.db")))], STEPS),
  many: async () => {
    const [bySqlite, byMemory, own] = await inTurns([floorInSqlite(), floorInMemory(), run(whole(), new SqliteStore(path.join(folder, "own.db")), 100)], STEPS);
    return [bySqlite, own / 100, byMemory];
  },
};
const [byHand, own, byMemory] = await works[what]();
fs.rmSync(folder, { recursive: true, force: true });
process.stdout.write(`@@${JSON.stringify({ floor: byHand, own, byMemory })}\n`);
process.exit(0);
