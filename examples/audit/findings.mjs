// @ts-check
/** @typedef {import("./checks.mjs").Finding} Finding */
/**
 * What is known of a file that was looked at: of its findings the first, and how many `more` there are; the links to headings of other
 * files, and its own `anchors` if it is Markdown.
 *
 * @typedef {object} CheckedFile
 * @property {string} path
 * @property {"markdown" | "source" | "folder"} kind
 * @property {number} words
 * @property {number} lines
 * @property {Finding[]} findings
 * @property {number} more
 * @property {import("./checks.mjs").Elsewhere[]} elsewhere
 * @property {string[]} [anchors]
 */

/** Findings listed for one file; the rest are counted. */
const LISTED = 100;

/** What comes first. @param {Finding[]} findings @param {number} more those that are only counted already */
export function first(findings, more = 0) {
  const listed = [...findings].sort((a, b) => a.line - b.line).slice(0, LISTED);
  return { findings: listed, more: more + findings.length - listed.length };
}

/** @param {string} path @param {CheckedFile["kind"]} kind @param {any} error @returns {CheckedFile} one of which nothing else is known */
export const unread = (path, kind, error) => ({
  ...{ path, kind, words: 0, lines: 0, more: 0, elsewhere: [] },
  findings: [{ line: 0, problem: `cannot be read (${error.code ?? error.message})` }],
});
