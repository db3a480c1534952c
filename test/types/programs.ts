// The programs of the api's examples, as far as they are built. They compile as they stand, the lines marked @ts-expect-error included.
import {
  AlreadyAnsweredError,
  all,
  type Context,
  collect,
  event,
  InputRequestEvent,
  InputResponseEvent,
  resource,
  StartEvent,
  StepFailedEvent,
  StopEvent,
  step,
  toSSE,
  Workflow,
} from "blazen";
import { z } from "zod";

// Events, steps, a workflow. Types flow from step to step, and out of run().
class Greet extends event("Greet")<{ name: string }> {}

const greet = new Workflow("greet", { state: { greeted: 0 } })
  .step("hello", StartEvent<{ name: string }>, (start, ctx) => {
    ctx.state.update("greeted", (n) => n + 1);
    return new Greet({ name: start.name });
  })
  .step("reply", Greet, { retry: 3, timeout: 5_000 }, async (greet) => new StopEvent({ result: `Hello, ${greet.name}` }));

export const greeting: string = await greet.run({ name: "Ada" });
// @ts-expect-error a misspelt input
await greet.run({ nam: "Ada" });

// An event nobody accepts does not compile.
class Ping extends event("Ping") {}
const broken = new Workflow("broken").step("a", StartEvent<{ n: number }>, () => new Ping()).step("b", Greet, () => new StopEvent({ result: 1 }));
// @ts-expect-error no step accepts "Ping"
broken.run({ n: 1 });

// Fan-out with a limit, and back in. A schema checks what enters.
class Page extends event("Page")<{ url: string }> {}
class Scored extends event("Scored", z.object({ score: z.number() })) {}
const crawl = new Workflow("crawl")
  .step("fan", StartEvent<{ urls: string[] }>, (start) => start.urls.map((url) => new Page({ url })))
  .step("fetch", Page, { concurrency: 4 }, async (page, ctx) => {
    const response = await fetch(page.url, { signal: ctx.signal });
    await ctx.writeEventToStream(page);
    return new Scored({ score: (await response.text()).length });
  })
  .step("total", collect(Scored, { of: "fan" }), (scores) => new StopEvent({ result: scores.reduce((sum, s) => sum + s.score, 0) }));
export const total: number = await crawl.run({ urls: ["a", "b"] });

// Join two events; one step for several types; a generator.
const both = new Workflow("both")
  .step("split", StartEvent<string>, async function* (start) {
    yield new Ping();
    yield new Greet({ name: start.data });
  })
  .step("join", all(Ping, Greet), ([, greet]) => new StopEvent({ result: greet.name }));
export const name: string = await both.run("Ada");

const either = new Workflow("either")
  .step("split", StartEvent<{ ping: boolean }>, (start) => (start.ping ? new Ping() : new Greet({ name: "x" })))
  .step("any", [Ping, Greet], (seen) => new StopEvent({ result: seen.type === "Greet" ? seen.name : "ping" }));
export const any: string = await either.run({ ping: true });

// Classes and decorators.
class Greeter extends Workflow<{ name: string }, string, { count: number }> {
  constructor() {
    super("greeter", { state: { count: 0 } });
  }

  @step(StartEvent<{ name: string }>)
  hello(start: StartEvent<{ name: string }>, ctx: Context<{ count: number }>) {
    ctx.state.set("count", ctx.state.get("count") + 1);
    return new Greet({ name: start.name });
  }

  @step(Greet, { concurrency: 3, retry: { maxAttempts: 3, backoff: "exponential" } })
  async reply(greet: Greet) {
    return new StopEvent({ result: `Hello, ${greet.name}` });
  }

  // @ts-expect-error the method takes another event than it accepts
  @step(Ping)
  async wrong(_greet: Greet) {
    return null;
  }
}
export const greeted: string = await new Greeter().run({ name: "Ada" });

// Events from outside.
class Shipped extends event("Shipped")<{ parcel: string }> {}
const order = new Workflow("order", { external: [Shipped] })
  .step("begin", StartEvent<{ id: string }>, () => null)
  .step("done", Shipped, (shipped) => new StopEvent({ result: shipped.parcel }));
const ordered = order.start({ id: "o1" });
await ordered.send(new Shipped({ parcel: "p1" }), { id: "shipment-1" });
export const parcel: string = await ordered.result();

// A person decides; the run may wait for days, as a snapshot on disk, and go on in another process.
class Decided extends event("Decided", z.object({ pay: z.boolean() })) {}
const approval = new Workflow("approval")
  .step("ask", StartEvent<{ amount: number }>, (start, ctx) => {
    ctx.state.set("amount", start.amount);
    return new InputRequestEvent({ prompt: `Pay ${start.amount}?`, answer: Decided });
  })
  .step("decide", Decided, (answer) => new StopEvent({ result: answer.pay ? "paid" : "refused" }));

const waiting = approval.start({ amount: 12 });
for await (const { event } of waiting.stream()) if (event.type === InputRequestEvent.type) break;
const saved = (await waiting.pause()).toString();

