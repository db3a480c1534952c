// A disk that is a SQLite database: SqliteStore writes to it, and a power cut leaves a copy of its files with what need not be on the disk changed.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BlockingStore } from "./blocking.mjs";
import { cut, EMPTY, hasCheckpoint } from "./cut.mjs";
import { marksIn } from "./disk.mjs";
import { Random } from "./random.mjs";

const READS = ["read", "info", "told", "messages", "items"];
/** Of a hundred scenarios: those that begin with a log that is nearly full, so that SQLite makes a checkpoint soon. They take long. */
const FULL = 6;
/** Pages of the log that SqliteStore has SQLite make a checkpoint after, see `schema.rs`. */
const LOG = 8000;
const PAGE = 4096;

// What is made durable here need not be: a power cut of the machine that the torture runs on is none of its business.
const place = () => (existsSync("/dev/shm") ? "/dev/shm" : tmpdir());

/** Databases of one thread, one after the other. */
export class Machine {
  #folder = mkdtempSync(join(place(), "blazen-power-"));
  #store = new BlockingStore();
  #count = 0;

  disk(seed, latency, lies) {
    const random = new Random(seed, 4);
    const fill = LOG - random.between(30, 60);
    return new PowerDisk(this, latency, lies, random.chance(FULL) ? random.pick([[fill], [LOG, fill]]) : []);
  }
  /** A new database, of these files. */
  open({ db, wal }) {
    const former = this.path;
    this.path = join(this.#folder, `${this.#count++}.db`);
    if (db.length > 0) writeFileSync(this.path, db);
    if (wal.length > 0) writeFileSync(`${this.path}-wal`, wal);
    this.#store.open(this.path);
    if (former !== undefined) for (const end of ["", "-wal", "-shm"]) rmSync(former + end, { force: true });
  }
  ask(op, ...args) {
    return this.#store.ask(op, args);
  }
  files() {
    return { db: readFileSync(this.path), wal: readFileSync(`${this.path}-wal`) };
  }
  remove() {
    this.open(EMPTY);
    rmSync(this.#folder, { recursive: true });
  }
}

/** See `Disk`, for which it stands. */
export class PowerDisk {
  /** After each write: its marks, all that the store had, and the files, as long as a cut may ask for them. The first is before all. */
  #log = [{ marks: [], state: "[]", files: EMPTY }];
  #synced = 1;
  /** What the store has said to be durable; more than is, of one that lies. */
  #told = 1;
  #crashes = 0;
  #marks = new Map();
  now = 0;
  /** Cuts while SQLite made a checkpoint, or began its log anew. */
  checkpoints = 0;

  /** @param fill pages of what is written and deleted before: the log begins anew after LOG */
  constructor(machine, latency, lies, fill) {
    this.machine = machine;
    this.latency = latency;
    this.lies = lies;
    machine.open(EMPTY);
    for (const pages of fill) this.#fill(pages);
    this.contents = Object.fromEntries(READS.map((op) => [op, async (...args) => machine.ask(op, ...args)]));
    this.contents.list = async function* (filter) {
      yield* machine.ask("list", filter);
    };
  }
  #fill(pages) {
    const head = { status: "completed", requests: [], inbox: 0, stream: 0, at: 0 };
    this.machine.ask("create", { runId: "full", workflow: "full", version: 1, head, base: new Uint8Array(pages * PAGE) });
    this.machine.ask("delete", "full");
    this.#log[0].files = undefined;
  }

  get pending() {
    return this.#log.length - this.#synced;
  }
  get length() {
    return this.#log.length;
  }
  has(mark, length = Number.POSITIVE_INFINITY) {
    const place = this.#marks.get(mark);
    return place !== undefined && place < length;
  }

  /** A process that is killed when it is about to write has no power to: a lease of it would hold, since time is the machine's here. */
  refuses({ dead }) {
    return dead;
  }

  async write(op, args, { end }) {
    const cuttable = end !== undefined;
    if (cuttable) this.#latest();
    const written = args.map(own);
    const answer = this.machine.ask(op, ...written);
    this.#log.push({ marks: marksOf(written), state: this.machine.ask("state"), files: cuttable ? this.machine.files() : undefined });
    return answer;
  }
  /** The files are copied late where they may never be asked for. */
  #latest() {
    this.#log.at(-1).files ??= this.machine.files();
  }

  async sync() {
    const { length } = this.#log;
    const crashes = this.#crashes;
    for (let turn = 0; turn < this.latency; turn++) await new Promise((resolve) => setImmediate(resolve));
    if (crashes !== this.#crashes) return new Promise(() => {});
    this.#told = Math.max(this.#told, length);
    this.#durable(this.lies ? length - 6 : length);
  }
  #durable(length) {
    for (; this.#synced < length; this.#synced++) {
      for (const mark of this.#log[this.#synced].marks) if (!this.#marks.has(mark)) this.#marks.set(mark, this.#synced);
      this.#log[this.#synced - 1].files = undefined;
    }
  }

  /** The power goes: a new store opens what is left, which must be what was there after a write, and none before what was said to be durable. */
  crash(kind, random, world) {
    this.#latest();
    const [before, after] = this.#underWay(kind, random);
    if (before !== after && hasCheckpoint(before, after)) this.checkpoints++;
    this.machine.open(cut(before, after, kind, random));
    let state = "[]";
    try {
      state = this.machine.ask("state");
    } catch (error) {
      world.fault("lost", `the database: ${error}`);
      this.machine.open(EMPTY);
    }
    const found = this.#log.findLastIndex((one) => one.state === state);
    if (found < 0) world.fault("lost", `the disk has what it never had: ${state.slice(0, 200)}`);
    else if (found + 1 < this.#told) world.fault("lost", `${this.#told - found - 1} writes that were said to be durable`);
    this.#goOn(Math.max(found + 1, 1));
  }
  /** The files before and after the write that the cut is in: SQLite makes each durable before the next. */
  #underWay(kind, random) {
    const last = this.#log.length - 1;
    const durable = this.#synced - 1;
    const at = kind === "lost" ? durable + 1 : kind === "kept" ? last : random.between(durable + 1, last);
    const [before, after] = this.lies || durable === last ? [durable, last] : [at - 1, at];
    return [this.#log[before].files, this.#log[after].files];
  }
  #goOn(length) {
    this.#log.length = length;
    for (const [mark, place] of this.#marks) if (place >= length) this.#marks.delete(mark);
    this.#synced = Math.min(this.#synced, length);
    this.#durable(length);
    this.#told = length;
    this.machine.ask("expire");
    Object.assign(this.#log[length - 1], { state: this.machine.ask("state"), files: undefined });
    this.#crashes++;
  }
}

/** What is asked for with bytes of its own: they would be sent with all that they are a view of. */
function own(value) {
  if (value instanceof Uint8Array) return value.slice();
  if (Array.isArray(value)) return value.map(own);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, own(one)]));
}

function marksOf(written) {
  const pieces = [];
  const text = JSON.stringify(written, (_, value) => (value instanceof Uint8Array ? void pieces.push(value) : value));
  return marksIn(Buffer.concat([Buffer.from(text), ...pieces]));
}
