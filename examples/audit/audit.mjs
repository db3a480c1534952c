// @ts-check
import { Pipeline } from "blazen";
import { approveReport } from "./approve.mjs";
import { checkMarkdown, checkSource } from "./check.mjs";
import { collectFiles } from "./collect.mjs";
import { mergeFindings } from "./merge.mjs";
import { reader } from "./read.mjs";
import { writeReport } from "./write.mjs";

/** `out` is where the report is to be written; without, it is only given. @typedef {{ folder: string, maxLine: number, out?: string | undefined }} Job */

/**
 * The audit of a folder. Each stage is a workflow of its own, in a file of its name.
 *
 * @param {{ onRead?: (path: string) => unknown }} [observer] called, and awaited, before a file is read
 * @returns a pipeline from a Job to the report, or to false if a person does not want it
 */
export function auditPipeline({ onRead } = {}) {
  const read = reader(onRead);
  /** @type {Pipeline<Job>} */
  const audit = new Pipeline("audit");
  return audit
    .stage("collect", collectFiles)
    .parallel(
      "check",
      { markdown: checkMarkdown(read), source: checkSource(read) },
      { input: ({ root, found }, { input }) => ({ root, found, maxLine: input.maxLine }) },
    )
    .stage("merge", mergeFindings(read), { input: (checked, { results }) => ({ ...results.collect, checked }) })
    .stage("approve", approveReport, { input: ({ summary }, { input }) => ({ summary, out: input.out }) })
    .stage("write", writeReport, {
      when: (approved) => approved,
      input: (_, { input, results }) => ({ report: results.merge.report, out: input.out }),
    });
}
