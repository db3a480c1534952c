import { readFile, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { collect, event, StartEvent, StopEvent, Workflow } from "blazen";
import { anchors, counts, deadLinks, duplicateHeadings, longLines } from "./checks.mjs";
import { listFiles } from "./list.mjs";

/** A file to look at: `{ root, path, kind, maxLine }`. */
class File extends event("File") {}
/** What was found in it: `{ path, kind, words, lines, findings, more }`; its text is gone by then. */
class Checked extends event("Checked") {}

/** Longer files are data, and eight of them at a time would not be small. */
const LARGEST = 2 * 1024 * 1024;

async function readText(path) {
  if ((await stat(path)).size > LARGEST) throw new Error("larger than 2 MiB");
  return readFile(path, "utf8");
}

/** Findings listed for one file; the rest are counted. */
const LISTED = 100;

/** What was found first, as strings of their own: a part of a text keeps the whole text in memory. */
function listed(findings) {
  const first = findings.sort((a, b) => a.line - b.line).slice(0, LISTED);
  return {
    findings: first.map(({ line, problem }) => ({ line, problem: Buffer.from(problem).toString() })),
    more: findings.length - first.length,
  };
}

/** Anchors are read once for files that many link to; the oldest go first. */
const KEPT = 200;

/**
 * Lists a folder's files, looks at eight at a time and collects what was found, in the order of the list.
 * @param {{ onListed?: (files: number) => void, onChecked?: () => void }} [progress]
 */
export function auditWorkflow({ onListed = () => {}, onChecked = () => {} } = {}) {
  const known = new Map();
  const anchorsOf = async (path) => {
    const found = known.get(path) ?? readText(path).then(anchors, () => undefined);
    known.set(path, found);
    if (known.size > KEPT) known.delete(known.keys().next().value);
    return found;
  };
  const unread = (path, kind, problem) => new Checked({ path, kind, words: 0, lines: 0, findings: [{ line: 0, problem }], more: 0 });

  return new Workflow("audit")
    .step("list", StartEvent, async ({ folder, maxLine, out }) => {
      const root = resolve(folder);
      // A report of an earlier run is none of the folder's files.
      const found = (await listFiles(root)).filter(({ path }) => out === undefined || resolve(root, path) !== resolve(out));
      onListed(found.filter(({ kind }) => kind !== "folder").length);
      return found.map(({ path, kind, error }) =>
        kind === "folder" ? unread(path, kind, `cannot be read (${error})`) : new File({ root, path, kind, maxLine }),
      );
    })
    .step("check", File, { concurrency: 8 }, async ({ root, path, kind, maxLine }) => {
      const file = resolve(root, path);
      let text;
      try {
        text = await readText(file);
      } catch (error) {
        onChecked();
        return unread(path, kind, `cannot be read (${error.code ?? error.message})`);
      }
      const findings = longLines(text, maxLine);
      if (kind === "markdown") findings.push(...duplicateHeadings(text), ...(await deadLinks(file, text, root, anchorsOf)));
      onChecked();
      return new Checked({ path, kind, ...counts(text), ...listed(findings) });
    })
    .step("merge", collect(Checked, { of: "list" }), (files) => new StopEvent({ result: files }));
}
