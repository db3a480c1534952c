// Plays every vector through the public API of the package: node test/vectors/play.mjs [--stops] [part of a name]
// --stops: paused, stored and resumed by a workflow built anew, after each turn and after all of them; and in place.
// Needs nothing but Node 20 or newer and the built package; BLAZEN_BINDING=native|wasm chooses the carrier.
import * as blazen from "blazen";
import { read } from "./files.mjs";
import { play, sayable, UNSAYABLE, waysToStop } from "./player.mjs";

const stopping = process.argv.includes("--stops");
const [part] = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
let failed = 0;
let played = 0;
let leftOut = 0;
let current;
// With nothing left to wait for, Node leaves a promise that never settles by an exit.
process.once("exit", () => {
  if (current !== undefined) console.log(`${current}: a promise of the run never settles\n0 passed, 1 failed`);
});
for (const { name, vector } of read(part)) {
  if (!sayable(vector)) {
    leftOut++;
    continue;
  }
  for (const options of stopping ? [...waysToStop(vector).map((stops) => ({ stops })), { inPlace: true }] : [{}]) {
    current = `${name} ${stopping ? JSON.stringify(options) : ""}`;
    played++;
    try {
      await play(vector, blazen, options);
    } catch (error) {
      failed++;
      console.log(`${current}: ${error.message}`);
    }
  }
}
current = undefined;
if (leftOut > UNSAYABLE) {
  failed++;
  played++;
  console.log(`${leftOut} vectors cannot be said through the public API, more than ${UNSAYABLE}`);
}
console.log(`public API${stopping ? " with stops" : ""}, ${process.env.BLAZEN_BINDING ?? "default"} binding, Node ${process.versions.node}`);
console.log(`${played - failed} passed, ${failed} failed, ${leftOut} left out`);
process.exitCode = failed === 0 && played > 0 ? 0 : 1;
