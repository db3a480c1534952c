// @ts-check
// An audit that was paused, in a file: its snapshot, and beside it what it was started with.
import { readFileSync, writeFileSync } from "node:fs";
import { Snapshot } from "blazen";

/** Keeps it in a file of the current folder, of which none was there. @param {import("./audit.mjs").Job} job @param {Snapshot} snapshot */
export function keep(job, snapshot) {
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

/** @param {string} file @returns {{ job: import("./audit.mjs").Job, snapshot: Snapshot }} @throws SnapshotError for a snapshot that is damaged */
export function kept(file) {
  const { job, snapshot } = JSON.parse(readFileSync(file, "utf8"));
  return { job, snapshot: Snapshot.parse(JSON.stringify(snapshot)) };
}
