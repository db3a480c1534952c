import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { binding, MemoryStore, SqliteStore, StoreError } from "blazen";
import { storeConformance, VirtualClock } from "blazen/testing";
import { transformSync } from "esbuild";
import { afterAll, describe, expect, test } from "vitest";

const root = resolve(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "blazen-stores-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("MemoryStore", () => {
  const clock = new VirtualClock();
  for (const { name, run } of storeConformance(() => new MemoryStore(() => clock.now()), { clock })) test(name, run);
});

describe("SqliteStore", () => {
  if (binding === "wasm") {
    test("needs the native addon, and says so", () => {
      expect(() => new SqliteStore(join(folder, "runs.db"))).toThrow(StoreError);
      expect(() => new SqliteStore(join(folder, "runs.db"))).toThrow(/needs the native addon/);
    });
    return;
  }
  let files = 0;
  const path = () => join(folder, `${files}.db`);
  const make = () => {
    files++;
    return new SqliteStore(path());
  };
  for (const { name, run } of storeConformance(make, { reopen: () => new SqliteStore(path()) })) test(name, run);
});

describe("the suite", () => {
  test("finds what a store does wrong, by the name of the rule", async () => {
    class Forgetful extends MemoryStore {
      override async renew() {
        return [true];
      }
    }
    const clock = new VirtualClock();
    const cases = storeConformance(() => new Forgetful(() => clock.now()), { clock });
    const broken: string[] = [];
    for (const { run } of cases) await run().catch((error: Error) => broken.push(error.message));
    expect(broken).toContain("renew: a run that is over has no owner. Expected [false], the store gave [true].");
    expect(broken.filter((rule) => !rule.startsWith("renew: "))).toEqual([]);
  });

  test("its example runs", () => {
    const example = /@example\n([\s\S]*?)\*\//.exec(readFileSync(join(root, "ts/src/store-conformance.ts"), "utf8"))?.[1] ?? "";
    // Inside the repository, so that `blazen` is found as a user's program finds it.
    mkdirSync(join(root, "target"), { recursive: true });
    const file = join(root, "target/conformance-example.mjs");
    writeFileSync(file, transformSync(example.replaceAll(/^ \* ?/gm, ""), { loader: "ts", target: "es2022", tsconfigRaw: {} }).code);
    const { status, stdout } = spawnSync(process.execPath, ["--test-reporter=tap", file], { encoding: "utf8" });
    rmSync(file);
    expect(stdout).toContain("# fail 0");
    expect(status).toBe(0);
  });
});
