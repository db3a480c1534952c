// A scenario: a program, and when and how the process that runs it is killed. Those that go on with it may be killed too.
import { answerTo } from "./acts.mjs";
import { build } from "./build.mjs";
import { check, checkStalled } from "./check.mjs";
import { Disk } from "./disk.mjs";
import { World } from "./effects.mjs";
import { Life } from "./life.mjs";
import { program as programOf } from "./programs.mjs";
import { hash, hashText, Random } from "./random.mjs";

/** After so many ms others may claim the runs of a process that is gone; sleeps may be longer. */
const GONE = 31_000;
/** Looks at a run that neither goes on nor ends. */
const PATIENCE = 50;
/** Processes of a scenario, at most. */
const LIVES = 4;
export const KINDS = ["lost", "kept", "torn", "mixed"];

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A program with what stays the same in all its scenarios. */
export class Torture {
  #holders = Array.from({ length: LIVES }, () => ({ life: undefined, scale: 1 }));

  /**
   * @param runs their ids; default: as the program says
   * @param machine gives the disks; default: they are simulated
   */
  constructor(seed, number, broken, { runs, machine } = {}) {
    this.seed = seed;
    this.number = number;
    this.broken = broken;
    this.machine = machine;
    this.program = programOf(seed, number);
    this.runs = runs ?? Array.from({ length: this.program.runs }, (_, run) => `q${run}`);
    this.workflows = this.#holders.map((holder) => build(this.program, holder));
  }

  /** Runs it without a kill: all else is compared with that. Gives what went wrong in it already. */
  async plain() {
    const { world, results, last } = await this.#live(0, () => undefined);
    this.expected = { results, log: world.log };
    this.moments = last.past;
    for (const [runId, result] of results) if (!result.startsWith("{")) world.fault("result", `${runId} gave ${result}`);
    return check({ world, results }, this.expected);
  }

  /** Each way to kill the first process: at each of its moments, and with all that may become of what was not durable. */
  *scenarios() {
    for (const [point, { writes, open }] of this.moments.entries()) {
      if (open === 0) yield { point, kind: "lost" };
      else for (const kind of KINDS) if (kind !== "mixed" || open > 1) yield { point, kind };
      if (writes) yield { point, kind: "stalled" };
    }
  }

