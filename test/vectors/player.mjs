// Plays a vector through the public API: steps are functions whose promises the vector settles. Runs in Node and in browsers.
import { publicTurns } from "./children.mjs";
import { accepts, expect, slots, typeName, words } from "./lines.mjs";

/** At most so many vectors cannot be said through the public API. */
export const UNSAYABLE = 5;

/**
 * With `stops` the run is paused after turns, its snapshot turned to text, and resumed by a workflow built anew, with which the
 * vector goes on: what had not settled is called again, nothing else is, and what the engine settles for aborted calls is
 * skipped. The place in a pool that an aborted call would keep is free then, so calls may come earlier than the vector says.
 * With `inPlace` it is paused before each turn, and goes on in place after the turn's input.
 *
 * @param vector a vector's content
 * @param blazen the package's namespace object
 * @param options `stops`: the numbers of the turns after which the run is stopped, or "each" for all
 * @throws Mismatch where the run does otherwise than the vector says
 */
export async function play(vector, blazen, { stops = [], inPlace = false } = {}) {
  if (vector.error !== undefined) return refused(vector, blazen);
  const player = new Player(vector, blazen);
  try {
    for (const [at, turn] of player.turns.entries()) {
      const paused = inPlace && at > 0;
      const where = `play[${turn.at}]`;
      if (paused) await player.pause(`before ${where}`);
      player.give(turn);
      if (paused) await player.goOn(where);
      await player.check(turn, where);
      if (!player.over && (stops === "each" || stops.includes(at))) await player.stop(turn, `after ${where}`);
    }
    expect(player.over, "a vector ends with Finish or Fail");
  } finally {
    await player.close();
  }
}

/** Whether it can be said with `subworkflow`: it has no step that opens several child runs at once, or cancels one. */
export function sayable(vector) {
  return vector.error !== undefined || publicTurns(vector) !== undefined;
}

/** The ways to stop a vector: after each one of its turns but the last, and after all of them. */
export function waysToStop(vector) {
  const { turns } = vector.error === undefined ? publicTurns(vector) : { turns: [] };
  return turns.length < 2 ? [] : [...turns.slice(1).map((_, at) => [at]), ...(turns.length > 2 ? ["each"] : [])];
}

/** The definition is refused where a user would meet it: by `.step` or by the first run. */
async function refused(vector, blazen) {
  let error;
  try {
    await build(vector.definition, blazen, { openers: new Map(), call: () => undefined }).run({});
  } catch (thrown) {
    error = thrown;
  }
  const { code, message } = vector.error;
  expect(error !== undefined, "the definition was not refused");
  expect(error.code === code, `code ${code} expected, not ${error.code}: ${error.message}`);
  expect(error.message.includes(message), `"${message}" expected in the message: ${error.message}`);
}

/** An attempt's error that its step's `retryOn` does not want. */
class Final extends Error {}

/** A step's policy, from what the core is given. */
function retryOf({ attempts, exponential, initial, max, jitter = 0 }) {
  const backoff = exponential ? "exponential" : "fixed";
  return { maxAttempts: attempts, backoff, initial, max, jitter: jitter / 1e6, retryOn: (error) => !(error instanceof Final) };
}

/**
 * The workflow of a vector, and those of its child runs.
 *
 * @param openers names of child runs by "workflow/step"
 * @param call what the other steps do
 * @param opens what a step gives to its child run, and returns for the result
 */
function build(definition, blazen, { openers, call, opens }) {
  const workflows = new Map();
  for (const one of [definition, ...(definition.children ?? [])]) {
    const run = (step) => {
      const child = openers.get(`${one.name}/${step}`);
      return child === undefined ? (event, ctx) => call(step, event, ctx) : blazen.subworkflow(() => workflows.get(child), opens(step));
    };
    workflows.set(one.name, workflowOf(one, blazen, run));
  }
  return workflows.get(definition.name);
}

function workflowOf({ name, unhandled, external, steps }, { Workflow, all, collect }, run) {
  const workflow = new Workflow(name, { ...(unhandled && { unhandledEvents: unhandled }), ...(external && { external }) });
  for (const step of steps) {
    const { kind, types, keyed, options: of } = accepts(step.accepts);
    const by = (event) => {
      const key = event.keys[step.name];
      if (key instanceof Error) throw key;
      return key;
    };
    const accepted = kind === "any" ? types : kind === "all" ? all(...types, ...(keyed ? [{ by }] : [])) : collect(types, of);
    const { limit, pool, emits, retry } = step;
    const concurrency = pool === undefined ? limit : { pool, limit };
    const options = { ...(concurrency && { concurrency }), ...(emits && { emits }), ...(retry && { retry: retryOf(retry) }) };
    workflow.step(step.name, accepted, options, run(step.name));
  }
  return workflow;
}

/** Time as the vector's lines tell it. */
class Clock {
  #now = 0;
  #alarms = new Set();

