import { type Context, type EventStream, event, type Handler, StartEvent, StopEvent, StreamOverflowError, Workflow } from "blazen";
import fc from "fast-check";
import { expect, test } from "vitest";

// Random writers and readers that come, lag and leave, beside a model of rule 10 that is too simple to be wrong.

class Token extends event("Token")<{ n: number }> {}
class Writer extends event("Writer") {}
class Stop extends event("Stop") {}
class Fail extends event("Fail") {}

type Overflow = "block" | "drop-oldest" | "error";
type End = "complete" | "fail" | "cancel";
/** What a call of `next` gave: the n of a token, or else what stands for it. */
type Answer = number | "stop" | "done" | "failed" | "overflow";

interface ModelReader {
  offset: number;
  dropped: number;
  asked: number;
  over: boolean;
  readonly answers: Answer[];
}

class Model {
  oldest = 0;
  readonly published: (number | "stop")[] = [];
  line: number[] = [];
  readonly readers: ModelReader[] = [];
  ended: End | undefined;

  constructor(
    readonly retention: number,
    readonly overflow: Overflow,
  ) {}

  get #next(): number {
    return this.published.length;
  }
  #makeRoom(): boolean {
    while (this.#next - this.oldest >= this.retention) {
      if (this.overflow === "block" && this.readers.some(({ over, offset }) => !over && offset <= this.oldest)) return false;
      this.oldest++;
    }
    return true;
  }
  #publish(what: number | "stop"): void {
    const offset = this.published.push(what) - 1;
    for (const reader of this.readers) {
      if (reader.asked === 0 || reader.offset !== offset) continue;
      reader.asked--;
      reader.offset++;
      reader.answers.push(what);
    }
  }
  #flush(): void {
    while (this.line.length > 0 && this.#makeRoom()) this.#publish(this.line.shift()!);
  }
  write(n: number): void {
    if (this.line.length > 0 || !this.#makeRoom()) this.line.push(n);
    else this.#publish(n);
  }
  open(from: number | undefined): void {
    const start = from ?? this.oldest;
    const offset = Math.max(start, this.oldest);
    this.readers.push({ offset, dropped: offset - start, asked: 0, over: false, answers: [] });
  }
  read(reader: ModelReader): void {
    if (reader.over) return void reader.answers.push("done");
    const lost = Math.max(0, this.oldest - reader.offset);
    reader.dropped += lost;
    reader.offset += lost;
    if (lost > 0 && this.overflow === "error") {
      reader.over = true;
      reader.answers.push("overflow");
    } else if (reader.asked === 0 && reader.offset < this.#next) {
      reader.answers.push(this.published[reader.offset]!);
      reader.offset++;
      if (this.ended === undefined) this.#flush();
    } else {
      reader.asked++;
      if (this.ended !== undefined) this.#endOf(reader);
    }
  }
  leave(reader: ModelReader): void {
    if (reader.over) return;
    reader.dropped += Math.max(0, this.oldest - reader.offset);
    reader.over = true;
    while (reader.asked > 0) {
      reader.asked--;
      reader.answers.push("done");
    }
    if (this.ended === undefined) this.#flush();
  }
  end(how: End): void {
    this.line = [];
    if (how === "complete") {
      this.#makeRoom();
      this.#publish("stop");
    }
    this.ended = how;
    for (const reader of this.readers) if (reader.asked > 0) this.#endOf(reader);
  }
  #endOf(reader: ModelReader): void {
    if (this.ended !== "complete") {
      reader.asked--;
      reader.answers.push("failed");
    }
    this.leave(reader);
  }
  /** What `dropped` tells now. */
  droppedBy({ dropped, over, offset }: ModelReader): number {
    return dropped + (over ? 0 : Math.max(0, this.oldest - offset));
  }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

interface RealReader {
  readonly stream: EventStream;
  calls: number;
  /** By call. */
  readonly answers: Answer[];
}

/** The engine, with what has come of each call. */
class Real {
  readonly writers: Context[] = [];
  readonly readers: RealReader[] = [];
  written = 0;
  rejected = 0;
  readonly handler: Handler<unknown>;

