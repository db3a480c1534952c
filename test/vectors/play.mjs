// Plays every vector through the public API of the package: node test/vectors/play.mjs [part of a name]
// Needs nothing but Node 20 or newer and the built package; BLAZEN_BINDING=native|wasm chooses the carrier.
import * as blazen from "blazen";
import { read } from "./files.mjs";
import { play } from "./player.mjs";

let failed = 0;
const vectors = read(process.argv[2]);
for (const { name, vector } of vectors) {
  try {
    await play(vector, blazen);
  } catch (error) {
    failed++;
    console.log(`${name}: ${error.message}`);
  }
}
console.log(`public API, ${blazen.binding}, Node ${process.versions.node}`);
console.log(`${vectors.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 && vectors.length > 0 ? 0 : 1;
