// What crosses the boundary: the facade's sources with a binding that is looked at.
import { createRequire } from "node:module";
import { expect, test } from "vitest";
import { provide } from "../../ts/src/binding/load";
import { nodeSources } from "../../ts/src/binding/node";
import { collect, event, Pipeline, StartEvent, StopEvent, subworkflow, Workflow } from "../../ts/src/index";

class Part extends event("Part")<{ n: number }> {}
class Got extends event("Got")<{ n: number }> {}

test("one open at the boundary serves a run with a thousand child runs (11.1)", async () => {
  let opened = 0;
  const sources = nodeSources(createRequire(import.meta.url));
  provide(
    sources.map(({ name, load }) => ({
      name,
      load: () => {
        const core = load();
        const exchange = () => {
          // A header without a run's handle starts one.
          if (core.buffer()[0] === -1) opened++;
          core.exchange();
        };
        return { ...core, exchange };
      },
    })),
  );
  let runs = 0;
  const leaf = new Workflow("leaf").step("work", StartEvent<{ n: number }>, ({ n }) => {
    runs++;
    return new StopEvent({ result: { n: n + 1 } });
  });
  const ten = new Pipeline("ten").loop("rounds", leaf, { until: (_, round) => round === 9, max: 9 });
  const outer = new Workflow("outer")
    .step("fan", StartEvent<{ count: number }>, ({ count }) => Array.from({ length: count }, (_, n) => new Part({ n })))
    .step("child", Part, subworkflow(ten, { input: ({ n }: Part) => ({ n }), output: ({ n }) => new Got({ n }) }))
    .step("sum", collect(Got, { of: "fan" }), (all) => new StopEvent({ result: all.reduce((sum, { n }) => sum + n, 0) }));

  expect(await outer.run({ count: 100 })).toBe(4950 + 900);
  expect([opened, runs]).toEqual([1, 900]);
  // In verify mode each commit looks at all of them.
}, 120_000);
