import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type Context, DefinitionError, event, type Handler, StartEvent, StopEvent, toSSE, Workflow } from "blazen";
import { afterEach, describe, expect, test } from "vitest";
import { deferred } from "./deferred";
import { type Message, messages } from "./messages";

class Token extends event("Token")<{ n: number }> {}
class Go extends event("Go") {}

const stop = (result?: unknown) => new StopEvent({ result });
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const only = (run: (ctx: Context) => unknown) => new Workflow("only", { external: [Go] }).step("only", StartEvent, async (_, ctx) => stop(await run(ctx)));
const tokens = async (ctx: Context, from: number, to: number) => {
  for (let n = from; n < to; n++) await ctx.writeEventToStream(new Token({ n }));
};
const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => from + at);

async function all(response: Response): Promise<Message[]> {
  const seen: Message[] = [];
  for await (const message of messages(response)) seen.push(message);
  return seen;
}
const request = (lastEventId?: string, signal?: AbortSignal) =>
  new Request("http://localhost/", {
    ...(lastEventId === undefined ? {} : { headers: { "last-event-id": lastEventId } }),
    ...(signal === undefined ? {} : { signal }),
  });

describe("the response (10.5)", () => {
  test("each item with its id, then the end with the status, and the headers of an event stream", async () => {
    const handler = only((ctx) => tokens(ctx, 0, 2)).start({}, { runId: "r" });
    const response = toSSE(handler, request());
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toEqual({
      "content-type": "text/event-stream",
      "cache-control": "no-cache, no-transform",
      "x-accel-buffering": "no",
    });
    const seen = await all(response);
    const epoch = seen[0]!.id!.split(":")[0];
    expect(epoch).toMatch(/^[0-9a-f]{8}$/);
    expect(seen).toEqual([
      { id: `${epoch}:0`, data: { offset: 0, event: { type: "Token", n: 0 }, path: [], runId: "r" } },
      { id: `${epoch}:1`, data: { offset: 1, event: { type: "Token", n: 1 }, path: [], runId: "r" } },
      { id: `${epoch}:2`, data: { offset: 2, event: { type: "blazen::StopEvent" }, path: [], runId: "r" } },
      { id: `${epoch}:3`, event: "end", data: { status: "completed" } },
    ]);
  });
  test("a failed and a cancelled run tell their error, once", async () => {
    const failing = only(async (ctx) => {
      await tokens(ctx, 0, 1);
      throw new RangeError("too far");
    }).start({});
    const seen = await all(toSSE(failing));
    expect(seen.map(({ event, data }) => event ?? data.offset)).toEqual([0, "end"]);
    const error = { code: "STEP_FAILED", message: expect.stringMatching(/step "only" failed: too far/) };
    expect(seen[1]!.data).toEqual({ status: "failed", error });
    // A client that has the last item may have missed the end; one that has the end needs nothing.
    expect((await all(toSSE(failing, request(seen[0]!.id)))).map(({ event }) => event)).toEqual(["end"]);
    expect(toSSE(failing, request(seen[1]!.id)).status).toBe(204);
    const cancelled = only(() => new Promise(() => {})).start({});
    const response = toSSE(cancelled);
    await cancelled.cancel("enough", { grace: 0 });
    expect(await all(response)).toMatchObject([{ event: "end", data: { status: "cancelled", error: { code: "CANCELLED" } } }]);
  });
  test("who has all of a run that is over gets 204, on which an EventSource stops", async () => {
    const handler = only((ctx) => tokens(ctx, 0, 2)).start({});
    const [, one, last, end] = await all(toSSE(handler));
    for (const { id } of [last!, end!]) {
      const response = toSSE(handler, request(id));
      expect([response.status, response.body]).toEqual([204, null]);
    }
    expect((await all(toSSE(handler, request(one!.id)))).map(({ id }) => id)).toEqual([last!.id, end!.id]);
  });
  test("an id of another epoch, or of no form, or of what is yet to come means the oldest item kept", async () => {
    const build = () =>
      new Workflow("epochs", { external: [Go] })
        .step("a", StartEvent, (_, ctx) => tokens(ctx, 0, 2))
        .step("b", Go, async (_, ctx) => {
          await tokens(ctx, 2, 4);
          return stop();
        });
    const first = build().start({});
    const snapshot = await first.pause();
    const resumed = [build().resume(snapshot), build().resume(snapshot)];
    for (const one of resumed) await one.send(new Go());
    const [here, there] = await Promise.all(resumed.map((one) => all(toSSE(one))));
    expect(here!.map(({ data }) => data.offset)).toEqual([2, 3, 4, undefined]);
    const epochs = [here!, there!].map(([message]) => message!.id!.split(":")[0]!);
    expect(epochs[0]).not.toBe(epochs[1]);
    for (const id of [there![1]!.id!, "", "x", `${epochs[0]}:`, `${epochs[0]}:-1`, `${epochs[0]}:1e1`, `${epochs[0]}:999`, `${epochs[0]}:3:4`]) {
      const again = await all(toSSE(resumed[0]!, request(id)));
      expect([id, ...again.map(({ data }) => data.offset)]).toEqual([id, 2, 3, 4, undefined]);
    }
    await first.cancel();
  });
  test("it holds nobody back, and tells what was lost", async () => {
    const goOn = deferred<void>();
    const handler = only(async (ctx) => {
      await tokens(ctx, 0, 1);
      await goOn.promise;
      await tokens(ctx, 1, 10);
      return 1;
    }).start({}, { streamRetention: 3 });
    const response = toSSE(handler);
    const seen = messages(response);
    expect((await seen.next()).value).toMatchObject({ data: { offset: 0 } });
    goOn.resolve();
    expect(await handler.result()).toBe(1);
    const rest: Message[] = [];
    for await (const message of seen) rest.push(message);
    expect(rest.map(({ event, data }) => [event, data.offset ?? data.dropped])).toEqual([
      ["dropped", 7],
      [undefined, 8],
      [undefined, 9],
      [undefined, 10],
      ["end", undefined],
    ]);
    const epoch = rest[1]!.id!.split(":")[0];
    expect((await all(toSSE(handler, request(`${epoch}:4`))))[0]).toEqual({ event: "dropped", data: { dropped: 3 } });
    // From the oldest on nothing is lost.
    expect((await all(toSSE(handler)))[0]).toMatchObject({ data: { offset: 8 } });
  });
  test("what JSON cannot carry is readable, and breaks nothing", async () => {
    class Odd extends event("Odd")<Record<string, unknown>> {}
    const loop: Record<string, unknown> = { a: 1 };
    loop["self"] = loop;
    const shared = { s: 1 };
    const deep: Record<string, unknown> = {};
    let at = deep;
    for (let level = 0; level < 100_000; level++) {
      at["in"] = {};
      at = at["in"] as Record<string, unknown>;
    }
    const values: [Record<string, unknown>, unknown][] = [
      [{ v: 12345678901234567890n }, { v: "12345678901234567890" }],
      [{ v: [Number.NaN, Number.POSITIVE_INFINITY] }, { v: ["NaN", "Infinity"] }],
      [{ v: new Map<unknown, unknown>([["a", new Set([1n])]]) }, { v: [["a", ["1"]]] }],
      [
        { v: new Uint8Array([1, 2, 255]), w: Buffer.from("hi"), x: new Uint8Array([3]).buffer },
        { v: "AQL/", w: "aGk=", x: "Aw==" },
      ],
      [{ v: loop }, { v: { a: 1, self: "[circular]" } }],
      [
        { v: shared, w: [shared, shared] },
        { v: { s: 1 }, w: [{ s: 1 }, { s: 1 }] },
      ],
      [
        { v: new Date(0), w: /a+/g, x: undefined },
        { v: "1970-01-01T00:00:00.000Z", w: "/a+/g" },
      ],
      [{ v: new RangeError("far", { cause: 1n }) }, { v: { name: "RangeError", message: "far", cause: "1" } }],
      [
        { v: function live() {}, w: Symbol("s") },
        { v: "[the function live]", w: "[a symbol]" },
      ],
      [{ v: "a\nb\r\n\u2028\ud800" }, { v: "a\nb\r\n\u2028\ud800" }],
      [{ v: { toJSON: () => "mine" } }, { v: "mine" }],
      [
        {
          v: {
            toJSON: () => {
              throw new Error("no");
            },
          },
        },
        { unreadable: "no" },
      ],
      [
        {
          v: {
            get bad() {
              throw new Error("bad");
            },
          },
        },
        { unreadable: "bad" },
      ],
      [{ v: deep }, { unreadable: expect.stringMatching(/stack/) }],
    ];
    const handler = only(async (ctx) => {
      for (const [fields] of values) await ctx.writeEventToStream(new Odd(fields));
    }).start({});
    const seen = await all(toSSE(handler));
    expect(seen.slice(0, -2).map(({ data }) => data.event)).toEqual(values.map(([, expected]) => ({ type: "Odd", ...(expected as object) })));
  });
  test("what is no handler is refused", () => {
    expect(() => toSSE({ stream: () => {} } as never)).toThrow(DefinitionError);
    expect(() => toSSE(undefined as never)).toThrow(/toSSE: the first argument is the handler of a run, not undefined/);
  });
});

