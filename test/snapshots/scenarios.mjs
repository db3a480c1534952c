// Runs that stand still, one for each thing that a snapshot holds. Importable everywhere: no imports.

/** A value in words, with its kind and what is shared in it: for comparisons across runtimes. */
export function tell(value) {
  const seen = new Map();
  const fields = (object) => Object.keys(object).map((key) => `${key}:${inner(object[key])}`);
  const inner = (value) => {
    if (typeof value === "string") return JSON.stringify(value);
    if (typeof value === "bigint") return `${value}n`;
    if (Object.is(value, -0)) return "-0";
    if (typeof value !== "object" || value === null) return String(value);
    if (seen.has(value)) return `#${seen.get(value)}`;
    seen.set(value, seen.size);
    const name = Object.getPrototypeOf(value)?.constructor.name ?? "null";
    if (value instanceof Date) return `Date ${Number.isNaN(value.getTime()) ? "invalid" : value.toISOString()}`;
    if (value instanceof RegExp) return `${value} at ${value.lastIndex}`;
    if (value instanceof URL) return `URL ${value.href}`;
    if (value instanceof Map) return `Map{${[...value].map(([key, one]) => `${inner(key)}=>${inner(one)}`)}}`;
    if (value instanceof Set) return `Set{${[...value].map(inner)}}`;
    if (value instanceof ArrayBuffer) return `ArrayBuffer ${new Uint8Array(value)}`;
    if (value instanceof DataView) return `DataView ${value.byteOffset} ${value.byteLength} of ${inner(value.buffer)}`;
    if (ArrayBuffer.isView(value)) return `${name} [${Array.from(value, inner)}] of ${inner(value.buffer)}`;
    if (value instanceof Error) {
      const cause = "cause" in value ? ` cause ${inner(value.cause)}` : "";
      const errors = value.errors === undefined ? "" : ` errors ${inner(value.errors)}`;
      const kind = ["RangeError", "TypeError", "AggregateError"].find((kind) => value instanceof globalThis[kind]) ?? "Error";
      return `${kind} ${value.name}: ${value.message} ${JSON.stringify(value.stack)}${cause}${errors} {${fields(value)}}`;
    }
    if (Array.isArray(value)) return `[${Array.from({ length: value.length }, (_, at) => (at in value ? inner(value[at]) : "hole"))}]`;
    return `${name === "Object" ? "" : name}{${fields(value)}}`;
  };
  return inner(value);
}

class Money {
  constructor(cents) {
    this.cents = cents;
  }
}

function errors() {
  const error = (made, stack, more) => Object.assign(made, more, { stack });
  class PaymentError extends Error {}
  const cause = error(new TypeError("fetch failed"), "TypeError: fetch failed");
  const payment = error(new PaymentError("declined", { cause }), "PaymentError: declined\n    at pay (pay.js:3:9)", { code: "E_DECLINED", amount: 5n });
  Object.defineProperty(payment, "name", { value: "PaymentError" });
  return [payment, error(new RangeError("range"), "RangeError"), error(new AggregateError([cause, 1], "all"), "AggregateError: all")];
}

/** Every kind of value that can be stored, by name. */
export function values() {
  const shared = { shared: true };
  const circle = { name: "circle" };
  circle.self = circle;
  const buffer = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]).buffer;
  const holes = [1];
  holes[2] = 3;
  holes.length = 5;
  return {
    json: { text: 'a\u2028\u0000"\\ü😀', lone: "\ud800", numbers: [0, 1.5, -1e21, 5e-324, 2 ** 53], nothing: null, yes: true, nested: [[], {}] },
    undefined: [undefined, { a: undefined }],
    numbers: [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0],
    bigint: [0n, -(2n ** 70n)],
    dates: [new Date(0), new Date(Number.NaN), new Date(8.64e15), new Date(-1)],
    regexp: [/a+\/[/]/giu, Object.assign(/x/y, { lastIndex: 3 })],
    url: new URL("https://example.com/a?b=c#d"),
    map: new Map([
      ["one", 1],
      [{ key: 1 }, new Map()],
      [Number.NaN, undefined],
    ]),
    set: new Set([1, "1", { a: 1 }, new Set()]),
    sparse: [holes, new Array(3)],
    dict: Object.assign(Object.create(null), { a: 1, $: "no kind" }),
    dollar: { $: "cash", amount: 5 },
    keys: { "": 1, "a/b": 2, "a%": 3, 10: "ten", 9: "nine", ü: 4 },
    buffer,
    views: [new Uint8Array(buffer), new Uint8Array(buffer, 4, 4), new Float32Array(buffer, 8, 1), new DataView(buffer, 1, 3), new BigInt64Array(buffer, 8, 1)],
    arrays: [
      new Int8Array([-1]),
      new Uint8ClampedArray([255]),
      new Int16Array([-300]),
      new Uint16Array([65535]),
      new Int32Array([-70000]),
      new Uint32Array([4294967295]),
      new Float64Array([Math.PI, -0]),
      new BigUint64Array([2n ** 64n - 1n]),
      new Uint8Array(),
    ],
    errors: errors(),
    shared: [shared, shared, new Map([[shared, shared]])],
    circle,
    money: [new Money(5n), new Money({ deep: new Money(-0) })],
    deep: Array.from({ length: 500 }).reduce((inner) => [inner], 0),
  };
}

