import { bytes, type Case, expect, LONG, SHORT } from "./trial";

/** What push and messages promise. */
export const messages: readonly Case[] = [
  {
    name: "push: tells what became of a message",
    async run(trial) {
      const other = await trial.other();
      await trial.own("r");
      expect("push: stored, also by who does not own the run", await other.push("r", { id: "m", body: "first" }), "stored");
      expect("push: known where its id is there", await trial.store.push("r", { id: "m", body: "second" }), "known");
      expect("push: an id is known in its run alone", [await trial.own("s"), await trial.store.push("s", { id: "m", body: "s" })], [undefined, "stored"]);
      expect("messages: of two with one id the first counts", await trial.store.messages("r"), [{ id: "m", body: "first" }]);
      expect("push: unknown where there is no such run", await trial.store.push("none", { id: "m", body: "" }), "unknown");
      expect("messages: none where there is no such run", await trial.store.messages("none"), []);
      await trial.store.append([trial.commit("r", 1, { kind: "head", bytes: bytes(), head: { status: "completed" } })]);
      expect("push: over where the run has ended", await trial.store.push("r", { id: "n", body: "" }), "over");
    },
  },
  {
    name: "push: of several with one id at once one is stored",
    async run(trial) {
      const other = await trial.other();
      await trial.own("r");
      const results = await Promise.all([trial.store, other, trial.store, other].map((store, n) => store.push("r", { id: "m", body: String(n) })));
      expect("push: of several with one id at once one is stored", results.sort(), ["known", "known", "known", "stored"]);
      const [message, ...more] = await trial.store.messages("r");
      expect("messages: which is there once", [message?.id, more], ["m", []]);
    },
  },
  {
    name: "messages: come in their order and are taken by the head",
    async run(trial) {
      await trial.own("r", undefined, { status: "waiting" });
      const ids = Array.from({ length: 12 }, (_, n) => `m${n}`);
      for (const id of ids) await trial.store.push("r", { id, body: `body of ${id}` });
      const from = (first: number) => ids.slice(first).map((id, at) => ({ number: first + at, id, body: `body of ${id}` }));
      expect("messages: in the order in which they came, numbered from 0", await trial.store.messages("r"), from(0));
      await trial.store.append([trial.commit("r", 1, { head: { status: "waiting", inbox: 2 } })]);
      expect("append: the head's inbox takes as many from the front", await trial.store.messages("r"), from(2));
      await trial.store.append([trial.commit("r", 2, { epoch: 5, head: { status: "waiting", inbox: 9 } })]);
      await trial.store.append([trial.commit("r", 2, { head: { status: "waiting", inbox: 2 } })]);
      expect("append: what is taken already is not taken again, and a fenced commit takes none", await trial.store.messages("r"), from(2));
      expect("read: has those that are not taken", await trial.store.read("r"), { messages: from(2), inbox: 2 });
      await trial.store.append([trial.commit("r", 3, { head: { status: "waiting", inbox: 12 } })]);
      expect("append: all may be taken", await trial.store.messages("r"), []);
      await trial.store.release([{ runId: "r", epoch: 1 }]);
      expect("claim: not for messages that were taken", await trial.claimed(), []);
      await trial.store.push("r", { id: "m12", body: "late" });
      expect("messages: what comes when all are taken stays", await trial.store.messages("r"), [{ number: 12, id: "m12", body: "late" }]);
      expect("claim: for a message that came later", await trial.claimed(), ["r"]);
      await trial.store.append([trial.commit("r", 4, { epoch: 2, head: { status: "waiting", inbox: 13 } })]);
      expect("append: the count goes on over all messages of the run", await trial.store.messages("r"), []);
    },
  },
  {
    name: "items: of a run's stream, by their offsets, until the run is deleted",
    async run(trial) {
      const other = await trial.other();
      await trial.own("r");
      const items = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => ({ offset: from + at, text: `item ${from + at}` }));
      const end = trial.commit("r", 3, { kind: "head", bytes: bytes(), head: { status: "completed" }, items: items(8, 9) });
      await trial.store.append([trial.commit("r", 1, { items: items(3, 6) }), trial.commit("r", 2, { items: items(1, 8) }), end]);
      expect("items: in their order, each once", await other.items("r", 0, 100), items(1, 9));
      expect("items: from an offset on, at most so many", await other.items("r", 5, 2), items(5, 7));
      await trial.store.append([trial.commit("r", 9, { items: items(20, 21) })]);
      expect("items: none of a commit that is refused", await trial.store.items("r", 9, 100), []);
      await trial.store.delete("r");
      await trial.own("r");
      expect("items: none of a run that was deleted", await trial.store.items("r", 0, 100), []);
      expect("items: none where there is no such run", await trial.store.items("none", 0, 100), []);
    },
  },
  {
    name: "told: the runs of an owner that have messages",
    async run(trial) {
      const other = await trial.other();
      for (const id of ["told", "silent", "took", "over", "released", "lost"]) await trial.own(id, id === "lost" ? SHORT : LONG);
      await trial.add("nobody's");
      for (const id of ["told", "took", "over", "released", "lost", "nobody's"]) await other.push(id, { id: "m", body: "" });
      const end = trial.commit("over", 1, { kind: "head", bytes: bytes(), head: { status: "failed" } });
      await trial.store.append([end, trial.commit("took", 1, { head: { inbox: 1 } })]);
      await trial.store.release([{ runId: "released", epoch: 1 }]);
      await trial.pass();
      await trial.claimed({ runId: "lost" });
      expect("told: those that have messages which they have not taken", [...(await trial.store.told("a"))], ["told"]);
      expect("told: to who has claimed a run", [...(await other.told("b"))], ["lost"]);
      expect("told: nothing to who has none", await trial.store.told("c"), []);
    },
  },
];
