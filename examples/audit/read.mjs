// @ts-check
import { readFile, stat } from "node:fs/promises";

/** Longer files are data, and many of them at a time would not be small. */
const LARGEST = 2 * 1024 * 1024;

/** @typedef {(path: string, signal: AbortSignal) => Promise<string>} Read */

/**
 * @param {(path: string) => unknown} [onRead] called, and awaited, before a file is read
 * @returns {Read} what the stages read files with
 */
export const reader =
  (onRead = () => {}) =>
  async (path, signal) => {
    if ((await stat(path)).size > LARGEST) throw new Error("larger than 2 MiB");
    await onRead(path);
    return readFile(path, { encoding: "utf8", signal });
  };