const resumed = approval.resume(saved);
const [question] = resumed.pendingInputs;
await resumed.respond(question!.id, { pay: true });
await resumed.respond(question!.id, { pay: false }).catch((error) => {
  if (!(error instanceof AlreadyAnsweredError)) throw error;
});
export const paid: string = await resumed.result();
export const watched: Response = toSSE(resumed);

// A question without a step for its answer does not compile; without `answer` it comes as an InputResponseEvent.
const unheard = new Workflow("unheard").step("ask", StartEvent<{ n: number }>, () => new InputRequestEvent({ prompt: "?", answer: Decided }));
// @ts-expect-error no step accepts "Decided"
unheard.start({ n: 1 });
const deaf = new Workflow("deaf")
  .step("ask", StartEvent<{ n: number }>, () => new InputRequestEvent({ prompt: "?" }))
  .step("decide", Decided, () => new StopEvent({ result: 1 }));
// @ts-expect-error no step accepts InputResponseEvent
deaf.start({ n: 1 });
const plain = new Workflow("plain")
  .step("ask", StartEvent<{ n: number }>, () => new InputRequestEvent({ prompt: "?" }))
  .step("heard", "InputResponseEvent", (answer) => new StopEvent({ result: answer["response"] }));
plain.start({ n: 1 });
const heard = new Workflow("heard")
  .step("ask", StartEvent<{ n: number }>, () => new InputRequestEvent({ prompt: "?" }))
  .step("heard", InputResponseEvent<boolean>, ({ request, response }) => new StopEvent({ result: `${request.prompt} ${response}` }));
export const said: string = await heard.run({ n: 1 });

// The same inside one step.
const inline = new Workflow("inline").step("ask", StartEvent<{ amount: number }>, async (start, ctx) => {
  const rate = await ctx.once("rate", async () => 1.1);
  const ok = await ctx.requestInput({ prompt: `Pay ${start.amount * rate}?`, schema: z.boolean() });
  const name = await ctx.requestInput<string>({ prompt: "Your name?", timeout: 1_000 });
  await ctx.sleep(1_000);
  await ctx.sleepUntil(new Date());
  return new StopEvent({ result: { ok, name } });
});
export const ok: boolean = (await inline.run({ amount: 1 })).ok;

// What has failed for good.
const failing = new Workflow("failing", { timeout: 1_000 })
  .step("work", StartEvent<{ n: number }>, { retry: { maxAttempts: 2, retryOn: (error) => error instanceof RangeError } }, () => new Ping())
  .step("ping", Ping, () => new StopEvent({ result: [] as (string | number)[] }))
  .step("failed", StepFailedEvent, (failure) => new StopEvent({ result: [failure.step, failure.attempts] }));
export const failure: (string | number)[] = await failing.run({ n: 1 });
// @ts-expect-error a policy counts attempts
new Workflow("bad").step("a", StartEvent, { retry: { backoff: "fixed" } }, () => null);

// A keyed join, a collect that ends its fan-out, several types in one collect.
const race = new Workflow("race")
  .step("fan", StartEvent, () => [new Ping(), new Greet({ name: "x" })])
  .step("join", all(Ping, Greet, { by: (event) => event.type }), ([, greet]) => greet)
  .step("first", collect([Ping, Greet], { of: "fan", first: 1 }), (seen) => new StopEvent({ result: seen.length }));
export const count: number = await race.run({});

// @ts-expect-error `first` needs `of`
collect(Ping, { first: 1 });
// @ts-expect-error a step returns events
new Workflow("bad").step("a", StartEvent, () => "text");
// @ts-expect-error an unknown option
new Workflow("bad").step("a", StartEvent, { retries: 3 }, () => null);

// State has the types of its initial values; other keys have those that are said. The session's values are live.
interface Connection {
  query(sql: string): Promise<unknown[]>;
  close(): Promise<void>;
}
declare function connect(): Promise<Connection>;
const database = resource({ open: connect, close: (db) => db.close() });
const typed = new Workflow("typed", { state: { count: 0, tags: [] as string[] }, session: "live", sessionPausePolicy: "warn_drop" }).step(
  "work",
  StartEvent<{ note: string }>,
  async (start, ctx) => {
    const count: number = ctx.get("count") + ctx.state.get("count");
    const tags: string[] = [...ctx.state.get("tags"), start.note];
    const other: Date | undefined = ctx.state.get<Date>("other");
    // @ts-expect-error a key that the initial values do not have may be missing
    const missing: Date = ctx.state.get<Date>("other");
    // @ts-expect-error what changes a number gives a number
    ctx.state.update("count", (n) => `${n}`);
    ctx.state.setBytes("image", new Uint8Array([1, 2, 3]));
    ctx.session.set("cache", new Map());
    const receipt: number = await ctx.once("charge", async () => 12);
    await ctx.commit({ id: `${ctx.invocationId}/${ctx.attempt}` });
    const db = await ctx.session.use(database);
    return new StopEvent({ result: { count, tags, other, missing, receipt, rows: await db.query("select 1") } });
  },
);
export const receipt: number = (await typed.run({ note: "x" }, { session: { db: 1 } })).receipt;
// @ts-expect-error an unknown policy
new Workflow("bad", { sessionPausePolicy: "drop" });
