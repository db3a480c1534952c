// node examples/audit/main.mjs [folder] [--out FILE] [--max-line N] [--yes]
import { access, constants, stat, writeFile } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { report, summary } from "./report.mjs";
import { auditWorkflow } from "./workflow.mjs";

const USAGE = "Usage: npm run demo -- [folder] [--out FILE] [--max-line N] [--yes]";
const HELP = `${USAGE}

Audits the Markdown and source files of a folder (default: this repository): dead relative links, duplicate headings, long lines.

  --out FILE      where the report goes (default: report.md in the current folder)
  --max-line N    lines longer than N characters are reported (default: 160)
  --yes           answers in advance what will be asked (nothing is, so far)`;

/** Bad input: one sentence, exit code 2. */
class InputError extends Error {}

async function options() {
  let parsed;
  try {
    parsed = parseArgs({
      allowPositionals: true,
      options: {
        out: { type: "string", default: "report.md" },
        "max-line": { type: "string", default: "160" },
        // Answers in advance whatever will be asked; nothing is so far.
        yes: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    throw new InputError(`${error.message.split(". ")[0]}. ${USAGE}`);
  }
  const { values, positionals } = parsed;
  if (values.help) return undefined;
  if (positionals.length > 1) throw new InputError(`One folder at a time, not ${positionals.length}. ${USAGE}`);
  const folder = resolve(positionals[0] ?? resolve(dirname(fileURLToPath(import.meta.url)), "../.."));
  const maxLine = Number(values["max-line"]);
  if (!Number.isInteger(maxLine) || maxLine < 1) throw new InputError(`--max-line is a whole number from 1 up, not "${values["max-line"]}".`);
  const found = await stat(folder).catch(() => undefined);
  if (found === undefined) throw new InputError(`There is no folder ${folder}.`);
  if (!found.isDirectory()) throw new InputError(`${folder} is not a folder.`);
  if (!(await permits(folder, constants.R_OK))) throw new InputError(`The folder ${folder} cannot be read.`);
  const out = resolve(values.out);
  const parent = await stat(dirname(out)).catch(() => undefined);
  if (!parent?.isDirectory()) throw new InputError(`The report cannot be written: there is no folder ${dirname(out)}.`);
  const report = await stat(out).catch(() => undefined);
  if (report?.isDirectory()) throw new InputError(`The report cannot be written: ${out} is a folder. Name a file with --out.`);
  if (!(await permits(report ? out : dirname(out), constants.W_OK)))
    throw new InputError(`The report cannot be written to ${out}. Name another place with --out.`);
  return { folder, maxLine, out };
}

const permits = (path, mode) =>
  access(path, mode).then(
    () => true,
    () => false,
  );

/** A count that is rewritten on a terminal, and printed now and then elsewhere. */
function counter() {
  let total = 0;
  let done = 0;
  const terminal = process.stdout.isTTY;
  return {
    onListed(files) {
      total = files;
    },
    onChecked() {
      done++;
      if (terminal) process.stdout.write(`\rchecked ${done} of ${total} files${done === total ? "\n" : ""}`);
      else if (done % 1000 === 0 || done === total) console.log(`checked ${done} of ${total} files`);
    },
  };
}

async function main() {
  const chosen = await options();
  if (chosen === undefined) return console.log(HELP);
  const { folder, maxLine, out } = chosen;
  const files = await auditWorkflow(counter()).run({ folder, maxLine, out });
  try {
    await writeFile(out, report(basename(folder), files));
  } catch (error) {
    throw new InputError(`The report cannot be written to ${out} (${error.code}). Name another place with --out.`);
  }
  console.log(`${summary(files)}\nreport: ${out}`);
}

try {
  await main();
} catch (error) {
  console.error(error instanceof InputError ? error.message : error);
  process.exitCode = error instanceof InputError ? 2 : 1;
}
