// Plays a vector through the public API: steps are functions whose promises the vector settles. Runs in Node and in browsers.
import { accepts, expect, slots, typeName, words } from "./lines.mjs";

/**
 * @param vector a vector's content
 * @param blazen the package's namespace object
 * @throws Mismatch where the run does otherwise than the vector says
 */
export async function play(vector, blazen) {
  if (vector.error !== undefined) return refused(vector, blazen);
  const player = new Player(vector, blazen);
  try {
    for (const [at, { in: lines, out }] of vector.play.entries()) {
      for (const line of lines) player.input(line);
      await player.check(out, `play[${at}]`);
    }
    expect(player.over, "a vector ends with Finish or Fail");
  } finally {
    await player.close();
  }
}

/** The definition is refused where a user would meet it: by `.step` or by the first run. */
async function refused(vector, blazen) {
  let error;
  try {
    await build(vector.definition, blazen, () => undefined).run({});
  } catch (thrown) {
    error = thrown;
  }
  const { code, message } = vector.error;
  expect(error !== undefined, "the definition was not refused");
  expect(error.code === code, `code ${code} expected, not ${error.code}: ${error.message}`);
  expect(error.message.includes(message), `"${message}" expected in the message: ${error.message}`);
}

function build({ name, unhandled, external, steps }, { Workflow, all, collect }, call) {
  const workflow = new Workflow(name, { ...(unhandled && { unhandledEvents: unhandled }), ...(external && { external }) });
  for (const step of steps) {
    const { kind, types, keyed, options } = accepts(step.accepts);
    const by = (event) => {
      const key = event.keys[step.name];
      if (key instanceof Error) throw key;
      return key;
    };
    const accepted = kind === "any" ? types : kind === "all" ? all(...types, ...(keyed ? [{ by }] : [])) : collect(types, options);
    const { limit, pool, emits } = step;
    const concurrency = pool === undefined ? limit : { pool, limit };
    workflow.step(step.name, accepted, { ...(concurrency && { concurrency }), ...(emits && { emits }) }, (event, ctx) => call(step.name, event, ctx));
  }
  return workflow;
}

/** One call of a step, which the vector settles. */
class Call {
  staged = [];
  settled = false;
  #settle;

