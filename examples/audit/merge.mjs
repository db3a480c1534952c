// @ts-check
import { basename, resolve } from "node:path";
import { StartEvent, StopEvent, Workflow } from "blazen";
import { anchors as anchorsIn, noHeading } from "./checks.mjs";
import { first, unread } from "./findings.mjs";
import { report, summary } from "./report.mjs";

/** @typedef {import("./findings.mjs").CheckedFile} CheckedFile */
/** @typedef {{ markdown: CheckedFile[], source: CheckedFile[] }} ByKind */

/** @type {typeof StartEvent<{ root: string, found: readonly import("./collect.mjs").Found[], checked: ByKind }>} */
const Checked = StartEvent;

/**
 * Puts the files of all kinds in the order in which they were found, looks up the links between them, and makes the report:
 * `{ report, summary }`.
 *
 * @param {import("./read.mjs").Read} read for files that are linked and were not found: those outside the folder, or skipped in it
 */
export const mergeFindings = (read) =>
  new Workflow("merge").step("merge", Checked, async ({ root, found, checked }, { signal }) => {
    const byPath = new Map([...checked.markdown, ...checked.source].map((file) => [file.path, file]));
    const files = found.map(({ path, kind, error }) => byPath.get(path) ?? unread(path, kind, { code: error }));
    const known = new Map(files.map(({ path, anchors }) => [resolve(root, path), anchors && new Set(anchors)]));
    const merged = [];
    for (const { elsewhere, ...file } of files) {
      const missing = [];
      for (const { line, target, path, anchor } of elsewhere) {
        if (!known.has(path)) known.set(path, await read(path, signal).then(anchorsIn, () => undefined));
        if (known.get(path)?.has(anchor) === false) missing.push(noHeading(line, target));
      }
      merged.push({ ...file, ...first([...file.findings, ...missing], file.more) });
    }
    return new StopEvent({ result: { report: report(basename(root), merged), summary: summary(merged) } });
  });
