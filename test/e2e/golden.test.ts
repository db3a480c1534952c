// Snapshots that earlier builds have written: test/snapshots/README.md.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import * as blazen from "blazen";
import { describe, expect, test } from "vitest";
import { expected, finished, reached, scenarios } from "../snapshots/scenarios.mjs";

const folder = new URL("../snapshots/", import.meta.url);
const all = Object.entries(scenarios(blazen));

describe("golden snapshots", () => {
  test("each scenario has one, and each file a scenario", () => {
    const files = all.flatMap(([name, { binary }]) => [`${name}.json`, ...(binary ? [`${name}.bin`] : [])]);
    expect(
      readdirSync(folder)
        .filter((file) => /\.(json|bin)$/.test(file))
        .sort(),
    ).toEqual(files.sort());
  });

  for (const [name, scenario] of all) {
    const text = readFileSync(new URL(`${name}.json`, folder), "utf8");
    test(`${name}: at once an equal one, then the same result`, async () => {
      const again = await scenario.build(false).resume(text).snapshot();
      expect(String(again)).toBe(text);
      expect(blazen.Snapshot.parse(text).droppedSession).toEqual(scenario.dropped ?? []);
      expect(await finished(scenario, text)).toBe(expected(scenario));
      expect(await finished(scenario, blazen.Snapshot.parse(text).toBytes())).toBe(expected(scenario));
      const binary = new URL(`${name}.bin`, folder);
      if (!existsSync(binary)) return;
      const bytes = new Uint8Array(readFileSync(binary));
      expect(again.toBytes()).toEqual(bytes);
      expect(String(blazen.Snapshot.parse(bytes))).toBe(text);
      expect(await finished(scenario, bytes)).toBe(expected(scenario));
    });
    test(`${name}: what this build writes`, async () => {
      const snapshot = await reached(scenario);
      expect(String(snapshot)).toBe(text);
    });
  }
});
