// Node's HTTP server in terms of Fetch: a function from Request to Response, which also runs where there is no Node.
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

/** Bodies are small here, and nobody may fill the memory with one. */
const LARGEST = 64 * 1024;

/** An answer that is an error. */
export class HttpError extends Error {
  constructor(status, code, message, details) {
    super(message);
    Object.assign(this, { status, code, details });
  }
}

/** @param {{ status?: number, code?: string, message: string, details?: object }} error */
export const errorResponse = ({ status = 500, code = "ERROR", message, details }) => Response.json({ code, message, ...details }, { status });

/** @param {(request: Request) => Response | Promise<Response>} handle @returns what `http.createServer` takes */
export const listener = (handle) => async (incoming, outgoing) => {
  const gone = new AbortController();
  outgoing.once("close", () => gone.abort());
  try {
    const response = await answer(handle, incoming, gone.signal);
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    // The client of an event stream is connected now, not when the first event comes.
    outgoing.flushHeaders();
    if (response.body === null) outgoing.end();
    // It takes a chunk when there is room for one, and cancels the body when the client goes.
    else await pipeline(Readable.fromWeb(response.body), outgoing);
  } catch {
    // Half a response is no response; most often the client has gone anyway.
    outgoing.destroy();
  }
};

async function answer(handle, incoming, signal) {
  try {
    return await handle(await requestOf(incoming, signal));
  } catch (error) {
    if (error instanceof HttpError) return errorResponse(error);
    console.error(error);
    return errorResponse({ code: "INTERNAL", message: "The server could not do this; its log says why." });
  }
}

async function requestOf(incoming, signal) {
  const { method, headers } = incoming;
  const body = method === "GET" || method === "HEAD" ? null : await bodyOf(incoming);
  try {
    return new Request(new URL(incoming.url, "http://localhost"), { method, headers, body, signal });
  } catch {
    throw new HttpError(400, "BAD_REQUEST", "This is no request that the server understands.");
  }
}

async function bodyOf(incoming) {
  const chunks = [];
  let size = 0;
  // What is left of one that is too long is thrown away by Node when the answer is out: a connection cut off here would lose the answer.
  for await (const chunk of incoming.iterator({ destroyOnReturn: false })) {
    size += chunk.length;
    if (size > LARGEST) throw new HttpError(413, "TOO_LARGE", `The body is larger than ${LARGEST / 1024} KiB.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
