import type { RunFilter } from "../store";
import { bytes, type Case, expect, infos, type Trial } from "./trial";

/** Runs that are asked for at once. */
const PART = 500;

/** What list promises, and a store with many runs. */
export const lists: readonly Case[] = [
  {
    name: "list: by status, workflow, deadline and age, in the order of ids",
    async run(trial) {
      const now = trial.now();
      await trial.add("d", { status: "waiting", deadline: now + 10, at: now - 30 });
      await trial.add("b", { status: "queued", at: now - 10 });
      await trial.add("a", { status: "running", deadline: now + 20 }, { workflow: "other" });
      await trial.add("c", { status: "waiting", at: now - 20 }, { workflow: "other" });
      await trial.add("a0", { status: "paused" });
      const cases: [RunFilter | undefined, string[]][] = [
        [undefined, ["a", "a0", "b", "c", "d"]],
        [{}, ["a", "a0", "b", "c", "d"]],
        [{ status: "waiting" }, ["c", "d"]],
        [{ status: "queued" }, ["b"]],
        [{ status: "completed" }, []],
        [{ workflow: "flow" }, ["a0", "b", "d"]],
        [{ workflow: "none" }, []],
        [{ dueBy: now + 10 }, ["d"]],
        [{ dueBy: now + 9 }, []],
        [{ dueBy: now + 20 }, ["a", "d"]],
        [{ unchangedSince: now - 20 }, ["c", "d"]],
        [{ unchangedSince: now - 21 }, ["d"]],
        [{ status: "waiting", workflow: "other", unchangedSince: now }, ["c"]],
        [{ status: "waiting", dueBy: now, unchangedSince: now }, []],
      ];
      for (const [filter, ids] of cases) expect(`list: ${JSON.stringify(filter)}`, await listed(trial, filter), ids);
    },
  },
  {
    name: "list: goes on while runs are added and go",
    async run(trial) {
      const ids = Array.from({ length: 30 }, (_, n) => `r${String(n).padStart(2, "0")}`);
      for (const id of ids) await trial.own(id);
      const seen: string[] = [];
      for await (const { runId } of trial.store.list()) {
        seen.push(runId);
        if (seen.length % 10 !== 5) continue;
        await trial.add(`${runId} added`);
        await trial.add(`a${runId}`);
        await end(trial, "r29");
      }
      const stay = ids.slice(0, -1);
      const order = seen.every((id, at) => at === 0 || seen[at - 1]! < id);
      expect("list: each run that is there all the time comes once", [stay.filter((id) => !seen.includes(id)), order], [[], true]);
    },
  },
  {
    name: "many small runs",
    async run(trial) {
      const count = trial.options.runs ?? 1000;
      const ids = Array.from({ length: count }, (_, n) => `r${String(n).padStart(9, "0")}`);
      await inParts(ids, (part) => Promise.all(part.map((id) => trial.add(id, { status: "queued" }))));
      const { store } = trial;
      expect("list: has all of them", await counted(store.list()), count);
      const claimed = new Set<string>();
      for (let claims = 1; claims <= 5; claims++) for (const id of await trial.claimed({ limit: Math.ceil(count / 4) })) claimed.add(id);
      expect("claim: all of them, part by part", claimed.size, count);
      await inParts(ids, async (part) => {
        const results = await store.append(part.flatMap((id) => [trial.commit(id, 1, { epoch: 2 }), ended(trial, id, 2)]));
        expect("append: each of a batch of many runs is stored", results.filter((result) => result === "stored").length, 2 * part.length);
      });
      expect("list: all are over", await counted(store.list({ status: "completed" })), count);
      expect("list: none runs", await counted(store.list({ status: "running" })), 0);
      await inParts(ids, (part) => Promise.all(part.map((id) => store.delete(id))));
      expect("delete: all are gone", await counted(store.list()), 0);
    },
  },
];

const listed = async (trial: Trial, filter?: RunFilter) => (await infos(trial.store.list(filter))).map(({ runId }) => runId);

const ended = (trial: Trial, runId: string, epoch: number) =>
  trial.commit(runId, epoch, { epoch, kind: "head", bytes: bytes(), head: { status: "completed" } });

async function end(trial: Trial, runId: string): Promise<void> {
  await trial.store.append([ended(trial, runId, 1)]);
  await trial.store.delete(runId);
}

async function counted(list: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  for await (const _ of list) count++;
  return count;
}

async function inParts(ids: readonly string[], work: (part: readonly string[]) => Promise<unknown>): Promise<void> {
  for (let at = 0; at < ids.length; at += PART) await work(ids.slice(at, at + PART));
}