  constructor(step, event, ctx, mode) {
    Object.assign(this, { step, event, ctx, mode, signal: ctx.signal });
    this.#next();
  }
  #next() {
    this.outcome = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
  }
  /** What the step's function gives to the engine. */
  returned() {
    if (this.mode === "generator") return this.#generate();
    return this.outcome.then((events) => (this.mode === "array" || !Array.isArray(events) ? events : events[0]));
  }
  async *#generate() {
    while (true) {
      const events = await this.outcome;
      if (this.settled) return;
      this.#next();
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
  // What the lines Key and Id say of the next event.
  #keys = {};
  #id;
  /** Of calls that must not reject: their errors. */
  #promises = [];

  constructor(vector, blazen) {
    this.#vector = vector;
    this.#blazen = blazen;
    this.#modes = modes(vector.play);
  }

  input(line) {
    const [verb, a, b, c] = words(line);
    const call = this.#running.get(a);
    if (verb === "Start") this.#start(a);
    else if (verb === "Key") this.#keys[a] = b === "-" ? this.#error(c) : Number(b);
    else if (verb === "Id") this.#id = { id: `id ${a}` };
    else if (verb === "Emit") call.staged.push(this.#event(b, c));
    else if (verb === "Yield") call.commit();
    else if (verb === "Send") this.#send(call, this.#event(b, c));
    else if (verb === "External") this.#promised(this.#handler.send(this.#event(a, b), this.#takeId()));
    else if (verb === "Cancel") this.#promised(this.#handler.cancel(undefined, { grace: 0 }));
    else if (verb === "Settle" && b === "ok") call.ok();
    else if (verb === "Settle" && b === "failed") call.fail(this.#error(c));
    else if (verb === "Settle" && b === "bad") call.bad();
    else expect(verb === "Fan", `unknown line "${line}"`);
  }

  #start(slot) {
    const workflow = build(this.#vector.definition, this.#blazen, (step, event, ctx) => {
      const call = new Call(step, event, ctx, this.#modes[this.#calls.length]);
      this.#calls.push(call);
      return call.returned();
    });
    const input = { n: Number(slot) };
    this.#handler = workflow.start(input);
    expect(this.#calls.length > 0, "start calls the first step before it returns");
    const event = this.#calls[0].event;
    expect(event.type === "blazen::StartEvent" && event.n === input.n, "the first step gets the StartEvent with the input's fields");
    this.#objects.set(Number(slot), event);
    this.#outcome = this.#handler.result().then(
      (result) => ({ result }),
      (error) => ({ error }),
    );
  }
  #event(type, slot) {
    const n = Number(slot);
    const keys = this.#keys;
    this.#keys = {};
    const event = type === "StopEvent" ? new this.#blazen.StopEvent({ result: { n } }) : { type: typeName(type), n, keys };
    this.#objects.set(n, event);
    return event;
  }
  #error(slot) {
    const error = new Error(`of slot ${slot}`);
    this.#objects.set(Number(slot), error);
    return error;
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
  async check(out, where) {
    const lines = out.map(words);
    const calls = this.#checked + lines.filter(([verb]) => verb === "Invoke").length;
    const ends = lines.some(([verb]) => verb === "Finish" || verb === "Fail");
    // A turn of the event loop lets every promise settle; more where the engine gave the host a turn.
    for (let turns = 0; turns < 100; turns++) {
      await turn();
      if (this.#calls.length >= calls && ends === (this.#handler.status !== "running" && this.#handler.status !== "waiting")) break;
    }
    for (const line of lines) await this.#output(line, `${where} ${line.join(" ")}`);
    expect(this.#calls.length === this.#checked, `${where}: step "${this.#calls[this.#checked]?.step}" was called, which the vector does not say`);
    if (!this.over) {
      const status = lines.at(-1)?.[0] === "Waiting" ? "waiting" : "running";
      const was = this.#handler.status;
      expect(was === status, `${where}: the run's status is "${was}", not "${status}"`);
    }
  }

  async #output([verb, a, b, c], where) {
    if (verb === "Invoke") return this.#invoked(a, b, c, where);
    if (verb === "Abort") return expect(this.#running.get(a).signal.aborted, `${where}: the signal is not aborted`);
    // Release and Publish are nothing that a user sees.
    if (verb !== "Finish" && verb !== "Fail") return;
    this.over = true;
    const status = verb === "Finish" ? "completed" : a === "CANCELLED" ? "cancelled" : "failed";
    const { result, error } = await this.#outcome;
    expect(this.#handler.status === status, `${where}: the run's status is "${this.#handler.status}", not "${status}": ${error}`);
    if (verb === "Finish") expect(result === this.#objects.get(Number(a)).result, `${where}: result() gives another object`);
    else this.#failed(error, a, b, c, where);
    for (const call of this.#calls) expect(call.settled || call.signal.aborted, `${where}: the signal of "${call.step}" is not aborted`);
  }

  #invoked(invocation, step, given, where) {
    const call = this.#calls[this.#checked++];
    expect(call !== undefined, `${where}: no step was called`);
    expect(call.step === step, `${where}: step "${call.step}" was called`);
    const events = given.startsWith("[") ? call.event : [call.event];
    expect(Array.isArray(events), `${where}: the step did not get an array`);
    const got = events.map((event) => event.n).join(",");
    expect(
      events.length === slots(given).length && slots(given).every((slot, at) => events[at] === this.#objects.get(slot)),
      `${where}: the step got [${got}], or not the very objects`,
    );
    this.#running.set(invocation, call);
  }

  #failed(error, code, step, slot, where) {
    expect(error?.code === code, `${where}: result() rejects with ${error?.code}: ${error?.message}`);
    if (step !== "-") expect(error.step === step, `${where}: the error names step "${error.step}"`);
    if (code === "STEP_FAILED") expect(error.cause === this.#objects.get(Number(slot)), `${where}: the cause is not what was thrown`);
    if (code === "UNHANDLED_EVENT") expect(error.eventType === this.#objects.get(Number(slot)).type, `${where}: the error names "${error.eventType}"`);
    const lacking = error.lacking?.join("; ") ?? "";
    for (const what of this.#vector.lacking ?? []) expect(lacking.includes(what), `${where}: "${what}" expected in what is lacking: ${lacking}`);
  }

  /** Leaves nothing pending, whatever came. */
  async close() {
    if (this.#handler === undefined) return;
    if (!this.over) await this.#handler.cancel(undefined, { grace: 0 });
    for (const call of this.#calls) if (!call.settled) call.ok();
    await this.#outcome;
    for (const error of await Promise.all(this.#promises)) expect(error === undefined, `send, sendEvent or cancel rejected: ${error}`);
  }
}

/** For each call of the play, in order: whether its step returns an event, an array, or is a generator. */
function modes(play) {
  const calls = [];
  const current = new Map();
  for (const { in: lines, out } of play) {
    for (const [verb, invocation] of lines.map(words)) {
      const at = current.get(invocation);
      if (verb === "Yield") calls[at] = "generator";
      else if (verb === "Fan" && calls[at] === "value") calls[at] = "array";
    }
    for (const [verb, invocation] of out.map(words)) if (verb === "Invoke") current.set(invocation, calls.push("value") - 1);
  }
  return calls;
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 0));
