import { readFile, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { collect, event, StartEvent, StopEvent, Workflow } from "blazen";
import { anchors, counts, duplicateHeadings, links, longLines, noHeading } from "./checks.mjs";
import { listFiles } from "./list.mjs";

/** A file to look at: `{ root, path, kind, maxLine }`. */
class File extends event("File") {}
/** What was found in it: `{ path, kind, words, lines, findings, more, elsewhere }`, and the `anchors` of Markdown; its text is gone by then. */
class Checked extends event("Checked") {}

/** Longer files are data, and eight of them at a time would not be small. */
const LARGEST = 2 * 1024 * 1024;

/** Findings listed for one file; the rest are counted. */
const LISTED = 100;

/** Links to headings of other files that are looked up for one file. */
const FOLLOWED = 1_000;

/** Strings of their own: a part of a text keeps the whole text in memory. */
const copy = (value) => JSON.parse(JSON.stringify(value));

/** What comes first. */
function listed(findings, more = 0) {
  const first = findings.sort((a, b) => a.line - b.line).slice(0, LISTED);
  return { findings: first, more: more + findings.length - first.length };
}

/** Of the links to headings elsewhere those that are looked up, and what to say of the others. */
function followed(elsewhere) {
  const rest = elsewhere.slice(FOLLOWED);
  const findings = rest.slice(0, 1).map(({ line }) => ({ line, problem: `links to headings of other files from here on were not looked up: ${rest.length}` }));
  return { elsewhere: elsewhere.slice(0, FOLLOWED), findings };
}

/**
 * Lists a folder's files, looks at eight at a time and collects what was found, in the order of the list. Each file is read once, also
 * when the run is paused and goes on in another process: all that is known of it then is in events and in the state.
 *
 * @param {{ onChecked?: (checked: number, total: number) => void, onRead?: (path: string) => void }} [observer]
 */
export function auditWorkflow({ onChecked = () => {}, onRead = () => {} } = {}) {
  async function readText(path) {
    if ((await stat(path)).size > LARGEST) throw new Error("larger than 2 MiB");
    onRead(path);
    return readFile(path, "utf8");
  }
  const nothing = { words: 0, lines: 0, more: 0, elsewhere: [] };
  const unread = (path, kind, problem) => new Checked({ path, kind, ...nothing, findings: [{ line: 0, problem }] });

  return new Workflow("audit", { state: { folder: "", maxLine: 0, out: "", total: 0, checked: 0 } })
    .step("list", StartEvent, async ({ folder, maxLine, out }, ctx) => {
      const root = resolve(folder);
      // A report of an earlier run is none of the folder's files.
      const found = (await listFiles(root)).filter(({ path }) => out === undefined || resolve(root, path) !== resolve(out));
      for (const [key, value] of Object.entries({ folder: root, maxLine, out })) ctx.state.set(key, value);
      ctx.state.set("total", found.filter(({ kind }) => kind !== "folder").length);
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
        return unread(path, kind, `cannot be read (${error.code ?? error.message})`);
      }
      const findings = longLines(text, maxLine);
      if (kind !== "markdown") return new Checked({ ...nothing, path, kind, ...counts(text), ...listed(findings) });
      const linked = await links(file, text, root);
      const { elsewhere, findings: unfollowed } = followed(linked.elsewhere);
      findings.push(...duplicateHeadings(text), ...linked.findings, ...unfollowed);
      return new Checked(copy({ path, kind, ...counts(text), ...listed(findings), elsewhere, anchors: linked.anchors }));
    })
    .step("progress", Checked, ({ kind }, ctx) => {
      if (kind === "folder") return;
      ctx.state.update("checked", (checked) => checked + 1);
      onChecked(ctx.state.get("checked"), ctx.state.get("total"));
    })
    .step("merge", collect(Checked, { of: "list" }), async (files, ctx) => {
      const root = ctx.state.get("folder");
      const known = new Map(files.map(({ path, anchors }) => [resolve(root, path), anchors && new Set(anchors)]));
      const merged = [];
      for (const { path, kind, words, lines, findings, more, elsewhere } of files) {
        const missing = [];
        for (const { line, target, path: other, anchor } of elsewhere) {
          // Only what lies outside the folder, or is skipped in it, has not been read.
          if (!known.has(other)) known.set(other, await readText(other).then(anchors, () => undefined));
          if (known.get(other)?.has(anchor) === false) missing.push(noHeading(line, target));
        }
        merged.push({ path, kind, words, lines, ...listed([...findings, ...missing], more) });
      }
      return new StopEvent({ result: merged });
    });
}
