// node examples/server/server.mjs [root] [--port N]
import { readFileSync, realpathSync } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { dirname, resolve, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { BlazenError, toSSE } from "blazen";
import { auditPipeline } from "../audit/audit.mjs";
import { HttpError, listener } from "./listener.mjs";
import { Runs } from "./runs.mjs";

const here = dirname(fileURLToPath(import.meta.url));

/** What an answer that is refused is to HTTP, by the error's code. */
const REFUSED = { INVALID_RESPONSE: 400, UNKNOWN_REQUEST: 404, ALREADY_ANSWERED: 409, RUN_OVER: 410 };

/**
 * Audits folders and asks on a page whether to write the report.
 *
 * | route | |
 * |---|---|
 * | GET / | the page |
 * | POST /runs { folder } | starts an audit of a folder below the root: 201 { runId } |
 * | GET /runs/:id | { runId, status, pendingInputs } |
 * | GET /runs/:id/events | the run's stream as Server-Sent Events |
 * | POST /runs/:id/answers { requestId, response } | 204; 400 with the path for an answer that is refused, 404, 409, 410 |
 * | POST /runs/:id/cancel | what stopped and what did not |
 *
 * @param {object} options
 * @param {string} options.root only folders in it are audited
 * @param {number} [options.most] runs that go on at one time, and that are remembered when they are over
 * @param {(path: string) => unknown} [options.onRead] called, and awaited, before a file is read
 * @param {AbortSignal} [options.signal] cancels the runs
 * @returns {import("node:http").Server}
 */
export function auditServer({ root, most = 100, onRead, signal }) {
  const inside = realpathSync(root);
  const audit = auditPipeline({ onRead });
  const runs = new Runs(most);

  const start = async (request) => {
    const { folder } = await json(request);
    const path = await folderIn(inside, folder);
    const { runId } = runs.add(() => audit.start({ folder: path, maxLine: 160 }, signal === undefined ? {} : { signal }));
    return Response.json({ runId }, { status: 201, headers: { location: `/runs/${runId}` } });
  };
  const state = (_, id) => {
    const { runId, status, pendingInputs } = runs.get(id);
    return Response.json({ runId, status, pendingInputs });
  };
  const events = (request, id) => toSSE(runs.get(id), request);
  const respond = async (request, id) => {
    const handler = runs.get(id);
    const { requestId, response } = await json(request);
    try {
      await handler.respond(requestId, response);
    } catch (error) {
      if (!(error instanceof BlazenError && error.code in REFUSED)) throw error;
      throw new HttpError(REFUSED[error.code], error.code, error.message, { path: error.path });
    }
    return new Response(null, { status: 204 });
  };
  const cancel = async (_, id) => Response.json(await runs.get(id).cancel("cancelled on the page"));

  const routes = [
    ["GET", /^\/$/, file("page.html", "text/html")],
    ["GET", /^\/page\.js$/, file("page.js", "text/javascript")],
    ["POST", /^\/runs$/, start],
    ["GET", /^\/runs\/([^/]+)$/, state],
    ["GET", /^\/runs\/([^/]+)\/events$/, events],
    ["POST", /^\/runs\/([^/]+)\/answers$/, respond],
    ["POST", /^\/runs\/([^/]+)\/cancel$/, cancel],
  ];
  const handle = (request) => {
    const { pathname } = new URL(request.url);
    const there = routes.filter(([, path]) => path.test(pathname));
    if (there.length === 0) throw new HttpError(404, "NOT_FOUND", `There is nothing at ${pathname}.`);
    const route = there.find(([method]) => method === request.method);
    if (route === undefined) throw new HttpError(405, "METHOD_NOT_ALLOWED", `${pathname} takes ${there.map(([method]) => method).join(", ")}.`);
    const [, path, does] = route;
    return does(request, ...path.exec(pathname).slice(1));
  };

  return createServer(listener(handle));
}

function file(name, type) {
  const text = readFileSync(resolve(here, name), "utf8");
  return () => new Response(text, { headers: { "content-type": `${type}; charset=utf-8`, "cache-control": "no-cache" } });
}

async function json(request) {
  // A page of another site may send forms and plain text here, but not this type.
  if (!/^application\/json\b/.test(request.headers.get("content-type") ?? ""))
    throw new HttpError(415, "NOT_JSON", "The body is to be JSON, with the content type application/json.");
  let body;
  try {
    body = await request.json();
  } catch (error) {
    throw new HttpError(400, "BAD_JSON", `The body is not JSON: ${error.message}`);
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) throw new HttpError(400, "BAD_JSON", "The body is to be a JSON object.");
  return body;
}

/** The folder that was asked for, if it is in the root: symbolic links do not lead out of it either. */
async function folderIn(root, folder) {
  // The same answer for what is outside and for what is not there: nobody learns what is outside.
  const refused = new HttpError(400, "NO_FOLDER", `There is no such folder below the root: ${JSON.stringify(folder)}.`);
  if (typeof folder !== "string") throw refused;
  const path = await realpath(resolve(root, folder)).catch(() => undefined);
  if (path === undefined || !(path === root || path.startsWith(root.endsWith(sep) ? root : root + sep))) throw refused;
  if (!(await stat(path)).isDirectory()) throw refused;
  return path;
}

async function main() {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { port: { type: "string", default: "8080" } } });
  const root = resolve(positionals[0] ?? resolve(here, "../.."));
  const server = auditServer({ root }).listen(Number(values.port), "127.0.0.1");
  server.on("error", (error) => {
    console.error(error.code === "EADDRINUSE" ? `Port ${values.port} is taken: name another one with --port.` : error.message);
    process.exitCode = 1;
  });
  server.on("listening", () => console.log(`http://127.0.0.1:${server.address().port} audits folders below ${root}`));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  try {
    await main();
  } catch (error) {
    console.error(`${error.message} Usage: node examples/server/server.mjs [root] [--port N]`);
    process.exitCode = 2;
  }
}
