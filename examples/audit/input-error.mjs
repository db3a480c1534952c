// @ts-check
/** What the user is to put right: one sentence, exit code 2. */
export class InputError extends Error {}

export const AT_WORK = "Another process is at this audit. Wait for it, or name another --store.";
