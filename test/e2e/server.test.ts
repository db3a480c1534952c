// The example server over HTTP.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
// @ts-expect-error the example is plain JavaScript
import { listener } from "../../examples/server/listener.mjs";
// @ts-expect-error
import { auditServer } from "../../examples/server/server.mjs";
import { deferred } from "./deferred";
import { type Message, messages } from "./messages";

const FILES = 30;
let base = "";
beforeAll(() => {
  base = mkdtempSync(join(tmpdir(), "blazen-server-"));
  for (const folder of ["root/docs", "root-beside"]) mkdirSync(join(base, folder), { recursive: true });
  for (let at = 0; at < FILES; at++) writeFileSync(join(base, `root/docs/${at}.md`), `# Part ${at}\n\n[next](${at + 1}.md)\n`);
  symlinkSync(base, join(base, "root/out"), "junction");
});
afterAll(() => rmSync(base, { recursive: true, force: true }));

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});
async function listen(made: Server): Promise<string> {
  server = made;
  await new Promise<void>((resolve) => made.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(made.address() as AddressInfo).port}`;
}
const serve = (options: object = {}) => listen(auditServer({ root: join(base, "root"), ...options }));

const post = (url: string, body?: unknown) =>
  fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: typeof body === "string" ? body : JSON.stringify(body ?? {}) });
/** Starts an audit; @returns the address of its run */
async function start(url: string): Promise<string> {
  const response = await post(`${url}/runs`, { folder: "docs" });
  expect(response.status).toBe(201);
  const { runId } = await response.json();
  expect(response.headers.get("location")).toBe(`/runs/${runId}`);
  return `${url}/runs/${runId}`;
}
const follow = (run: string, lastEventId?: string) =>
  fetch(`${run}/events`, lastEventId === undefined ? {} : { headers: { "last-event-id": lastEventId } }).then(messages);
/** The messages up to the first that is asked for, that one included. */
async function until(stream: AsyncIterable<Message>, wanted: (message: Message) => boolean): Promise<Message[]> {
  const seen: Message[] = [];
  for await (const message of stream) {
    seen.push(message);
    if (wanted(message)) return seen;
  }
  return seen;
}
const asks = ({ data }: Message) => data.event?.type === "blazen::InputRequestEvent";
const never = () => false;
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const waiting = async (run: string) => {
  await until(await follow(run), asks);
  return (await (await fetch(run)).json()).pendingInputs[0];
};
const answer = (run: string, write: unknown, requestId: unknown = "approve/report") => post(`${run}/answers`, { requestId, response: { write } });
const refusal = async (response: Response) => [response.status, (await response.json()).code];

describe("a run", () => {
  test("tells each file, asks, takes the answer and gives the report", async () => {
    const run = await start(await serve());
    const stream = await follow(run);
    const seen = await until(stream, asks);
    const files = seen.map(({ data }) => data.event).filter(({ type }) => type === "FileChecked");
    expect(files.map(({ path }) => path).sort()).toEqual(Array.from({ length: FILES }, (_, at) => `${at}.md`).sort());
    expect(files.map(({ checked, total }) => [checked, total])).toEqual(files.map((_, at) => [at + 1, FILES]));
    expect(await (await fetch(run)).json()).toEqual({
      runId: run.split("/").at(-1),
      status: "waiting",
      pendingInputs: [
        expect.objectContaining({
          id: "approve/report",
          path: ["approve"],
          prompt: "Write the report?",
          metadata: { summary: "30 files, 120 words, 1 finding in 1 file" },
        }),
      ],
    });
    expect((await answer(run, "yes")).status).toBe(204);
    const again = await until(await follow(run), never);
    expect(again.slice(0, seen.length)).toEqual(seen);
    const [stop, end] = again.slice(-2);
    expect(stop!.data.event).toMatchObject({ type: "blazen::StopEvent", result: expect.stringContaining("# Audit of docs\n") });
    expect(end).toMatchObject({ event: "end", data: { status: "completed" } });
    expect((await fetch(`${run}/events`, { headers: { "last-event-id": end!.id! } })).status).toBe(204);
  });
  test("a client that reconnects misses nothing and gets nothing twice", async () => {
    const half = deferred<void>();
    let read = 0;
    const run = await start(await serve({ onRead: () => (++read > FILES / 2 ? half.promise : undefined) }));
    const before = await until(await follow(run), ({ data }) => data.event.checked === FILES / 2);
    half.resolve();
    const after = await until(await follow(run, before.at(-1)!.id), asks);
    const seen = [...before, ...after];
    expect(seen.map(({ data }) => data.offset)).toEqual(seen.map((_, at) => at));
    expect(seen.filter(({ data }) => data.event.type === "FileChecked")).toHaveLength(FILES);
  });
  test("is cancelled, with the report of what stopped and what did not", async () => {
    const full = deferred<void>();
    let reading = 0;
    const onRead = () => {
      if (++reading === 8) full.resolve();
      return new Promise(() => {});
    };
    const run = await start(await serve({ onRead }));
    const stream = await follow(run);
    await full.promise;
    const report = await (await post(`${run}/cancel`)).json();
    expect(report.ignored).toEqual(Array(8).fill("check"));
    expect((await until(stream, never)).at(-1)).toMatchObject({ event: "end", data: { status: "cancelled", error: { code: "CANCELLED" } } });
    expect(await (await fetch(run)).json()).toMatchObject({ status: "cancelled", pendingInputs: [] });
    expect(await (await post(`${run}/cancel`)).json()).toEqual(report);
  });
});

describe("an answer", () => {
  test("that is refused leaves the question", async () => {
    const run = await start(await serve());
    expect(await waiting(run)).toBeDefined();
    const response = await answer(run, "perhaps");
    expect([response.status, await response.json()]).toEqual([
      400,
      { code: "INVALID_RESPONSE", path: "write", message: expect.stringContaining('answer "yes" or "no"') },
    ]);
    for (const odd of [undefined, 7, { requestId: "report" }])
      expect(await refusal(await answer(run, "yes", odd ?? "nowhere"))).toEqual([404, "UNKNOWN_REQUEST"]);
    expect((await waiting(run)).id).toBe("approve/report");
  });
  test("two at once: equal ones are one, of different ones the first counts", async () => {
    const url = await serve();
    const same = await start(url);
    await waiting(same);
    expect((await Promise.all([answer(same, "yes"), answer(same, "yes")])).map(({ status }) => status)).toEqual([204, 204]);
    const other = await start(url);
    await waiting(other);
    const both = await Promise.all([answer(other, "yes"), answer(other, "no")]);
    expect(both.map(({ status }) => status).sort()).toEqual([204, 409]);
    const late = both.find(({ status }) => status === 409)!;
    expect((await late.json()).code).toBe("ALREADY_ANSWERED");
  });
  test("to a run that was cancelled", async () => {
    const run = await start(await serve());
    await waiting(run);
    await post(`${run}/cancel`);
    expect(await refusal(await answer(run, "yes"))).toEqual([410, "RUN_OVER"]);
  });
});

describe("what is refused", () => {
  test("folders that are not below the root, all with the same answer", async () => {
    const url = await serve();
    for (const folder of ["..", "../root-beside", base, "/", "out", "out/root-beside", "nowhere", "docs/1.md", "a\0b", "", undefined, 7]) {
      const response = await post(`${url}/runs`, { folder });
      const { code } = await response.json();
      // The root itself is below the root.
      expect([folder, response.status, code]).toEqual(folder === "" ? ["", 201, undefined] : [folder, 400, "NO_FOLDER"]);
    }
  });
  test("bodies that are no JSON object, or too large", async () => {
    const url = `${await serve()}/runs`;
    for (const body of ["", "{", "null", "[]", "7"]) expect([body, ...(await refusal(await post(url, body)))]).toEqual([body, 400, "BAD_JSON"]);
    expect(await refusal(await post(url, { folder: "x".repeat(1 << 20) }))).toEqual([413, "TOO_LARGE"]);
    // As a form of another site would send it.
    expect(await refusal(await fetch(url, { method: "POST", body: '{"folder":"docs"}' }))).toEqual([415, "NOT_JSON"]);
  });
  test("runs that are not known, other paths and other methods", async () => {
    const url = await serve();
    for (const [method, path] of [
      ["GET", "/runs/x"],
      ["GET", "/runs/x/events"],
      ["POST", "/runs/x/answers"],
      ["POST", "/runs/x/cancel"],
    ])
      expect(await refusal(await fetch(url + path, { method: method! }))).toEqual([404, "UNKNOWN_RUN"]);
    expect(await refusal(await fetch(`${url}/server.mjs`))).toEqual([404, "NOT_FOUND"]);
    expect(await refusal(await fetch(`${url}/runs`))).toEqual([405, "METHOD_NOT_ALLOWED"]);
    expect((await fetch(url)).headers.get("content-type")).toBe("text/html; charset=utf-8");
  });
  test("more runs than may go on; of those that are over the latest are known", async () => {
    const url = await serve({ most: 2 });
    const runs = [await start(url), await start(url)];
    expect(await refusal(await post(`${url}/runs`, { folder: "docs" }))).toEqual([503, "TOO_MANY_RUNS"]);
    for (const run of runs) await post(`${run}/cancel`);
    const third = await start(url);
    await post(`${third}/cancel`);
    expect(await Promise.all([...runs, third].map(async (run) => (await fetch(run)).status))).toEqual([404, 200, 200]);
  });
});

test("its signal cancels the runs", async () => {
  const stopped = new AbortController();
  const run = await start(await serve({ signal: stopped.signal }));
  const stream = await follow(run);
  stopped.abort();
  expect((await until(stream, never)).at(-1)).toMatchObject({ event: "end", data: { status: "cancelled" } });
});

describe("Fetch on node:http", () => {
  test("a client that reads nothing is not read for, and one that goes is told to the body and by the signal", async () => {
    const cancelled = deferred<void>();
    const begun = deferred<void>();
    let pulls = 0;
    let signal: AbortSignal | undefined;
    const body = () =>
      new ReadableStream<Uint8Array>(
        {
          async pull(controller) {
            pulls++;
            begun.resolve();
            controller.enqueue(new Uint8Array(1 << 20));
            await turn();
          },
          cancel: () => cancelled.resolve(),
        },
        { highWaterMark: 0 },
      );
    const url = await listen(
      createServer(
        listener((request: Request) => {
          signal = request.signal;
          return new Response(body());
        }),
      ),
    );
    const client = connect(Number(new URL(url).port), "127.0.0.1");
    client.pause().write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    await begun.promise;
    // One MiB a turn, were it not held back; the buffers of the system take some.
    for (let turns = 0; turns < 256; turns++) await turn();
    expect(pulls).toBeLessThan(64);
    client.destroy();
    await cancelled.promise;
    expect(signal!.aborted).toBe(true);
  });
  test("methods, headers, bodies and answers without a body come through", async () => {
    const url = await listen(
      createServer(
        listener(async (request: Request) => {
          if (request.method === "DELETE") return new Response(null, { status: 204, headers: { "x-gone": "yes" } });
          return Response.json([request.method, new URL(request.url).search, request.headers.get("x-one"), await request.text()], { status: 202 });
        }),
      ),
    );
    const response = await fetch(`${url}/?a=%20b`, { method: "PUT", headers: { "x-one": "1" }, body: "päd" });
    expect([response.status, await response.json()]).toEqual([202, ["PUT", "?a=%20b", "1", "päd"]]);
    const gone = await fetch(url, { method: "DELETE" });
    expect([gone.status, gone.headers.get("x-gone"), await gone.text()]).toEqual([204, "yes", ""]);
  });
});
