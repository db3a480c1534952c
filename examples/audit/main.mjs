// node examples/audit/main.mjs [folder] [options], see --help
import { appendFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { binding, FencedError, InputRequestEvent, InvalidResponseError, ProgressEvent, RunExistsError, SnapshotError, StepError, StoreError } from "blazen";
import { auditPipeline } from "./audit.mjs";
import { ProgressBar } from "./bar.mjs";
import { FileChecked } from "./check.mjs";
import { AT_WORK, InputError } from "./input-error.mjs";
import { HELP, options } from "./options.mjs";
import { InProcess } from "./paused.mjs";
import { InStore } from "./stored.mjs";

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
  const asked = new Set();
  const answered = async (question) => {
    // One that the run has asked since it went on is pending, and in the stream.
    if (asked.has(question.id)) return true;
    asked.add(question.id);
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

/** Where the audit is kept: in a store, unless the user wants none, or there is none. */
function keeper({ job, snapshot, store }, bar) {
  if (snapshot === undefined && store !== undefined) {
    if (binding === "native") return new InStore(store, job);
    console.log("kept in this process alone, as SqliteStore needs the native addon: Ctrl-C puts the audit into a file, kill -9 loses it");
  }
  return new InProcess(job, snapshot, bar);
}

async function main() {
  const chosen = await options();
  if (chosen === undefined) return console.log(HELP);
  const { job, log, slow } = chosen;
  const onRead = async (path) => {
    if (slow) await setTimeout(500);
    if (log !== undefined) appendFileSync(log, `${path}\n`);
  };
  const audit = auditPipeline({ onRead });
  const bar = new ProgressBar(process.stdout);
  const kept = keeper(chosen, bar);
  try {
    const handler = await kept.begin(audit);
    if (!(await follow(handler, chosen, bar))) return await kept.leave(handler);
    console.log((await handler.result()) === false ? "no report was written" : `report: ${job.out}`);
  } catch (error) {
    throw told(error, job);
  } finally {
    await kept.close();
  }
}

/** What went wrong, in a sentence if the user can put it right. */
function told(error, { out }) {
  // The stage failed with its step, and the step with what the system says.
  if (error instanceof StepError && error.step === "write")
    return new InputError(`The report cannot be written to ${out} (${error.cause.cause.code}). Name another place with --out.`);
  if (error instanceof FencedError || error instanceof RunExistsError) return new InputError(AT_WORK);
  if (error instanceof StoreError || error instanceof SnapshotError) return new InputError(`${error.message} Name another --store, or use --no-store.`);
  return error;
}

try {
  await main();
} catch (error) {
  console.error(error instanceof InputError ? error.message : error);
  process.exitCode = error instanceof InputError ? 2 : 1;
}
