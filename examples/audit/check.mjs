// @ts-check
import { resolve } from "node:path";
import { collect, event, StartEvent, StopEvent, Workflow } from "blazen";
import { z } from "zod";
import { counts, duplicateHeadings, links, longLines } from "./checks.mjs";
import { first, unread } from "./findings.mjs";

/** @typedef {import("./collect.mjs").Found} Found */
/** @typedef {import("./findings.mjs").CheckedFile} CheckedFile */
/** @typedef {import("./read.mjs").Read} Read */
/** @typedef {{ root: string, path: string, maxLine: number, text: string }} Text */
/** @typedef {Pick<CheckedFile, "findings" | "elsewhere" | "anchors">} Outcome */

/** @type {typeof StartEvent<{ root: string, found: readonly Found[], maxLine: number }>} */
const Files = StartEvent;
/** A file to look at. */
class File extends event("File", z.object({ root: z.string(), path: z.string(), maxLine: z.number() })) {}
/** What was found in it; its text is gone by then. */
class Checked extends event("Checked", z.object({ file: /** @type {z.ZodType<CheckedFile>} */ (z.any()) })) {}
/** For who watches: a file is done, of those of its kind the `checked`th of `total`, with so many `findings`. */
export class FileChecked extends event(
  "FileChecked",
  z.object({ path: z.string(), kind: z.string(), checked: z.number(), total: z.number(), findings: z.number() }),
) {}

/** @param {Read} read */
export const checkMarkdown = (read) =>
  checkFiles("markdown", read, async ({ root, path, maxLine, text }) => {
    const { findings, elsewhere, anchors } = await links(resolve(root, path), text, root);
    const followed = elsewhere.slice(0, FOLLOWED);
    const [unfollowed] = elsewhere.slice(FOLLOWED);
    if (unfollowed !== undefined)
      findings.push({ line: unfollowed.line, problem: `links to headings of other files from here on were not looked up: ${elsewhere.length - FOLLOWED}` });
    return { findings: [...longLines(text, maxLine), ...duplicateHeadings(text), ...findings], elsewhere: followed, anchors };
  });

/** @param {Read} read */
export const checkSource = (read) => checkFiles("source", read, ({ text, maxLine }) => ({ findings: longLines(text, maxLine), elsewhere: [] }));

/** Links to headings of other files that are looked up for one file. */
const FOLLOWED = 1_000;

/** Strings of their own: a part of a text keeps the whole text in memory. @type {<T>(value: T) => T} */
const copy = (value) => JSON.parse(JSON.stringify(value));

/**
 * Looks at the files of one kind, eight at a time, and gives what was found, in the order of the list. Each is read once, also when the
 * run is paused and goes on in another process: all that is known of it then is in events and in the state.
 *
 * @param {Found["kind"]} kind
 * @param {Read} read
 * @param {(text: Text) => Outcome | Promise<Outcome>} check
 */
function checkFiles(kind, read, check) {
  return (
    new Workflow(`check ${kind}`, { state: { read: 0, checked: 0, total: 0 } })
      .step("list", Files, ({ root, found, maxLine }, ctx) => {
        const files = found.filter((file) => file.kind === kind);
        ctx.state.set("total", files.length);
        return files.map(({ path }) => new File({ root, path, maxLine }));
      })
      .step("check", File, { concurrency: 8 }, async ({ root, path, maxLine }, ctx) => {
        // Kept in a store, what was found in the file that had this place before is on disk now: a crash makes at most eight be read again.
        await ctx.commit();
        ctx.state.update("read", (read) => read + 1);
        let text;
        try {
          text = await read(resolve(root, path), ctx.signal);
        } catch (error) {
          return new Checked({ file: unread(path, kind, error) });
        }
        const { findings, ...rest } = await check({ root, path, maxLine, text });
        return new Checked({ file: copy({ path, kind, ...counts(text), ...first(findings), ...rest }) });
      })
      // One at a time: what has been counted is committed when the next one counts.
      .step("count", Checked, { concurrency: 1 }, async ({ file: { path, findings, more } }, ctx) => {
        ctx.state.update("checked", (checked) => checked + 1);
        const [checked, total] = [ctx.state.get("checked"), ctx.state.get("total")];
        await ctx.writeEventToStream(new FileChecked({ path, kind, checked, total, findings: findings.length + more }));
      })
      .step("gather", collect(Checked, { of: "list" }), (all) => new StopEvent({ result: all.map(({ file }) => file) }))
  );
}
