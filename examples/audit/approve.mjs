// @ts-check
import { event, InputRequestEvent, StartEvent, StopEvent, Workflow } from "blazen";
import { z } from "zod";

/** @type {typeof StartEvent<{ summary: string, out: string | undefined }>} */
const Summary = StartEvent;
/** Whether to write the report, as a person says it; the step gets a boolean. */
const yesOrNo = z.stringbool({ truthy: ["yes", "y", ""], falsy: ["no", "n"], error: 'answer "yes" or "no".' });
class Decision extends event("Decision", z.object({ write: yesOrNo })) {}

/** Asks a person, who may take days, whether the report is to be written: a boolean. */
export const approveReport = new Workflow("approve")
  .step("ask", Summary, ({ summary, out }) => {
    const prompt = out === undefined ? "Write the report?" : `Write the report to ${out}?`;
    return new InputRequestEvent({ id: "report", prompt, metadata: { summary }, answer: Decision });
  })
  .step("decide", Decision, ({ write }) => new StopEvent({ result: write }));
