const count = (n, what) => `${n.toLocaleString("en")} ${what}${n === 1 ? "" : "s"}`;

/** Names and headings come from the files: no link or code of theirs in the report. */
const plain = (text) => text.replace(/[\\`[\]<>]/g, "\\$&");

/** @returns {string} one line that says how it went */
export function summary(files) {
  const findings = files.reduce((sum, file) => sum + file.findings.length + file.more, 0);
  const words = files.reduce((sum, file) => sum + file.words, 0);
  const unread = files.filter((file) => file.kind === "folder").length;
  const at = files.filter((file) => file.findings.length > 0).length - unread;
  const folders = unread > 0 ? `, ${count(unread, "folder")} not read` : "";
  return `${count(files.length - unread, "file")}, ${count(words, "word")}, ${count(findings - unread, "finding")} in ${count(at, "file")}${folders}`;
}

/** @returns {string} the report as Markdown */
export function report(folder, files) {
  const lines = [`# Audit of ${plain(folder)}`, "", `${summary(files)}.`, "", "| kind | files | lines | words |", "|---|---|---|---|"];
  for (const kind of ["markdown", "source"]) {
    const of = files.filter((file) => file.kind === kind);
    const sum = (field) => of.reduce((total, file) => total + file[field], 0).toLocaleString("en");
    lines.push(`| ${kind} | ${of.length.toLocaleString("en")} | ${sum("lines")} | ${sum("words")} |`);
  }
  for (const { path, findings, more } of files) {
    if (findings.length === 0) continue;
    lines.push("", `## ${plain(path)}`, "");
    for (const { line, problem } of findings) lines.push(`- ${line > 0 ? `line ${line}: ` : ""}${plain(problem)}`);
    if (more > 0) lines.push(`- and ${more.toLocaleString("en")} more`);
  }
  return `${lines.join("\n")}\n`;
}
