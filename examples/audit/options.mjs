// What a user may say to the demo.
import { access, constants, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { SnapshotError } from "blazen";
import { InputError } from "./input-error.mjs";
import { kept } from "./paused.mjs";

const USAGE =
  "Usage: npm run demo -- [folder] [--out FILE] [--max-line N] [--store FILE | --no-store | --resume FILE] [--log FILE] [--slow] [--yes | --no | --ask]";
export const HELP = `${USAGE}

Audits the Markdown and source files of a folder (default: this repository): dead relative links, duplicate headings, long lines.
It asks before it writes the report; where there is no terminal to ask in, it is left waiting, and the same command with an answer goes on.
It is kept in a SQLite file: whatever ends it, be it Ctrl-C, kill -9 or a power cut, the same command goes on, and reads no file again that it has read.
(Those that it was reading at that moment, sixteen at most, it has not.)

  --out FILE      where the report goes (default: report.md in the current folder)
  --max-line N    lines longer than N characters are reported (default: 160)
  --store FILE    where the audit is kept (default: audit.db in the current folder)
  --no-store      keeps it in its process alone: Ctrl-C pauses it and puts it into a file of the current folder, a second one ends it at once
  --resume FILE   goes on with an audit from such a file, with its folder and options, and without a store
  --log FILE      adds a line to FILE for every file that is read
  --slow          waits half a second before each file, so that there is time to end it in the middle
  --yes, --no     answers the question without asking it
  --ask           asks also where there is no terminal: each line of the input is an answer`;

/** @returns what was chosen, checked; undefined: `--help`. @throws InputError */
export async function options() {
  let parsed;
  try {
    parsed = parseArgs({
      allowPositionals: true,
      options: {
        out: { type: "string" },
        "max-line": { type: "string" },
        store: { type: "string" },
        "no-store": { type: "boolean", default: false },
        resume: { type: "string" },
        log: { type: "string" },
        slow: { type: "boolean", default: false },
        yes: { type: "boolean", default: false },
        no: { type: "boolean", default: false },
        ask: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    throw new InputError(`${error.message.split(". ")[0]}. ${USAGE}`);
  }
  const { values, positionals } = parsed;
  if (values.help) return undefined;
  if (positionals.length > 1) throw new InputError(`One folder at a time, not ${positionals.length}. ${USAGE}`);
  if (Number(values.yes) + Number(values.no) + Number(values.ask) > 1) throw new InputError("One of --yes, --no and --ask, not more.");
  const places = [values.store, values["no-store"] || undefined, values.resume].filter((value) => value !== undefined);
  if (places.length > 1) throw new InputError("One of --store, --no-store and --resume, not more.");
  const given = {
    ...(positionals[0] === undefined ? {} : { folder: resolve(positionals[0]) }),
    ...(values["max-line"] === undefined ? {} : { maxLine: Number(values["max-line"]) }),
    ...(values.out === undefined ? {} : { out: resolve(values.out) }),
  };
  const paused = values.resume === undefined ? undefined : pausedIn(values.resume, given);
  const repository = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
  const { folder, maxLine, out } = { folder: repository, maxLine: 160, out: resolve("report.md"), ...given, ...paused?.job };
  if (!Number.isInteger(maxLine) || maxLine < 1) throw new InputError(`--max-line is a whole number from 1 up, not "${values["max-line"]}".`);
  const found = await stat(folder).catch(() => undefined);
  if (found === undefined) throw new InputError(`There is no folder ${folder}.`);
  if (!found.isDirectory()) throw new InputError(`${folder} is not a folder.`);
  if (!(await permits(folder, constants.R_OK))) throw new InputError(`The folder ${folder} cannot be read.`);
  const parent = await stat(dirname(out)).catch(() => undefined);
  if (!parent?.isDirectory()) throw new InputError(`The report cannot be written: there is no folder ${dirname(out)}.`);
  const report = await stat(out).catch(() => undefined);
  if (report?.isDirectory()) throw new InputError(`The report cannot be written: ${out} is a folder. Name a file with --out.`);
  if (!(await permits(report ? out : dirname(out), constants.W_OK)))
    throw new InputError(`The report cannot be written to ${out}. Name another place with --out.`);
  const answer = values.yes ? "yes" : values.no ? "no" : undefined;
  const store = values["no-store"] ? undefined : resolve(values.store ?? "audit.db");
  return {
    job: { folder, maxLine, out },
    store,
    snapshot: paused?.snapshot,
    log: values.log,
    slow: values.slow,
    answer,
    ask: values.ask || process.stdin.isTTY,
  };
}

const permits = (path, mode) =>
  access(path, mode).then(
    () => true,
    () => false,
  );

/** An audit in a file, which has a folder and options already: those given again must be the same. */
function pausedIn(file, given) {
  let paused;
  try {
    paused = kept(file);
  } catch (error) {
    throw new InputError(error instanceof SnapshotError ? `${file}: ${error.message}` : `The snapshot ${file} cannot be read (${error.code ?? "it is none"}).`);
  }
  const { job, snapshot } = paused;
  if (snapshot.workflow !== "audit") throw new InputError(`${file} is a snapshot of the workflow "${snapshot.workflow}", not of an audit.`);
  for (const [key, option] of Object.entries({ folder: "the folder", maxLine: "--max-line", out: "--out" }))
    if (given[key] !== undefined && given[key] !== job[key])
      throw new InputError(`The audit in ${file} has begun with ${job[key]} for ${option}, not ${given[key]}: leave it out, or begin anew without --resume.`);
  return paused;
}
