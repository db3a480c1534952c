// @ts-check
// An audit that is kept in its process alone: at Ctrl-C it goes into a file, its snapshot and beside it what it was started with.
import { readFileSync, writeFileSync } from "node:fs";
import { relative } from "node:path";
import { RunOverError, Snapshot, SnapshotError } from "blazen";
import { InputError } from "./input-error.mjs";

/** @typedef {import("./audit.mjs").Job} Job */
/** @typedef {import("./stored.mjs").Audit} Audit */
/** @typedef {import("./stored.mjs").Handler} Handler */

/** npm hands on the Ctrl-C that the terminal has sent already: what follows the first this soon, in ms, is the same one. */
const ECHO = process.env["npm_lifecycle_event"] === undefined ? 0 : 500;

const ASKS_AGAIN = "it asks again, unless --yes or --no is given";

export class InProcess {
  #job;
  #snapshot;
  #bar;

  /** @param {Job} job @param {Snapshot | undefined} snapshot what a process before has kept @param {import("./bar.mjs").ProgressBar} bar */
  constructor(job, snapshot, bar) {
    this.#job = job;
    this.#snapshot = snapshot;
    this.#bar = bar;
  }

  /** @param {Audit} audit @returns {Promise<Handler>} */
  async begin(audit) {
    const handler = this.#snapshot === undefined ? audit.start(this.#job) : resumed(audit, this.#snapshot);
    if (this.#snapshot !== undefined) console.log(`going on: ${handler.progress?.percent} % done`);
    this.#pauseOnSignal(handler);
    return handler;
  }

  /** Nobody answers here. @param {Handler} handler */
  async leave(handler) {
    const snapshot = await handler.pause();
    try {
      console.log(`left waiting; answer with: ${resumeCommand(keep(this.#job, snapshot))} (${ASKS_AGAIN})`);
    } catch (error) {
      throw new InputError(`Nobody answers here, and the snapshot cannot be kept (${reason(error)}). Go to another folder, or use --yes.`);
    }
  }

  async close() {}

  /** The first signal pauses the run, and a second one ends the process at once. @param {Handler} handler */
  #pauseOnSignal(handler) {
    /** @type {number | undefined} */
    let first;
    const pause = async (/** @type {NodeJS.Signals} */ signal) => {
      if (first !== undefined) {
        if (performance.now() - first >= ECHO) endBy(signal);
        return;
      }
      first = performance.now();
      // On a terminal the line shows the bar, or a question, and ^C.
      this.#bar.end(process.stdout.isTTY);
      console.log("pausing; once more ends at once");
      try {
        const file = keep(this.#job, await handler.pause());
        this.#bar.end();
        const asks = handler.pendingInputs.length > 0 ? ` (${ASKS_AGAIN})` : "";
        process.stdout.write(`paused; go on with: ${resumeCommand(file)}${asks}\n`, () => endBy(signal));
      } catch (error) {
        // The last step had ended: the report is on its way.
        if (error instanceof RunOverError) return;
        console.error(`The snapshot cannot be kept (${reason(error)}), so the audit goes on.`);
        handler.resume();
        first = undefined;
      }
    };
    for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, pause);
  }
}

/** @param {string} file @returns {{ job: Job, snapshot: Snapshot }} @throws SnapshotError for a snapshot that is damaged */
export function kept(file) {
  const { job, snapshot } = JSON.parse(readFileSync(file, "utf8"));
  return { job, snapshot: Snapshot.parse(JSON.stringify(snapshot)) };
}

/** Keeps it in a file of the current folder, of which none was there. @param {Job} job @param {Snapshot} snapshot */
function keep(job, snapshot) {
  const text = JSON.stringify({ job, snapshot });
  for (let n = 1; ; n++) {
    const file = `audit-paused${n === 1 ? "" : `-${n}`}.snapshot.json`;
    try {
      // It tells what is in the folder: nobody else's business.
      writeFileSync(file, text, { flag: "wx", mode: 0o600 });
      return file;
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== "EEXIST") throw error;
    }
  }
}

/** @param {Audit} audit @param {Snapshot} snapshot */
function resumed(audit, snapshot) {
  try {
    return audit.resume(snapshot);
  } catch (error) {
    throw error instanceof SnapshotError ? new InputError(error.message) : error;
  }
}

/** What a user types to go on. @param {string} file */
function resumeCommand(file) {
  const command = process.env["npm_lifecycle_event"] === undefined ? `node ${relative(process.cwd(), process.argv[1] ?? "")}` : "npm run demo --";
  return `${command} --resume ${file}`;
}

/** Ends the process as the signal would have. @param {NodeJS.Signals} signal */
function endBy(signal) {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

/** @param {any} error */
const reason = (error) => error.code ?? error.message;