  /** Runs one; gives what was wrong, and what was counted. */
  async scenario({ point, kind }) {
    const seed = hash(this.seed, this.number, point, KINDS.indexOf(kind));
    const random = new Random(seed);
    const { world, results, kills } = await this.#live(seed, (life, lives) => {
      if (life === 0) return { at: point, kind, seed };
      if (kind === "stalled") return { at: random.below(this.moments.length), call: () => lives[0].thaw(lives[1].clock.now()) };
      return life < LIVES - 1 && random.chance(35) ? { at: random.below(this.moments.length), kind: random.pick(KINDS), seed } : undefined;
    });
    return { ...check({ world, results }, this.expected), kills, checkpoints: world.disk.checkpoints };
  }

  #disk(seed) {
    const { latency } = this.program;
    const lies = this.broken === "fsync";
    return this.machine?.disk(seed, latency, lies) ?? new Disk(latency, lies);
  }

  async #live(seed, endOf) {
    const strict = this.program.policy.durability === "strict";
    const world = new World(this.#disk(seed), strict);
    world.runs = this.runs;
    const lives = [];
    const handlers = [];
    const begun = [];
    let results;
    let start = Date.UTC(2000, 0, 1);
    while (results === undefined) {
      const life = new Life(world, lives.length, start, endOf(lives.length, lives), this.broken);
      this.#holders[life.number].life = life;
      lives.push(life);
      const mine = await this.#begin(life, handlers);
      begun.push(mine);
      if (!life.gone) results = await drive(life, mine.handlers);
      start = life.clock.now() + GONE;
      if (life.dead) await this.#answerMeanwhile(world, start);
    }
    const [first] = lives;
    if (first.stalled) {
      first.thaw(lives[1].clock.now());
      checkStalled(world, await drive(first, begun[0].handlers), begun[1].recovered, results);
    }
    for (const life of lives) life.bury();
    for (const handler of handlers) void handler.cancel(undefined, { grace: 0 }).catch(() => {});
    await turn();
    return { world, results, last: lives.at(-1), kills: lives.length - 1 };
  }

  /** Some questions are answered while no process is there: by way of the store, where the answers must not be lost. */
  async #answerMeanwhile(world, now) {
    const person = new Life(world, -1, now, undefined, undefined);
    for (const runId of this.runs) {
      const { requests = [] } = (await world.disk.contents.info(runId)) ?? {};
      for (const request of requests.map((id) => world.asked.get(id)).filter(Boolean)) {
        if (hash(this.seed, this.number, world.ends.length, hashText(request.prompt)) % 2 === 0) continue;
        await this.workflows[0]
          .attach(person, runId)
          .respond(request.id, answerTo(request))
          .catch((error) => world.fault("answer", String(error)));
        world.answered.add(request.id);
      }
    }
  }

  /** What a process begins with: the runs of the store go on; those that the store does not have are asked for again. */
  async #begin(life, all) {
    const workflow = this.workflows[life.number];
    const handlers = new Map();
    const { policy } = this.program;
    const add = (handler) => {
      // Of those of a process that dies early nobody hears.
      handler.result().catch(() => {});
      handlers.set(handler.runId, handler);
      all.push(handler);
    };
    const { durability } = policy;
    for (const runId of life.number > 0 ? this.runs : []) {
      const recovering = workflow.recover(life, { runId, durability, clock: life.clock }).then(
        (recovered) => recovered.forEach(add),
        (error) => life.gone || life.world.fault("recovery", String(error)),
      );
      await Promise.race([recovering, life.left]);
      if (life.gone) break;
    }
    const recovered = [...handlers.keys()];
    for (const runId of this.runs) {
      if (life.gone || handlers.has(runId)) continue;
      const known = await life.disk.contents.read(runId);
      if (known === undefined && life.world.log.some(({ name }) => name.startsWith(`root_${runId}`))) life.world.fault("lost", `the run ${runId}`);
      add(workflow.start({ path: runId, value: 0, by: [] }, { runId, store: life, clock: life.clock, ...policy }));
    }
    return { handlers, recovered };
  }
}

/** Lets a process go on until its runs are over, which gives their results, or it is gone. */
async function drive(life, handlers) {
  const results = new Map();
  for (const [runId, handler] of handlers) {
    handler.result().then(
      (result) => results.set(runId, JSON.stringify(result)),
      (error) => results.set(runId, String(error)),
    );
  }
  for (let idle = 0; results.size < handlers.size; ) {
    await turn();
    if (life.gone) return undefined;
    if (life.busy > 0 || answer(life, handlers.values()) || results.size === handlers.size) continue;
    if (await life.clock.pass()) idle = 0;
    else if (idle++ > PATIENCE) {
      life.world.fault("lost", "it does not end");
      return results;
    }
  }
  return life.gone ? undefined : results;
}

/** Answers the questions of the runs. False: there is none. */
function answer(life, handlers) {
  let any = false;
  for (const handler of handlers) {
    for (const request of handler.pendingInputs) {
      life.world.asked.set(request.id, request);
      if (life.world.answered.has(request.id)) continue;
      any = true;
      void life.during(async () => {
        life.moment();
        if (life.gone) return;
        const answered = handler.respond(request.id, answerTo(request)).then(
          () => life.gone || life.world.told(`a.${request.prompt}.`),
          (error) => life.gone || life.stalled || life.world.fault("answer", String(error)),
        );
        await Promise.race([life.left, answered]);
      });
    }
  }
  return any;
}
