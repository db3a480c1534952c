// node examples/audit/main.mjs [folder] [--out FILE] [--max-line N] [--resume FILE] [--log FILE] [--yes | --no | --ask]
import { appendFileSync } from "node:fs";
import { access, constants, stat } from "node:fs/promises";
import { dirname, relative, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { InputRequestEvent, InvalidResponseError, ProgressEvent, RunOverError, SnapshotError, StepError } from "blazen";
import { auditPipeline } from "./audit.mjs";
import { ProgressBar } from "./bar.mjs";
import { FileChecked } from "./check.mjs";
import { keep, kept } from "./paused.mjs";

const USAGE = "Usage: npm run demo -- [folder] [--out FILE] [--max-line N] [--resume FILE] [--log FILE] [--yes | --no | --ask]";
const HELP = `${USAGE}

Audits the Markdown and source files of a folder (default: this repository): dead relative links, duplicate headings, long lines.
It asks before it writes the report; where there is no terminal to ask in, it is left waiting in a file of the current folder.
Ctrl-C pauses it, also while it asks: what is done so far goes to such a file. A second Ctrl-C ends it at once.

  --out FILE      where the report goes (default: report.md in the current folder)
  --max-line N    lines longer than N characters are reported (default: 160)
  --resume FILE   goes on with an audit that was paused or left waiting, with its folder and options
  --log FILE      adds a line to FILE for every file that is read
  --yes, --no     answers the question without asking it
  --ask           asks also where there is no terminal: each line of the input is an answer`;

/** npm hands on the Ctrl-C that the terminal has sent already: what follows the first this soon, in ms, is the same one. */
const ECHO = process.env.npm_lifecycle_event === undefined ? 0 : 500;

/** Bad input: one sentence, exit code 2. */
class InputError extends Error {}

async function options() {
  let parsed;
  try {
    parsed = parseArgs({
      allowPositionals: true,
      options: {
        out: { type: "string" },
        "max-line": { type: "string" },
        resume: { type: "string" },
        log: { type: "string" },
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
  return { job: { folder, maxLine, out }, snapshot: paused?.snapshot, log: values.log, answer, ask: values.ask || process.stdin.isTTY };
}

const permits = (path, mode) =>
  access(path, mode).then(
    () => true,
    () => false,
  );

/** A paused audit, which has a folder and options already: those given again must be the same. */
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

const ASKS_AGAIN = "it asks again, unless --yes or --no is given";

/** What a user types to go on. */
function resumeCommand(file) {
  const command = process.env.npm_lifecycle_event === undefined ? `node ${relative(process.cwd(), process.argv[1])}` : "npm run demo --";
  return `${command} --resume ${file}`;
}

/** Ends the process as the signal would have. */
function endBy(signal) {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

/** The first signal pauses the run, and a second one ends the process at once. */
function pauseOnSignal(handler, job, bar) {
  let first;
  const pause = async (signal) => {
    if (first !== undefined) {
      if (performance.now() - first >= ECHO) endBy(signal);
      return;
    }
    first = performance.now();
    // On a terminal the line shows the bar, or a question, and ^C.
    bar.end(process.stdout.isTTY);
    console.log("pausing; once more ends at once");
    try {
      const file = keep(job, await handler.pause());
      bar.end();
      const asks = handler.pendingInputs.length > 0 ? ` (${ASKS_AGAIN})` : "";
      process.stdout.write(`paused; go on with: ${resumeCommand(file)}${asks}\n`, () => endBy(signal));
    } catch (error) {
      // The last step had ended: the report is on its way.
      if (error instanceof RunOverError) return;
      console.error(`The snapshot cannot be kept (${error.code ?? error.message}), so the audit goes on.`);
      handler.resume();
      first = undefined;
    }
  };
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, pause);
}

function begin(audit, { job, snapshot }) {
  try {
    return snapshot === undefined ? audit.start(job) : audit.resume(snapshot);
  } catch (error) {
    throw error instanceof SnapshotError ? new InputError(error.message) : error;
  }
}

/** Asks until an answer is accepted. @returns {Promise<boolean>} false when the input ends without one */
async function ask(handler, { id, prompt }) {
  const show = () => process.stdout.write(`${prompt} [Y/n] `);
  show();
  // Not as a terminal: readline would take Ctrl-C for itself.
  for await (const line of createInterface({ input: process.stdin, terminal: false })) {
    try {
      await handler.respond(id, { write: line.trim() });
      // Input that stays open would keep the process.
      process.stdin.destroy();
      return true;
    } catch (error) {
      if (!(error instanceof InvalidResponseError)) throw error;
      console.log(error.message);
      show();
    }
  }
  console.log("");
  return false;
}

/** Shows the progress and has the question answered. @returns {Promise<boolean>} false when it is not: then nobody waits for the run */
async function follow(handler, chosen, bar) {
  const answered = async (question) => {
    bar.end();
    console.log(question.metadata.summary);
    if (chosen.answer !== undefined) await handler.respond(question.id, { write: chosen.answer });
    else if (!chosen.ask || !(await ask(handler, question))) return false;
    return true;
  };
  const stream = handler.stream();
  bar.stage(handler.progress);
  // A question that the process before has asked is not published again.
  for (const question of handler.pendingInputs) if (!(await answered(question))) return false;
  try {
    for await (const { event } of stream) {
      if (event instanceof ProgressEvent) bar.stage(handler.progress);
      else if (event instanceof FileChecked) bar.file(event, handler.progress);
      else if (event instanceof InputRequestEvent && !(await answered(event))) return false;
    }
  } finally {
    bar.end();
  }
  return true;
}

/** Keeps a run that nobody answers here. */
async function leaveWaiting(handler, job) {
  const snapshot = await handler.pause();
  try {
    console.log(`left waiting; answer with: ${resumeCommand(keep(job, snapshot))} (${ASKS_AGAIN})`);
  } catch (error) {
    throw new InputError(`Nobody answers here, and the snapshot cannot be kept (${error.code ?? error.message}). Go to another folder, or use --yes.`);
  }
}

async function main() {
  const chosen = await options();
  if (chosen === undefined) return console.log(HELP);
  const { job, snapshot, log } = chosen;
  const audit = auditPipeline(log === undefined ? {} : { onRead: (path) => appendFileSync(log, `${path}\n`) });
  const handler = begin(audit, chosen);
  if (snapshot !== undefined) console.log(`going on: ${handler.progress.percent} % done`);
  const bar = new ProgressBar(process.stdout);
  pauseOnSignal(handler, job, bar);
  try {
    if (!(await follow(handler, chosen, bar))) return await leaveWaiting(handler, job);
    console.log((await handler.result()) === false ? "no report was written" : `report: ${job.out}`);
  } catch (error) {
    if (!(error instanceof StepError && error.step === "write")) throw error;
    // The stage failed with its step, and the step with what the system says.
    throw new InputError(`The report cannot be written to ${job.out} (${error.cause.cause.code}). Name another place with --out.`);
  }
}

try {
  await main();
} catch (error) {
  console.error(error instanceof InputError ? error.message : error);
  process.exitCode = error instanceof InputError ? 2 : 1;
}
