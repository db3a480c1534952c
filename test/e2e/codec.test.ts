import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { codec, DecodeError, decode, type Encoded, encode, encodedEqual, encodeFields, NO_TYPES, Types } from "../../ts/src/codec";
import { DefinitionError, UnserializableError } from "../../ts/src/errors";

class Money {
  constructor(
    readonly cents: number,
    readonly note?: unknown,
  ) {}
}
class Pair {
  constructor(readonly both: unknown[]) {}
  static [Symbol.for("workflow-serialize")]({ both }: Pair) {
    return both;
  }
  static [Symbol.for("workflow-deserialize")](both: unknown[]) {
    return new Pair(both);
  }
}
class Agent {
  static readonly [Symbol.for("blazen.state")] = true;
  static readonly meta = {
    name: "Agent",
    version: 2,
    transient: ["cache"],
    storeBy: { vectors: { save: () => {}, load: () => null } },
    migrate: { 1: (old: object) => ({ ...old, added: "yes" }) },
  };
  [field: string]: unknown;
  cache = "fresh";
}
const money = codec(Money, { name: "Money", encode: ({ cents, note }) => ({ cents, note }), decode: ({ cents, note }) => new Money(cents, note) });
const types = new Types([money, codec(Pair, { name: "Pair" }), Agent]);

/** Through text and bytes, as a snapshot does. */
function moved({ tree, bytes }: Encoded): Encoded {
  return { tree: JSON.parse(JSON.stringify(tree)), bytes: bytes?.map((one) => Uint8Array.from(one)) };
}
// biome-ignore lint/suspicious/noExplicitAny: what comes back is what went in
const there = (value: unknown): any => {
  const encoded = encode(value, "state.x", types);
  const back = decode(moved(encoded), types);
  const again = encode(back, "state.x", types);
  expect(JSON.stringify(again.tree)).toBe(JSON.stringify(encoded.tree));
  expect(again.tree).toEqual(encoded.tree);
  expect(encodedEqual(again, encoded)).toBe(true);
  return back;
};
const refused = (value: unknown): UnserializableError => {
  try {
    encode(value, "state.x", types);
  } catch (error) {
    expect(error).toBeInstanceOf(UnserializableError);
    expect((error as Error).message.startsWith((error as UnserializableError).path.slice(0, 100))).toBe(true);
    return error as UnserializableError;
  }
  throw new Error("it was accepted");
};
/** An array with holes: items by index. */
const holes = (length: number, items: Record<number, unknown>): unknown[] => Object.assign(new Array(length), items);
const bytesOf = (view: ArrayBufferView) => [...new Uint8Array(view.buffer, view.byteOffset, view.byteLength)];

