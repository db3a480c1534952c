// The demo: what its checks find, each of its stages alone, the pipeline of them, and the whole as a user runs it.
import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { Readable } from "node:stream";
import { pathToFileURL } from "node:url";
import { InputRequestEvent, ProgressEvent } from "blazen";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
// @ts-expect-error the example is plain JavaScript
import { approveReport } from "../../examples/audit/approve.mjs";
// @ts-expect-error
import { auditPipeline } from "../../examples/audit/audit.mjs";
// @ts-expect-error
import { checkMarkdown, checkSource, FileChecked } from "../../examples/audit/check.mjs";
// @ts-expect-error
import { anchors, counts, duplicateHeadings, links, longLines } from "../../examples/audit/checks.mjs";
// @ts-expect-error
import { collectFiles } from "../../examples/audit/collect.mjs";
// @ts-expect-error
import { listFiles } from "../../examples/audit/list.mjs";
// @ts-expect-error
import { headings, relativeLinks, scan } from "../../examples/audit/markdown.mjs";
// @ts-expect-error
import { mergeFindings } from "../../examples/audit/merge.mjs";
// @ts-expect-error
import { reader } from "../../examples/audit/read.mjs";
// @ts-expect-error
import { report, summary } from "../../examples/audit/report.mjs";
// @ts-expect-error
import { writeReport } from "../../examples/audit/write.mjs";
import { deferred } from "./deferred";
import { caught } from "./support";

const main = resolve(import.meta.dirname, "../../examples/audit/main.mjs");
let folder = "";
/** Without a store, as the demo is where there is none. */
const audit = (...args: string[]) => auditOn({}, ...args, ...withoutStore(args));
const withoutStore = (args: readonly string[]) => (args.includes("--resume") ? [] : ["--no-store"]);
const auditOn = (env: NodeJS.ProcessEnv, ...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], { encoding: "utf8", cwd: folder, env: { ...process.env, ...env } });
  return { status, stdout, stderr };
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "blazen-audit-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const prose = (text: string): string[] => scan(text).map((line: { prose: string }) => line.prose);
const targets = (text: string): string[] => relativeLinks(scan(text)).map((link: { target: string }) => link.target);

