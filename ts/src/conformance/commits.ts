import { bytes, type Case, expect, infos, LONG } from "./trial";

const OUTCOME = '{"result":"héllo \\u0000 \\"quoted\\""}';

/** What create, append, read and delete promise. */
export const commits: readonly Case[] = [
  {
    name: "create: of two runs with one id the first stays as it is",
    async run(trial) {
      await trial.own("r");
      const again = await trial.store.create(trial.newRun("r", { workflow: "other", version: 2, base: bytes(9), head: { status: "queued" } }));
      expect("create: false for an id that is there", again, false);
      const stored = { runId: "r", workflow: "flow", version: 1, epoch: 1, sequence: 0, status: "running", bytes: [bytes(0)], messages: [] };
      expect("create: a run begins in epoch 1 with sequence 0, and a second create changes nothing", await trial.store.read("r"), stored);
      expect("read: undefined for a run that is not there", await trial.store.read("none"), undefined);
    },
  },
  {
    name: "create: of several at once one succeeds",
    async run(trial) {
      const other = await trial.other();
      const results = await Promise.all([trial.store, other, trial.store, other].map((store) => store.create(trial.newRun("r"))));
      expect("create: of several with one id at once one is true", results.filter(Boolean).length, 1);
    },
  },
  {
    name: "append: a commit counts where epoch and sequence are right",
    async run(trial) {
      await trial.own("r");
      const result = async (sequence: number, epoch = 1) => (await trial.store.append([trial.commit("r", sequence, { epoch })]))[0];
      expect("append: the next sequence is stored", await result(1), "stored");
      expect("append: a sequence that is there is fenced", await result(1), "fenced");
      expect("append: a sequence that leaves one out is fenced", await result(3), "fenced");
      expect("append: an epoch that is not the run's is fenced", await result(2, 2), "fenced");
      expect("append: an epoch that is over is fenced", await result(2, 0), "fenced");
      expect("append: the next sequence is stored", await result(2), "stored");
      const unknown = await trial.store.append([trial.commit("none", 1)]);
      expect("append: unknown where there is no such run", unknown, ["unknown"]);
      expect("append: what was fenced left nothing", await trial.store.read("r"), { sequence: 2, epoch: 1, bytes: [bytes(0), bytes(1), bytes(2)] });
    },
  },
  {
    name: "append: each commit of a batch has its own result",
    async run(trial) {
      for (const id of ["a", "b", "c"]) await trial.own(id);
      const results = await trial.store.append([
        trial.commit("a", 1),
        trial.commit("b", 1, { epoch: 7 }),
        trial.commit("none", 1),
        trial.commit("c", 1, { kind: "base", bytes: bytes(8, 8) }),
        trial.commit("a", 2, { kind: "head", bytes: bytes() }),
        trial.commit("a", 3, { bytes: bytes(3, 3) }),
      ]);
      expect("append: results stand in the order of the commits", results, ["stored", "fenced", "unknown", "stored", "stored", "stored"]);
      expect("append: several commits of one run count in their order", await trial.store.read("a"), { sequence: 3, bytes: [bytes(0), bytes(1), bytes(3, 3)] });
      expect("append: what is fenced changes nothing", await trial.store.read("b"), { sequence: 0, bytes: [bytes(0)] });
      expect("append: what stands behind a fenced commit is stored", await trial.store.read("c"), { sequence: 1, bytes: [bytes(8, 8)] });
      expect("append: no commits have no results", await trial.store.append([]), []);
    },
  },
  {
    name: "append: a base takes the place of all bytes, deltas come in order, a head has none",
    async run(trial) {
      await trial.own("r");
      for (let sequence = 1; sequence <= 12; sequence++) await trial.store.append([trial.commit("r", sequence)]);
      const deltas = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12].map((value) => bytes(value));
      expect("append: deltas come behind the base in the order of their sequence", await trial.store.read("r"), { bytes: deltas });
      await trial.store.append([trial.commit("r", 13, { kind: "head", bytes: bytes(), head: { status: "waiting" } })]);
      expect("append: a head changes no bytes", await trial.store.read("r"), { sequence: 13, status: "waiting", bytes: deltas });
      await trial.store.append([trial.commit("r", 14, { kind: "base" }), trial.commit("r", 15)]);
      expect("append: a base takes the place of all bytes before it", await trial.store.read("r"), { bytes: [bytes(14), bytes(15)] });
      const large = Uint8Array.from({ length: 300_000 }, (_, at) => at % 251);
      await trial.store.append([trial.commit("r", 16, { kind: "base", bytes: large })]);
      expect("append: a large base comes back", await trial.store.read("r"), { bytes: [large] });
    },
  },
  {
    name: "append: all of a head comes back",
    async run(trial) {
      await trial.own("r");
      const head = trial.head({ status: "waiting", deadline: trial.now() + 1e12, requests: ["a/b", 'q"1'], inbox: 3, stream: 2 ** 40, at: trial.now() + 5 });
      await trial.store.append([trial.commit("r", 1, { head })]);
      expect("append: the head is the one of the latest commit", await trial.store.read("r"), head);
      const [info] = await infos(trial.store.list());
      expect("list: gives what read gives of the head", info, { ...head, runId: "r", workflow: "flow", version: 1 });
      await trial.store.append([trial.commit("r", 2, { head: { inbox: 3 } })]);
      expect("append: a deadline that the head has no more is gone", (await trial.store.read("r"))?.deadline, undefined);
    },
  },
  {
    name: "append: the end of a run drops its bytes, its messages and its owner",
    async run(trial) {
      for (const status of ["completed", "failed", "cancelled"] as const) {
        await trial.own(status);
        await trial.store.push(status, { id: "m", body: "hi" });
        const end = trial.commit(status, 1, { kind: "head", bytes: bytes(), head: { status, outcome: OUTCOME } });
        expect("append: the end is a commit like any", await trial.store.append([end]), ["stored"]);
        const over = { status, sequence: 1, outcome: OUTCOME, bytes: [], messages: [] };
        expect("append: a run that is over has its head, no bytes and no messages", await trial.store.read(status), over);
        expect("messages: none of a run that is over", await trial.store.messages(status), []);
        expect("renew: a run that is over has no owner", await trial.store.renew([{ runId: status, epoch: 1 }], LONG), [false]);
      }
    },
  },
  {
    name: "bytes: a store keeps copies and gives copies",
    async run(trial) {
      const whole = bytes(1, 2, 3, 4, 5, 6);
      const base = whole.subarray(1, 3);
      await trial.store.create(trial.newRun("r", { base, owner: { name: "a", leaseMs: LONG } }));
      whole.fill(0);
      expect("create: what the caller does to its bytes later changes nothing", await trial.store.read("r"), { bytes: [bytes(2, 3)] });
      const delta = bytes(9, 7, 8, 9).subarray(1, 3);
      await trial.store.append([trial.commit("r", 1, { bytes: delta })]);
      delta.fill(0);
      const stored = { bytes: [bytes(2, 3), bytes(7, 8)] };
      const first = await trial.store.read("r");
      expect("append: what the caller does to its bytes later changes nothing", first, stored);
      for (const piece of first!.bytes) piece.fill(0);
      expect("read: the bytes are the caller's to change", await trial.store.read("r"), stored);
      await trial.store.release([{ runId: "r", epoch: 1 }]);
      const [claimed] = await trial.claim();
      expect("claim: gives the bytes too", claimed, stored);
      for (const piece of claimed!.bytes) piece.fill(0);
      expect("claim: the bytes are the caller's to change", await trial.store.read("r"), stored);
    },
  },
  {
    name: "head: a store keeps copies and gives copies",
    async run(trial) {
      const requests = ["q"];
      await trial.own("r", LONG, { requests });
      requests.push("later");
      expect("create: what the caller does to the requests later changes nothing", await trial.store.info("r"), { requests: ["q"] });
      await trial.store.append([trial.commit("r", 1, { head: { requests } })]);
      requests.pop();
      const first = await trial.store.read("r");
      expect("append: what the caller does to the requests later changes nothing", first, { requests: ["q", "later"] });
      (first!.requests as string[]).pop();
      expect("read: the requests are the caller's to change", await trial.store.info("r"), { requests: ["q", "later"] });
    },
  },
  {
    name: "delete: a run goes when it is over, not before",
    async run(trial) {
      await trial.own("r");
      await trial.store.push("r", { id: "m", body: "hi" });
      expect("delete: false for a run that is not over", await trial.store.delete("r"), false);
      expect("delete: a run that is not over stays", await trial.store.read("r"), { messages: [{ id: "m", body: "hi" }] });
      await trial.store.append([trial.commit("r", 1, { kind: "head", bytes: bytes(), head: { status: "completed" } })]);
      expect("delete: true for a run that is over", await trial.store.delete("r"), true);
      expect("delete: it is forgotten", [await trial.store.read("r"), await infos(trial.store.list())], [undefined, []]);
      expect("delete: false for a run that is not there", await trial.store.delete("r"), false);
      await trial.own("r");
      expect("delete: nothing of it comes back with its id", await trial.store.read("r"), { epoch: 1, sequence: 0, bytes: [bytes(0)], messages: [] });
    },
  },
  {
    name: "ids: any string of well-formed Unicode",
    async run(trial) {
      const odd = [
        "__proto__",
        "constructor",
        "a'b\"c`\\",
        "%_*?",
        "a b\n\t",
        "ä\u0000b",
        "über/日本",
        "🦀🦀",
        "\u00e9",
        "e\u0301",
        "R",
        "r",
        "r ",
        "null",
        "x".repeat(1000),
      ];
      for (const id of odd) {
        await trial.own(id, LONG, { requests: [id], outcome: id });
        expect("push: any id, any body", await trial.store.push(id, { id, body: id }), "stored");
      }
      for (const id of odd) {
        const stored = { runId: id, requests: [id], outcome: id, messages: [{ id, body: id }] };
        expect(`read: the run ${JSON.stringify(id)} is there and no other in its place`, await trial.store.read(id), stored);
        expect(`append: to the run ${JSON.stringify(id)}`, await trial.store.append([trial.commit(id, 1)]), ["stored"]);
      }
      const listed = (await infos(trial.store.list())).map(({ runId }) => runId);
      expect("list: each run once, whatever its id", listed.sort(), [...odd].sort());
      for (const id of odd) {
        await trial.add(`of ${id}`, {}, { workflow: id });
        expect("claim: any workflow, any owner", await trial.claimed({ workflow: id, owner: id }), [`of ${id}`]);
      }
    },
  },
  {
    name: "close: all that was stored is there when it is opened again",
    reopens: true,
    async run(trial) {
      await trial.own("r");
      await trial.store.append([trial.commit("r", 1, { head: { status: "waiting", requests: ["q"], stream: 4 } })]);
      await trial.store.push("r", { id: "m", body: "hi" });
      await trial.add("over");
      await trial.store.append([trial.commit("over", 1, { kind: "head", bytes: bytes(), head: { status: "failed", outcome: OUTCOME } })]);
      const before = [await trial.store.read("r"), await trial.store.read("over")];
      await trial.close();
      const other = await trial.other();
      expect("close: what was stored is there again", [await other.read("r"), await other.read("over")], before);
      expect("close: leases are as they were", await trial.claimed({}, other), []);
      expect("close: owners are as they were", await other.append([trial.commit("r", 2)]), ["stored"]);
    },
  },
];
