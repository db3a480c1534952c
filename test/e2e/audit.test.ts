import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
// @ts-expect-error the example is plain JavaScript
import { anchors, deadLinks, duplicateHeadings, longLines, proseLines, relativeLinks } from "../../examples/audit/checks.mjs";

const main = resolve(import.meta.dirname, "../../examples/audit/main.mjs");
let folder = "";
const audit = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], { encoding: "utf8", cwd: folder });
  return { status, stdout, stderr };
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "blazen-audit-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("checks", () => {
  test("code is no prose", () => {
    expect(proseLines("a `[x](y)` b\n```js\n[x](y)\n```\n~~~\n```\n~~~\nend")).toEqual(["a  b", "", "", "", "", "", "", "end"]);
  });
  test("anchors are those of GitHub", () => {
    expect([...anchors("# Hello, World!\n## `code` & more\n## Über [uns](x.md)\n# Hello, World!\n")]).toEqual([
      "hello-world",
      "code--more",
      "über-uns",
      "hello-world-1",
    ]);
  });
  test("links in line, of images and by reference; not those of other hosts", () => {
    const text = '[a](b.md) ![i](<c.png>) [t](d.md "title")\n[r]: e.md\n[x](https://example.org) [m](mailto:a@b.c) [y](//host/z)';
    expect(relativeLinks(text)).toEqual([
      { line: 1, target: "b.md" },
      { line: 1, target: "c.png" },
      { line: 1, target: "d.md" },
      { line: 2, target: "e.md" },
    ]);
  });
  test("a heading twice, a long line, a dead anchor", async () => {
    expect(duplicateHeadings("# A\n## B\n# A #\n")).toEqual([{ line: 3, problem: 'duplicate heading "A" (first in line 1)' }]);
    expect(longLines("abc\nabcd\n", 3)).toEqual([{ line: 2, problem: "4 characters (at most 3)" }]);
    expect(await deadLinks(main, "[a](#there)\n# There\n[b](#nowhere)", "/", async () => new Set())).toEqual([]);
  });
});

test("a folder with known problems gives the report of them", () => {
  const project = join(folder, "project");
  mkdirSync(join(project, "docs"), { recursive: true });
  mkdirSync(join(project, "node_modules"), { recursive: true });
  writeFileSync(join(project, "README.md"), "# One\n\n[ok](docs/guide.md#part-two) [dead](docs/none.md) [anchor](docs/guide.md#part-three)\n\n# One\n");
  writeFileSync(join(project, "docs/guide.md"), "# Guide\n\n## Part two\n\n[up](../README.md) [root](/README.md)\n");
  writeFileSync(join(project, "code.js"), `${"x".repeat(170)}\nshort\n`);
  writeFileSync(join(project, "node_modules/skipped.md"), "[dead](none.md)");
  symlinkSync(folder, join(project, "loop"));
  const { status, stdout } = audit(project, "--yes", "--out", "out.md");
  expect(status).toBe(0);
  expect(stdout).toContain("checked 3 of 3 files");
  expect(readFileSync(join(folder, "out.md"), "utf8")).toBe(`# Audit of project

3 files, 16 words, 4 findings in 2 files.

| kind | files | lines | words |
|---|---|---|---|
| markdown | 2 | 10 | 14 |
| source | 1 | 2 | 2 |

## README.md

- line 3: dead link to docs/none.md
- line 3: dead link to docs/guide.md#part-three: no such heading
- line 5: duplicate heading "One" (first in line 1)

## code.js

- line 1: 170 characters (at most 160)
`);
});

test.each([
  [["nowhere"], /There is no folder/],
  [["out.md"], /is not a folder/],
  [["--colour"], /Unknown option/],
  [[".", "--out", "nowhere/report.md"], /cannot be written/],
  [[".", "--max-line", "wide"], /whole number/],
  [["a", "b"], /One folder at a time/],
])("bad input %j is one sentence and exit code 2", (args, message) => {
  const { status, stderr } = audit(...args);
  expect(status).toBe(2);
  expect(stderr).toMatch(message);
});

test("10,000 files stay within 150 MiB", () => {
  const tree = join(folder, "tree");
  for (let at = 0; at < 100; at++) {
    mkdirSync(join(tree, `${at}`), { recursive: true });
    for (let file = 0; file < 100; file++)
      writeFileSync(join(tree, `${at}/${file}.md`), `# ${file}\n\n${"Some words that fill a line. ".repeat(40)}\n\n[next](${file + 1}.md)\n`);
  }
  const wrapper = join(folder, "rss.mjs");
  writeFileSync(
    wrapper,
    `process.on("exit", () => console.log("rss", process.resourceUsage().maxRSS));\nawait import(${JSON.stringify(pathToFileURL(main).href)});\n`,
  );
  const { stdout } = spawnSync(process.execPath, [wrapper, tree, "--out", "tree.md"], { encoding: "utf8", cwd: folder });
  expect(stdout).toContain("checked 10000 of 10000 files");
  expect(Number(/rss (\d+)/.exec(stdout)?.[1]) / 1024).toBeLessThan(150);
});
