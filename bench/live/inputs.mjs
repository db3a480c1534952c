// One process: so many runs wait for a person; what each takes in memory, and what an answer costs.
//   node --expose-gc bench/live/inputs.mjs <native|wasm> <runs>
const [, , carrier, count] = process.argv;
process.env.BLAZEN_BINDING = carrier;
const { InputRequestEvent, StartEvent, StopEvent, Workflow, event } = await import("blazen");
const runs = Number(count);

class Approved extends event("Approved") {}
const flow = new Workflow("approval", { state: { n: 0 } })
  .step("ask", StartEvent, async ({ id }, ctx) => {
    ctx.state.set("n", id);
    return new InputRequestEvent({ prompt: "Go on?", answer: Approved });
  })
  .step("go", Approved, async ({ yes }, ctx) => new StopEvent({ result: yes ? ctx.state.get("n") : undefined }));

const settle = async () => {
  for (let i = 0; i < 4; i++) {
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + external + arrayBuffers * 0;
};
const start = async (id) => {
  const handler = flow.start({ id });
  while (handler.status !== "waiting") await null;
  return handler;
};
const answer = async (handler, id) => {
  await handler.respond(handler.pendingInputs[0].id, { yes: true });
  if ((await handler.result()) !== id) throw new Error("a run gave a wrong result");
};

for (let i = 0; i < 2000; i++) await answer(await start(i), i);
const before = await settle();
const waiting = new Array(runs);
for (let i = 0; i < runs; i++) waiting[i] = await start(i);
const bytes = ((await settle()) - before) / runs;

// Answers one and starts another in its place: so many wait all the time.
const TURNS = 2000;
const samples = [];
for (let round = 0; round < 9; round++) {
  let ms = 0;
  for (let i = 0; i < TURNS; i++) {
    const at = (i * 7919 + round) % runs;
    const from = performance.now();
    await answer(waiting[at], at);
    ms += performance.now() - from;
    waiting[at] = await start(at);
  }
  samples.push((ms * 1000) / TURNS);
}
samples.sort((a, b) => a - b);
process.stdout.write(`@@${JSON.stringify({ bytes, us: samples[samples.length >> 1] })}\n`);
process.exit(0);