/** A clock that stands still, in 2026; a hasty one is at once where the next thing is due. */
class Clock {
  #now = Date.UTC(2026, 0, 31, 12);
  #alarms = new Set();

  constructor(hasty) {
    this.hasty = hasty;
  }
  now() {
    return this.#now;
  }
  after(ms, callback) {
    const alarm = { at: this.#now + ms, callback };
    this.#alarms.add(alarm);
    if (this.hasty || ms <= 0) setTimeout(() => this.#ring(alarm), 0);
    return () => this.#alarms.delete(alarm);
  }
  /** Lets so many ms pass, with what is due then. */
  async pass(ms) {
    this.#now += ms;
    for (const alarm of [...this.#alarms]) if (alarm.at <= this.#now) this.#ring(alarm);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  #ring(alarm) {
    if (!this.#alarms.delete(alarm)) return;
    this.#now = Math.max(this.#now, alarm.at);
    alarm.callback();
  }
}

/**
 * @param blazen the package's namespace object
 * @returns by name: `build(free)` makes the workflow, whose steps go on for ever unless they are `free`; `reach(handler, clock)` brings
 *   a run to where it is stored; `finish(handler)` what a resumed one needs; `result` what it ends with, in words
 */
export function scenarios(blazen) {
  const {
    BlazenState,
    Pipeline,
    Workflow,
    subworkflow,
    all,
    codec,
    collect,
    event,
    StartEvent,
    StopEvent,
    InputRequestEvent,
    InputResponseEvent,
    StepFailedEvent,
  } = blazen;
  const Work = class extends event("Work") {};
  const Done = class extends event("Done") {};
  const Note = class extends event("Note") {};
  const Paid = class extends event("Paid") {};
  const Sum = class extends event("Sum") {};
  const Decided = class extends event("Decided") {};
  const stop = (result) => new StopEvent({ result });
  const never = new Promise(() => {});
  const until = (free) => (free ? undefined : never);
  const turn = () => new Promise((resolve) => setTimeout(resolve, 0));
  const works = (count) => Array.from({ length: count }, (_, n) => new Work({ n }));
  const types = [codec(Money, { name: "Money", encode: ({ cents }) => cents, decode: (cents) => new Money(cents) })];
  const paid = { external: [Paid] };
  const pay = async (handler) => handler.send(new Paid({ id: "paid" }));

  return {
    queue: {
      build: () =>
        new Workflow("queue", { unhandledEvents: "ignore" })
          .step("first", StartEvent, async () => [new Work({ n: 1 }), new Work({ n: 2 }), new Note({ key: 1 }), stop({ n: 3 })])
          .step("work", Work, () => null),
      mode: "drain",
      result: "{n:3}",
    },
    "ended-fan-out": {
      build: () =>
        new Workflow("ended-fan-out", paid)
          .step("fan", StartEvent, () => [new Work({ n: 1 }), new Note({ key: 2 })])
          .step("work", Work, ({ n }) => new Done({ n }))
          .step("all", collect(Done, { of: "fan" }), (done) => new Sum({ n: done.length }))
          .step("join", all(Note, Sum, Paid), ([{ key }, { n }, { id }]) => stop([key, n, id])),
      reach: turn,
      finish: pay,
      result: '[2,1,"paid"]',
    },
    "cancelled-fan-out": {
      build: () =>
        new Workflow("cancelled-fan-out", paid)
          .step("fan", StartEvent, () => [new Work({ n: 1 }), new Work({ n: 2 }), new Note({ key: 2 })])
          .step("work", Work, async ({ n }) => (n === 1 ? new Done({ n }) : never))
          .step("all", collect(Done, { of: "fan", first: 1 }), (done) => new Sum({ n: done.length }))
          .step("join", all(Note, Sum, Paid), ([{ key }, { n }, { id }]) => stop([key, n, id])),
      reach: turn,
      finish: pay,
      result: '[2,1,"paid"]',
    },
    closing: {
      build: () =>
        new Workflow("closing")
          .step("fan", StartEvent, () => works(3))
          .step("work", Work, ({ n }) => (n === 0 ? new Done({ n }) : n === 1 ? null : turn().then(() => null)))
          .step("end", collect(Done, { of: "fan" }), (done) => stop(done.map(({ n }) => n))),
      mode: "drain",
      result: "[0]",
    },
    joins: {
      build: () =>
        new Workflow("joins", paid)
          .step("first", StartEvent, () => [
            ...["a", 1, "1", "ü/%"].map((key) => new Note({ key })),
            new Work({ n: 1, key: "b" }),
            new Work({ n: 2, key: 1 }),
            new Done({ n: 3 }),
          ])
          .step("keyed", all(Note, Work, { by: ({ key }) => key }), ([note, work]) => new Done({ n: work.n + 10 * note.key }))
          .step("two", all(Done, Done), ([a, b]) => new Sum({ n: a.n + b.n }))
          .step("last", all(Sum, Paid), ([{ n }, { id }]) => stop([n, id])),
      reach: turn,
      finish: pay,
      result: '[15,"paid"]',
    },
    "fan-outs": {
      build: (free) =>
        new Workflow("fan-outs")
          .step("fan", StartEvent, () => works(3))
          .step("split", Work, ({ n }) => [0, 1].map((key) => new Note({ key, n })))
          .step("note", Note, async ({ key, n }) => {
            if (key === 1 && n > 0) await until(free);
            return new Done({ n: 10 * n + key });
          })
          .step("inner", collect(Done, { of: "split" }), (done) => new Paid({ n: done.map(({ n }) => n) }))
          .step("outer", collect(Paid, { of: "fan" }), (paid) => stop(paid.map(({ n }) => n))),
      reach: turn,
      result: "[[0,1],[10,11],[20,21]]",
    },
    gathered: {
      build: (free) =>
        new Workflow("gathered")
          .step("fan", StartEvent, () => works(5))
          .step("work", Work, async ({ n }) => {
            if (n === 1 || n === 4) await until(free);
            return new Done({ n });
          })
          .step("pairs", collect(Done, { count: 2 }), (done) => new Note({ n: done.map(({ n }) => n) }))
          .step("whole", collect(Note), (notes) => stop(notes.map(({ n }) => n)))
          .step("of", collect(Done, { of: "fan" }), () => null),
      reach: turn,
      result: "[[0,2],[3,1]]",
    },
    "done-collect": {
      build: (free) =>
        new Workflow("done-collect")
          .step("fan", StartEvent, () => works(3))
          .step("work", Work, async ({ n }) => {
            if (n > 0) await until(free);
            return new Done({ n });
          })
          .step("first", collect(Done, { of: "fan", first: 1, rest: "ignore" }), (done) => new Note({ n: done.map(({ n }) => n) }))
          .step("all", collect(Done, { of: "fan" }), (done) => new Note({ n: done.map(({ n }) => n) }))
          .step("end", all(Note, Note), (notes) => stop(notes.map(({ n }) => n))),
      reach: turn,
      result: "[[0],[0,1,2]]",
    },
    attempts: {
      build: (free) =>
        new Workflow("attempts")
          .step("first", StartEvent, async (_, ctx) => {
            await until(free);
            return stop([ctx.attempt, ctx.invocationId]);
          })
          .step("also", StartEvent, { concurrency: 1 }, async (_, ctx) => {
            if (ctx.attempt < 3) await never;
          }),
      restarts: 3,
      result: '[5,"golden/0"]',
    },
    generator: {
      build: (free) =>
        new Workflow("generator", { state: { yields: 0 } })
          .step("fan", StartEvent, async function* (_, ctx) {
            for (const work of works(4)) {
              if (work.n > 1) await until(free);
              ctx.state.update("yields", (yields) => yields + 1);
              yield work;
            }
          })
          .step("work", Work, ({ n }) => new Done({ n }))
          .step("end", collect(Done, { of: "fan" }), (done, ctx) => stop([done.map(({ n }) => n), ctx.state.get("yields")])),
      reach: turn,
      result: "[[0,1,2,3],4]",
    },
    pool: {
      build: (free) =>
        new Workflow("pool", { state: { order: [] } })
          .step("fan", StartEvent, () => works(4))
          .step("work", Work, { concurrency: { pool: "shared/pool", limit: 1 } }, async ({ n }, ctx) => {
            if (n > 0) await until(free);
            ctx.state.update("order", (order) => [...order, `work ${n}`]);
            return new Done({ n });
          })
          .step("also", Done, { concurrency: { pool: "shared/pool", limit: 1 } }, ({ n }, ctx) => {
            ctx.state.update("order", (order) => [...order, `also ${n}`]);
          })
          .step("end", collect(Done, { of: "fan" }), () => new Note({}))
          .step("last", Note, { concurrency: { pool: "shared/pool", limit: 1 } }, (_, ctx) => stop(ctx.state.get("order"))),
      reach: turn,
      result: '["work 0","work 1","work 2","work 3","also 0","also 1","also 2","also 3"]',
    },
    state: {
      build: (free) =>
        new Workflow("state", { types, state: { initial: { deep: [1] } } })
          .step("first", StartEvent, (_, ctx) => {
            for (const [key, value] of Object.entries(values())) ctx.state.set(key, value);
            for (const key of ["", "a/b", "%2F", "ü😀", "__proto__"]) ctx.state.set(key, key);
            return new Work({ n: 1 });
          })
          .step("last", Work, async (_, ctx) => {
            await until(free);
            return stop([...ctx.state.keys()].map((key) => [key, tell(ctx.state.get(key))]));
          }),
      result: () => {
        const entries = [...Object.entries({ initial: { deep: [1] }, ...values() }), ...["", "a/b", "%2F", "ü😀", "__proto__"].map((key) => [key, key])];
        return tell(entries.map(([key, value]) => [key, tell(value)]).sort(([a], [b]) => (a < b ? -1 : 1)));
      },
    },
    bytes: {
      build: (free) =>
        new Workflow("bytes", { state: { some: new Uint8Array(100).map((_, at) => at * 7) } })
          .step("first", StartEvent, (_, ctx) => {
            ctx.setBytes("set", new Uint8Array([0, 255, 128]));
            return [new Work({ bytes: new Uint8Array([9, 8]), more: [new Uint16Array([1]).buffer] }), new Note({ none: new Uint8Array() })];
          })
          .step("last", all(Work, Note), async ([work, note], ctx) => {
            const one = await ctx.once("made", () => new Uint8Array([5, 5, 5]));
            await until(free);
            return stop([work.bytes, work.more, note.none, one, ctx.getBytes("set"), ctx.state.get("some").length]);
          }),
      reach: turn,
      binary: true,
      result:
        "[Uint8Array [9,8] of ArrayBuffer 9,8,[ArrayBuffer 1,0],Uint8Array [] of ArrayBuffer ,Uint8Array [5,5,5] of ArrayBuffer 5,5,5,Uint8Array [0,255,128] of ArrayBuffer 0,255,128,100]",
    },
    "blazen-state": {
      build: (free) => {
        const stored = new Map();
        class Agent extends BlazenState {
          notes = [];
          seen = new Set();
          document = undefined;
          cache = "made anew";
          restore() {
            this.cache = `restored with ${this.notes.length} notes`;
          }
        }
        // What a store keeps is not in the snapshot: this one knows what it was given by heart.
        const store = { save: (key, value) => void stored.set(key, value), load: () => "the document" };
        Agent.meta = { name: "Agent", version: 2, transient: ["cache"], storeBy: { document: store } };
        class Pair extends BlazenState {
          left = undefined;
          right = undefined;
        }
        Pair.meta = { name: "Pair" };
        return new Workflow("blazen-state", { types: [Agent, Pair] })
          .step("first", StartEvent, (_, ctx) => {
            const agent = new Agent();
            Object.assign(agent, { notes: ["a", "b"], seen: new Set([1n]), document: "the document", cache: "not stored" });
            ctx.set("agent/1", agent);
            const pair = new Pair();
            pair.left = { shared: true };
            pair.right = pair.left;
            ctx.set("pair", pair);
            return new Work({ n: 1 });
          })
          .step("last", Work, async (_, ctx) => {
            await until(free);
            const { notes, seen, document, cache } = ctx.get("agent/1");
            const { left, right } = ctx.get("pair");
            return stop([notes, seen, document, cache === "restored with 2 notes", left === right]);
          });
      },
      reach: turn,
      result: '[["a","b"],Set{1n},"the document",true,true]',
    },
    twice: {
      build: (free) =>
        new Workflow("twice")
          .step("first", StartEvent, () => {
            const work = new Work({ n: 1 });
            return [work, work, new Work({ n: 1 })];
          })
          .step("last", all(Work, Work, Work), async ([one, two, three]) => {
            await until(free);
            return stop([one === two, two === three]);
          }),
      reach: turn,
      result: "[true,false]",
    },
    once: {
      build: (free) => {
        const calls = [];
        return new Workflow("once").step("first", StartEvent, async (_, ctx) => {
          for (const key of ["charge", "a/b %", ""]) {
            await ctx.once(key, () => {
              calls.push(key);
              return { key, at: new Date(0) };
            });
          }
          await until(free);
          await ctx.once("after", () => calls.push("after"));
          return stop([calls, await ctx.once("charge", () => "not again")]);
        });
      },
      reach: turn,
      result: '[["after"],{key:"charge",at:Date 1970-01-01T00:00:00.000Z}]',
    },
    sent: {
      build: (free) =>
        new Workflow("sent", { ...paid, state: { sum: 0 } })
          .step("first", StartEvent, async (_, ctx) => {
            ctx.state.update("sum", (sum) => sum + 1);
            ctx.sendEvent(new Work({ n: 1 }), { id: "work 1" });
            ctx.state.update("sum", (sum) => sum + 10);
            ctx.commit({ id: "ü/%" });
            await until(free);
            ctx.sendEvent(new Work({ n: 2 }), { id: "work 2" });
          })
          .step("work", Work, ({ n }, ctx) => ctx.state.update("sum", (sum) => sum + n * 100))
          .step("paid", Paid, ({ id }, ctx) => (id === "end" ? stop(ctx.state.get("sum")) : ctx.state.update("sum", (sum) => sum + 1000))),
      reach: (handler) => handler.send(new Paid({ id: "one" }), { id: "outside" }),
      finish: async (handler) => {
        await handler.send(new Paid({ id: "again" }), { id: "outside" });
        await turn();
        await handler.send(new Paid({ id: "end" }));
      },
      result: "1311",
    },
    session: {
      build: (free) =>
        new Workflow("session", { types, session: "live", sessionPausePolicy: "pickle_or_serialize" }).step("first", StartEvent, async (_, ctx) => {
          if (ctx.attempt === 1) {
            ctx.session.set("money", new Money(7n));
            ctx.session.set("plain/%", { map: new Map([[1, 2]]) });
          }
          await until(free);
          return stop([ctx.session.get("money"), ctx.session.get("plain/%")]);
        }),
      result: "[Money{cents:7n},{map:Map{1=>2}}]",
    },
    "session-dropped": {
      build: (free) =>
        new Workflow("session-dropped", { session: "live", sessionPausePolicy: "warn_drop" }).step("first", StartEvent, async (_, ctx) => {
          if (ctx.attempt === 1) for (const key of ["b", "a"]) ctx.session.set(key, () => key);
          await until(free);
          return stop([...ctx.session.keys()]);
        }),
      dropped: ["a", "b"],
      result: "[]",
    },
    aborted: {
      build: (free) =>
        new Workflow("aborted")
          .step("fan", StartEvent, () => works(5))
          .step("work", Work, { concurrency: 2 }, async ({ n }) => {
            if (n > 0) await never;
            return new Done({ n });
          })
          .step("first", collect(Done, { of: "fan", first: 1 }), async (done) => {
            await until(free);
            return new Note({ n: done[0].n });
          })
          .step("last", Note, { concurrency: 1 }, ({ n }) => stop(`won by ${n}`)),
      reach: turn,
      result: '"won by 0"',
    },
    events: {
      build: (free) =>
        new Workflow("events", { types })
          .step("first", StartEvent, () => new Work({ type2: "x", ...values() }))
          .step("last", Work, async (work) => {
            await until(free);
            return stop(Object.fromEntries(Object.entries(work).filter(([key]) => key !== "type")));
          }),
      result: () => tell({ type2: "x", ...values() }),
    },
    names: {
      build: (free) => {
        const Odd = class extends event('Öd/d %\u2028"type"') {};
        return new Workflow('nä/me "w" \\ %', { version: 3, external: [Paid], state: { "k\n": 1 } })
          .step("st/ep ü😀", StartEvent, () => [new Odd({ a: 1 }), new Odd({ a: 2 })])
          .step('"odd"\\', Odd, async ({ a }) => {
            await until(free || a === 1);
            return new Done({ a });
          })
          .step("collect/1", collect(Done, { of: "st/ep ü😀" }), (done) => stop(done.map(({ a }) => a)));
      },
      reach: turn,
      result: "[1,2]",
    },
    waiting: {
      build: () =>
        new Workflow("waiting", { ...paid, unhandledEvents: "stream" })
          .step("first", StartEvent, () => null)
          .step("paid", Paid, ({ id }, ctx) => stop([id, ctx.runId])),
      finish: pay,
      result: '["paid","golden"]',
    },
    stream: {
      build: () =>
        new Workflow("stream", paid)
          .step("first", StartEvent, async (_, ctx) => {
            for (const n of [1, 2, 3]) await ctx.writeEventToStream(new Note({ n }));
          })
          .step("paid", Paid, async ({ id }, ctx) => {
            await ctx.writeEventToStream(new Note({ id }));
            return stop(id);
          }),
      mode: "drain",
      finish: async (handler) => {
        await pay(handler);
        const { offset, event } = (await handler.stream().next()).value;
        if (offset !== 3 || event.id !== "paid") throw new Error(`the stream goes on at ${offset}`);
      },
      result: '"paid"',
    },
    requests: {
      build: () =>
        new Workflow("requests")
          .step("ask", StartEvent, () => [
            new InputRequestEvent({ prompt: "Pay?", id: "pay", metadata: { cents: 12n, due: new Date(0) }, answer: Decided }),
            new InputRequestEvent({ prompt: "Why?", id: "why" }),
            new InputRequestEvent({ prompt: "Who?", id: "who/ü %" }),
          ])
          .step("decided", Decided, ({ pay }) => new Done({ pay }))
          .step("heard", InputResponseEvent, ({ request, response }) => new Done({ asked: request.prompt, heard: response }))
          .step("all", collect(Done, { of: "ask" }), (done) => stop(done.map((one) => ({ ...one })))),
      reach: (handler) => handler.respond("why", { b: [1n], a: new Uint8Array([1, 2, 3]) }),
      mode: "drain",
      finish: async (handler) => {
        await handler.respond("why", { a: new Uint8Array([1, 2, 3]), b: [1n] });
        const other = await handler.respond("why", 1).catch(({ code }) => code);
        if (other !== "ALREADY_ANSWERED") throw new Error(`another answer gives ${other}`);
        const [pay, who] = handler.pendingInputs;
        await handler.respond(who.id, "Ada");
        await handler.respond(pay.id, { pay: pay.metadata });
      },
      result: () =>
        tell([{ pay: { cents: 12n, due: new Date(0) } }, { asked: "Why?", heard: { b: [1n], a: new Uint8Array([1, 2, 3]) } }, { asked: "Who?", heard: "Ada" }]),
    },
    answer: {
      build: () =>
        new Workflow("answer")
          .step("ask", StartEvent, () => new InputRequestEvent({ prompt: "Why?", id: "why" }))
          .step("heard", InputResponseEvent, ({ request, requestId, response }) => stop([request instanceof InputRequestEvent, requestId, response])),
      reach: async (handler) => {
        await handler.pause();
        await handler.respond("why", new Map([["because", -0]]));
      },
      mode: "drain",
      result: () => tell([true, "why", new Map([["because", -0]])]),
    },
    asking: {
      build: () =>
        new Workflow("asking").step("ask", StartEvent, async (_, ctx) => {
          const first = await ctx.requestInput({ prompt: "first", timeout: 1000 });
          const second = await ctx.requestInput({ prompt: "second", timeout: 1000 }).catch(({ code }) => code);
          const [third, fourth] = await Promise.all([
            ctx.requestInput({ prompt: "third", metadata: [1n], timeout: 1e12 }),
            ctx.requestInput({ prompt: "fourth" }),
          ]);
          return stop([first, second, third, fourth]);
        }),
      reach: async (handler, clock) => {
        await handler.respond(handler.pendingInputs[0].id, new Map([["answer", 1n]]));
        await turn();
        await clock.pass(1000);
      },
      finish: async (handler) => {
        const [third, fourth] = handler.pendingInputs;
        await handler.respond(fourth.id, "4");
        await handler.respond(third.id, third.metadata);
      },
      still: true,
      result: () => tell([new Map([["answer", 1n]]), "TIMEOUT", [1n], "4"]),
    },
    sleeping: {
      build: () =>
        new Workflow("sleeping", { timeout: 1e12 })
          .step("sleep", StartEvent, async (_, ctx) => {
            await ctx.sleep(1000);
            await Promise.all([ctx.sleep(5e11), ctx.sleepUntil(new Date("2026-02-01T00:00:00.500Z"))]);
            return new Done({ n: ctx.attempt });
          })
          .step("short", StartEvent, { timeout: 500 }, async (_, ctx) => {
            await ctx.sleep(86_400_000);
            return new Done({ n: 10 + ctx.attempt });
          })
          .step("both", all(Done, Done), (done) => stop(done.map(({ n }) => n))),
      reach: async (_, clock) => {
        await turn();
        await clock.pass(1000);
        await clock.pass(500);
      },
      result: "[12,2]",
    },
    delay: {
      build: (free) =>
        new Workflow("delay", { state: { n: 0 } })
          .step("fan", StartEvent, () => works(2))
          .step("work", Work, { retry: { maxAttempts: 4, initial: 1000 }, concurrency: 1 }, async ({ n }, ctx) => {
            const effect = await ctx.once("effect", () => `effect of ${n}`);
            ctx.state.update("n", (n) => n + 1);
            if (n === 0 && ctx.attempt < 3) throw new Error("boom");
            await until(free);
            return new Done({ said: [effect, ctx.attempt] });
          })
          .step("both", collect(Done, { of: "fan" }), (done, ctx) => stop([...done.map(({ said }) => said), ctx.state.get("n")])),
      reach: async (_, clock) => {
        await turn();
        await clock.pass(999);
      },
      result: '[["effect of 0",3],["effect of 1",2],2]',
    },
    failed: {
      build: (free) =>
        new Workflow("failed", { types })
          .step("fan", StartEvent, () => [...works(1), new Note({ key: 1 })])
          .step("join", all(Work, Note), { retry: { maxAttempts: 2, initial: 0 } }, async () => {
            throw errors()[0];
          })
          .step("failed", StepFailedEvent, async ({ step, attempts, event, error }) => {
            await until(free);
            return stop([step, attempts, event.map((one) => [one.type, one instanceof Work || one instanceof Note]), error]);
          }),
      // The second attempt comes by a timer.
      reach: async () => {
        await turn();
        await turn();
      },
      result: () =>
        tell([
          "join",
          2,
          [
            ["Work", true],
            ["Note", true],
          ],
          errors()[0],
        ]),
    },
    plain: {
      build: (free) =>
        new Workflow("plain")
          .step("first", "StartEvent", async () => {
            await until(free);
            return { type: "Plain", n: 1, list: [1] };
          })
          .step("last", "Plain", async (plain) => {
            await until(free);
            return { type: "StopEvent", result: [plain.type, plain.n, plain.list] };
          }),
      input: { n: 1, text: "the input" },
      result: '["Plain",1,[1]]',
    },
    children: {
      // One has ended, one runs, one asks, one waits for a place, and one for an event from outside.
      build: (free) => {
        const child = new Workflow("child", { state: { log: [] }, types, external: [Paid] })
          .step("fan", StartEvent, async ({ n }, ctx) => {
            ctx.state.set("log", [`began ${n}`, new Money(n)]);
            await ctx.sendEvent(new Note({ key: n }), { id: "note" });
            await ctx.once("effect", () => `effect of ${n}`);
            return [new Work({ n }), new Work({ n: n + 10 })];
          })
          .step("work", Work, { concurrency: 1 }, async ({ n }, ctx) => {
            if (n === 1) await until(free);
            if (n === 2) return new Done({ n: await ctx.requestInput({ prompt: "how many?" }) });
            return new Done({ n });
          })
          .step("note", Note, () => null)
          .step("paid", Paid, () => null)
          .step("all", collect(Done, { of: "fan" }), (done, ctx) => stop([done.map(({ n }) => n), ctx.state.get("log")]));
        return new Workflow("children", { types })
          .step("fan", StartEvent, () => works(4))
          .step("child", Work, { concurrency: 3 }, subworkflow(child, { input: ({ n }) => ({ n }), output: (result) => new Sum({ result }) }))
          .step("all", collect(Sum, { of: "fan" }), (sums) => stop(sums.map(({ result }) => result)));
      },
      reach: turn,
      finish: async (handler) => {
        await turn();
        const [pending] = handler.pendingInputs;
        await handler.respond(pending.id, 7);
      },
      result: () =>
        tell(
          [0, 1, 2, 3].map((n) => [
            [n === 2 ? 7 : n, n + 10],
            [`began ${n}`, new Money(n)],
          ]),
        ),
    },
    pipeline: {
      build: (free) => {
        const add = new Workflow("add").step("add", StartEvent, ({ n }) => stop({ n: n + 1 }));
        const slow = new Workflow("slow").step("slow", StartEvent, async ({ n }) => {
          await until(free);
          return stop({ n: n * 2 });
        });
        const fails = new Workflow("fails").step("fails", StartEvent, () => {
          // The error that the engine makes of it has no frames, which are of this build and machine.
          const { stackTraceLimit } = Error;
          Error.stackTraceLimit = 0;
          queueMicrotask(() => Object.assign(Error, { stackTraceLimit }));
          throw errors()[0];
        });
        const twice = new Pipeline("twice").stage("one", add).loop("more", slow, { until: ({ n }) => n > 10, max: 9 });
        return new Pipeline("pipeline", { types })
          .stage("first", add)
          .parallel("look", { ended: add, "failed/so": fails, on: twice }, { join: "settled" })
          .map("end", ({ ended, on, "failed/so": failed }, { input, results }) => [input, results.first, ended.value, on.value, failed.reason.cause.cause]);
      },
      reach: turn,
      input: { n: 1 },
      result: () => tell([{ n: 1 }, { n: 2 }, { n: 3 }, { n: 12 }, errors()[0].cause]),
    },
  };
}

/** Brings a run of a scenario to where it is stored. @returns its snapshot */
export async function reached({ build, input = {}, reach, mode = "now", restarts = 0 }) {
  const clock = new Clock(false);
  let handler = build(false).start(input, { runId: "golden", clock });
  if (reach !== undefined) await reach(handler, clock);
  let snapshot = await handler.pause({ mode });
  for (let round = 0; round < restarts; round++) {
    await handler.cancel(undefined, { grace: 0 });
    handler = build(false).resume(snapshot, { clock });
    await new Promise((resolve) => setTimeout(resolve, 0));
    snapshot = await handler.pause({ mode });
  }
  await handler.cancel(undefined, { grace: 0 });
  return snapshot;
}

/** What a run of a scenario ends with that goes on from a snapshot, in words. */
export async function finished({ build, finish, still = false }, snapshot) {
  const handler = build(true).resume(snapshot, { clock: new Clock(!still) });
  await finish?.(handler);
  return tell(await handler.result());
}

export const expected = ({ result }) => (typeof result === "function" ? result() : result);
