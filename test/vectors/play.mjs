// Plays every vector through the public API of the package: node test/vectors/play.mjs [part of a name]
// Needs nothing but Node 20 or newer and the built package; BLAZEN_BINDING=native|wasm chooses the carrier.
import * as blazen from "blazen";
import { read } from "./files.mjs";
import { play } from "./player.mjs";

let failed = 0;
let current;
// With nothing left to wait for, Node leaves a promise that never settles by an exit.
process.once("exit", () => {
  if (current !== undefined) console.log(`${current}: a promise of the run never settles\n0 passed, 1 failed`);
});
const vectors = read(process.argv[2]);
for (const { name, vector } of vectors) {
  current = name;
  try {
    await play(vector, blazen);
  } catch (error) {
    failed++;
    console.log(`${name}: ${error.message}`);
  }
}
current = undefined;
console.log(`public API, ${process.env.BLAZEN_BINDING ?? "default"} binding, Node ${process.versions.node}`);
console.log(`${vectors.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 && vectors.length > 0 ? 0 : 1;
