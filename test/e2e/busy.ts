import { collect, event, StopEvent, Workflow } from "blazen";

class Item extends event("Item")<{ n: number }> {}
class Squared extends event("Squared")<{ n: number }> {}
class Round extends event("Round")<{ n: number }> {}

export const BUSY_RESULT = { n: 17, count: 3, rounds: 4 };

/** A fan-out, a collect, state, effects that are to happen once, and a loop. Needs nothing but blazen: child processes run it too. */
export function busy(effects: { push(effect: string): unknown }) {
  return new Workflow("busy", { types: [] })
    .step("fan", "StartEvent", (_, ctx) => {
      ctx.set("begun", true);
      return [1, 2, 3].map((n) => new Item({ n }));
    })
    .step("square", Item, async ({ n }, ctx) => {
      const squared = await ctx.once("square", () => {
        effects.push(`square ${n}`);
        return n * n;
      });
      ctx.state.update("count", (count: number | undefined) => (count ?? 0) + 1);
      return new Squared({ n: squared });
    })
    .step("sum", collect(Squared, { of: "fan" }), (squares) => new Round({ n: squares.reduce((sum, { n }) => sum + n, 0) }))
    .step("loop", Round, ({ n }, ctx) => {
      ctx.state.update("rounds", (rounds: number | undefined) => (rounds ?? 0) + 1);
      if (n < 17) return new Round({ n: n + 1 });
      ctx.state.delete("begun");
      return new StopEvent({ result: { n, count: ctx.get("count"), rounds: ctx.get("rounds") } });
    });
}
