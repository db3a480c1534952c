import { readFile, stat } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { collect, event, InputRequestEvent, StartEvent, StopEvent, Workflow } from "blazen";
import { z } from "zod";
import { anchors, counts, duplicateHeadings, links, longLines, noHeading } from "./checks.mjs";
import { listFiles } from "./list.mjs";
import { report, summary } from "./report.mjs";

/** A file to look at: `{ root, path, kind, maxLine }`. */
class File extends event("File") {}
/** What was found in it: `{ path, kind, words, lines, findings, more, elsewhere }`, and the `anchors` of Markdown; its text is gone by then. */
class Checked extends event("Checked") {}
/** For who watches: a file is done, the `checked`th of `total`, with so many `findings`. */
export class FileChecked extends event("FileChecked") {}

/** Whether to write the report, as a person says it; the step gets a boolean. */
const yesOrNo = z.stringbool({ truthy: ["yes", "y", ""], falsy: ["no", "n"], error: 'answer "yes" or "no".' });
class Decision extends event("Decision", z.object({ write: yesOrNo })) {}

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
 * when the run is paused and goes on in another process: all that is known of it then is in events and in the state. Then it asks
 * whether to write the report. The input: `{ folder, maxLine, out? }`; `out` is where the caller will write it.
 *
 * @param {{ onRead?: (path: string) => unknown }} [observer] called, and awaited, before a file is read
 * @returns a workflow whose result is the report, or undefined if none is to be written
 */
export function auditWorkflow({ onRead = () => {} } = {}) {
  async function readText(path, signal) {
    if ((await stat(path)).size > LARGEST) throw new Error("larger than 2 MiB");
    await onRead(path);
    return readFile(path, { encoding: "utf8", signal });
  }
  const nothing = { words: 0, lines: 0, more: 0, elsewhere: [] };
  const unread = (path, kind, problem) => new Checked({ path, kind, ...nothing, findings: [{ line: 0, problem }] });

  return (
    new Workflow("audit", { state: { folder: "", maxLine: 0, out: "", total: 0, checked: 0, report: "" } })
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
      .step("check", File, { concurrency: 8 }, async ({ root, path, kind, maxLine }, { signal }) => {
        const file = resolve(root, path);
        let text;
        try {
          text = await readText(file, signal);
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
      // One at a time: what has been counted is committed when the next one counts.
      .step("progress", Checked, { concurrency: 1 }, async ({ path, kind, findings, more }, ctx) => {
        if (kind === "folder") return;
        ctx.state.update("checked", (checked) => checked + 1);
        const [checked, total] = [ctx.state.get("checked"), ctx.state.get("total")];
        await ctx.writeEventToStream(new FileChecked({ path, checked, total, findings: findings.length + more }));
      })
      .step("merge", collect(Checked, { of: "list" }), async (files, ctx) => {
        const root = ctx.state.get("folder");
        const known = new Map(files.map(({ path, anchors }) => [resolve(root, path), anchors && new Set(anchors)]));
        const merged = [];
        for (const { path, kind, words, lines, findings, more, elsewhere } of files) {
          const missing = [];
          for (const { line, target, path: other, anchor } of elsewhere) {
            // Only what lies outside the folder, or is skipped in it, has not been read.
            if (!known.has(other)) known.set(other, await readText(other, ctx.signal).then(anchors, () => undefined));
            if (known.get(other)?.has(anchor) === false) missing.push(noHeading(line, target));
          }
          merged.push({ path, kind, words, lines, ...listed([...findings, ...missing], more) });
        }
        ctx.state.set("report", report(basename(root), merged));
        const out = ctx.state.get("out");
        // Returned, not awaited by ctx.requestInput: a step that waits runs again in the process that goes on, and would read files twice.
        return new InputRequestEvent({
          id: "report",
          prompt: out === undefined ? "Write the report?" : `Write the report to ${out}?`,
          metadata: { summary: summary(merged) },
          answer: Decision,
        });
      })
      .step("decide", Decision, ({ write }, ctx) => new StopEvent({ result: write ? ctx.state.get("report") : undefined }))
  );
}
