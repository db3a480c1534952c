// What the parts with real processes share: a database with its runs, the processes that go on with them, and what is compared at the end.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { check } from "./check.mjs";
import { runIn } from "./effects.mjs";
import { Torture } from "./scenario.mjs";

const RUNS = 10;
/** A database whose processes take longer is stuck. */
const PATIENCE = 60_000;
const child = fileURLToPath(new URL("child.mjs", import.meta.url));
const skew = new URL("skew.mjs", import.meta.url).href;

/** Ten runs of ten programs, in a database of their own. */
export class Database {
  #folder = mkdtempSync(join(tmpdir(), "blazen-torture-"));
  #log = join(this.#folder, "effects.log");
  #until = Date.now() + PATIENCE;
  processes = [];

  constructor(seed, number, leaseMs) {
    this.seed = seed;
    this.numbers = Array.from({ length: RUNS }, (_, at) => number * RUNS + at);
    this.leaseMs = leaseMs;
  }

  /** Its runs are, or it takes too long. */
  get over() {
    return this.processes.some(({ over, error }) => over || error !== "");
  }
  /**
   * @param starts whether it starts runs that are not there
   * @param attaches whether others answer questions too
   * @param offset ms by which its clock is wrong
   */
  process({ starts = true, attaches = false, offset = 0 } = {}) {
    const { seed, numbers, leaseMs } = this;
    const number = this.processes.length;
    const options = { database: join(this.#folder, "runs.db"), log: this.#log, seed, numbers, number, leaseMs, starts, attaches };
    const one = new Process([...(offset === 0 ? [] : ["--import", skew]), child, JSON.stringify(options)], offset, this.#until - Date.now());
    this.processes.push(one);
    return one;
  }

  /** Compares what has happened with runs that nothing happened to. */
  async check() {
    const lines = this.#lines();
    const sum = { faults: [], lost: 0, duplicated: 0, repeated: 0, late: 0, attached: lines.filter(({ word }) => word === "attached").length };
    for (const [at, number] of this.numbers.entries()) {
      const torture = new Torture(this.seed, number, undefined, { runs: [`q${at}`] });
      await torture.plain();
      const world = worldOf(torture, lines);
      const results = new Map(lines.filter(({ word, name }) => word === "result" && name === `q${at}`).map(({ name, text }) => [name, text]));
      const { faults, lost, duplicated, repeated } = check({ world, results }, torture.expected);
      sum.faults.push(...faults.map(({ kind, text }) => ({ kind, text: `program ${number}: ${text}` })));
      sum.lost += lost;
      sum.duplicated += duplicated;
      sum.repeated += repeated;
      sum.late += world.log.filter(({ late }) => late).length;
    }
    for (const { error } of this.processes) if (error !== "") sum.faults.push({ kind: "process", text: error });
    return sum;
  }
  #lines() {
    return readFileSync(this.#log, "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => {
        const [word, name, life, ...text] = line.split(" ");
        return { word, name, life: Number(life), text: text.join(" ") };
      });
  }
  remove() {
    rmSync(this.#folder, { recursive: true });
  }
}

/** A child process. */
class Process {
  error = "";
  over = false;

  constructor(args, offset, patience) {
    this.#child = spawn(process.execPath, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, BLAZEN_BINDING: "native", CLOCK_OFFSET: String(offset) },
    });
    const stuck = setTimeout(() => {
      this.error = "the runs do not end";
      this.#child.kill("SIGKILL");
    }, patience);
    this.begun = new Promise((resolve) => {
      this.#child.stdout.on("data", (data) => {
        this.over ||= String(data).includes("over");
        resolve();
      });
      this.#child.on("close", resolve);
    });
    this.#child.stderr.on("data", (data) => {
      this.error += data;
    });
    this.ended = new Promise((resolve) => {
      this.#child.on("close", (code, signal) => {
        clearTimeout(stuck);
        this.alive = false;
        if (code !== 0 && signal === null) this.error += `exit code ${code}`;
        resolve(signal);
      });
    });
  }
  #child;
  alive = true;

  signal(name) {
    if (this.alive) this.#child.kill(name);
  }
}

const EFFECTS = new Set(["start", "raw", "once", "got"]);

/** The world of one run, as the log tells of it. */
function worldOf({ program, runs: [runId] }, lines) {
  const claims = new Map();
  const faults = [];
  const log = [];
  let owner;
  let latest = 0;
  for (const { word, name, life, text } of lines) {
    if (word === "claim" && name === runId) {
      const [epoch, marks = ""] = text.split(" ");
      claims.set(life, new Set(marks.split(",")));
      // It may have stood still between its claim and telling of it.
      if (Number(epoch) > latest) owner = life;
      latest = Math.max(latest, Number(epoch));
    } else if (EFFECTS.has(word) && runIn(name) === runId) {
      owner ??= life;
      // What it does when another has claimed the run already.
      log.push({ kind: word, name, life, late: life !== owner });
    } else if (name === runId && (word === "failure" || (word === "end" && life !== (owner ?? life)))) {
      faults.push({ kind: "unfenced", text: `${word} of ${runId} in process ${life}, which was process ${owner}'s: ${text}` });
    }
  }
  return {
    strict: program.policy.durability === "strict",
    log,
    faults,
    fault: (kind, text) => faults.push({ kind, text }),
    knew: (life, mark) => claims.get(life)?.has(mark) === true,
  };
}
