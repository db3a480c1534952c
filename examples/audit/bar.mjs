// @ts-check

const WIDTH = 20;

/**
 * @param {import("blazen").Progress} progress
 * @param {string} [detail] what is known of the stage
 * @returns one line: `[########------------]  40 % merge`
 */
function bar({ stage, percent }, detail = "") {
  const done = Math.round((WIDTH * percent) / 100);
  return `[${"#".repeat(done).padEnd(WIDTH, "-")}] ${String(Math.round(percent)).padStart(3)} % ${stage}${detail === "" ? "" : `: ${detail}`}`;
}

/** Shows how far an audit is: a bar on a terminal, and elsewhere for each kind of files some ten lines. */
export class ProgressBar {
  #out;
  /** By kind, as `FileChecked` has it. */
  #counts = new Map();
  /** The line is not ended yet. */
  #open = false;

  /** @param {import("node:tty").WriteStream} out */
  constructor(out) {
    this.#out = out;
  }

  /** @param {import("blazen").Progress | undefined} progress that of the audit's handler */
  stage(progress) {
    if (progress === undefined || !this.#out.isTTY) return;
    const counts = [...this.#counts].map(([kind, { checked, total }]) => `${kind} ${checked} of ${total}`).sort();
    const line = bar(progress, progress.stage === "check" ? counts.join(", ") : "");
    // What was there is longer, perhaps; what is longer than the line would fill the screen.
    this.#out.write(`\r${line.slice(0, this.#out.columns - 1)}\x1b[K`);
    this.#open = true;
  }

  /** @param {import("./check.mjs").FileChecked} event @param {import("blazen").Progress | undefined} progress */
  file({ kind, checked, total }, progress) {
    this.#counts.set(kind, { checked, total });
    if (this.#out.isTTY) this.stage(progress);
    else if (checked % Math.ceil(total / 10) === 0 || checked === total) this.#out.write(`checked ${checked} of ${total} ${kind} files\n`);
  }

  /** Other text comes. @param {boolean} [open] whether there is a line to end */
  end(open = this.#open) {
    if (open) this.#out.write("\n");
    this.#open = false;
  }
}
