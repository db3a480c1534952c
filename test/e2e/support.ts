import { setImmediate } from "node:timers/promises";
import type { Snapshot } from "blazen";
import { expect } from "vitest";

/** What a promise rejects with. */
export const caught = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => expect.fail(`it resolved with ${String(value)}`),
    (error) => error,
  );

/** Lets the host's event loop turn, so that all that is settled has its effect. */
export async function turns(count = 3): Promise<void> {
  for (let turn = 0; turn < count; turn++) await setImmediate();
}

export async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const set = () => {
    settled = true;
  };
  promise.then(set, set);
  await turns();
  return settled;
}

/** The entries of a snapshot, as its text has them. */
export const read = (snapshot: Snapshot): Record<string, unknown> => JSON.parse(String(snapshot)).entries;

/** Those of one section. */
export const entries = (snapshot: Snapshot, section: string): Record<string, unknown>[] =>
  Object.entries(read(snapshot))
    .filter(([key]) => key.startsWith(`${section}/`))
    .map(([, value]) => value as Record<string, unknown>);

/** A handler whose end is looked at later: its failure is observed meanwhile. */
export function observed<H extends { result(): Promise<unknown> }>(handler: H): H {
  handler.result().catch(() => {});
  return handler;
}
