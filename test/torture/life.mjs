// The life of a process, as a store and a clock that die with it.
import { VirtualClock } from "blazen/testing";
import { Random } from "./random.mjs";

/** A clock that tells what is due next. */
class LifeClock extends VirtualClock {
  #due = new Set();

  after(ms, callback) {
    const alarm = { at: this.now() + Math.max(0, ms) };
    this.#due.add(alarm);
    const forget = super.after(ms, () => {
      this.#due.delete(alarm);
      callback();
    });
    return () => {
      this.#due.delete(alarm);
      forget();
    };
  }
  /** Lets time pass until the next thing is due. False: nothing is. */
  async pass() {
    let next = Number.POSITIVE_INFINITY;
    for (const { at } of this.#due) next = Math.min(next, at);
    if (next === Number.POSITIVE_INFINITY) return false;
    await this.advance(Math.max(0, next - this.now()));
    return true;
  }
}

/**
 * A process between its start and its end: the store as it sees it, which counts the moments at which it may die. What is dead is never answered,
 * and says nothing.
 */
export class Life {
  scale = 1;
  dead = false;
  /** It has stood still since a moment, as a process does whose machine sleeps: others take it for dead. What it does afterwards is late. */
  stalled = false;
  /** It was told after that that something was stored, which is another's by then. */
  unfenced = false;
  /** What it waits for that needs no time to pass: the disk, or a turn of the event loop. */
  busy = 0;
  moments = 0;
  /** For each moment: whether it is one of a write and the store has all runs, and how many records of the disk were not durable. */
  past = [];
  #created = 0;
  #buried = false;
  #hanging = new Set();
  /** Killed, or stalled. */
  gone = false;
  #go;
  left = new Promise((resolve) => {
    this.#go = resolve;
  });
  #kill;
  #killed = new Promise((resolve) => {
    this.#kill = resolve;
  });
  #thaw;
  #thawed = new Promise((resolve) => {
    this.#thaw = resolve;
  });

  /**
   * @param end `at`: the moment at which it is killed, `kind`: what becomes of what was not durable then, or "stalled", `seed`;
   *   or `call`: what happens at that moment instead
   * @param broken what is switched off on purpose
   */
  constructor(world, number, start, end, broken) {
    this.world = world;
    this.disk = world.disk;
    this.number = number;
    this.clock = new LifeClock(start);
    this.end = end;
    this.broken = broken;
    this.disk.now = start;
  }

  /** It may end here. */
  moment(writes = false) {
    if (this.dead) return;
    this.past.push({ writes: writes && this.#created === this.world.runs.length, open: this.disk.pending });
    if (this.moments++ !== this.end?.at) return;
    if (this.end.call !== undefined) return this.end.call();
    if (this.end.kind === "stalled") this.stalled = true;
    else {
      this.dead = true;
      this.disk.crash(this.end.kind, new Random(this.end.seed, this.number), this.world);
      this.#kill();
    }
    this.gone = true;
    this.world.ends[this.number] = this.disk.length;
    this.#go();
  }
  /** It goes on after it has stood still until now. */
  thaw(now) {
    this.clock.set(now);
    this.gone = false;
    this.#thaw();
  }

  /** What it waits for. */
  async during(call) {
    this.busy++;
    try {
      return await call();
    } finally {
      this.busy--;
    }
  }

  /** When nothing is looked at any more: what hangs fails, so that the engine forgets the runs. */
  bury() {
    this.dead = true;
    this.#buried = true;
    for (const reject of this.#hanging) reject(new Error("the process is gone"));
    this.#hanging.clear();
  }
  #never() {
    if (this.#buried) return Promise.reject(new Error("the process is gone"));
    return new Promise((_, reject) => this.#hanging.add(reject));
  }

  async #write(op, ...args) {
    this.busy++;
    try {
      if (!(await this.#passes()) || this.disk.refuses(this)) return this.#never();
      this.disk.now = this.clock.now();
      const late = this.stalled;
      const answer = this.disk.write(op, this.broken === "lease" ? await withoutLease(this.disk, op, args) : args, this);
      if (op === "claim") this.#take(await answer);
      if (late && op === "append") await this.#compare(args[0], answer);
      if (!(await this.#passes())) return this.#never();
      await Promise.race([this.disk.sync(), this.#killed]);
      if (!(await this.#passes())) return this.#never();
      if (op === "create") this.#created++;
      return answer;
    } finally {
      this.busy--;
    }
  }
  #take(claimed) {
    for (const { runId } of claimed) this.world.taken.add(runId);
  }
  /** Whether a commit was stored though another had claimed the run. */
  async #compare(commits, answer) {
    const now = await Promise.all(commits.map(({ runId }) => this.disk.contents.read(runId)));
    const results = await answer;
    if (commits.some(({ epoch }, at) => results[at] === "stored" && now[at].epoch !== epoch)) this.unfenced = true;
  }
  /** A moment of a write. False: the process is dead. */
  async #passes() {
    this.moment(true);
    if (this.stalled) await this.#thawed;
    return !this.dead;
  }
  #read(op, ...args) {
    return this.dead ? this.#never() : this.disk.contents[op](...args);
  }

  create(run) {
    return this.#write("create", run);
  }
  claim(claim) {
    return this.#write("claim", claim);
  }
  append(commits) {
    return this.#write("append", commits);
  }
  renew(runs, leaseMs) {
    return this.#write("renew", runs, leaseMs);
  }
  release(runs) {
    return this.#write("release", runs);
  }
  push(runId, message) {
    return this.#write("push", runId, message);
  }
  read(runId) {
    return this.#read("read", runId);
  }
  info(runId) {
    return this.#read("info", runId);
  }
  told(owner) {
    return this.#read("told", owner);
  }
  messages(runId) {
    return this.#read("messages", runId);
  }
  items(runId, from, limit) {
    return this.#read("items", runId, from, limit);
  }
  list(filter) {
    return this.disk.contents.list(filter);
  }
  delete(runId) {
    return this.#write("delete", runId);
  }
  async close() {}
}

/** What is switched off on purpose: any owner may write, whoever has claimed the run. */
async function withoutLease({ contents }, op, args) {
  if (op !== "append") return args;
  const all = args[0].map(async (commit) => {
    const { epoch, sequence } = (await contents.read(commit.runId)) ?? commit;
    return { ...commit, epoch, sequence: sequence + 1 };
  });
  return [await Promise.all(all)];
}
