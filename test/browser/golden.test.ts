// Golden snapshots, all but one of which another runtime has written, in a real browser.
import * as blazen from "blazen";
import { describe, expect, test } from "vitest";
import { expected, finished, scenarios } from "../snapshots/scenarios.mjs";

const texts = import.meta.glob<string>("../snapshots/*.json", { eager: true, import: "default", query: "?raw" });
const binaries = import.meta.glob<string>("../snapshots/*.bin", { eager: true, import: "default", query: "?url" });

describe("golden snapshots in a browser", () => {
  for (const [name, scenario] of Object.entries(scenarios(blazen))) {
    test(name, async () => {
      const text = texts[`../snapshots/${name}.json`]!;
      const again = await scenario.build(false).resume(text).snapshot();
      expect(String(again)).toBe(text);
      expect(await finished(scenario, text)).toBe(expected(scenario));
      const url = binaries[`../snapshots/${name}.bin`];
      expect(url === undefined).toBe(scenario.binary !== true);
      if (url === undefined) return;
      const bytes = new Uint8Array(await (await fetch(url)).arrayBuffer());
      expect(again.toBytes()).toEqual(bytes);
      expect(await finished(scenario, bytes)).toBe(expected(scenario));
    });
  }
});
