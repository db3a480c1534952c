// Every TypeScript snippet of the guides is a whole program that compiles; what it prints stands in the comments behind console.log.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { transformSync } from "esbuild";
import { afterAll, describe, expect, test } from "vitest";

const root = resolve(import.meta.dirname, "../..");
// Inside the repository, so that `blazen` is found as a user's program finds it.
const folder = mkdtempSync(join(root, "target/snippets-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const pages = ["README.md", ...readdirSync(join(root, "docs")).map((name) => `docs/${name}`)].filter((name) => name.endsWith(".md"));

const snippetsOf = (page: string): string[] => [...readFileSync(join(root, page), "utf8").matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code]) => code ?? "");
const nameOf = (page: string, at: number): string => `${page.replaceAll("/", "-")}-${at}`;

for (const page of pages) {
  const snippets = snippetsOf(page);
  if (snippets.length === 0) continue;
  describe(page, () => {
    test.each(snippets.map((code, at) => [at + 1, code] as const))("snippet %i prints what it says", (at, code) => {
      const expected = [...code.matchAll(/console\.log\(.*\/\/ (.*)$/gm)].map(([, line]) => line);
      const file = join(folder, `${nameOf(page, at)}.mjs`);
      writeFileSync(file, transformSync(code, { loader: "ts", target: "es2022", tsconfigRaw: {} }).code);
      const printed = execFileSync(process.execPath, [file], { encoding: "utf8", cwd: root });
      expect(printed.trimEnd().split("\n")).toEqual(expected);
    });
  });
}

test("all snippets compile, strictly", () => {
  for (const page of pages) for (const [at, code] of snippetsOf(page).entries()) writeFileSync(join(folder, `${nameOf(page, at + 1)}.mts`), code);
  const config = { extends: join(root, "tsconfig.base.json"), compilerOptions: { noEmit: true, types: ["node"] }, include: ["*.mts"] };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  const { stdout } = spawnSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", folder], { encoding: "utf8", cwd: root });
  expect(stdout).toBe("");
});
