// @ts-check
import { resolve } from "node:path";
import { StartEvent, StopEvent, Workflow } from "blazen";
import { listFiles } from "./list.mjs";

/** @typedef {Awaited<ReturnType<typeof listFiles>>[number]} Found */

/** @type {typeof StartEvent<{ folder: string, out?: string | undefined }>} */
const Folder = StartEvent;

/** Lists a folder's files: `{ root, found }`. A report of an earlier audit, which is where this one will write, is none of them. */
export const collectFiles = new Workflow("collect").step("list", Folder, async ({ folder, out }) => {
  const root = resolve(folder);
  const found = (await listFiles(root)).filter(({ path }) => out === undefined || resolve(root, path) !== resolve(out));
  return new StopEvent({ result: { root, found } });
});
