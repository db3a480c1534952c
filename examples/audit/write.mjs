// @ts-check
import { writeFile } from "node:fs/promises";
import { StartEvent, StopEvent, Workflow } from "blazen";

/** @type {typeof StartEvent<{ report: string, out: string | undefined }>} */
const Report = StartEvent;

/** Writes the report to `out`, if that says where, and gives it. Written twice, as after a crash, it is the same file. */
export const writeReport = new Workflow("write").step("write", Report, async ({ report, out }, { signal }) => {
  if (out !== undefined) await writeFile(out, report, { signal });
  return new StopEvent({ result: report });
});