  now() {
    return this.#now;
  }
  after(ms, callback) {
    const alarm = { at: this.#now + ms, callback };
    this.#alarms.add(alarm);
    if (ms <= 0) setTimeout(() => this.#ring(alarm), 0);
    return () => this.#alarms.delete(alarm);
  }
  /** When it is due to ring; Infinity if nothing is. */
  get next() {
    return Math.min(Number.POSITIVE_INFINITY, ...Array.from(this.#alarms, ({ at }) => at));
  }
  set(now) {
    this.#now = now;
    for (const alarm of [...this.#alarms]) if (alarm.at <= now) this.#ring(alarm);
  }
  #ring(alarm) {
    if (this.#alarms.delete(alarm)) alarm.callback();
  }
}

/** A call of a step that opens a child run: the engine settles it. */
class OpenerCall {
  settled = false;
  constructor(opening, event) {
    Object.assign(this, { opening, event, step: opening.step, got: opening.got });
  }
}

/** One call of a step, which the vector settles. */
class Call {
  staged = [];
  settled = false;
  #settle;
  /** Events that a generator has yielded, this call's attempts before it included. */
  #yielded = [];
  /** What it waits for, in the order of its calls. */
  waits = [];

  /** @param got what the step got, in words */
  constructor(step, event, ctx, got) {
    Object.assign(this, { step, event, ctx, got, signal: ctx.signal });
    this.#next();
  }
  /** Goes on where the attempt before it was: one that has failed has emitted nothing, but for its yields. */
  follow({ staged, yielded, settled }) {
    if (!settled) this.staged = staged;
    this.#yielded = yielded;
  }
  /**
   * Sleeps or asks; what the engine tells of it goes to `told`.
   *
   * @param wait `kind`: "Sleep" or "Ask", its number `at`, the time `until` if there is one, the `slot` of a question
   */
  wait(wait, clock, told) {
    this.waits.push(wait);
    const { kind, at, until } = wait;
    const tell = (verb) => (value) => {
      if (wait.over) return;
      wait.over = true;
      told({ verb, call: this, at, value });
    };
    // At the end of the attempt it rejects, which is nothing that a line tells.
    if (kind === "Sleep") this.ctx.sleepUntil(new Date(until)).then(tell("Woken"), () => {});
    else {
      const request = { prompt: `question ${at}`, ...(until !== undefined && { timeout: until - clock.now() }) };
      const expired = tell("Expired");
      this.ctx.requestInput(request).then(tell("Answered"), (error) => error.code === "TIMEOUT" && expired(error));
    }
  }
  get yielded() {
    return this.#yielded;
  }
  #next() {
    this.outcome = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
  }
  /** What the step's function gives to the engine. */
  returned() {
    if (this.mode === "generator") return this.#generate();
    return this.outcome.then((events) => (this.mode === "array" || !Array.isArray(events) || events.length > 1 ? events : events[0]));
  }
  async *#generate() {
    yield* [...this.#yielded];
    while (true) {
      const events = await this.outcome;
      if (this.settled) return;
      this.#next();
      this.#yielded.push(...events);
      yield* events;
    }
  }
  commit() {
    this.#settle.resolve(this.staged.splice(0));
  }
  ok() {
    this.settled = true;
    this.commit();
  }
  bad() {
    this.settled = true;
    this.#settle.resolve("no event");
  }
  fail(error) {
    this.settled = true;
    this.#settle.reject(error);
  }
}

class Player {
  over = false;
  turns;
  #blazen;
  #vector;
  #handler;
  #outcome;
  /** By slot: the very object. */
  #objects = new Map();
  /** By invocation: the call that has it now. */
  #running = new Map();
  #calls = [];
  #checked = 0;
  #modes;
  /** Of runs that were stopped: they are left alone until the end. */
  #stopped = [];
  /** Calls that the present run has made again, by the id of the invocation. */
  #again = new Map();
  /** Invocations that the engine has settled in the vector's place. */
  #gone = new Set();
  /** It has settled some: calls may come earlier than the vector says, when they wait for a place in a pool. */
  #loose = false;
  #invocationIds = new Set();
  #count = 0;
  // What the lines Key and Id say of the next event.
  #keys = {};
  #id;
  /** Of calls that must not reject: their errors. */
  #promises = [];
  #clock = new Clock();
  #alarm = Number.POSITIVE_INFINITY;
  /** What the line Until says of the next sleep or question. */
  #until;
  /** Math.random, while a line has said what it gives. */
  #random;
  /** By the id of the invocation: its latest call. */
  #latest = new Map();
  /** What sleeps and questions have told, and no line has named yet. */
  #told = [];
  /** Questions: by the vector's number of the request, and by the slot, their ids. */
  #requests = new Map();
  #asks = new Map();
  /** Ids of those that wait for an answer. */
  #pending = new Set();
  /** Ids of questions that steps of the present run await, and of those that have an answer which waits until they do (7.3). */
  #awaited = new Set();
  #early = new Map();
  /** By the slot of the error: what a StepFailedEvent says. */
  #failures = new Map();
  /** Of each question that a step returns, in their order: the type of its answer. */
  #answers;
  /** Events that an observer was told of, and no line has named yet. */
  #routed;
  #openers;
  /** Child runs to come, in their order, and those that are opened: by what their steps got. */
  #openings = new Map();
  #opened = new Map();
  #runIds = new Set();
  /** By slot: what the error of a child run is. */
  #ofChild = new Map();
  /** What the last line has sent from outside; by slot: the number of an event that has come to several runs. */
  #sent;
  #shared = new Map();
  /** What `input` or `output` of a sub-workflow has found wrong. */
  #wrong;

  constructor(vector, blazen) {
    this.#vector = vector;
    this.#blazen = blazen;
    const said = publicTurns(vector);
    expect(said !== undefined, "its steps do what no subworkflow does");
    const { turns, openers, openings } = said;
    this.turns = turns;
    this.#openers = openers;
    for (const opening of openings) this.#openings.set(opening.got, [...(this.#openings.get(opening.got) ?? []), opening]);
    this.#modes = modes(vector.play);
    this.#answers = answers(vector.definition, turns);
  }

  give({ in: lines, parts }) {
    for (const [verb, a, b, c, d] of parts.flatMap(({ out }) => out.map(({ words }) => words))) {
      if (verb !== "Failed") continue;
      this.#failures.delete(Number(a));
      this.#failures.set(Number(a), { step: b, attempts: Number(c), of: slots(d) });
    }
    for (const line of lines) this.#input(line);
  }

  #input(line) {
    const [verb, a, b, c] = words(line);
    const sent = this.#sent;
    this.#sent = undefined;
    const call = this.#running.get(a);
    if (["Emit", "Yield", "Send", "Settle", "Fan", "Sleep", "Ask"].includes(verb) && this.#gone.has(a)) {
      this.#keys = {};
      this.#id = undefined;
      if (verb === "Settle") this.#gone.delete(a);
      return;
    }
    if (verb === "Start") this.#start(a);
    else if (verb === "Key") this.#keys[a] = b === "-" ? this.#error(c) : Number(b);
    else if (verb === "Id") this.#id = { id: `id ${a}` };
    else if (verb === "Emit") call.staged.push(this.#event(b, c));
    else if (verb === "Yield") call.commit();
    else if (verb === "Send") this.#send(call, this.#event(b, c));
    else if (verb === "External") this.#external(a, b, c, sent);
    else if (verb === "Cancel") this.#promised(this.#handler.cancel(undefined, { grace: 0 }));
    else if (verb === "Settle" && b === "ok") call.ok();
    else if (verb === "Settle" && b === "failed") call.fail(this.#error(c));
    else if (verb === "Settle" && b === "final") call.fail(this.#error(c, Final));
    else if (verb === "Settle" && b === "bad") call.bad();
    else if (verb === "Tick") this.#clock.set(Number(a));
    else if (verb === "Until") this.#until = Number(a);
    else if (verb === "Sleep") this.#wait(call, { kind: verb, at: Number(b) });
    else if (verb === "Ask") this.#ask(call, Number(b), Number(c));
    else if (verb === "Respond") this.#respond(a, b, Number(c));
    else if (verb === "Random") this.#pretend(Number(a) / 2 ** 30);
    else if (verb === "Observe") this.#observe();
    else expect(verb === "Fan", `unknown line "${line}"`);
  }

  /** Lines of one event that comes to several runs follow each other. */
  #external(type, slot, flow, sent) {
    let event = sent?.type === type && flow !== undefined ? sent : undefined;
    if (event !== undefined) {
      this.#put(Number(slot), event);
      this.#shared.set(Number(slot), event.n);
    } else {
      event = this.#event(type, slot);
      this.#promised(this.#handler.send(event, this.#takeId()));
    }
    this.#sent = event;
  }
  #wait(call, wait) {
    call.wait({ ...wait, ...(this.#until !== undefined && { until: this.#until }) }, this.#clock, (told) => this.#told.push(told));
    this.#until = undefined;
  }
  #ask(call, at, slot) {
    const id = `${call.ctx.invocationId}/${at}`;
    this.#asks.set(slot, id);
    this.#awaited.add(id);
    if (this.#early.delete(id)) this.#pending.delete(id);
    this.#wait(call, { kind: "Ask", at });
  }
  #respond(request, type, slot) {
    const n = slot;
    this.#forget(slot);
    const response = type === "InputResponseEvent" ? { n } : { n, keys: this.#keys };
    if (type === "InputResponseEvent") this.#objects.set(slot, response);
    this.#keys = {};
    const id = this.#requests.get(request);
    if (type === "InputResponseEvent" && this.#stopped.length > 0 && !this.#awaited.has(id)) return this.#respondEarly(id, response);
    this.#pending.delete(id);
    this.#promised(this.#handler.respond(id, response));
  }
  /** It is not recorded before the step asks again: one who answers a run that goes on elsewhere has to answer there. */
  #respondEarly(id, response) {
    this.#early.set(id, response);
    const stopped = this.#stopped.length;
    const gone = (error) => {
      if (error.code !== "RUN_OVER" || stopped === this.#stopped.length) throw error;
    };
    this.#promised(this.#handler.respond(id, response).catch(gone));
  }
  /** Makes chance what the vector says, until the turn is over. */
  #pretend(random) {
    this.#random ??= Math.random;
    Math.random = () => random;
  }
  #pretended() {
    if (this.#random !== undefined) Math.random = this.#random;
    this.#random = undefined;
  }
  async #observe() {
    this.#routed ??= [];
    for await (const { kind, event } of this.#handler.observe()) if (kind === "routed") this.#routed.push(event);
  }

  #start(slot) {
    const workflow = this.#workflow();
    const input = { n: Number(slot) };
    this.#handler = workflow.start(input, { clock: this.#clock });
    expect(this.#calls.length > 0, "start calls the first step before it returns");
    const event = this.#calls[0].event;
    expect(event.type === "blazen::StartEvent" && event.n === input.n, "the first step gets the StartEvent with the input's fields");
    this.#objects.set(Number(slot), event);
    this.#listen();
  }
  #workflow() {
    const generation = this.#stopped.length;
    const present = (step) => expect(generation === this.#stopped.length, `step "${step}" was called by a run that is paused`);
    const call = (step, event, ctx) => {
      present(step);
      const before = this.#again.get(ctx.invocationId);
      this.#again.delete(ctx.invocationId);
      const latest = this.#latest.get(ctx.invocationId);
      const call = new Call(step, event, ctx, this.#got(step, event));
      this.#latest.set(ctx.invocationId, call);
      call.order = this.#count++;
      call.mode = before === undefined ? this.#modes.get(call.got)?.shift() : before.mode;
      call.latest = latest;
      if (latest !== undefined) call.follow(latest);
      if (before === undefined) this.#calls.push(call);
      else {
        before.next = call;
        for (const wait of before.waits) {
          if (wait.kind === "Ask") this.#awaited.add(`${ctx.invocationId}/${wait.at}`);
          call.wait({ ...wait }, this.#clock, (told) => this.#told.push(told));
        }
      }
      return call.returned();
    };
    const seen = (step, does) => {
      try {
        present(step);
        return does();
      } catch (error) {
        this.#wrong ??= error;
        throw error;
      }
    };
    const opens = (step) => ({
      input: (event) => seen(step, () => this.#open(step, event)),
      output: (result, event) => seen(step, () => this.#result(step, result, event)),
    });
    return build(this.#vector.definition, this.#blazen, { openers: this.#openers, call, opens });
  }
  /** A step opens a child run, which begins with what this gives. */
  #open(step, event) {
    const got = this.#got(step, event);
    const opening = this.#openings.get(got)?.shift();
    expect(opening !== undefined, `"${got}" has opened a child run, which the vector does not say`);
    this.#opened.set(got, opening);
    this.#calls.push(new OpenerCall(opening, event));
    return { n: opening.slot };
  }
  /** Its child run has ended: what the step returns. */
  #result(step, result, event) {
    const got = this.#got(step, event);
    const opening = this.#opened.get(got);
    expect(this.#opened.delete(got), `"${got}" was given the result of a child run that it has not opened`);
    const { output } = opening;
    const events = output.filter(([verb]) => verb === "Emit").map(([, , type, slot]) => this.#made(type, Number(slot), {}));
    Object.assign(opening, { result, made: [...events] });
    return events.length > 1 || output.some(([verb]) => verb === "Fan") ? events : events[0];
  }
  #listen() {
    this.#outcome = this.#handler.result().then(
      (result) => ({ result }),
      (error) => ({ error }),
    );
  }
  /** What a step got, in words. */
  #got(step, event) {
    const numbers = [event].flat().map(this.#numberOf);
    return `${step} ${Array.isArray(event) ? `[${numbers}]` : numbers}`;
  }
  /** The number of an event: that of its slot in the vector. */
  #numberOf = (event) => {
    const short = event.type.replace("blazen::", "");
    if (short === "StepFailedEvent") return this.#numberOfFailure(event);
    if (short === "InputResponseEvent") return event.response.n;
    if (short === "InputRequestEvent") return event.metadata;
    return (event.result ?? event).n;
  };
  #numberOfFailure({ step, event, error }) {
    const [, slot] = /^of slot (\d+)$/.exec(error.message) ?? [];
    if (slot !== undefined) return Number(slot);
    // It is a child run's: known by the step that has opened it, and by what that got.
    const of = String([event].flat().map(this.#numberOf));
    return [...this.#failures].findLast(([, failure]) => failure.step === step && String(failure.of) === of)?.[0];
  }
  /** Another has the slot. */
  #forget(slot) {
    this.#objects.delete(slot);
    this.#ofChild.delete(slot);
    this.#shared.delete(slot);
  }
  #put(slot, object) {
    this.#forget(slot);
    this.#objects.set(slot, object);
    return object;
  }
  #event(type, slot) {
    const n = Number(slot);
    const keys = this.#keys;
    this.#keys = {};
    return this.#put(n, this.#made(type, n, keys));
  }
  #made(type, n, keys) {
    if (type === "InputRequestEvent") return this.#question(n);
    return type === "StopEvent" ? new this.#blazen.StopEvent({ result: { n } }) : { type: typeName(type), n, keys };
  }
  #question(n) {
    const answer = this.#blazen.event(this.#answers.shift());
    const event = new this.#blazen.InputRequestEvent({ prompt: `of slot ${n}`, metadata: n, answer });
    this.#asks.set(n, event.id);
    return event;
  }
  #error(slot, Kind = Error) {
    return this.#put(Number(slot), new Kind(`of slot ${slot}`));
  }
  #promised(promise) {
    this.#promises.push(
      promise.then(
        () => undefined,
        (error) => error,
      ),
    );
  }
  #takeId() {
    const id = this.#id;
    this.#id = undefined;
    return id;
  }
  #send(call, event) {
    try {
      this.#promised(call.ctx.sendEvent(event, this.#takeId()));
    } catch (error) {
      // The context of an aborted attempt is dead (4.6).
      expect(call.signal.aborted, `sendEvent threw ${error}`);
    }
  }

  /** Exactly the calls that the lines name have come, in their order. */
  async check({ parts }, where) {
    const out = parts.flatMap(({ out }) => out);
    const calls = this.#checked + out.filter(({ words: [verb] }) => verb === "Invoke").length;
    const ends = out.some(({ words: [verb], flow }) => verb === "Finish" || (verb === "Fail" && flow === undefined));
    // A turn of the event loop lets every promise settle; more where the engine gave the host a turn.
    for (let turns = 0; turns < 100; turns++) {
      await turn();
      if (this.#calls.length >= calls && ends === (this.#handler.status !== "running" && this.#handler.status !== "waiting")) break;
    }
    this.#pretended();
    if (this.#wrong !== undefined) throw this.#wrong;
    for (const { own, out } of parts) {
      for (const line of own) this.#own(line, `${where} ${line.words.join(" ")}`);
      for (const line of out) await this.#output(line, `${where} ${line.words.join(" ")}`);
    }
    const [told] = this.#told;
    expect(told === undefined, `${where}: ${told?.verb} ${told?.at} of step "${told?.call.step}", which the vector does not say`);
    const { next } = this.#clock;
    const none = this.over || this.#alarm === Number.POSITIVE_INFINITY;
    // One that rings too early does no harm, so the clock need not be set anew for a later time.
    expect(none ? next === Number.POSITIVE_INFINITY : next <= this.#alarm, `${where}: the clock rings at ${next}, not ${none ? "never" : this.#alarm}`);
    const pending = this.over ? [] : [...this.#pending];
    const shown = this.#handler.pendingInputs.map(({ id }) => id);
    expect(String(shown) === String(pending), `${where}: pendingInputs has ${shown}, not ${pending}`);
    expect(
      (this.#loose && !this.over) || this.#calls.length === this.#checked,
      `${where}: step "${this.#calls[this.#checked]?.step}" was called, which the vector does not say`,
    );
    if (!this.over) {
      const status = waits(parts) ? "waiting" : "running";
      const was = this.#handler.status;
      expect(was === status, `${where}: the run's status is "${was}", not "${status}"`);
    }
  }

  /** What the engine has done by itself. */
  #own({ words: [verb, a, b, c], of }, where) {
    if (verb === "Child") return this.#forget(Number(c));
    if (verb === "Emit") {
      const event = of.made?.shift();
      expect(event !== undefined, `${where}: "output" was not called`);
      return this.#put(Number(c), event);
    }
    if (verb !== "Settle") return;
    const call = this.#running.get(a);
    call.settled = true;
    if (this.#opened.get(call.got) === of) this.#opened.delete(call.got);
    if (b === "ok") return;
    expect(b === "failed" && of.failed !== undefined, `${where}: no child run has failed`);
    this.#forget(Number(c));
    this.#ofChild.set(Number(c), of.failed);
  }
  /** A child run has ended, and those within it. */
  #ended(of, where) {
    for (const [invocation, call] of this.#running) {
      if (call.flow?.within(of) !== true) continue;
      expect(call.opening !== undefined || call.settled || call.signal.aborted, `${where}: the signal of "${call.step}" is not aborted`);
      this.#running.delete(invocation);
    }
  }
  /** What the error has to be that is in a slot: the very one that was thrown, one like it after a stop, or a child run's. */
  #errorOf(slot) {
    const known = this.#objects.get(slot);
    const stopped = this.#stopped.length;
    const thrown = (error) => (known !== undefined && stopped === this.#stopped.length ? error === known : error.message === `of slot ${slot}`);
    return this.#ofChild.get(slot) ?? thrown;
  }
  /** What the error of a child run has to be. */
  #failureOf(code, step, slot, where) {
    const cause = code === "STEP_FAILED" ? this.#errorOf(Number(slot)) : () => true;
    return (error) => {
      if (code === "STALLED") this.#lacks(error, where);
      return error.code === code && (step === "-" || error.step === step) && cause(error.cause);
    };
  }

  async #output(line, where) {
    const {
      words: [verb, a, b, c],
      flow,
      of,
    } = line;
    if (verb === "Invoke") return this.#invoked(line, where);
    if (verb === "Ended") {
      const known = this.#objects.get(Number(b));
      const { result } = of;
      expect(result !== undefined && (known === undefined ? result.n === Number(b) : result === known.result), `${where}: "output" was given another result`);
      return this.#ended(of, where);
    }
    if (verb === "Fail" && flow !== undefined) {
      of.failed = this.#failureOf(a, b, c, where);
      return this.#ended(of, where);
    }
    if (verb === "Abort" && this.#gone.has(a)) return;
    if (verb === "Abort" && b !== "delayed" && this.#running.get(a).opening !== undefined) return this.#ended(of, where);
    if (verb === "Abort" && b === "delayed") return expect(this.#running.get(a)?.settled !== false, `${where}: it is not waiting to be tried again`);
    if (verb === "Abort") return expect(this.#running.get(a).signal.aborted, `${where}: the signal is not aborted`);
    if (verb === "Woken" || verb === "Answered" || verb === "Expired") return this.#waited(verb, a, b, c, where);
    if (verb === "Asked") return this.#asked(a, Number(c), flow, where);
    if (verb === "Withdrawn") return expect(this.#pending.delete(this.#asks.get(Number(a))), `${where}: no question of that slot is pending`);
    if (verb === "Delayed") {
      const call = this.#running.get(a);
      expect(call.flow === flow, `${where}: "${call.step}" is of another run`);
      if (call.opening !== undefined) return expect(call.settled && call.step === b, `${where}: it was "${call.step}"`);
      const failures = this.#stopped.length > 0 ? Number(c) <= call.ctx.attempt : Number(c) === call.ctx.attempt;
      return expect(call.settled && call.step === b && failures, `${where}: it was attempt ${call.ctx.attempt} of "${call.step}"`);
    }
    if (verb === "Alarm") {
      this.#alarm = a === "-" ? Number.POSITIVE_INFINITY : Number(a);
      return;
    }
    if (verb === "Routed") {
      const event = this.#routed.shift();
      return expect(event !== undefined && this.#is(event, Number(a)), `${where}: the observer was told of ${event?.type}`);
    }
    // Release and Publish are nothing that a user sees.
    if (verb !== "Finish" && verb !== "Fail") return;
    this.over = true;
    const status = verb === "Finish" ? "completed" : a === "CANCELLED" ? "cancelled" : "failed";
    const { result, error } = await this.#outcome;
    expect(this.#handler.status === status, `${where}: the run's status is "${this.#handler.status}", not "${status}": ${error}`);
    if (verb === "Finish") {
      const stop = this.#objects.get(Number(a));
      expect(stop === undefined ? result.n === Number(a) : result === stop.result, `${where}: result() gives another object`);
    } else this.#failed(error, a, b, c, where);
    for (const call of this.#calls)
      expect(call.opening !== undefined || call.settled || call.signal.aborted, `${where}: the signal of "${call.step}" is not aborted`);
  }

  /** A sleep or a question of a step is over, in the order of the lines. */
  #waited(verb, invocation, at, slot, where) {
    // It waits to be tried again, and hears of it then.
    if (this.#running.get(invocation)?.settled !== false) return;
    const told = this.#told.shift();
    const what = told && `${told.verb} ${told.at} of step "${told.call.step}"`;
    expect(told?.verb === verb && told.at === Number(at) && told.call === this.#running.get(invocation), `${where}: came ${what}`);
    if (verb === "Answered") expect(this.#answer(told.value, Number(slot)), `${where}: another answer: ${JSON.stringify(told.value)}`);
    if (verb === "Expired") this.#pending.delete(`${told.call.ctx.invocationId}/${at}`);
  }
  #answer(answer, slot) {
    const known = this.#objects.get(slot);
    return known === undefined ? answer.n === slot : answer === known;
  }
  #asked(request, slot, flow, where) {
    const id = this.#asks.get(slot);
    this.#requests.set(request, id);
    this.#pending.add(id);
    const pending = this.#handler.pendingInputs.find((one) => one.id === id);
    expect(pending !== undefined, `${where}: it is not in pendingInputs`);
    this.#checkRun(flow, pending.runId, where);
    expect(String(pending.path) === String(flow?.path ?? []), `${where}: ${JSON.stringify(pending)}`);
  }
  /** A child run has an id of its own. */
  #checkRun(flow, runId, where) {
    const known = flow === undefined ? this.#handler.runId : flow.runId;
    expect(known === undefined ? !this.#runIds.has(runId) : known === runId, `${where}: the run id is ${runId}, not ${known ?? "its own"}`);
    this.#runIds.add(runId);
    if (flow !== undefined) flow.runId = runId;
  }

  #invoked({ words: [, invocation, step, given], flow }, where) {
    if (this.#loose) {
      const at = this.#calls.findIndex(({ got }, at) => at >= this.#checked && got === `${step} ${given}`);
      if (at >= 0) this.#calls.splice(this.#checked, 0, ...this.#calls.splice(at, 1));
    }
    const call = this.#calls[this.#checked++];
    expect(call !== undefined, `${where}: no step was called`);
    expect(call.step === step, `${where}: step "${call.step}" was called`);
    const events = given.startsWith("[") ? call.event : [call.event];
    expect(Array.isArray(events), `${where}: the step did not get an array`);
    expect(
      events.length === slots(given).length && slots(given).every((slot, at) => this.#is(events[at], slot)),
      `${where}: not the very objects: ${call.got}`,
    );
    call.flow = flow;
    this.#running.set(invocation, call);
    this.#gone.delete(invocation);
    if (call.opening !== undefined) return;
    this.#checkRun(flow, call.ctx.runId, where);
    const attempt = (call.latest?.ctx.attempt ?? 0) + 1;
    expect(this.#loose || call.ctx.attempt === attempt, `${where}: attempt ${call.ctx.attempt}, not ${attempt}`);
    expect(call.latest !== undefined || !this.#invocationIds.has(call.ctx.invocationId), `${where}: the id ${call.ctx.invocationId} was given twice`);
    this.#invocationIds.add(call.ctx.invocationId);
  }
  /** The object of a slot; the first that comes after a resume, and has its number, is that from then on. */
  #is(event, slot) {
    const known = this.#objects.get(slot);
    if (event.type === "blazen::StepFailedEvent" && known !== event) {
      const right = this.#errorOf(slot);
      this.#objects.set(slot, event);
      return right(event.error) && this.#numberOf(event) === slot && this.#tellsOf(event, this.#failures.get(slot));
    }
    if (event.type === "blazen::InputResponseEvent" && known !== undefined && known !== event) {
      this.#objects.set(slot, event);
      return event.response === known;
    }
    if (known !== undefined) return event === known;
    this.#objects.set(slot, event);
    return this.#numberOf(event) === (this.#shared.get(slot) ?? slot);
  }
  #tellsOf({ step, attempts, event }, failure) {
    const numbers = [event].flat().map(this.#numberOf);
    return failure.step === step && failure.attempts <= attempts && String(failure.of) === String(numbers);
  }

  #failed(error, code, step, slot, where) {
    expect(error?.code === code, `${where}: result() rejects with ${error?.code}: ${error?.message}`);
    if (step !== "-") expect(error.step === step, `${where}: the error names step "${error.step}"`);
    const about = this.#objects.get(Number(slot));
    if (code === "STEP_FAILED") expect(this.#errorOf(Number(slot))(error.cause), `${where}: the cause is not what was thrown`);
    if (code === "UNHANDLED_EVENT" && about !== undefined) expect(error.eventType === about.type, `${where}: the error names "${error.eventType}"`);
    if (code === "STALLED") this.#lacks(error, where);
  }
  #lacks({ lacking: told = [] }, where) {
    const lacking = told.join("; ");
    for (const what of this.#vector.lacking ?? []) expect(lacking.includes(what), `${where}: "${what}" expected in what is lacking: ${lacking}`);
  }

  async pause(where) {
    await this.#handler.pause({ mode: "now" });
    expect(this.#handler.status === "paused", `${where}: the run's status is "${this.#handler.status}"`);
  }
  async goOn(where) {
    await turn();
    expect(this.#calls.length === this.#checked, `${where}: step "${this.#calls[this.#checked]?.step}" was called by a run that is paused`);
    this.#handler.resume();
  }

  /** Goes on with a run from a snapshot of this one. */
  async stop({ parts }, where) {
    const handler = this.#handler;
    const text = String(await handler.pause({ mode: "now" }));
    expect(handler.status === "paused", `${where}: the run's status is "${handler.status}"`);
    expect(String(await handler.pause()) === text, `${where}: a second pause gives another snapshot`);
    for (const [invocation, call] of [...this.#running]) {
      if (call.settled) this.#running.delete(invocation);
      else if (call.signal?.aborted) {
        this.#running.delete(invocation);
        this.#gone.add(invocation);
        this.#loose = true;
      }
    }
    const early = this.#calls.slice(this.#checked);
    // Child runs go on: the steps that have opened them are not called again.
    const unsettled = [...this.#running.values(), ...early].filter(({ opening }) => opening === undefined);
    this.#again = new Map(unsettled.map((call) => [call.ctx.invocationId, call]));
    this.#stopped.push({ handler, calls: this.#calls.splice(0), outcome: this.#outcome });
    this.#checked = 0;
    this.#objects = new Map();
    // Events that were staged by calls, and are made by them again.
    for (const { staged } of unsettled) for (const event of staged) this.#objects.set(this.#numberOf(event), event);
    this.#awaited = new Set();
    this.#handler = this.#workflow().resume(text, { clock: this.#clock });
    if (this.#routed !== undefined) void this.#observe();
    this.#listen();
    for (const [id, response] of this.#early) this.#respondEarly(id, response);
    expect(String(await this.#handler.snapshot()) === text, `${where}: a snapshot at once after the resume differs`);
    for (let turns = 0; turns < 100 && (turns < 2 || unsettled.some(({ next }) => next === undefined)); turns++) await turn();
    for (const call of unsettled) {
      const { next } = call;
      expect(next !== undefined, `${where}: "${call.got}" was not called again`);
      expect(next.got === call.got, `${where}: "${next.got}" was called again instead of "${call.got}"`);
      expect(next.ctx.attempt === call.ctx.attempt + 1, `${where}: "${call.got}" has the attempt ${next.ctx.attempt} after ${call.ctx.attempt}`);
      const numbers = [next.event].flat();
      for (const event of numbers) expect(this.#is(event, this.#numberOf(event)), `${where}: two objects for slot ${this.#numberOf(event)}`);
      next.flow = call.flow;
    }
    const nextOf = (call) => (call.opening === undefined ? call.next : call);
    const again = [...this.#running].map(([invocation, call]) => [invocation, nextOf(call)]);
    this.#running = new Map(again);
    this.#calls.unshift(...again.map(([, next]) => next), ...early.map(nextOf));
    this.#checked = again.length;
    const seq = ({ ctx }) => Number(ctx.invocationId.split("/").at(-1));
    const order = unsettled.map(({ next }) => next.order);
    const wanted = [...unsettled].sort((a, b) => seq(a) - seq(b)).map(({ next }) => next.order);
    expect(String([...order].sort((a, b) => a - b)) === String(wanted), `${where}: called again in another order than that of their ids`);
    expect(this.#loose || this.#calls.length === this.#checked, `${where}: step "${this.#calls[this.#checked]?.step}" was called by the resume`);
    const status = waits(parts) ? "waiting" : "running";
    if (!this.#loose) expect(this.#handler.status === status, `${where}: the resumed run's status is "${this.#handler.status}", not "${status}"`);
  }

  /** Leaves nothing pending, whatever came. */
  async close() {
    this.#pretended();
    if (this.#handler === undefined) return;
    if (!this.over) await this.#handler.cancel(undefined, { grace: 0 });
    for (const call of this.#calls) if (!call.settled && call.opening === undefined) call.ok();
    await this.#outcome;
    for (const { handler, calls, outcome } of this.#stopped) {
      await handler.cancel(undefined, { grace: 0 });
      for (const call of calls) if (!call.settled && call.opening === undefined) call.ok();
      const { error } = await outcome;
      expect(error?.code === "CANCELLED", `a run that was paused and cancelled ends with ${error?.code}`);
    }
    for (const error of await Promise.all(this.#promises)) expect(error === undefined, `send, sendEvent or cancel rejected: ${error}`);
  }
}

/** The types of the answers to the questions that steps return, in the order in which they are emitted; those never answered get any that a step takes. */
function answers(definition, turns) {
  const types = [];
  const emitted = new Map();
  const asked = new Map();
  const flows = new Map();
  const any = (flow) => {
    const { steps } = flow === undefined ? definition : definition.children.find(({ name }) => name === flow.child);
    return steps.flatMap(({ accepts: given }) => accepts(given).types).find((type) => typeName(type) === type);
  };
  for (const { in: lines, parts } of turns) {
    for (const [verb, a, b, c] of lines.map(words)) {
      if (verb === "Emit" && b === "InputRequestEvent") emitted.set(c, types.push(any(flows.get(a))) - 1);
      if (verb === "Respond" && asked.get(a) !== undefined) types[asked.get(a)] = typeName(b);
    }
    for (const { words: line, flow } of parts.flatMap(({ out }) => out)) {
      const [verb, number, invocation, slot] = line;
      if (verb === "Invoke") flows.set(number, flow);
      if (verb === "Asked") asked.set(number, invocation === "-" ? emitted.get(slot) : undefined);
    }
  }
  return types;
}

/** Whether a turn leaves the run waiting. */
function waits(parts) {
  return parts.at(-1).out.some(({ words: [verb] }) => verb === "Waiting");
}

/** What each call's step does, by what it got: it returns an event, an array, or is a generator. */
function modes(play) {
  const calls = [];
  const current = new Map();
  for (const { in: lines, out } of play) {
    for (const [verb, invocation] of lines.map(words)) {
      const call = current.get(invocation);
      if (verb === "Yield") call.mode = "generator";
      else if (verb === "Fan" && call.mode === "value") call.mode = "array";
    }
    for (const [verb, invocation, step, given] of out.map(words)) {
      if (verb !== "Invoke") continue;
      const call = { got: `${step} ${given}`, mode: "value" };
      calls.push(call);
      current.set(invocation, call);
    }
  }
  const by = new Map();
  for (const { got, mode } of calls) by.set(got, [...(by.get(got) ?? []), mode]);
  return by;
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 0));
