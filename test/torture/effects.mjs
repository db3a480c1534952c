// What happens outside of the store: the raw log of effects, which no crash undoes, and what must never be seen in it.

/** The run that a step, or an effect, is of. */
export const runIn = (name) => /_(q\d+)(?:_|$)/.exec(name)?.[1];

/**
 * The world around the runs of one scenario. Steps are known by a name that no crash changes, such as "s0x1_q0_2": the step and the path of its
 * event. With what becomes durable they leave marks in the store: "d.<name>." what a step has committed, "c." a commit point, "y." a yielded event,
 * "o." the record of an effect, "a." an answer.
 */
export class World {
  /** Each effect, once for each time that it happened: { kind, name, life, late, unfenced }, see Life. */
  log = [];
  /** What must not have happened: { kind, text }. */
  faults = [];
  /** For each process that is gone, by its number: how many records the disk had after that. */
  ends = [];
  /** Runs that were claimed from a process that stood still. */
  taken = new Set();
  /** Questions that were seen, by id; and those that were answered by way of the store, which nobody answers again. */
  asked = new Map();
  answered = new Set();
  #failures = new Map();
  #invocations = new Map();
  #names = new Map();
  #slept = new Map();

  constructor(disk, strict) {
    this.disk = disk;
    this.strict = strict;
  }

  fault(kind, text) {
    this.faults.push({ kind, text });
  }
  add(kind, name, { number, stalled, unfenced }) {
    this.log.push({ kind, name, life: number, late: stalled && this.taken.has(runIn(name)), unfenced });
  }

  /** Whether a process has begun with a disk that had a mark. */
  knew(life, mark) {
    return life > 0 && this.disk.has(mark, this.ends[life - 1]);
  }

  /** A step has been called, by events whose emitters have left these marks. */
  started(name, by, ctx, life) {
    this.add("start", name, life);
    if (!this.strict || life.stalled) return;
    for (const mark of by) if (!this.disk.has(mark)) this.fault("early", `${name} was called before ${mark} was durable`);
    const id = ctx.invocationId;
    if ((this.#names.get(id) ?? name) !== name) this.fault("ids", `${id} was ${this.#names.get(id)} and is ${name}`);
    if ((this.#invocations.get(name) ?? id) !== id) this.fault("ids", `${name} was ${this.#invocations.get(name)} and is ${id}`);
    this.#names.set(id, name);
    this.#invocations.set(name, id);
  }
  /** A step, or whoever answers, was told that something is durable. */
  told(mark) {
    if (this.strict && !this.disk.has(mark)) this.fault("early", `${mark} was said to be durable, and was not`);
  }
  /** Whether the attempt of a step fails: the first ones do. */
  fails(name, times) {
    const failures = this.#failures.get(name) ?? 0;
    if (failures >= times) return false;
    this.#failures.set(name, failures + 1);
    return true;
  }
  sleeps(name, until) {
    if (!this.#slept.has(name)) this.#slept.set(name, until);
  }
  woke(name, now) {
    if (now < this.#slept.get(name)) this.fault("time", `${name} woke ${this.#slept.get(name) - now} ms early`);
  }
}
