import { stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { anchorsOf, headings, relativeLinks, scan } from "./markdown.mjs";

/** @typedef {{ line: number, problem: string }} Finding */

/** @param {string} text */
export const anchors = (text) => anchorsOf(scan(text));

/** Headings whose text a file has had before.
 * @param {string} text @returns {Finding[]} */
export function duplicateHeadings(text) {
  const first = new Map();
  const findings = [];
  for (const { line, text: heading } of headings(scan(text))) {
    const before = first.get(heading);
    if (before === undefined) first.set(heading, line);
    else findings.push({ line, problem: `duplicate heading "${heading}" (first in line ${before})` });
  }
  return findings;
}

/** @param {string} text @param {number} most @returns {Finding[]} */
export function longLines(text, most) {
  const findings = [];
  for (let line = 1, start = 0; start <= text.length; line++) {
    const end = text.indexOf("\n", start);
    const length = (end < 0 ? text.length : text[end - 1] === "\r" ? end - 1 : end) - start;
    if (length > most) findings.push({ line, problem: `${length} characters (at most ${most})` });
    start = end < 0 ? text.length + 1 : end + 1;
  }
  return findings;
}

/** A link to a heading of another file, to be looked up when all files are read. @typedef {{ line: number, target: string, path: string, anchor: string }} Elsewhere */

/**
 * Links to files and folders that are not there, and to headings that the file does not have.
 * @param {string} file absolute path of the Markdown file
 * @param {string} text
 * @param {string} root what a link that begins with / is relative to
 * @returns {Promise<{ findings: Finding[], elsewhere: Elsewhere[], anchors: string[] }>} also the links to headings of other Markdown
 * files, and the anchors that this one has
 */
export async function links(file, text, root) {
  const findings = [];
  const elsewhere = [];
  const lines = scan(text);
  const own = anchorsOf(lines);
  for (const { line, target } of relativeLinks(lines)) {
    const hash = target.indexOf("#");
    const anchor = decode(hash < 0 ? "" : target.slice(hash + 1)).toLowerCase();
    const path = decode((hash < 0 ? target : target.slice(0, hash)).split("?")[0] ?? "");
    const linked = path === "" ? file : path.startsWith("/") ? resolve(root, `.${path}`) : resolve(dirname(file), path);
    const found = await stat(linked).catch(() => undefined);
    if (found === undefined) findings.push({ line, problem: `dead link to ${target}` });
    else if (anchor !== "" && found.isFile() && /\.(md|markdown)$/i.test(linked)) {
      if (linked !== file) elsewhere.push({ line, target, path: linked, anchor });
      else if (!own.has(anchor)) findings.push(noHeading(line, target));
    }
  }
  return { findings, elsewhere, anchors: [...own] };
}

/** @returns {Finding} */
export const noHeading = (line, target) => ({ line, problem: `dead link to ${target}: no such heading` });

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** @param {string} text @returns {{ words: number, lines: number }} */
export function counts(text) {
  let words = 0;
  let lines = text === "" || text.endsWith("\n") ? 0 : 1;
  // Not by a list of all words: that would be larger than the text.
  for (const word = /\S+/g; word.test(text); ) words++;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) lines++;
  return { words, lines };
}