describe("a client that goes", () => {
  const waits = () => new Workflow("waits", { external: [Go] }).step("a", StartEvent, (_, ctx) => tokens(ctx, 0, 1)).step("b", Go, () => stop(1));
  test("by cancelling the body: nothing is left that waits", async () => {
    const handler = waits().start({});
    const seen = messages(toSSE(handler));
    await seen.next();
    const asked = toSSE(handler).body!.getReader();
    await asked.read();
    const pending = asked.read();
    await asked.cancel();
    expect(await pending).toEqual({ value: undefined, done: true });
    await seen.return(undefined);
    await handler.send(new Go());
    expect(await handler.result()).toBe(1);
  });
  test.each([["before"], ["while it waits"], ["between two reads"]])("by its request's signal, %s: the body closes without an end", async (when) => {
    const handler = waits().start({});
    const aborter = new AbortController();
    if (when === "before") aborter.abort();
    const reader = toSSE(handler, request(undefined, aborter.signal)).body!.getReader();
    if (when !== "before") expect((await reader.read()).done).toBe(false);
    const read = when === "while it waits" ? reader.read() : undefined;
    await turn();
    aborter.abort();
    expect(await (read ?? reader.read())).toEqual({ value: undefined, done: true });
    await handler.send(new Go());
    expect(await handler.result()).toBe(1);
  });
});