  constructor(streamRetention: number, overflow: Overflow) {
    this.handler = new Workflow("model", { external: [Stop, Fail] })
      .step("open", StartEvent, () => [new Writer(), new Writer(), new Writer()])
      .step("write", Writer, (_, ctx) => {
        this.writers.push(ctx);
        return new Promise<null>((resolve) => ctx.signal.addEventListener("abort", () => resolve(null)));
      })
      .step("stop", Stop, () => new StopEvent({ result: 1 }))
      .step("fail", Fail, () => {
        throw new RangeError("no");
      })
      .start({}, { streamRetention, overflow });
    this.handler.result().catch(() => {});
  }
  write(writer: number, n: number): void {
    this.writers[writer]!.writeEventToStream(new Token({ n })).then(
      () => this.written++,
      () => this.rejected++,
    );
  }
  open(from: number | undefined): void {
    this.readers.push({ stream: this.handler.stream(from === undefined ? {} : { from }), calls: 0, answers: [] });
  }
  read(reader: RealReader): void {
    const call = reader.calls++;
    const note = (answer: Answer) => {
      reader.answers[call] = answer;
    };
    reader.stream.next().then(
      ({ value, done }) => note(done ? "done" : value.event instanceof Token ? value.event.n : "stop"),
      (error: unknown) => note(error instanceof StreamOverflowError ? "overflow" : "failed"),
    );
  }
  async end(how: End): Promise<void> {
    if (how === "cancel") await this.handler.cancel();
    else await this.handler.send(how === "complete" ? new Stop() : new Fail());
    await this.handler.result().catch(() => {});
  }
}

const operations = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant("write" as const), writer: fc.nat(2), count: fc.integer({ min: 1, max: 4 }) }) },
    { weight: 6, arbitrary: fc.record({ do: fc.constant("read" as const), reader: fc.nat(4), count: fc.integer({ min: 1, max: 4 }) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("open" as const), from: fc.option(fc.nat(20), { nil: undefined }) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("leave" as const), reader: fc.nat(4) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("turn" as const) }) },
  ),
  { maxLength: 60 },
);

test("readers get what the model says, none hangs, and the buffer stays within its bound", { timeout: 120_000 }, async () => {
  const shape = fc.record({
    retention: fc.integer({ min: 1, max: 6 }),
    overflow: fc.constantFrom<Overflow>("block", "drop-oldest", "error"),
    end: fc.constantFrom<End>("complete", "fail", "cancel"),
  });
  const property = fc.asyncProperty(shape, operations, operations, async ({ retention, overflow, end }, before, after) => {
    const model = new Model(retention, overflow);
    const real = new Real(retention, overflow);
    let n = 0;
    const agree = async () => {
      await turn();
      expect(real.readers.map(({ answers }) => answers)).toEqual(model.readers.map(({ answers }) => answers));
      expect(real.readers.map(({ stream }) => stream.dropped)).toEqual(model.readers.map((reader) => model.droppedBy(reader)));
      // What is kept: a reader from 0 has lost all before it.
      const probe = real.handler.stream({ from: 0 });
      expect(probe.dropped).toBe(model.oldest);
      await probe.return();
      expect(model.published.length - model.oldest).toBeLessThanOrEqual(retention + (model.ended === "complete" ? 1 : 0));
      expect(real.written).toBe(model.published.filter((what) => what !== "stop").length);
    };
    const play = async (operations: readonly (typeof before)[number][]) => {
      for (const operation of operations) {
        const at = "reader" in operation && model.readers.length > 0 ? operation.reader % model.readers.length : -1;
        if (operation.do === "turn") await agree();
        else if (operation.do === "open") {
          model.open(operation.from);
          real.open(operation.from);
        } else if (operation.do === "write") {
          if (model.ended !== undefined) continue;
          for (let i = 0; i < operation.count; i++) {
            model.write(n);
            real.write(operation.writer, n++);
          }
        } else if (at < 0) continue;
        else if (operation.do === "leave") {
          model.leave(model.readers[at]!);
          void real.readers[at]!.stream.return();
        } else {
          for (let i = 0; i < operation.count; i++) {
            model.read(model.readers[at]!);
            real.read(real.readers[at]!);
          }
        }
      }
      await agree();
    };
    await play(before);
    const waiting = model.line.length;
    model.end(end);
    await real.end(end);
    await agree();
    expect(real.rejected).toBe(waiting);
    await play(after);
    // Whoever reads on comes to the end.
    for (const [at, reader] of model.readers.entries()) {
      for (let left = model.published.length + 2; left > 0; left--) {
        model.read(reader);
        real.read(real.readers[at]!);
      }
      expect(reader.answers.at(-1)).toBe("done");
    }
    await agree();
  });
  await fc.assert(property, { numRuns: Number(process.env["BLAZEN_RUNS"] ?? 300) });
});
