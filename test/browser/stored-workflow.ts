// A workflow that a page and its worker have in common: six items, each of which is told of once, and a question.
import { collect, event, InputRequestEvent, InputResponseEvent, StartEvent, StopEvent, Workflow } from "blazen";

class Item extends event("Item")<{ n: number }> {}
class Done extends event("Done")<{ n: number }> {}

export const ITEMS = 6;

/** @param begin called, and awaited, when an item is begun */
export const stored = (begin: (n: number) => unknown, { asks = false } = {}) =>
  new Workflow("stored", { state: { sum: 0 } })
    .step("fan", StartEvent, () => Array.from({ length: ITEMS }, (_, n) => new Item({ n })))
    .step("work", Item, { concurrency: 1 }, async ({ n }, ctx) => {
      // So that what came before it is on disk.
      await ctx.commit();
      await begin(n);
      ctx.state.update("sum", (sum) => sum + n);
      return new Done({ n });
    })
    .step("end", collect(Done, { of: "fan" }), (all, ctx) =>
      asks ? new InputRequestEvent({ id: "q", prompt: "Go on?" }) : new StopEvent({ result: [all.length, ctx.state.get("sum")] }),
    )
    .step("answer", InputResponseEvent, ({ response }, ctx) => new StopEvent({ result: [response, ctx.state.get("sum")] }));