describe("checks", () => {
  test.each([
    ["a `[x](y)` b ``c ` d`` \\` e", ["a  b  \\` e"]],
    ["```js\n[x](y)\n```\n~~~\n```\n~~~\nend", ["", "", "", "", "", "", "end"]],
    ["- ```js\n  [x](y)\n  ```\n\nend", ["", "", "", "", "end"]],
    ["> ~~~\n> [x](y)\nend", ["", "", "end"]],
    ["text\n\n    [x](y)\n\nend", ["text", "", "", "", "end"]],
    ["1. item\n\n    text of the item", ["1. item", "", "    text of the item"]],
    ["a <!-- [x](y)\n[x](y) --> b", ["a ", " b"]],
    ["---\ntitle: x\n---\nend", ["", "", "", "end"]],
    ["``` no fence ```\nend", ["", "end"]],
  ])("code, comments and front matter are no prose: %j", (text, lines) => {
    expect(prose(text)).toEqual(lines);
  });
  test("headings with marks and with underlines; none in lists, tables and rules", () => {
    const text = "# A #\n\nB\n===\n\nC\n---\n\n- item\n---\n\n| t |\n---\n\n---\n\n#no\n> ## D\r\n";
    expect(headings(scan(text))).toEqual([
      { line: 1, text: "A" },
      { line: 3, text: "B" },
      { line: 6, text: "C" },
      { line: 18, text: "D" },
    ]);
  });
  test("anchors are those of GitHub", () => {
    const text = "# Hello, World!\n## `code` & more\n## Über [uns](x.md)\n# Hello, World!\n# Map `<K>` <b>bold</b> _all_ snake_case\nUnder\n---\n";
    expect([...anchors(text)]).toEqual(["hello-world", "code--more", "über-uns", "hello-world-1", "map-k-bold-all-snake_case", "under"]);
    expect([...anchors("# A\n# A\n# A-1\n")]).toEqual(["a", "a-1", "a-1-1"]);
    expect([...anchors('<a name="Here"></a>\n<h2 id="there">In HTML</h2>\n')]).toEqual(["in-html", "here", "there"]);
  });
  test("links in line, of images, by reference and in HTML; not those of other hosts", () => {
    expect(targets('[a](b.md) ![i](<c d.png>) [t](d.md "title") [p](e_(f).md) [![i](g.png)](h.md)')).toEqual([
      "b.md",
      "c d.png",
      "d.md",
      "e_(f).md",
      "g.png",
      "h.md",
    ]);
    expect(targets("[r]: a.md\n[s]: <b c.md> 'title'\n[note]: some prose\n[^1]: foot.md")).toEqual(["a.md", "b c.md"]);
    expect(targets('<img width="1" src="a.png"> <a href=\'b.md\'>b</a>')).toEqual(["a.png", "b.md"]);
    expect(targets("[x](https://example.org) [m](mailto:a@b.c) [y](//host/z) [e]() \\[n](no.md)")).toEqual([]);
  });
  test("a line that a scanner could choke on is no prose", () => {
    expect(targets("](".repeat(100_000))).toEqual([]);
    expect(targets("`".repeat(9_999))).toEqual([]);
  });
  test("a heading twice, a long line, a count", () => {
    expect(duplicateHeadings("# A\n## B\n# A #\n")).toEqual([{ line: 3, problem: 'duplicate heading "A" (first in line 1)' }]);
    expect(longLines("abc\r\nabcd\n", 3)).toEqual([{ line: 2, problem: "4 characters (at most 3)" }]);
    expect([counts(""), counts("a b\nc"), counts("a\n")]).toEqual([
      { words: 0, lines: 0 },
      { words: 3, lines: 2 },
      { words: 1, lines: 1 },
    ]);
  });
  test("links to what is not there; those to headings elsewhere are told for later", async () => {
    const file = join(folder, "a.md");
    const other = join(folder, "b.md");
    for (const name of [file, other]) writeFileSync(name, "");
    const found = (text: string) => links(file, text, folder);
    expect(await found("[a](#There)\n# There\n[b](#nowhere)")).toEqual({
      findings: [{ line: 3, problem: "dead link to #nowhere: no such heading" }],
      elsewhere: [],
      anchors: ["there"],
    });
    expect((await found("[a](b.md#X%20y) [b](c.md#x) [c](/b.md) [d](.) [e](b%2Emd?raw=1)")).elsewhere).toEqual([
      { line: 1, target: "b.md#X%20y", path: other, anchor: "x y" },
    ]);
    expect((await found("[b](c.md#x) [c](/b.md) [d](.) [e](b%2Emd?raw=1)")).findings).toEqual([{ line: 1, problem: "dead link to c.md#x" }]);
  });
  test("a folder that cannot be read is listed with the reason, and is no file", async () => {
    const found = await listFiles(join(folder, "nowhere"));
    expect(found).toEqual([{ path: ".", kind: "folder", error: "ENOENT" }]);
    const files = found.map(({ path, kind }: { path: string; kind: string }) => ({
      path,
      kind,
      words: 0,
      lines: 0,
      findings: [{ line: 0, problem: "cannot be read" }],
      more: 0,
    }));
    expect(summary(files)).toBe("0 files, 0 words, 0 findings in 0 files, 1 folder not read");
    expect(report("[x](y)", files)).toMatch(/^# Audit of \\\[x\\\]\(y\)\n/);
  });
});

describe("each stage alone", () => {
  const finding = (line: number, problem: string) => ({ line, problem });
  const file = (path: string, kind: string, more: object = {}) => ({ path, kind, words: 0, lines: 0, findings: [], more: 0, elsewhere: [], ...more });
  let root = "";
  beforeAll(() => {
    root = join(folder, "stages");
    mkdirSync(join(root, "docs"), { recursive: true });
    writeFileSync(join(root, "README.md"), "# One\n\n[dead](none.md) [guide](docs/guide.md#two)\n");
    writeFileSync(join(root, "docs/guide.md"), "# Guide\n# Guide\n");
    writeFileSync(join(root, "code.js"), "short\na longer line\n");
  });
  const found = [
    { path: "README.md", kind: "markdown" },
    { path: "code.js", kind: "source" },
    { path: "docs/guide.md", kind: "markdown" },
    { path: "gone.js", kind: "source" },
  ];

  test("collect: the files of a folder, without the report", async () => {
    expect(await collectFiles.run({ folder: root })).toEqual({ root, found: found.slice(0, 3) });
    expect(await collectFiles.run({ folder: root, out: join(root, "docs/guide.md") })).toEqual({ root, found: found.slice(0, 2) });
  });

  test("check: the files of one kind, in the order of the list, each told when it is done", async () => {
    const handler = checkMarkdown(reader()).start({ root, found, maxLine: 160 });
    const told = [];
    for await (const { event } of handler.stream()) if (event instanceof FileChecked) told.push(event);
    expect(await handler.result()).toEqual([
      file("README.md", "markdown", {
        words: 4,
        lines: 3,
        findings: [finding(3, "dead link to none.md")],
        elsewhere: [{ line: 3, target: "docs/guide.md#two", path: join(root, "docs/guide.md"), anchor: "two" }],
        anchors: ["one"],
      }),
      file("docs/guide.md", "markdown", {
        words: 4,
        lines: 2,
        findings: [finding(2, 'duplicate heading "Guide" (first in line 1)')],
        anchors: ["guide", "guide-1"],
      }),
    ]);
    expect(told.map(({ kind, checked, total, findings }) => ({ kind, checked, total, findings }))).toEqual([
      { kind: "markdown", checked: 1, total: 2, findings: 1 },
      { kind: "markdown", checked: 2, total: 2, findings: 1 },
    ]);
    expect(await checkSource(reader()).run({ root, found, maxLine: 9 })).toEqual([
      file("code.js", "source", { words: 4, lines: 2, findings: [finding(2, "13 characters (at most 9)")] }),
      file("gone.js", "source", { findings: [finding(0, "cannot be read (ENOENT)")] }),
    ]);
    expect(await checkSource(reader()).run({ root, found: [], maxLine: 9 })).toEqual([]);
  });

  test("merge: in the order in which files were found, and links between them looked up", async () => {
    const link = (target: string, anchor: string) => ({ line: 1, target: `${target}#${anchor}`, path: join(root, target), anchor });
    const elsewhere = [link("b.md", "one"), link("b.md", "two"), link("outside.md", "in"), link("outside.md", "out"), link("gone.md", "unknown")];
    const asked: string[] = [];
    const outside = async (path: string) => {
      asked.push(path);
      return path.endsWith("gone.md") ? Promise.reject(new Error("gone")) : "# In\n";
    };
    const { report, summary } = await mergeFindings(outside).run({
      root,
      found: [
        { path: "a.md", kind: "markdown" },
        { path: "b.js", kind: "source" },
        { path: "b.md", kind: "markdown" },
        { path: "private", kind: "folder", error: "EACCES" },
      ],
      checked: {
        markdown: [file("b.md", "markdown", { anchors: ["one"] }), file("a.md", "markdown", { elsewhere, anchors: [] })],
        source: [file("b.js", "source", { findings: [finding(7, "too long")] })],
      },
    });
    expect(summary).toBe("3 files, 0 words, 3 findings in 2 files, 1 folder not read");
    expect(report.match(/^(?:## |- ).*/gm)).toEqual([
      "## a.md",
      "- line 1: dead link to b.md#two: no such heading",
      "- line 1: dead link to outside.md#out: no such heading",
      "## b.js",
      "- line 7: too long",
      "## private",
      "- cannot be read (EACCES)",
    ]);
    expect(asked).toEqual([join(root, "outside.md"), join(root, "gone.md")]);
  });

  test.each([
    ["y", true],
    ["no", false],
  ])("approve: %j is %j", async (write, approved) => {
    const handler = approveReport.start({ summary: "one file", out: "report.md" });
    expect(handler.pendingInputs).toMatchObject([{ id: "report", prompt: "Write the report to report.md?", metadata: { summary: "one file" } }]);
    await expect(handler.respond("report", { write: "perhaps" })).rejects.toMatchObject({ code: "INVALID_RESPONSE", path: "write" });
    await handler.respond("report", { write });
    expect(await handler.result()).toBe(approved);
  });

  test("write: to a file, or to none", async () => {
    expect(await writeReport.run({ report: "# All is well\n", out: join(folder, "written.md") })).toBe("# All is well\n");
    expect(readFileSync(join(folder, "written.md"), "utf8")).toBe("# All is well\n");
    expect(await writeReport.run({ report: "# All is well\n" })).toBe("# All is well\n");
    expect(await caught(writeReport.run({ report: "", out: folder }))).toMatchObject({ code: "STEP_FAILED", cause: { code: "EISDIR" } });
  });
});

describe("the pipeline", () => {
  const EACH = 20;
  let tree = "";
  let expected = "";
  beforeAll(() => {
    tree = join(folder, "by-kind");
    mkdirSync(tree);
    for (let at = 0; at < EACH; at++) {
      writeFileSync(join(tree, `${at}.md`), `# Part ${at}\n\n[next](${at + 1}.md#part-${at + 2})\n`);
      writeFileSync(join(tree, `${at}.js`), `${"x".repeat(150 + at)}\n`);
    }
    expect(audit(tree, "--yes", "--out", "by-kind.md", "--log", "by-kind.log").status).toBe(0);
    expected = readFileSync(join(folder, "by-kind.md"), "utf8");
  });

  test.each([
    ["yes", () => expected],
    ["no", () => false],
  ])("tells where it is, asks in the middle, and %j gives the report or none", async (write, result) => {
    const handler = auditPipeline().start({ folder: tree, maxLine: 160 });
    const told: string[] = [];
    for await (const { event, path } of handler.stream()) {
      if (event instanceof ProgressEvent) told.push(`${event.percent} % ${event.stage}`);
      else if (event instanceof InputRequestEvent) {
        expect([path, handler.progress]).toEqual([["approve"], { stage: "approve", index: 3, total: 5, percent: 60 }]);
        await handler.respond(event.id, { write });
      }
    }
    expect(told).toEqual([
      ...["0 % collect", "20 % collect", "20 % check", "40 % check", "40 % merge"],
      ...["60 % merge", "60 % approve", "80 % approve", "80 % write", "100 % write"],
    ]);
    expect(await handler.result()).toBe(result());
  });

  test.each(["native", "wasm"])("paused while both kinds are checked, it goes on in a process with the %s binding and reads no file twice", async (binding) => {
    // Given an audit that has checked half of each kind, and is about to read more,
    const log: string[] = [];
    const count = (kind: string) => log.filter((path) => path.endsWith(kind)).length;
    const held = deferred<void>();
    const onRead = (path: string) => {
      log.push(path);
      return count(path.slice(-3)) > EACH / 2 ? held.promise : undefined;
    };
    const job = { folder: tree, maxLine: 160, out: join(folder, `${binding}.md`) };
    const handler = auditPipeline({ onRead }).start(job);
    let halves = 0;
    for await (const { event } of handler.stream()) if (event instanceof FileChecked && event.checked === EACH / 2 && ++halves === 2) break;
    // when it is paused
    const paused = handler.pause();
    held.resolve();
    writeFileSync(join(folder, `${binding}.json`), JSON.stringify({ job, snapshot: await paused }));
    expect(handler.progress).toEqual({ stage: "check", index: 1, total: 5, percent: 20 });
    for (const kind of [".md", ".js"]) expect(count(kind)).toBeLessThan(EACH);
    // and goes on elsewhere,
    const { status, stdout } = auditOn({ BLAZEN_BINDING: binding }, "--resume", `${binding}.json`, "--yes", "--log", `${binding}.log`);
    // then it counts on, gives the same report, and has read each file once.
    expect([status, stdout.split("\n")[0]]).toEqual([0, "going on: 20 % done"]);
    for (const kind of ["markdown", "source"]) {
      const counts = [...stdout.matchAll(new RegExp(`checked (\\d+) of ${EACH} ${kind} files`, "g"))].map(([, checked]) => Number(checked));
      expect(counts).toEqual([12, 14, 16, 18, 20]);
    }
    expect(readFileSync(job.out, "utf8")).toBe(expected);
    expect([...log, ...read(`${binding}.log`)].sort()).toEqual(read("by-kind.log"));
  });

  test("a terminal has a bar, which is rewritten and stays within its line", () => {
    const terminal = "Object.assign(process.stdout, { isTTY: true, columns: 60 });";
    const node = ["--import", `data:text/javascript,${encodeURIComponent(terminal)}`];
    const { stdout } = spawnSync(process.execPath, [...node, main, tree, "--yes", "--out", "bar.md", "--no-store"], { encoding: "utf8", cwd: folder });
    const [progress, summary, after, ...rest] = stdout.split("\n").map((line) => line.split("\x1b[K").map((text) => text.replace("\r", "")));
    expect(progress![0]).toBe("[--------------------]   0 % collect");
    expect(progress).toContain("[####----------------]  20 % check: markdown 20 of 20, source 20 of 20".slice(0, 59));
    expect(progress!.at(-2)).toBe("[############--------]  60 % approve");
    expect(summary).toEqual([expect.stringMatching(/^40 files, /)]);
    expect(after!.at(-2)).toBe("[####################] 100 % write");
    expect(rest).toEqual([[`report: ${join(folder, "bar.md")}`], [""]]);
  });

  test("where the report cannot be written is one sentence and exit code 2", async () => {
    // Given an audit that asks,
    const out = join(folder, "taken-away/report.md");
    mkdirSync(dirname(out));
    const child = spawn(process.execPath, [main, tree, "--ask", "--out", out, "--no-store"], { cwd: folder });
    let [stdout, stderr] = ["", ""];
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      // when its folder is taken away, and then it is answered,
      if (!stdout.endsWith("[Y/n] ")) return;
      rmSync(dirname(out), { recursive: true });
      child.stdin.end("yes\n");
    });
    // then it says so.
    expect(await once(child, "close")).toEqual([2, null]);
    expect(stderr).toBe(`The report cannot be written to ${out} (ENOENT). Name another place with --out.\n`);
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
  symlinkSync(folder, join(project, "loop"), "junction");
  const { status, stdout } = audit(project, "--yes", "--out", "out.md");
  expect(status).toBe(0);
  expect(stdout).toContain("checked 2 of 2 markdown files\n");
  expect(stdout).toContain("checked 1 of 1 source files\n");
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

test("a second run does not audit the report of the first; what is too long is named", () => {
  const place = join(folder, "twice");
  mkdirSync(place);
  writeFileSync(join(place, "a.md"), "# A\n");
  writeFileSync(join(place, "long.js"), "\n".repeat(5 * 1024 * 1024));
  const runs = [1, 2].map(() => audit(place, "--yes", "--out", join(place, "report.md")));
  for (const { status, stdout } of runs) expect([status, stdout]).toEqual([0, expect.stringContaining("2 files, 2 words, 1 finding in 1 file")]);
  expect(readFileSync(join(place, "report.md"), "utf8")).toContain("## long.js\n\n- cannot be read (larger than 2 MiB)\n");
});

test("of many findings in one file the first are listed, all are counted", () => {
  const place = join(folder, "many");
  mkdirSync(place);
  writeFileSync(join(place, "a.js"), `${"x".repeat(200)}\n`.repeat(1_500));
  expect(audit(place, "--yes", "--out", "many.md").stdout).toContain("1,500 findings in 1 file");
  const lines = readFileSync(join(folder, "many.md"), "utf8").trimEnd().split("\n");
  expect(lines.filter((line) => line.includes("200 characters"))).toHaveLength(100);
  expect(lines.at(-1)).toBe("- and 1,400 more");
});

test("headings of files outside the folder, of skipped ones, and of one that cannot be read", () => {
  const place = join(folder, "links");
  mkdirSync(join(place, "in/dist"), { recursive: true });
  writeFileSync(join(place, "out.md"), "# Out\n");
  writeFileSync(join(place, "in/dist/skipped.md"), "# Skipped\n");
  writeFileSync(join(place, "in/large.md"), "\n".repeat(3 * 1024 * 1024));
  writeFileSync(join(place, "in/a.md"), "[a](../out.md#out) [b](../out.md#no) [c](dist/skipped.md#skipped) [d](dist/skipped.md#no) [e](large.md#unknown)\n");
  expect(audit(join(place, "in"), "--yes", "--out", "links-report.md", "--log", "links.log").status).toBe(0);
  const found = readFileSync(join(folder, "links-report.md"), "utf8").match(/dead link.*/g);
  expect(found).toEqual(["dead link to ../out.md#no: no such heading", "dead link to dist/skipped.md#no: no such heading"]);
  expect(read("links.log")).toEqual([join(place, "in/a.md"), join(place, "in/dist/skipped.md"), join(place, "out.md")]);
});

/** The files that an audit says it has read, sorted. */
const read = (log: string): string[] => readFileSync(join(folder, log), "utf8").trimEnd().split("\n").sort();

/** Runs the audit, and sends it the signals when its output says so. */
async function interrupted(
  args: string[],
  signals: readonly (readonly [RegExp, ...NodeJS.Signals[]])[],
  { env = {}, node = [] as string[], stdin = "ignore" as "ignore" | "pipe", store = false } = {},
) {
  // npx is npm as well.
  const { npm_lifecycle_event: _, ...own } = process.env;
  const child = spawn(process.execPath, [...node, main, ...args, ...(store ? [] : withoutStore(args))], {
    cwd: folder,
    env: { ...own, ...env },
    timeout: 20_000,
    killSignal: "SIGKILL",
    stdio: [stdin, "pipe", "inherit"],
  }) as ChildProcessByStdio<null, Readable, null>;
  const left = [...signals];
  let stdout = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    if (left[0]?.[0].test(stdout)) for (const signal of left.shift()!.slice(1)) child.kill(signal as NodeJS.Signals);
  });
  const [code, signal] = await once(child, "close");
  return { code, signal, stdout };
}

describe.skipIf(process.platform === "win32")("signals", () => {
  // Verified at each commit, the same run takes longer: the size of all that was found counts as often as there are files.
  const [files, links] = process.env["BLAZEN_VERIFY"] === "1" ? [100, 40] : [300, 200];
  const checked = (count: number | string) => new RegExp(`checked ${count} of ${files} markdown files`);
  let tree = "";
  beforeAll(() => {
    tree = join(folder, "paused");
    mkdirSync(tree);
    for (let at = 0; at < files; at++) {
      const lines = Array.from({ length: links }, (_, line) => `[next](${(at + line) % files}.md#part-${line % 2 === 0 ? (at + line) % files : "none"})\n`);
      writeFileSync(join(tree, `${at}.md`), `# Part ${at}\n\n${lines.join("\n")}`);
    }
  });

  test("an audit that is interrupted and resumed, twice, gives the same report and has read each file once", async () => {
    expect(audit(tree, "--yes", "--out", "straight.md", "--log", "straight.log").status).toBe(0);
    expect(read("straight.log")).toHaveLength(files);
    const expected = readFileSync(join(folder, "straight.md"), "utf8");
    expect(expected).toContain("no such heading");

    const args = [tree, "--out", "paused.md", "--log", "paused.log"];
    const first = await interrupted(args, [[checked("\\d+"), "SIGINT"]]);
    expect(first).toMatchObject({ signal: "SIGINT", stdout: expect.stringMatching(/paused; go on with: .* --resume audit-paused\.snapshot\.json\n$/) });
    const before = read("paused.log").length;
    expect(before).toBeGreaterThan(0);
    expect(before).toBeLessThan(files);
    expect(existsSync(join(folder, "paused.md"))).toBe(false);

    // Through npm a Ctrl-C comes twice.
    const again = [[new RegExp(`(${checked("\\d+").source}\\s+){3}`), "SIGINT", "SIGINT"]] as const;
    const second = await interrupted([...args, "--resume", "audit-paused.snapshot.json"], again, { env: { npm_lifecycle_event: "demo" } });
    expect(second).toMatchObject({
      signal: "SIGINT",
      stdout: expect.stringContaining("paused; go on with: npm run demo -- --resume audit-paused-2.snapshot.json\n"),
    });
    const counts = [...second.stdout.matchAll(/checked (\d+) of/g)].map(([, count]) => Number(count));
    expect(counts[0]).toBeGreaterThanOrEqual(files / 10);
    expect(counts).toEqual([...counts].sort((a, b) => a - b));
    expect(read("paused.log").length).toBeGreaterThan(before);
    expect(read("paused.log").length).toBeLessThan(files);

    const { status, stdout } = audit("--resume", "audit-paused-2.snapshot.json", "--yes", "--log", "paused.log");
    expect([status, stdout]).toEqual([0, expect.stringContaining(`checked ${files} of ${files} markdown files\n`)]);
    expect(readFileSync(join(folder, "paused.md"), "utf8")).toBe(expected.replace("straight", "paused"));
    expect(read("paused.log")).toEqual(read("straight.log"));
  }, 60_000);

  test("SIGTERM pauses too; a second signal ends at once and leaves nothing", async () => {
    const hang = `
      import fs, { promises } from "node:fs";
      import { syncBuiltinESMExports } from "node:module";
      const { readFile } = promises;
      promises.readFile = (path, ...rest) => String(path).endsWith("/20.md") ? new Promise(() => setInterval(() => {}, 1000)) : readFile(path, ...rest);
      syncBuiltinESMExports();`;
    const node = ["--import", `data:text/javascript,${encodeURIComponent(hang)}`];
    const kept = () => readdirSync(folder).filter((name) => name.includes("snapshot")).length;
    const before = kept();
    const ended = await interrupted(
      [tree, "--out", "ended.md"],
      [
        [checked(files / 2), "SIGTERM"],
        [/pausing/, "SIGINT"],
      ],
      { node },
    );
    expect(ended).toMatchObject({ signal: "SIGINT", stdout: expect.not.stringContaining("paused;") });
    expect([kept(), existsSync(join(folder, "ended.md"))]).toEqual([before, false]);
    const paused = await interrupted([tree, "--out", "ended.md"], [[checked(files / 10), "SIGTERM"]]);
    expect(paused).toMatchObject({ signal: "SIGTERM", stdout: expect.stringContaining("paused;") });
    expect(kept()).toBe(before + 1);
  }, 60_000);

  test("what is no snapshot of an audit, or of another one, is one sentence and exit code 2", async () => {
    await interrupted([tree, "--out", "kept.md"], [[checked("\\d+"), "SIGINT"]]);
    const name = readdirSync(folder)
      .filter((file) => file.endsWith(".snapshot.json"))
      .sort((a, b) => a.length - b.length || (a < b ? -1 : 1))
      .at(-1)!;
    const text = readFileSync(join(folder, name), "utf8");
    writeFileSync(join(folder, "damaged.json"), text.replace(`state/total":${files}`, `state/total":${files + 1}`));
    for (const [args, message] of [
      [["--resume", "damaged.json"], /damaged.json: The snapshot cannot be used: it is damaged: its checksum/],
      [["--resume", "nowhere.json"], /cannot be read/],
      [["--resume", name, "--max-line", "9"], /begun with 160 for --max-line, not 9/],
      [["--resume", name, folder], /for the folder/],
    ] as const) {
      const { status, stderr } = audit(...args);
      expect([status, stderr]).toEqual([2, expect.stringMatching(message)]);
      expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    }
  }, 60_000);
});

describe("the question", () => {
  const question = (out: string) => `Write the report to ${join(folder, out)}? [Y/n] `;
  const written = (out: string) => existsSync(join(folder, out));
  /** The audit of a folder with one file in it, with these lines as its input. */
  const asked = (input: string, ...args: string[]) => {
    const { status, stdout } = spawnSync(process.execPath, [main, ...args, ...withoutStore(args)], { encoding: "utf8", cwd: folder, input });
    return { status, stdout };
  };
  const kept = (stdout: string) => /--resume (\S+) \(it asks again, unless --yes or --no is given\)\n$/.exec(stdout)?.[1] ?? expect.fail(stdout);
  let small = "";
  beforeAll(() => {
    small = join(folder, "small");
    mkdirSync(small);
    writeFileSync(join(small, "a.md"), "# A\n\n[dead](b.md)\n");
    expect(audit(small, "--yes", "--out", "expected.md")).toEqual({
      status: 0,
      stdout: `checked 1 of 1 markdown files\n1 file, 3 words, 1 finding in 1 file\nreport: ${join(folder, "expected.md")}\n`,
      stderr: "",
    });
  });
  const isAsExpected = (out: string) => expect(readFileSync(join(folder, out), "utf8")).toBe(readFileSync(join(folder, "expected.md"), "utf8"));

  test.each(["y", "YES", "", " yes "])("%j writes the report", (answer) => {
    const out = `said-${answer.trim()}.md`;
    const { status, stdout } = asked(`${answer}\n`, small, "--ask", "--out", out);
    expect([status, stdout]).toEqual([0, expect.stringContaining(`${question(out)}report: ${join(folder, out)}\n`)]);
    isAsExpected(out);
  });
  test.each([
    ["No\n", "--ask"],
    ["", "--no"],
  ])("%j with %s does not, and it says so", (input, option) => {
    const { status, stdout } = asked(input, small, option, "--out", "said-no.md");
    expect([status, stdout]).toEqual([0, expect.stringMatching(/no report was written\n$/)]);
    expect(written("said-no.md")).toBe(false);
  });
  test("anything else is refused with what is expected, and asked again", () => {
    const { status, stdout } = asked("perhaps\nyes\nno\n", small, "--ask", "--out", "again.md");
    const [, refused, accepted] = stdout.split(question("again.md"));
    expect(refused).toMatch(/does not accept this response at write: .*answer "yes" or "no"/);
    expect([status, accepted]).toEqual([0, `report: ${join(folder, "again.md")}\n`]);
    isAsExpected("again.md");
  });
  test("where nobody can be asked, or the input ends, it is left waiting and answered in another process", () => {
    const log = ["--log", "left.log"];
    const first = asked("", small, "--out", "left.md", ...log);
    expect([first.status, first.stdout]).toEqual([0, expect.not.stringContaining("[Y/n]")]);
    const second = asked("perhaps\n", "--resume", kept(first.stdout), "--ask", ...log);
    expect([second.status, second.stdout.split(question("left.md")).length]).toEqual([0, 3]);
    expect(written("left.md")).toBe(false);
    const third = asked("y\n", "--resume", kept(second.stdout), "--ask", ...log);
    expect(third).toEqual({
      status: 0,
      stdout: `going on: 60 % done\n1 file, 3 words, 1 finding in 1 file\n${question("left.md")}report: ${join(folder, "left.md")}\n`,
    });
    isAsExpected("left.md");
    rmSync(join(folder, "left.md"));
    expect(audit("--resume", kept(second.stdout), "--no").stdout).toMatch(/no report was written\n$/);
    expect(written("left.md")).toBe(false);
    expect(audit("--resume", kept(second.stdout), "--yes").status).toBe(0);
    isAsExpected("left.md");
    expect(read("left.log")).toEqual([join(small, "a.md")]);
  });
  test.skipIf(process.platform === "win32")("Ctrl-C while it asks: left, and answered later", async () => {
    const stopped = await interrupted([small, "--ask", "--out", "stopped.md"], [[/\[Y\/n\] $/, "SIGINT"]], { stdin: "pipe" });
    expect(stopped).toMatchObject({ signal: "SIGINT", stdout: expect.stringMatching(/\[Y\/n\] pausing; once more ends at once\npaused; go on with: /) });
    expect(written("stopped.md")).toBe(false);
    expect(audit("--resume", kept(stopped.stdout), "--yes").status).toBe(0);
    isAsExpected("stopped.md");
  });
});

describe("kept in a store", () => {
  const [notes, codes] = [30, 20];
  const env = { BLAZEN_BINDING: "native" };
  const native = { env, store: true };
  const stored = (...args: string[]) => auditOn(env, ...args);
  const report = (out: string) => readFileSync(join(folder, out), "utf8");
  const goingOn = /^going on with run (audit-[0-9a-f]{12}): (\d+) of (\d+) files were read before$/m;
  let tree = "";
  let expected = "";
  beforeAll(() => {
    tree = join(folder, "stored");
    mkdirSync(tree);
    const name = (at: number) => String(at).padStart(2, "0");
    for (let at = 0; at < notes; at++) writeFileSync(join(tree, `${name(at)}.md`), `# Part ${at}\n# Part ${at}\n`);
    for (let at = 0; at < codes; at++) writeFileSync(join(tree, `${name(at)}.js`), `${"x".repeat(150 + at)}\n`);
    expect(audit(tree, "--yes", "--out", "unkept.md").status).toBe(0);
    expected = report("unkept.md");
  });

  test("it says where, and the next audit of the folder is a new one", () => {
    for (let round = 0; round < 2; round++) {
      const { status, stdout } = stored(tree, "--yes", "--out", "new.md", "--store", "new.db", "--log", "new.log");
      expect([status, stdout.split("\n")[0]]).toEqual([
        0,
        expect.stringMatching(/^run audit-[0-9a-f]{12}, kept in .*new\.db: whatever ends it, the same command goes on$/),
      ]);
      expect(report("new.md")).toBe(expected);
    }
    expect(read("new.log")).toHaveLength(2 * (notes + codes));
  });

  test("killed when it has read some files, the same command reads the others, and gives the same report", async () => {
    // Given an audit that gets no further than to these files, before it reads them,
    const held = { md: 18, js: 10 };
    const hold = `
      import { promises } from "node:fs";
      import { syncBuiltinESMExports } from "node:module";
      const { stat } = promises;
      const held = (path) => { const [, at, kind] = /(\\d+)\\.(md|js)$/.exec(path) ?? []; return Number(at) >= ${JSON.stringify(held)}[kind]; };
      promises.stat = (path) => held(String(path)) ? new Promise(() => setInterval(() => {}, 1000)) : stat(path);
      syncBuiltinESMExports();`;
    const node = ["--import", `data:text/javascript,${encodeURIComponent(hold)}`];
    const args = [tree, "--yes", "--out", "killed.md", "--log", "killed.log"];
    // when it is killed with all that it has read on disk,
    const all = /^(?=[\s\S]*checked 18 of 30 markdown)(?=[\s\S]*checked 10 of 20 source)/;
    expect(await interrupted(args, [[all, "SIGKILL"]], { ...native, node })).toMatchObject({ signal: "SIGKILL" });
    expect(existsSync(join(folder, "killed.md"))).toBe(false);
    expect(read("killed.log")).toHaveLength(held.md + held.js);
    // then the next one goes on and has read each file once.
    const { status, stdout } = stored(...args);
    expect([status, goingOn.exec(stdout)?.slice(2)]).toEqual([0, ["28", "50"]]);
    expect(stdout).toContain("checked 30 of 30 markdown files\n");
    expect(report("killed.md")).toBe(expected);
    expect(new Set(read("killed.log")).size).toBe(notes + codes);
    expect(read("killed.log")).toHaveLength(notes + codes);
  }, 60_000);

  test("killed again and again, in the middle of reading, it reads again what it was reading, and nothing else", async () => {
    const args = [tree, "--yes", "--out", "often.md"];
    const killedAt = (read: number) => `
      import { promises } from "node:fs";
      import { syncBuiltinESMExports } from "node:module";
      const { readFile } = promises;
      let read = 0;
      promises.readFile = (...args) => ++read === ${read} ? process.kill(process.pid, "SIGKILL") : readFile(...args);
      syncBuiltinESMExports();`;
    const logs: string[][] = [];
    let before = 0;
    for (const at of [1, 12, 20, 7]) {
      const node = ["--import", `data:text/javascript,${encodeURIComponent(killedAt(at))}`];
      const { stdout, signal } = await interrupted([...args, "--log", `often-${at}.log`], [], { ...native, node });
      expect(signal).toBe("SIGKILL");
      // It never says less than before, nor more than was read.
      const said = Number(goingOn.exec(stdout)?.[2] ?? 0);
      expect(said).toBeGreaterThanOrEqual(before);
      expect(said).toBeLessThanOrEqual(new Set(logs.flat()).size);
      before = said;
      logs.push(read(`often-${at}.log`));
    }
    const { status, stdout } = stored(...args, "--log", "often.log");
    expect([status, report("often.md")]).toEqual([0, expected]);
    const last = read("often.log");
    expect(last).toHaveLength(notes + codes - Number(goingOn.exec(stdout)?.[2]));
    expect(new Set([...logs.flat(), ...last]).size).toBe(notes + codes);
    // Of each kind eight at a time.
    expect(logs.flat().length + last.length - (notes + codes)).toBeLessThanOrEqual(16 * logs.length);
  }, 60_000);

  test("where nobody answers it is left waiting; killed while it asks, the next one asks again", async () => {
    const args = [tree, "--out", "asked.md", "--log", "asked.log"];
    const first = stored(...args);
    expect([first.status, first.stdout]).toEqual([
      0,
      expect.stringMatching(/\nleft waiting in .*audit\.db; answer with the same command and --yes, --no or --ask\n$/),
    ]);
    const asks = await interrupted([...args, "--ask"], [[/\[Y\/n\] $/, "SIGKILL"]], { ...native, stdin: "pipe" });
    expect(asks).toMatchObject({ signal: "SIGKILL", stdout: expect.stringContaining('all files were read before, it was at "approve"\n') });
    const { status, stdout } = spawnSync(process.execPath, [main, ...args, "--ask"], {
      ...{ encoding: "utf8", cwd: folder, input: "perhaps\ny\n" },
      env: { ...process.env, ...env },
    });
    expect([status, stdout.split("[Y/n]").length]).toEqual([0, 3]);
    expect(report("asked.md")).toBe(expected);
    expect(read("asked.log")).toHaveLength(notes + codes);
  }, 60_000);

  test("two at once: the second one says so", async () => {
    const args = [tree, "--out", "twice.md"];
    const child = spawn(process.execPath, [main, ...args, "--ask"], { cwd: folder, env: { ...process.env, ...env } });
    let stdout = "";
    for await (const text of child.stdout.setEncoding("utf8")) {
      stdout += text;
      if (stdout.endsWith("[Y/n] ")) break;
    }
    expect(stored(...args, "--yes")).toMatchObject({ status: 2, stderr: "Another process is at this audit. Wait for it, or name another --store.\n" });
    const ended = once(child, "close");
    child.kill("SIGKILL");
    await ended;
    expect(stored(...args, "--yes").status).toBe(0);
  }, 60_000);

  test("what is no store of ours, or cannot be one, is one sentence and exit code 2", () => {
    writeFileSync(join(folder, "text.db"), "some text that is no database ".repeat(100));
    for (const [args, message] of [
      [["--store", "text.db"], /text\.db: /],
      [["--store", "nowhere/audit.db"], /cannot be written \(ENOENT\)/],
      [["--store", "a.db", "--no-store"], /One of --store, --no-store and --resume/],
    ] as const) {
      const { status, stderr } = stored(tree, "--yes", "--out", "none.md", ...args);
      expect([status, stderr]).toEqual([2, expect.stringMatching(message)]);
      expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    }
  });

  test("on WebAssembly there is no such store: it says so and goes on", () => {
    const { status, stdout } = auditOn({ BLAZEN_BINDING: "wasm" }, tree, "--yes", "--out", "wasm.md", "--store", "wasm.db");
    expect([status, stdout.split("\n")[0]]).toEqual([0, expect.stringMatching(/^kept in this process alone, as SqliteStore needs the native addon/)]);
    expect([report("wasm.md"), existsSync(join(folder, "wasm.db"))]).toEqual([expected, false]);
  });
});

test("--help needs no folder", () => {
  const { status, stdout } = audit("nowhere", "--help");
  expect([status, stdout]).toEqual([0, expect.stringContaining("--max-line N")]);
});

test.each([
  [["nowhere"], /There is no folder/],
  [["out.md"], /is not a folder/],
  [["--colour"], /Unknown option/],
  [[".", "--out", "nowhere/report.md"], /cannot be written/],
  [[".", "--out", "."], /is a folder/],
  [[".", "--max-line", "wide"], /whole number/],
  [["a", "b"], /One folder at a time/],
  [["--yes", "--no"], /One of --yes, --no and --ask/],
])("bad input %j is one sentence and exit code 2", (args, message) => {
  const { status, stderr } = audit(...args);
  expect(status).toBe(2);
  expect(stderr).toMatch(message);
  expect(stderr.trimEnd().split("\n")).toHaveLength(1);
});

test("10,000 files stay within 150 MiB", () => {
  const tree = join(folder, "tree");
  for (let at = 0; at < 100; at++) {
    mkdirSync(join(tree, `${at}`), { recursive: true });
    for (let file = 0; file < 100; file++)
      writeFileSync(join(tree, `${at}/${file}.md`), `# ${file}\n\n${"Some words that fill a line. ".repeat(40)}\n\n[next](${file + 1}.md)\n`);
  }
  // Not maxRSS where there is VmHWM: on Linux that begins at the peak of the process that started this one.
  const peak = `
    import { existsSync, readFileSync } from "node:fs";
    const status = "/proc/self/status";
    const kib = () => existsSync(status) ? /VmHWM:\\s*(\\d+)/.exec(readFileSync(status, "utf8"))[1] : process.resourceUsage().maxRSS;
    process.on("exit", () => console.log("rss", kib()));
    await import(${JSON.stringify(pathToFileURL(main).href)});`;
  const wrapper = join(folder, "rss.mjs");
  writeFileSync(wrapper, peak);
  // Verified, a list of 10,000 files would be there twice.
  const env = { ...process.env, BLAZEN_VERIFY: "0" };
  const { stdout } = spawnSync(process.execPath, [wrapper, tree, "--yes", "--out", "tree.md", "--no-store"], { encoding: "utf8", cwd: folder, env });
  expect(stdout).toContain("checked 10000 of 10000 markdown files");
  expect(Number(/rss (\d+)/.exec(stdout)?.[1]) / 1024).toBeLessThan(150);
}, 120_000);
