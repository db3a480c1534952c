// A line scanner of Markdown: enough for links and headings, a line at a time, and nothing kept but the lines.

/** Longer lines are data, not prose. */
const LONGEST = 10_000;

/**
 * @typedef {{ raw: string, prose: string, kind: "blank" | "code" | "text" }} Line
 * `prose` is the line without inline code and comments; lines of code and of front matter have none.
 */

/** @param {string} text @returns {Line[]} */
export function scan(text) {
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  const frontMatter = lines[0] === "---" ? lines.indexOf("---", 1) : -1;
  let fence = "";
  let fenceQuoted = false;
  let list = false;
  let comment = false;
  /** @type {Line["kind"]} */
  let before = "blank";
  return lines.map((raw, at) => {
    const line = (/** @type {Line["kind"]} */ kind, prose = "") => {
      before = kind;
      return { raw, prose, kind };
    };
    if (at <= frontMatter || raw.length > LONGEST) return line("code");
    // A fence in a quotation ends with the quotation.
    if (fence !== "" && fenceQuoted && !/^ {0,3}>/.test(raw)) fence = "";
    if (fence !== "") {
      const end = /^[\s>]*(`{3,}|~{3,})\s*$/.exec(raw)?.[1] ?? "";
      if (end[0] === fence[0] && end.length >= fence.length) fence = "";
      return line("code");
    }
    if (raw.trim() === "") return line("blank");
    if (!comment) {
      if (before === "blank" && /^\S/.test(raw)) list = false;
      // Within a list indented lines are its text.
      if (!list && before !== "text" && /^(?: {4}|\t)/.test(raw)) return line("code");
      if (/^\s*(?:[-*+]|\d+[.)])\s/.test(raw)) list = true;
      const opening = /^(?:[\s>]|[-*+] |\d+[.)] )*(`{3,}(?=[^`]*$)|~{3,})/.exec(raw)?.[1];
      if (opening !== undefined) {
        fence = opening;
        fenceQuoted = /^ {0,3}>/.test(raw);
        return line("code");
      }
    }
    const cut = withoutComments(comment ? raw : withoutCode(raw), comment);
    comment = cut.comment;
    return line("text", cut.prose);
  });
}

/** A line's parts, inline code told apart: a run of backticks lasts to the next of its length. */
function spans(line) {
  const parts = line.split(/(`+)/);
  const sameNext = new Map();
  const next = [];
  for (let at = parts.length - 2; at > 0; at -= 2) {
    next[at] = sameNext.get(parts[at].length);
    sameNext.set(parts[at].length, at);
  }
  const found = [];
  for (let at = 0; at < parts.length; at++) {
    const end = at % 2 === 1 && !parts[at - 1].endsWith("\\") ? next[at] : undefined;
    if (end === undefined) found.push({ code: false, text: parts[at] });
    else {
      found.push({ code: true, text: parts.slice(at + 1, end).join("") });
      at = end;
    }
  }
  return found;
}

const withoutCode = (line) =>
  spans(line)
    .map(({ code, text }) => (code ? "" : text))
    .join("");

function withoutComments(line, within) {
  let prose = "";
  let comment = within;
  for (let rest = line; rest !== ""; ) {
    const mark = comment ? "-->" : "<!--";
    const at = rest.indexOf(mark);
    if (!comment) prose += at < 0 ? rest : rest.slice(0, at);
    if (at < 0) break;
    comment = !comment;
    rest = rest.slice(at + mark.length);
  }
  return { prose, comment };
}

/**
 * The headings: those with `#`, and lines underlined by `=` or `-`.
 * @param {readonly Line[]} lines
 * @returns {{ line: number, text: string }[]}
 */
export function headings(lines) {
  return lines.flatMap(({ raw, prose }, at) => {
    const marked = /^(?: {0,3}>)* {0,3}#{1,6}(?:\s+(.*))?$/.exec(prose === "" ? "" : raw);
    if (marked !== null)
      return [
        {
          line: at + 1,
          text: (marked[1] ?? "")
            .trimEnd()
            .replace(/(?:^|\s)#+$/, "")
            .trimEnd(),
        },
      ];
    const above = lines[at - 1];
    if (above === undefined || !/^ {0,3}(?:=+|-+)\s*$/.test(prose) || !isParagraph(above)) return [];
    return [{ line: at, text: above.raw.trim() }];
  });
}

const isParagraph = ({ raw, kind }) => kind === "text" && !/^\s*(?:[#>|=]|[-*+]\s|\d+[.)]\s|-+\s*$|<)/.test(raw) && !/^(?: {4}|\t)/.test(raw);

/** A heading's text without its markup. */
function plain(heading) {
  return spans(heading)
    .map(({ code, text }) =>
      code
        ? text
        : text
            .replace(/<[^<>]*>/g, "")
            .replace(/!\[[^\]]*\](?:\([^)]*\)|\[[^\]]*\])/g, "")
            .replace(/\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])/g, "$1")
            .replace(/&(?:\w+|#\w+);/g, "")
            .replace(/(?<![\p{L}\p{N}_\\])(_{1,3})(?=\S)([^_]+)\1(?![\p{L}\p{N}_])/gu, "$2"),
    )
    .join("");
}

/**
 * The anchors that links may name: those that GitHub makes of headings (a repeated one gets a number), and those set in HTML.
 * @param {readonly Line[]} lines
 */
export function anchorsOf(lines) {
  const titles = headings(lines).map(({ text }) => plain(text));
  const named = [];
  for (const { prose } of lines) {
    for (const [, title] of prose.matchAll(/<h[1-6][^>]*>(.*?)<\/h[1-6]>/gi)) titles.push(plain(title));
    for (const [, name] of prose.matchAll(/<[a-z][^<>]*?\s(?:id|name)\s*=\s*["']?([^"'\s<>]+)/gi)) named.push(name.toLowerCase());
  }
  const repeated = new Map();
  for (const title of titles) {
    const slug = title
      .trim()
      .toLowerCase()
      .replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, "")
      .replaceAll(" ", "-");
    let anchor = slug;
    while (repeated.has(anchor)) {
      repeated.set(slug, repeated.get(slug) + 1);
      anchor = `${slug}-${repeated.get(slug)}`;
    }
    repeated.set(anchor, 0);
  }
  return new Set([...repeated.keys(), ...named]);
}

const INLINE = /\]\(\s*(?:<([^<>]*)>|((?:[^()\s<]|\([^()\s]*\))+))(?:\s+(?:"[^"]*"|'[^']*'|\([^)]*\)))?\s*\)/g;
const DEFINITION = /^ {0,3}\[[^\]^][^\]]*\]:\s*(?:<([^<>]*)>|(\S+))\s*(?:["'(].*)?$/g;
const HTML = /<(?:a|img)\s[^<>]*?\b(?:href|src)\s*=\s*(?:"([^"]*)"|'([^']*)')/gi;

/**
 * The relative links: in line, of images, reference definitions and those in HTML.
 * @param {readonly Line[]} lines
 */
export function relativeLinks(lines) {
  const links = [];
  lines.forEach(({ prose }, at) => {
    const unescaped = prose.replace(/\\(?:\[[^[\]]*)?\]\(/g, "");
    for (const form of [INLINE, DEFINITION, HTML])
      for (const [, first, second] of unescaped.matchAll(form)) {
        const target = (first ?? second ?? "").replace(/\\([!-/:-@[-`{-~])/g, "$1");
        if (target !== "" && !/^(?:[a-z][a-z0-9+.-]*:|\/\/)/i.test(target)) links.push({ line: at + 1, target });
      }
  });
  return links;
}
