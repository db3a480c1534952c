// The vectors, through the public API, in a real browser.
import * as blazen from "blazen";
import { describe, expect, test } from "vitest";
import { play, sayable, UNSAYABLE, type Vector } from "../vectors/player.mjs";

const all = Object.entries(import.meta.glob<Vector>("../vectors/*.json", { eager: true, import: "default" }));
const vectors = all.filter(([, vector]) => sayable(vector));

describe("vectors in a browser", () => {
  test("there are vectors", () => {
    expect(vectors.length).toBeGreaterThan(50);
    expect(all.length - vectors.length).toBeLessThanOrEqual(UNSAYABLE);
  });
  for (const [path, vector] of vectors) {
    const name = path.replace(/^.*\/|\.json$/g, "");
    test(name, () => play(vector, blazen));
    if (vector.play !== undefined) test(`${name}, paused in place`, () => play(vector, blazen, { inPlace: true }));
    // After each single turn only in Node: here a turn of the event loop takes long.
    if (vector.play !== undefined) test(`${name}, stopped after each turn`, () => play(vector, blazen, { stops: "each" }));
  }
});
