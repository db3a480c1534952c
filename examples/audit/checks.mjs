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

/**
 * Links to files and folders that are not there, and to headings that a Markdown file does not have.
 * @param {string} file absolute path of the Markdown file
 * @param {string} text
 * @param {string} root what a link that begins with / is relative to
 * @param {(path: string) => Promise<Set<string> | undefined>} otherAnchors the anchors of another Markdown file, if it can be read
 * @returns {Promise<Finding[]>}
 */
export async function deadLinks(file, text, root, otherAnchors) {
  const findings = [];
  const lines = scan(text);
  for (const { line, target } of relativeLinks(lines)) {
    const hash = target.indexOf("#");
    const anchor = hash < 0 ? "" : target.slice(hash + 1);
    const path = decode((hash < 0 ? target : target.slice(0, hash)).split("?")[0] ?? "");
    const linked = path === "" ? file : path.startsWith("/") ? resolve(root, `.${path}`) : resolve(dirname(file), path);
    const found = await stat(linked).catch(() => undefined);
    if (found === undefined) findings.push({ line, problem: `dead link to ${target}` });
    else if (anchor !== "" && found.isFile() && /\.(md|markdown)$/i.test(linked)) {
      const known = linked === file ? anchorsOf(lines) : await otherAnchors(linked);
      if (known !== undefined && !known.has(decode(anchor).toLowerCase())) findings.push({ line, problem: `dead link to ${target}: no such heading` });
    }
  }
  return findings;
}

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
