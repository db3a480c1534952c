import { event, StartEvent, StopEvent, Workflow } from "blazen";
import { VirtualClock } from "blazen/testing";
const clock = new VirtualClock();
let open;
const make = () => new Workflow("w")
  .step("work", StartEvent, async (_, ctx) => {
    await new Promise((resolve) => { open = resolve; });
    console.log("asks");
    const r = await ctx.requestInput({ prompt: "?" });
    console.log("answered", r);
    return new StopEvent({ result: 1 });
  });
const h = make().start({}, { clock });
await clock.advance(10);
const p = h.pause({ timeout: 0 }); console.log("pausing");
open(); 
await clock.advance(30); console.log("advanced", h.status);
const s = await p; console.log("snapshot");
const l = await h.pause(); console.log("latest");
const r = make().resume(String(l), { clock });
const snap = await r.snapshot(); console.log(String(snap) === String(l));
await h.cancel("old", { grace: 0 }); console.log("cancelled old");
await clock.advance(10); open();  await clock.advance(10);
console.log(r.status, r.pendingInputs);
const answer = r.respond(r.pendingInputs[0].id, 1);
await clock.advance(10);
await answer;
console.log(await r.result());