describe("round trips (6.2)", () => {
  const views = [Uint8Array, Uint8ClampedArray, Int8Array, Uint16Array, Int16Array, Uint32Array, Int32Array, Float32Array, Float64Array];
  const text = fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.constantFrom("$", "__proto__", "constructor", "0", "10", "toString", "then", ""));
  const { value } = fc.letrec((tie) => {
    const inner = tie("value");
    return {
      value: fc.oneof(
        { maxDepth: 5, depthSize: "small", withCrossShrink: true },
        fc.oneof(
          text,
          fc.constantFrom("\ud800", "a\udc00b", null, undefined, true, false, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 0),
          fc.double(),
          fc.integer(),
          fc.bigInt(),
          fc.date({ noInvalidDate: false }),
          fc.constantFrom(/a/, /[/]\n/giu, /(?<x>y)\1/dsy),
          fc.webUrl().map((url) => new URL(url)),
          fc.uint8Array().map((bytes) => bytes.buffer),
          fc.tuple(fc.constantFrom(...views), fc.uint8Array()).map(([View, bytes]) => new View(bytes)),
          fc.bigInt64Array(),
          fc.uint8Array().map((bytes) => new DataView(bytes.buffer, bytes.length >> 1)),
        ),
        fc.array(inner),
        fc.array(inner).map((items) => {
          const sparse: unknown[] = [];
          items.forEach((item, at) => {
            sparse[at * 3 + 1] = item;
          });
          sparse.length += 2;
          return sparse;
        }),
        fc.array(fc.tuple(text, inner)).map((entries) => Object.fromEntries(entries)),
        fc.array(fc.tuple(text, inner)).map((entries) => {
          const bare = Object.create(null);
          for (const [key, item] of entries) bare[key] = item;
          return bare;
        }),
        fc.array(fc.tuple(inner, inner)).map((entries) => new Map(entries)),
        fc.array(inner).map((items) => new Set(items)),
        fc
          .tuple(fc.constantFrom(Error, TypeError, RangeError), text, inner, inner)
          .map(([Type, message, cause, code]) => Object.assign(new Type(message, { cause }), { code, detail: [code] })),
        fc.tuple(text, fc.array(inner)).map(([message, errors]) => new AggregateError(errors, message)),
        fc.tuple(fc.integer(), inner).map(([cents, note]) => new Money(cents, note)),
        fc.array(inner).map((both) => new Pair(both)),
        fc
          .dictionary(
            text.filter((key) => !["vectors", "cache"].includes(key)),
            inner,
          )
          .map((given) => {
            const agent = new Agent();
            for (const [key, item] of Object.entries(given))
              Object.defineProperty(agent, key, { value: item, writable: true, enumerable: true, configurable: true });
            return agent;
          }),
      ),
    };
  });

  test("of every kind, nested", () => {
    fc.assert(
      fc.property(value, (one) => {
        expect(isDeepStrictEqual(there(one), one)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test("shared references and cycles", () => {
    fc.assert(
      fc.property(fc.array(value, { minLength: 1 }), fc.array(fc.tuple(fc.nat(), fc.nat())), (items, links) => {
        const parts = items.map((item) => ({ item, links: [] as unknown[], named: new Map<unknown, unknown>() }));
        for (const [from, to] of links) {
          const target = parts[to % parts.length]!;
          parts[from % parts.length]!.links.push(target, target.item);
          parts[to % parts.length]!.named.set(parts[from % parts.length], target.links);
        }
        const back = there(parts);
        expect(isDeepStrictEqual(back, parts)).toBe(true);
        for (const [from, to] of links) expect(back[from % parts.length].links.includes(back[to % parts.length])).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test("is a copy, both ways", () => {
    const value = { list: [1], bytes: Uint8Array.of(1) };
    const encoded = encode(value, "x", NO_TYPES);
    value.list.push(2);
    value.bytes[0] = 9;
    const first = decode(encoded, NO_TYPES) as typeof value;
    first.list.push(3);
    first.bytes[0] = 8;
    expect(decode(encoded, NO_TYPES)).toEqual({ list: [1], bytes: Uint8Array.of(1) });
  });

  test("key order, own __proto__, prototypes, a key $", () => {
    const value = JSON.parse('{"z":1,"__proto__":{"evil":[1]},"b":{"$":"ref","to":0},"10":2,"2":3}');
    const back = there(value);
    expect(Object.keys(back)).toEqual(["2", "10", "z", "__proto__", "b"]);
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype);
    expect(back.evil).toBeUndefined();
    expect(JSON.stringify(back)).toBe(JSON.stringify(value));
    expect(Object.getPrototypeOf(there(Object.create(null)))).toBe(null);
  });

  test("lone surrogates in strings", () => {
    expect(there(["\ud800", { a: "x\udfff" }, new Map([["\udc00", 1]])])).toEqual(["\ud800", { a: "x\udfff" }, new Map([["\udc00", 1]])]);
    expect(there("\ud800")).toBe("\ud800");
  });

  test("sparse arrays, also of billions", () => {
    const huge: unknown[] = [1];
    huge[4_000_000_000] = { a: undefined };
    const back = there(huge);
    expect(back.length).toBe(4_000_000_001);
    expect(Object.keys(back)).toEqual(["0", "4000000000"]);
    expect(isDeepStrictEqual(there(holes(4, { 0: undefined, 2: 3 })), holes(4, { 0: undefined, 2: 3 }))).toBe(true);
    expect(there(new Array(3)).length).toBe(3);
    expect(0 in there(new Array(3))).toBe(false);
  });

  test("a Date, a RegExp with its lastIndex", () => {
    const sticky = /a/gy;
    sticky.lastIndex = 4;
    const back = there({ sticky, never: new Date(Number.NaN), far: new Date(8.64e15), old: new Date(-8.64e15) });
    expect(back.sticky.lastIndex).toBe(4);
    expect(back.never.getTime()).toBeNaN();
    expect(back.far.getTime()).toBe(8.64e15);
    expect(back.old.getTime()).toBe(-8.64e15);
  });

  describe("views", () => {
    test("store their own bytes alone", () => {
      const large = new ArrayBuffer(1000);
      const encoded = encode(new Uint16Array(large, 500, 2), "x", NO_TYPES);
      expect(encoded.bytes!.map((one) => one.length)).toEqual([4]);
      expect((decode(encoded, NO_TYPES) as Uint16Array).buffer.byteLength).toBe(4);
    });
    test("that share a buffer share what both cover", () => {
      const large = new ArrayBuffer(1000);
      const value = { a: new Uint8Array(large, 99, 3), b: new Float64Array(large, 104, 2), c: new DataView(large, 101, 5) };
      value.b[0] = 1.5;
      const encoded = encode(value, "x", NO_TYPES);
      expect(encoded.bytes!.map((one) => one.length)).toEqual([24]);
      const back = there(value);
      expect(back.a.buffer).toBe(back.b.buffer);
      expect(back.c.buffer).toBe(back.b.buffer);
      expect(back.b[0]).toBe(1.5);
      back.a[2] = 7;
      expect(back.c.getUint8(0)).toBe(7);
    });
    test("of a buffer that is itself there share all of it", () => {
      const buffer = new ArrayBuffer(16);
      for (const value of [
        [buffer, new Uint8Array(buffer, 4, 4)],
        [new Uint8Array(buffer, 4, 4), buffer],
      ]) {
        const back = there(value);
        const [whole, view] = back[0] instanceof ArrayBuffer ? back : [back[1], back[0]];
        expect(view.buffer).toBe(whole);
        expect(whole.byteLength).toBe(16);
        expect(view.byteOffset).toBe(4);
      }
    });
    test("that are Node Buffers come back as Uint8Array, without what lies beside them in the pool", () => {
      const value = [Buffer.from("one"), Buffer.from("two")];
      const back = there(value);
      expect(encode(value, "x", NO_TYPES).bytes!.map((one) => one.length)).toEqual([3, 3]);
      expect(back.map((one: object) => Object.getPrototypeOf(one) === Uint8Array.prototype)).toEqual([true, true]);
      expect(Buffer.from(back[1]).toString()).toBe("two");
    });
    test("are decoded to copies of bytes that are Node Buffers too", () => {
      const { tree } = encode(Uint8Array.of(1, 2), "x", NO_TYPES);
      const bytes = Buffer.from([1, 2]);
      const back = decode({ tree, bytes: [bytes] }, NO_TYPES) as Uint8Array;
      bytes[0] = 9;
      expect(bytesOf(back)).toEqual([1, 2]);
      expect(back.buffer.byteLength).toBe(2);
    });
    test.skipIf(!("Float16Array" in globalThis))("of half floats, where there are any", () => {
      const { Float16Array } = globalThis as unknown as { Float16Array: new (items: number[]) => Float32Array };
      expect(there(new Float16Array([1.5, -2]))).toEqual(new Float16Array([1.5, -2]));
    });
    test("of no bytes, and of a resizable buffer as it is now", () => {
      expect(there(new Uint8Array(0)).length).toBe(0);
      expect(there([new Uint32Array(new ArrayBuffer(8), 8)])[0].length).toBe(0);
      const resizable = new (ArrayBuffer as unknown as new (length: number, options: object) => ArrayBuffer)(4, { maxByteLength: 8 });
      expect(there(new Uint8Array(resizable)).length).toBe(4);
    });
  });

  describe("errors", () => {
    test("keep name, message, stack, code, cause and own fields", () => {
      const error = Object.assign(new RangeError("far", { cause: new Map([[1, 2]]) }), { code: "E_FAR", at: [1], errors: 3 });
      const back = there(error);
      expect(back).toBeInstanceOf(RangeError);
      expect([back.name, back.message, back.stack, back.code, back.at, back.errors]).toEqual(["RangeError", "far", error.stack, "E_FAR", [1], 3]);
      expect(back.cause).toEqual(new Map([[1, 2]]));
      expect(Object.keys(back)).toEqual(["code", "at", "errors"]);
    });
    test("of an unlisted subclass come back as Error with its name", () => {
      class Odd extends TypeError {
        override name = "Odd";
        extra = 1n;
      }
      const back = there(new Odd("x"));
      expect(Object.getPrototypeOf(back)).toBe(Error.prototype);
      expect([back.name, back.message, back.extra, Object.keys(back)]).toEqual(["Odd", "x", 1n, ["extra"]]);
      const abort = there(new DOMException("gone", "AbortError"));
      expect([abort.name, abort.message, abort.code]).toEqual(["AbortError", "gone", 20]);
    });
    test("an AggregateError with its errors, an error that is its own cause, an undefined cause", () => {
      const back = there(new AggregateError([new Error("a"), 1], "many"));
      expect([back.message, back.errors[0].message, back.errors[1], Object.keys(back)]).toEqual(["many", "a", 1, []]);
      const loop = new Error("loop");
      loop.cause = loop;
      expect(there(loop).cause.cause.message).toBe("loop");
      expect(Object.hasOwn(there(new Error("x", { cause: undefined })), "cause")).toBe(true);
      expect(Object.hasOwn(there(new Error("x")), "cause")).toBe(false);
    });
  });

  test("numbers go by the order in which a reader meets objects", () => {
    const shared = { a: 1 };
    const error = Object.assign(new Error("x", { cause: [shared] }), { z: [[]], 1: shared, code: [shared] });
    Object.defineProperty(error, "message", { value: { shared } });
    Object.defineProperty(error, "name", { value: [0] });
    const back = there({ error, again: [shared, error] });
    expect(back.again[1]).toBe(back.error);
    for (const one of [back.error.cause[0], back.error[1], back.error.message.shared, back.error.code[0]]) expect(one).toBe(back.again[0]);
    expect(back.error.name).toEqual([0]);
  });

  test("accessors are read once, symbol keys and an array's named properties left out", () => {
    let reads = 0;
    const once = (target: object, key: string | number) => Object.defineProperty(target, key, { enumerable: true, get: () => [reads++] });
    const value = {
      plain: once({ [Symbol("no")]: () => {} }, "a"),
      list: once([1, 2], 1),
      holes: once(holes(4, { 0: 0, 3: 4 }), 0),
      bare: once(Object.create(null), "a"),
      error: once(new Error("x"), "own"),
      agent: once(new Agent(), "own"),
      named: Object.assign([1], { extra: () => {}, [Symbol("no")]: 1 }),
    };
    const back = decode(moved(encode(value, "x", types)), types) as typeof value;
    expect(reads).toBe(6);
    expect(back.plain).toEqual({ a: [0] });
    expect(Reflect.ownKeys(back.plain)).toEqual(["a"]);
    expect(back.list).toEqual([1, [1]]);
    expect(Reflect.ownKeys(back.named)).toEqual(["0", "length"]);
  });

  test("a proxy is stored as what it looks like", () => {
    expect(there(new Proxy({ a: [1] }, {}))).toEqual({ a: [1] });
    expect(there(new Proxy([1, 2], {}))).toEqual([1, 2]);
    const backwards = new Proxy(holes(3, { 1: "a", 2: "b" }), { ownKeys: () => ["length", "2", "1"] });
    expect(isDeepStrictEqual(there(backwards), holes(3, { 1: "a", 2: "b" }))).toBe(true);
  });

  test("encodeFields takes any object's own fields as those of a plain one", () => {
    class Event {
      constructor(readonly name: unknown) {}
      get type() {
        return "Event";
      }
    }
    const shared = { a: 1 };
    expect(decode(moved(encodeFields(new Event([shared, shared]), "events[Event]", NO_TYPES)), NO_TYPES)).toEqual({ name: [shared, shared] });
    const error = (() => {
      try {
        encodeFields(new Event({ socket: new Event(1) }), "events[Event]", NO_TYPES);
      } catch (error) {
        return error as UnserializableError;
      }
    })();
    expect(error?.path).toBe("events[Event].name.socket");
  });

  test("1,000 levels, not 1,001", () => {
    const nested = (levels: number, wrap: (inner: unknown) => unknown) => {
      let value: unknown = "core";
      for (let level = 0; level < levels; level++) value = wrap(value);
      return value;
    };
    const cause = (inner: unknown) => Object.assign(new Error("x"), { inner });
    const wraps: [string, (inner: unknown) => unknown][] = [
      [".a", (a) => ({ a })],
      ["[0]", (a) => [a]],
      ['.get("k")', (a) => new Map([["k", a]])],
      [".keys()[0]", (a) => new Map([[a, 1]])],
      [".values()[0]", (a) => new Set([a])],
      [".inner", cause],
      [".note", (a) => new Money(1, a)],
      [".x", (a) => Object.assign(new Agent(), { x: a })],
      [".$", ($) => ({ $ })],
    ];
    for (const [segment, wrap] of wraps) {
      const most = segment === ".note" ? 500 : 1000; // encode gives an object of its own
      there(nested(most, wrap));
      const error = refused(nested(most + 1, wrap));
      expect(error.path).toBe(`state.x${segment.repeat(most)}`);
      expect(error.message).toContain("1,000 levels");
      expect(error.message.length).toBeLessThan(500);
    }
  });

  test("a million numbers take no time", () => {
    const numbers = Array.from({ length: 1_000_000 }, (_, at) => at / 3);
    const start = performance.now();
    expect((decode(encode(numbers, "x", NO_TYPES), NO_TYPES) as number[])[999_999]).toBe(333_333);
    expect(performance.now() - start).toBeLessThan(2000);
  });
});

describe("refusals name the path", () => {
  class Unlisted {}
  class Sub extends Money {}
  class MyMap extends Map {}
  class MyArray extends Array {}
  const detached = new ArrayBuffer(4);
  structuredClone(detached, { transfer: [detached] });
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const cases: [string, unknown, string][] = [
    ["a function", () => {}, "a function cannot be stored"],
    ["a symbol", Symbol("x"), "a symbol"],
    ["an unlisted class", new Unlisted(), "an instance of Unlisted"],
    ["a subclass of a listed class", new Sub(1), "an instance of Sub"],
    ["a subclass of Map", new MyMap(), "an instance of MyMap"],
    ["a subclass of Array", new MyArray(), "an array"],
    ["a WeakMap", new WeakMap(), "WeakMap"],
    ["a Promise", Promise.resolve(), "Await it"],
    ["a boxed number", Object(1), "an instance of Number"],
    ["a boxed string", Object("s"), "an instance of String"],
    ["a SharedArrayBuffer", new SharedArrayBuffer(1), "SharedArrayBuffer"],
    ["a view of one", new Uint8Array(new SharedArrayBuffer(1)), "SharedArrayBuffer"],
    ["a detached buffer", detached, "transferred"],
    ["a proxy of a Map", new Proxy(new Map(), {}), "could not be read"],
    ["a revoked proxy", revoked.proxy, "could not be read"],
    ["what only looks like a Date", Object.create(Date.prototype), "could not be read"],
    ["a generator", (function* () {})(), "cannot be stored"],
  ];
  test.each(cases)("%s", (_, value, message) => {
    expect(refused(value).path).toBe("state.x");
    const error = refused({ customer: { list: [{ ok: 1, socket: value }] } });
    expect(error.path).toBe("state.x.customer.list[0].socket");
    expect(error.message).toContain(message);
    expect(refused({ "odd key": holes(2, { 1: value }) }).path).toBe('state.x["odd key"][1]');
    expect(refused([new Map<unknown, unknown>([["k", { deep: value }]])]).path).toBe('state.x[0].get("k").deep');
    expect(refused(new Map<unknown, unknown>([[1, value]])).path).toBe("state.x.get(1)");
    expect(refused(new Map<unknown, unknown>([[{}, value]])).path).toBe("state.x.values()[0]");
    expect(refused(new Map<unknown, unknown>([[value, 1]])).path).toBe("state.x.keys()[0]");
    expect(refused(new Set<unknown>([1, value])).path).toBe("state.x.values()[1]");
    expect(refused(new Error("x", { cause: [value] })).path).toBe("state.x.cause[0]");
    expect(refused(Object.assign(new Error("x"), { own: value })).path).toBe("state.x.own");
    expect(refused(new AggregateError([value])).path).toBe("state.x.errors[0]");
    expect(refused([new Money(1, value)]).path).toBe("state.x[0].note");
    expect(refused([Object.assign(new Agent(), { own: value })]).path).toBe("state.x[0].own");
  });

  test("a key that is not well-formed", () => {
    for (const value of [{ a: { "\ud800": 1 } }, { a: Object.assign(new Error("x"), { "\ud800": 1 }) }, { a: Object.assign(new Agent(), { "\ud800": 1 }) }])
      expect(refused(value).path).toBe('state.x.a["\\ud800"]');
  });

  test("an accessor, an encode that throws", () => {
    const cause = new Error("no");
    const throwing = (target: object, key: string | number) =>
      Object.defineProperty(target, key, {
        enumerable: true,
        get() {
          throw cause;
        },
      });
    for (const [target, path] of [
      [throwing({ ok: 1 }, "bad"), "state.x[0].bad"],
      [throwing([1, 2], 1), "state.x[0][1]"],
      [throwing(holes(3, { 0: 1, 2: 3 }), 2), "state.x[0][2]"],
      [throwing(new Error("x"), "bad"), "state.x[0].bad"],
      [throwing(new Error("x"), "message"), "state.x[0].message"],
      [throwing(new Agent(), "bad"), "state.x[0].bad"],
    ] as const) {
      const error = refused([target]);
      expect([error.path, error.cause]).toEqual([path, cause]);
    }
    class Bad {}
    const bad = new Types([
      codec(Bad, {
        name: "Bad",
        encode() {
          throw cause;
        },
        decode: () => new Bad(),
      }),
    ]);
    expect(() => encode({ a: new Bad() }, "state.x", bad)).toThrow(expect.objectContaining({ path: "state.x.a", cause }));
  });

  test("a BlazenState that is not listed, or has a field with a store", () => {
    expect(() => encode([new Agent()], "x", NO_TYPES)).toThrow(expect.objectContaining({ path: "x[0]", message: expect.stringContaining("types: [Agent]") }));
    const error = refused({ a: Object.assign(new Agent(), { vectors: [1] }) });
    expect(error.path).toBe("state.x.a.vectors");
    expect(error.message).toContain("storeBy works for a state set under a key of its own");
  });

  test("a cycle through an instance with a codec, however long", () => {
    const own = new Pair([]);
    own.both.push(own);
    expect(refused([own]).path).toBe("state.x[0][0]");
    const around: Record<string, unknown> = {};
    around["m"] = new Money(1, { back: around });
    expect(refused(around).path).toBe("state.x.m.note.back");
    expect(refused(around).message).toContain("cycle");
    // The way back leads over an object that is stored already.
    const root: Record<string, unknown> = {};
    root["first"] = { second: { root } };
    root["m"] = new Money(1, (root["first"] as { second: unknown }).second);
    expect(refused(root).path).toBe("state.x.m.note");
    // No cycle: shared, and shared with what is a cycle of its own.
    const loop: Record<string, unknown> = {};
    loop["loop"] = { loop };
    const shared = new Money(1, loop);
    const back = there({ loop, shared, again: [shared, new Money(2, loop["loop"])] });
    expect(back.again[0]).toBe(back.shared);
    expect(back.shared.note).toBe(back.loop);
    expect(back.again[1].note.loop).toBe(back.loop);
  });

  test("a cycle through a BlazenState is none of these", () => {
    const agent = new Agent();
    agent["self"] = [agent];
    const back = there(agent);
    expect(back.self[0]).toBe(back);
  });
});

describe("BlazenState (8.1)", () => {
  test("comes back as an instance without its transient fields, inner ones told first", () => {
    const value = Object.assign(new Agent(), { cache: "used", inner: Object.assign(new Agent(), { name: "inner" }), name: "outer" });
    const told: unknown[] = [];
    const back = decode(moved(encode(value, "x", types)), types, (state) => told.push((state as Agent)["name"])) as typeof value;
    expect(back).toBeInstanceOf(Agent);
    expect(back.cache).toBe("fresh");
    expect(told).toEqual(["inner", "outer"]);
  });
  test("goes through its migrations (8.4)", () => {
    const stored = (version: number) => ({ tree: { $: "state", name: "Agent", version, fields: { a: 1, cache: "old" } }, bytes: undefined });
    expect(decode(stored(1), types)).toEqual(Object.assign(new Agent(), { a: 1, added: "yes", cache: "fresh" }));
    expect(() => decode(stored(0), types)).toThrow(/no entry 0 on the way to version 2/);
    expect(() => decode(stored(3), types)).toThrow(/newer/);
  });
});

describe("types", () => {
  test("refuses bad entries", () => {
    class Other {}
    const how = { name: "Other", encode: () => 1, decode: () => new Other() };
    for (const [list, message] of [
      [[money, money], /two classes are named "Money"/],
      [[money, codec(Money, { ...how, decode: () => new Money(1) } as never)], /listed twice/],
      [[Other], /Give the class a codec/],
      [[{}], /types\[0\]/],
      [{}, /array/],
      [[Object.assign(class {}, { [Symbol.for("blazen.state")]: true })], /no static meta/],
      [[Object.assign(class {}, { [Symbol.for("blazen.state")]: true, meta: { name: "" } })], /name/],
      [[Object.assign(class {}, { [Symbol.for("blazen.state")]: true, meta: { name: "V", version: 1.5 } })], /version/],
    ] as const)
      expect(() => new Types(list as never)).toThrow(expect.objectContaining({ constructor: DefinitionError, message: expect.stringMatching(message) }));
    for (const make of [
      () => codec(Other, { name: "Other" }),
      () => codec(Other, { ...how, name: "" }),
      () => codec(Other, { ...how, name: "\ud800" }),
      () => codec(Other, { name: "Other", encode: () => 1 }),
      () => codec(Other, undefined as never),
      () => codec({} as never, how),
      () => codec(Map, how as never),
      () => codec(Agent, how as never),
    ])
      expect(make).toThrow(DefinitionError);
  });
  test("knows its instances", () => {
    expect([new Money(1), new Agent(), {}, null, 1, new (class extends Money {})(1)].map((one) => types.lists(one))).toEqual([
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
  });
});

test("encodedEqual tells apart what differs", () => {
  const equal = (a: unknown, b: unknown, anyOrder?: boolean) => encodedEqual(encode(a, "x", types), encode(b, "x", types), anyOrder);
  const all = [
    0,
    -0,
    "",
    "0",
    null,
    undefined,
    [],
    {},
    [0],
    { a: 1 },
    { a: 2 },
    { b: 1 },
    { a: 1, b: 1 },
    { b: 1, a: 1 },
    Uint8Array.of(1),
    Uint8Array.of(2),
    Int8Array.of(1),
    Uint8Array.of(1, 1),
    1n,
    new Map(),
    new Set(),
  ];
  for (const a of all) for (const b of all) expect(equal(a, b)).toBe(a === b && Object.is(a, b));
  expect(equal({ a: [{ x: 1, y: 2 }], b: 1 }, { b: 1, a: [{ y: 2, x: 1 }] }, true)).toBe(true);
  expect(equal({ a: 1, b: 1 }, { a: 1, c: 1 }, true)).toBe(false);
});

describe("hostile trees are refused whole", () => {
  const bytes = [new Uint8Array(8)];
  const nested = (levels: number) => JSON.parse(`${"[".repeat(levels)}${"]".repeat(levels)}`);
  const trees: unknown[] = [
    { $: "nothing" },
    { $: 1 },
    { a: 1, $: "map" },
    nested(1001),
    nested(100_000),
    { $: "number", value: 1 },
    { $: "number", value: "1" },
    { $: "bigint", value: "0x10" },
    { $: "bigint", value: "-0" },
    { $: "bigint", value: 1 },
    { $: "date", value: "yesterday" },
    { $: "date", value: "2020" },
    { $: "date" },
    { $: "regexp", source: "(", flags: "" },
    { $: "regexp", source: "a", flags: "gg" },
    { $: "regexp", source: "a", flags: "g", lastIndex: -1 },
    { $: "url", href: "no" },
    { $: "map", entries: [1] },
    { $: "map", entries: [1, 2, 1, 3] },
    { $: "map", entries: { length: 2 } },
    { $: "set", items: [1, 1] },
    { $: "sparse", length: 2 ** 32, items: [] },
    { $: "sparse", length: -1, items: [] },
    { $: "sparse", length: 2, items: [2, 1] },
    { $: "sparse", length: 2, items: [1, 1, 0, 1] },
    { $: "sparse", length: 2, items: [0.5, 1] },
    { $: "sparse", length: 2, items: ["0", 1] },
    { $: "dict", fields: [] },
    { $: "dict" },
    { $: "object", fields: null },
    { $: "buffer", bytes: 1 },
    { $: "buffer", bytes: -1 },
    { $: "buffer", bytes: "length" },
    { $: "view", type: "Uint8Array", bytes: 0, offset: 0, length: 9 },
    { $: "view", type: "Uint8Array", bytes: 0, offset: 9, length: 0 },
    { $: "view", type: "Float64Array", bytes: 0, offset: 4, length: 0 },
    { $: "view", type: "Uint16Array", bytes: 0, offset: 0, length: 5 },
    { $: "view", type: "DataView", bytes: 0, offset: 4, length: 5 },
    { $: "view", type: "Function", bytes: 0, offset: 0, length: 1 },
    { $: "view", type: "__proto__", bytes: 0, offset: 0, length: 1 },
    { $: "error", type: "Function", fields: {} },
    { $: "error", type: "Error", name: 1, fields: {} },
    { $: "error", type: "Error" },
    { $: "class", name: "Nobody", value: 1 },
    { $: "class", name: "Agent", value: 1 },
    { $: "class", name: "Money", value: null },
    { $: "state", name: "Money", version: 1, fields: {} },
    { $: "state", name: "Agent", version: "1", fields: {} },
    { $: "state", name: "Agent", version: 2, fields: 1 },
    { $: "ref", to: 0 },
    { $: "graph", value: { $: "ref", to: 0 } },
    { $: "graph", value: [{ $: "ref", to: 1 }] },
    { $: "graph", value: [{ $: "ref", to: "0" }] },
    { $: "graph", value: { $: "class", name: "Pair", value: [{ $: "ref", to: 0 }] } },
    { $: "graph" },
    [{ $: "graph", value: 1 }],
  ];
  test.each(trees.map((tree, at) => [at < 3 || at > 4 ? JSON.stringify(tree) : "deep nesting", tree]))("%s", (_, tree) => {
    let told = 0;
    const wrapped = [{ $: "state", name: "Agent", version: 2, fields: {} }, tree];
    expect(() => decode({ tree, bytes }, types)).toThrow(DecodeError);
    expect(() => decode({ tree: wrapped, bytes }, types, () => told++)).toThrow(DecodeError);
    expect(told).toBe(0);
  });

  test("no prototype is touched", () => {
    const polluted = '{"__proto__":{"polluted":1}}';
    for (const tree of [
      polluted,
      `{"$":"object","fields":${polluted}}`,
      `{"$":"dict","fields":${polluted}}`,
      `{"$":"error","type":"Error","fields":${polluted}}`,
      `{"$":"state","name":"Agent","version":1,"fields":${polluted}}`,
    ]) {
      const back = decode({ tree: JSON.parse(tree), bytes: undefined }, types) as Record<string, unknown>;
      expect(back["polluted"]).toBeUndefined();
      expect(Object.hasOwn(back, "__proto__")).toBe(true);
      expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
    }
  });

  test("a length takes no memory", () => {
    const before = process.memoryUsage().heapUsed;
    const kept = decode(
      { tree: Array.from({ length: 100 }, () => ({ $: "sparse", length: 30_000_000, items: [0, 1] })), bytes: undefined },
      NO_TYPES,
    ) as unknown[][];
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(50_000_000);
    expect(kept.every(({ length }) => length === 30_000_000)).toBe(true);
  });

  test("any JSON is refused or taken, never otherwise", () => {
    const kinds = [
      "undefined",
      "number",
      "bigint",
      "ref",
      "object",
      "dict",
      "sparse",
      "date",
      "regexp",
      "url",
      "buffer",
      "view",
      "map",
      "set",
      "error",
      "class",
      "state",
      "graph",
    ];
    const names = [
      "value",
      "to",
      "fields",
      "length",
      "items",
      "entries",
      "source",
      "flags",
      "href",
      "bytes",
      "type",
      "offset",
      "name",
      "message",
      "version",
      "cause",
    ];
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom(0, 1, 2, -1, "Money", "Agent", "Error", "Uint8Array", "", "g", null, "NaN"),
        fc.array(tie("tree"), { maxLength: 4 }),
        fc.dictionary(fc.constantFrom(...names), tie("tree")),
        fc.tuple(fc.constantFrom(...kinds), fc.dictionary(fc.constantFrom(...names), tie("tree"))).map(([$, rest]) => ({ $, ...rest })),
      ),
    }));
    fc.assert(
      fc.property(tree, (one) => {
        try {
          decode({ tree: one, bytes }, types);
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe("docs/format.md", () => {
  const chapter = readFileSync(new URL("../../docs/format.md", import.meta.url), "utf8").split("\n## ")[1]!;
  class AgentState {
    turns = 0;
    static readonly [Symbol.for("blazen.state")] = true;
    static readonly meta = { name: "AgentState" };
  }
  const listed = new Types([money, AgentState]);

  test("numbers every kind", () => {
    const numbered = [...chapter.matchAll(/^### (\d+)\. (.*)$/gm)].map(([, number, name]) => [Number(number), name!.replaceAll("`", "")] as const);
    expect(numbered.map(([number]) => number)).toEqual(numbered.map((_, at) => at + 1));
    const source = ["encode", "flat", "buffers", "kinds"]
      .map((file) => readFileSync(new URL(`../../ts/src/codec/${file}.ts`, import.meta.url), "utf8"))
      .join("");
    const kinds = new Set([...source.matchAll(/\$: "([a-z]+)"/g)].map(([, kind]) => kind!));
    expect(numbered.map(([, name]) => name).sort()).toEqual(["JSON values", ...kinds].sort());
  });
  test.each([...chapter.matchAll(/```json\n([\s\S]*?)```/g)].map(([, json]) => [json!.slice(0, 60), json!]))("%s", (_, json) => {
    const encoded = { tree: JSON.parse(json), bytes: json.includes('"bytes"') ? [new Uint8Array(8)] : undefined };
    const again = encode(decode(encoded, listed), "x", listed);
    expect(JSON.stringify(again.tree)).toBe(JSON.stringify(encoded.tree));
    expect(encodedEqual(again, encoded)).toBe(true);
  });
});
