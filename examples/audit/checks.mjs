import { stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";

/** @typedef {{ line: number, problem: string }} Finding */

/** The lines of a Markdown text that are prose: those of fenced code are empty, code within a line is left out. */
export function proseLines(text) {
  let fence = "";
  return text.split("\n").map((line) => {
    const mark = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1] ?? "";
    if (fence !== "") {
      if (mark !== "" && mark[0] === fence[0] && mark.length >= fence.length && line.trim() === mark) fence = "";
      return "";
    }
    if (mark !== "") {
      fence = mark;
      return "";
    }
    return /^(?: {4}|\t)/.test(line) ? "" : line.replace(/(`+)(?!`).*?\1(?!`)/g, "");
  });
}

/** @returns {{ line: number, text: string }[]} the `#` headings */
export function headings(text) {
  const prose = proseLines(text);
  const raw = text.split("\n");
  return prose.flatMap((line, at) =>
    /^ {0,3}#{1,6}\s/.test(line) ? [{ line: at + 1, text: (raw[at] ?? "").replace(/^ {0,3}#{1,6}\s+|\s+#*\s*$/g, "") }] : [],
  );
}

/** The anchors of a text's headings, as GitHub makes them: a repeated one gets a number. */
export function anchors(text) {
  const seen = new Map();
  return new Set(
    headings(text).map(({ text: heading }) => {
      const plain = heading.replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1").replace(/`/g, "");
      const slug = plain
        .toLowerCase()
        .replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, "")
        .replaceAll(" ", "-");
      const count = seen.get(slug) ?? 0;
      seen.set(slug, count + 1);
      return count === 0 ? slug : `${slug}-${count}`;
    }),
  );
}

/** @returns {Finding[]} headings that a file has twice at one level of the outline */
export function duplicateHeadings(text) {
  const first = new Map();
  const findings = [];
  for (const { line, text: heading } of headings(text)) {
    const before = first.get(heading);
    if (before === undefined) first.set(heading, line);
    else findings.push({ line, problem: `duplicate heading "${heading}" (first in line ${before})` });
  }
  return findings;
}

/** @returns {Finding[]} */
export function longLines(text, most) {
  return text.split("\n").flatMap((line, at) => (line.length > most ? [{ line: at + 1, problem: `${line.length} characters (at most ${most})` }] : []));
}

/** The relative links of a Markdown text: in line, of images, and reference definitions. */
export function relativeLinks(text) {
  const links = [];
  proseLines(text).forEach((line, at) => {
    const found = [...line.matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+["'(][^)]*)?\)/g), ...line.matchAll(/^ {0,3}\[[^\]^]+\]:\s*<?([^\s>]+)>?/g)];
    for (const [, target] of found) if (target !== undefined && !/^[a-z][a-z0-9+.-]*:|^\/\//i.test(target)) links.push({ line: at + 1, target });
  });
  return links;
}

/**
 * @param {string} file absolute path of the Markdown file
 * @param {string} root what a link that begins with / is relative to
 * @param {(path: string) => Promise<Set<string>>} anchorsOf the anchors of a Markdown file
 * @returns {Promise<Finding[]>}
 */
export async function deadLinks(file, text, root, anchorsOf) {
  const findings = [];
  for (const { line, target } of relativeLinks(text)) {
    const [path = "", anchor = ""] = target.split("#");
    const plain = decode(path.split("?")[0] ?? "");
    const linked = plain === "" ? file : plain.startsWith("/") ? resolve(root, `.${plain}`) : resolve(dirname(file), plain);
    const found = await stat(linked).catch(() => undefined);
    if (found === undefined) findings.push({ line, problem: `dead link to ${target}` });
    else if (anchor !== "" && found.isFile() && /\.(md|markdown)$/i.test(linked)) {
      const known = linked === file ? anchors(text) : await anchorsOf(linked);
      if (!known.has(decode(anchor).toLowerCase())) findings.push({ line, problem: `dead link to ${target}: no such heading` });
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

/** @returns {{ words: number, lines: number }} */
export function counts(text) {
  return { words: text.match(/\S+/g)?.length ?? 0, lines: text === "" ? 0 : text.split("\n").length - (text.endsWith("\n") ? 1 : 0) };
}
