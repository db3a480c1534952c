import { DefinitionError } from "./errors";
import { type EventStream, openStream } from "./event-stream";
import { type Handler, runOf } from "./handler";
import type { Run } from "./run";
import { itemJson } from "./sse-json";
import { streamOf } from "./stream";
import { describe } from "./values";

const HEADERS = {
  "content-type": "text/event-stream",
  // A proxy must neither keep nor gather what it gets.
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
};
const encoder = new TextEncoder();

/**
 * The run's stream as a Server-Sent Events response (10.5). Each item is an unnamed event with the item as JSON and an id, so that an
 * `EventSource` that reconnects gets what it missed. It holds no writer back: what was lost is told by an event `dropped`. At the end comes
 * an event `end` with the run's status; to a client that has had it the answer is 204, on which an EventSource stops.
 *
 * @param request its `Last-Event-ID` says where to go on; its signal ends the response
 * @throws DefinitionError for what is no handler of this package
 * @example
 * export const GET = (request: Request) => toSSE(handlers.get(idOf(request)), request);
 * // in the browser
 * new EventSource("/runs/1").onmessage = ({ data }) => show(JSON.parse(data).event);
 */
export function toSSE(handler: Handler<unknown>, request?: Request): Response {
  const run = runOf(handler);
  if (run === undefined) throw new DefinitionError(`toSSE: the first argument is the handler of a run, not ${describe(handler)}.`);
  const { epoch, oldest, position, outcome } = streamOf(run);
  const last = lastOffset(epoch, position, request?.headers.get("last-event-id") ?? "");
  // A completed run's last item says that it is the last.
  const through = outcome?.status === "completed" ? position - 1 : position;
  if (outcome !== undefined && last !== undefined && last >= through) return new Response(null, { status: 204 });
  const from = last === undefined ? oldest : Math.min(last + 1, position);
  return new Response(body(run, epoch, openStream(run, from, "drop-oldest"), from, request?.signal), { headers: HEADERS });
}

/** The offset that an id of this epoch names; the end has the one that would come next. Undefined for any other id. */
function lastOffset(epoch: string, position: number, id: string): number | undefined {
  const [, of, digits] = /^([0-9a-f]+):(\d{1,16})$/.exec(id) ?? [];
  const offset = Number(digits);
  return of === epoch && offset <= position ? offset : undefined;
}

/** @param expected the offset of the first item that the client has not had */
function body(run: Run, epoch: string, stream: EventStream, expected: number, signal: AbortSignal | undefined): ReadableStream<Uint8Array> {
  let next = expected;
  let cancelled = false;
  const leave = () => {
    signal?.removeEventListener("abort", leave);
    void stream.return();
  };
  signal?.addEventListener("abort", leave);
  if (signal?.aborted) leave();
  /** What comes next; undefined for a client that has gone. */
  const chunk = async (): Promise<{ text: string; last: boolean } | undefined> => {
    try {
      const { value, done } = await stream.next();
      if (!done) {
        const lost = value.offset - next;
        next = value.offset + 1;
        const item = `id: ${epoch}:${value.offset}\ndata: ${itemJson(value)}\n\n`;
        return { text: lost === 0 ? item : `event: dropped\ndata: {"dropped":${lost}}\n\n${item}`, last: false };
      }
      if (cancelled || signal?.aborted) return undefined;
      return { text: endText(`${epoch}:${next}`, { status: run.status }), last: true };
    } catch (error) {
      return { text: endText(`${epoch}:${next}`, { status: run.status, error: brief(error) }), last: true };
    }
  };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const one = await chunk();
        if (cancelled) return;
        if (one !== undefined) controller.enqueue(encoder.encode(one.text));
        if (one?.last === false) return;
        leave();
        controller.close();
      },
      cancel() {
        cancelled = true;
        leave();
      },
    },
    { highWaterMark: 0 },
  );
}

function endText(id: string, data: { status: string; error?: { code: string; message: string } }): string {
  return `event: end\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`;
}

function brief(error: unknown): { code: string; message: string } {
  if (!(error instanceof Error)) return { code: "ERROR", message: describe(error) };
  return { code: "code" in error ? String(error.code) : "ERROR", message: error.message };
}
