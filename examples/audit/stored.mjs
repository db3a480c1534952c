// @ts-check
// An audit that is kept in a store: whatever ends its process, the same command goes on with it.
import { createHash } from "node:crypto";
import { closeSync, openSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { SqliteStore } from "blazen";
import { AT_WORK, InputError } from "./input-error.mjs";

/** @typedef {import("./audit.mjs").Job} Job */
/** @typedef {ReturnType<typeof import("./audit.mjs").auditPipeline>} Audit */
/** @typedef {ReturnType<Audit["start"]>} Handler */

/** Ms after which the audit of a process that is gone may be taken over: so long, at most, the next one waits. */
const LEASE = 1_000;

/** Keeps an audit in a SQLite file. */
export class InStore {
  #store;
  #file;
  #job;
  /** One audit of a job at a time. */
  #runId;
  #begun = false;

  /** @param {string} file @param {Job} job @throws StoreError without the native addon, InputError for a file that cannot be written */
  constructor(file, job) {
    this.#store = new SqliteStore(file);
    this.#file = file;
    this.#job = job;
    this.#runId = `audit-${createHash("sha256").update(JSON.stringify(job)).digest("hex").slice(0, 12)}`;
    try {
      // It tells what is in the folder: nobody else's business.
      closeSync(openSync(file, "a", 0o600));
    } catch (error) {
      const { code } = /** @type {NodeJS.ErrnoException} */ (error);
      throw new InputError(`The store ${file} cannot be written (${code}). Name another place with --store, or use --no-store.`);
    }
  }

  /** Goes on with the audit that a process has left, or begins one, and says which. @param {Audit} audit @returns {Promise<Handler>} */
  async begin(audit) {
    let before = 0;
    for (;;) {
      // The lease is that of what is begun as well.
      const [left] = await audit.recover(this.#store, { runId: this.#runId, leaseMs: LEASE });
      if (left !== undefined) {
        this.#begun = true;
        console.log(`going on with run ${this.#runId}: ${await readBefore(left)}`);
        return left;
      }
      const leaseEnd = (await this.#store.info(this.#runId))?.leaseEnd ?? 0;
      if (leaseEnd === 0) {
        this.#begun = true;
        console.log(`run ${this.#runId}, kept in ${this.#file}: whatever ends it, the same command goes on`);
        return audit.start(this.#job, { store: this.#store, runId: this.#runId });
      }
      // Its owner may be gone, and then does not renew it.
      if (before !== 0 && leaseEnd > before) throw new InputError(AT_WORK);
      before = leaseEnd;
      await setTimeout(leaseEnd - Date.now() + 1);
    }
  }

  /** Nobody answers here. */
  leave() {
    console.log(`left waiting in ${this.#file}; answer with the same command and --yes, --no or --ask`);
  }

  /** The next audit of this job is a new one, if this one is over. */
  async close() {
    if (this.#begun) await this.#store.delete(this.#runId);
    await this.#store.close();
  }
}

/** How many files a run has read: its child runs count them, and its snapshot is JSON (docs/format.md). @param {Handler} handler */
async function readBefore(handler) {
  const { stage, index = 0 } = handler.progress ?? {};
  if (index > 1) return `all files were read before, it was at "${stage}"`;
  /** @type {Record<string, any>} */
  const { entries } = JSON.parse(String(await handler.snapshot()));
  let [read, total] = [0, 0];
  for (const [key, value] of Object.entries(entries)) {
    const [, part = ""] = /^child\/\d+\/(.*)$/.exec(key) ?? [];
    // One that is over has the list of its files.
    if (part === "outcome") [read, total] = [read + value.length, total + value.length];
    else if (part === "state/read") read += value;
    else if (part === "state/total") total += value;
  }
  return `${read} of ${total} files were read before`;
}
