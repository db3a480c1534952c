// A snapshot taken on native goes on on WASM, in another process, and the other way round (7.3).
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import * as blazen from "blazen";
import { expect, test } from "vitest";
import { expected, finished, reached, scenarios } from "../snapshots/scenarios.mjs";

const other = fileURLToPath(new URL("../snapshots/other.mjs", import.meta.url));

for (const binding of ["native", "wasm"]) {
  test(`between this process and one with the ${binding} binding`, async () => {
    const all = Object.entries(scenarios(blazen));
    const mine: Record<string, blazen.Snapshot> = {};
    for (const [name, scenario] of all) mine[name] = await reached(scenario);
    const base64 = (snapshot: blazen.Snapshot) => Buffer.from(snapshot.toBytes()).toString("base64");
    const { stdout, stderr, status } = spawnSync(process.execPath, [other], {
      input: JSON.stringify(Object.fromEntries(Object.entries(mine).map(([name, snapshot]) => [name, base64(snapshot)]))),
      env: { ...process.env, BLAZEN_BINDING: binding },
      encoding: "utf8",
      maxBuffer: 2 ** 28,
    });
    expect(status, stderr).toBe(0);
    const answer = JSON.parse(stdout) as Record<string, { again: string; result: string; made: string; text: string }>;
    expect(Object.keys(answer)).toEqual(all.map(([name]) => name));
    for (const [name, scenario] of all) {
      const { again, result, made, text } = answer[name]!;
      expect(again, name).toBe(base64(mine[name]!));
      expect(made, name).toBe(base64(mine[name]!));
      expect(text, name).toBe(String(mine[name]));
      expect(result, name).toBe(expected(scenario));
      expect(await finished(scenario, new Uint8Array(Buffer.from(made, "base64"))), name).toBe(expected(scenario));
    }
  });
}
