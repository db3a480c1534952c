// The other side of test/e2e/crossing.test.ts, with the binding that BLAZEN_BINDING names: what it makes of snapshots, and its own.
import * as blazen from "blazen";
import { finished, reached, scenarios } from "./scenarios.mjs";

let input = "";
for await (const chunk of process.stdin) input += chunk;
const given = JSON.parse(input);
const answer = {};
for (const [name, scenario] of Object.entries(scenarios(blazen))) {
  const bytes = new Uint8Array(Buffer.from(given[name], "base64"));
  const again = await scenario.build(false).resume(bytes).snapshot();
  answer[name] = {
    again: Buffer.from(again.toBytes()).toString("base64"),
    result: await finished(scenario, bytes),
    made: Buffer.from((await reached(scenario)).toBytes()).toString("base64"),
    text: String(again),
  };
}
process.stdout.write(JSON.stringify(answer), () => process.exit());