describe("over HTTP", () => {
  let server: Server | undefined;
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
  });

  /** Serves a run's stream on a free port, as one does with node:http. */
  async function serve(handler: Handler): Promise<string> {
    server = createServer(async (incoming, outgoing) => {
      const gone = new AbortController();
      outgoing.on("close", () => gone.abort());
      const headers = Object.entries(incoming.headers).map(([name, value]) => [name, String(value)] as [string, string]);
      const response = toSSE(handler, new Request("http://localhost/", { headers, signal: gone.signal }));
      outgoing.writeHead(response.status, Object.fromEntries(response.headers));
      // Node would keep them back until there is a first item.
      outgoing.flushHeaders();
      for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) outgoing.write(chunk);
      outgoing.end();
    });
    await new Promise<void>((resolve) => server!.listen(0, resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  }

  test("a client that disconnects and reconnects misses nothing and gets nothing twice", async () => {
    const asked = deferred<void>();
    const handler = only(async (ctx) => {
      await asked.promise;
      for (let n = 0; n < 500; n++) {
        await ctx.writeEventToStream(new Token({ n }));
        if (n % 7 === 0) await turn();
      }
    }).start({});
    const url = await serve(handler);
    const seen: number[] = [];
    let lastId: string | undefined;
    let connections = 0;
    let status: unknown;
    while (status === undefined) {
      const response = await fetch(url, lastId === undefined ? {} : { headers: { "last-event-id": lastId } });
      asked.resolve();
      connections++;
      let left = 20 + connections;
      for await (const { event, id, data } of messages(response)) {
        lastId = id ?? lastId;
        if (event === "end") status = data.status;
        else seen.push(data.offset);
        if (--left === 0) break;
      }
    }
    expect(status).toBe("completed");
    expect(seen).toEqual(numbers(0, 501));
    expect(connections).toBeGreaterThan(5);
    expect((await fetch(url, { headers: { "last-event-id": lastId! } })).status).toBe(204);
  });
});
