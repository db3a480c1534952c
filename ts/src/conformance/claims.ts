import { bytes, type Case, expect, infos, LONG, SHORT } from "./trial";

/** What claim, renew and release promise. */
export const claims: readonly Case[] = [
  {
    name: "claim: takes what is queued, runs, is due, or has messages",
    async run(trial) {
      await trial.add("queued", { status: "queued" });
      await trial.add("running");
      await trial.add("due", { status: "waiting", deadline: trial.now() - 1000 });
      await trial.add("later", { status: "waiting", deadline: trial.now() + LONG });
      await trial.add("told", { status: "waiting" });
      await trial.add("told while paused", { status: "paused" });
      await trial.add("told and due", { status: "waiting", deadline: trial.now() - 1000 });
      await trial.add("told and queued", { status: "queued" });
      await trial.add("waits for a person", { status: "waiting", requests: ["q"] });
      await trial.add("paused", { status: "paused" });
      for (const id of ["told", "told while paused", "told and due", "told and queued"]) await trial.store.push(id, { id: "m", body: "" });
      const due = ["due", "queued", "running", "told", "told and due", "told and queued", "told while paused"];
      expect("claim: each run that is queued, runs, is due or has messages, once, and no other", await trial.claimed(), due);
      expect("claim: what is claimed is not claimed again", await trial.claimed({ owner: "c" }), []);
    },
  },
  {
    name: "claim: a deadline is due when its time has come",
    async run(trial) {
      await trial.add("r", { status: "waiting", deadline: trial.now() + LONG });
      expect("claim: not before the deadline", await trial.claimed(), []);
      const soon = { status: "waiting", deadline: trial.now() + SHORT } as const;
      expect("append: without an owner too", await trial.store.append([trial.commit("r", 1, { head: soon })]), ["stored"]);
      await trial.pass();
      expect("claim: after the deadline of the latest commit", await trial.claimed(), ["r"]);
    },
  },
  {
    name: "claim: gives the run as it is, in the next epoch",
    async run(trial) {
      await trial.add("r", {}, { version: 3 });
      await trial.store.append([trial.commit("r", 1, { head: { stream: 5, requests: ["q"] } })]);
      await trial.store.push("r", { id: "m", body: "hi" });
      await trial.store.push("r", { id: "n", body: "ho" });
      const stored = { runId: "r", workflow: "flow", version: 3, status: "running", stream: 5, requests: ["q"], epoch: 2, sequence: 1 };
      const whole = {
        ...stored,
        bytes: [bytes(0), bytes(1)],
        messages: [
          { id: "m", body: "hi" },
          { id: "n", body: "ho" },
        ],
      };
      const [claimed] = await trial.claim();
      expect("claim: gives head, bytes and messages, and the raised epoch", claimed, whole);
      expect("claim: gives the lease that it has now", claimed!.leaseEnd, (await trial.store.info("r"))?.leaseEnd);
      expect("read: gives what claim gave", await trial.store.read("r"), whole);
    },
  },
  {
    name: "claim: by its id, whatever it waits for",
    async run(trial) {
      for (const id of ["r", "s"]) await trial.add(id, { status: "waiting", requests: ["q"] });
      await trial.add("paused", { status: "paused" });
      await trial.own("owned");
      expect("claim: a run that waits for a person, by its id alone", await trial.claimed({ runId: "r" }), ["r"]);
      expect("claim: a paused one too", await trial.claimed({ runId: "paused" }), ["paused"]);
      expect("claim: not one that is another's", await trial.claimed({ runId: "owned" }), []);
      expect("claim: not one of another workflow", await trial.claimed({ runId: "s", workflow: "other" }), []);
      expect("claim: not one that is not there", await trial.claimed({ runId: "none" }), []);
    },
  },
  {
    name: "claim: up to the limit, and of its workflow alone",
    async run(trial) {
      for (let n = 0; n < 5; n++) await trial.add(`r${n}`, n < 3 ? {} : { status: "waiting", deadline: trial.now() - 1000 });
      await trial.add("other", {}, { workflow: "other" });
      const first = await trial.claimed({ limit: 4 });
      expect("claim: as many as the limit says, if there are", first.length, 4);
      const rest = await trial.claimed({ limit: Number.MAX_SAFE_INTEGER });
      expect("claim: the rest, and none of another workflow", [...first, ...rest].sort(), ["r0", "r1", "r2", "r3", "r4"]);
      expect("claim: another workflow's runs stay for it", await trial.claimed({ workflow: "other" }), ["other"]);
    },
  },
  {
    name: "claim: never what is over",
    async run(trial) {
      for (const status of ["completed", "failed", "cancelled"] as const) {
        await trial.own(status, LONG, { deadline: trial.now() - 1000 });
        await trial.store.append([trial.commit(status, 1, { kind: "head", bytes: bytes(), head: { status, deadline: trial.now() - 1000 } })]);
        expect("claim: nothing that is over, also by its id", await trial.claimed({ runId: status }), []);
      }
      expect("claim: nothing that is over", await trial.claimed(), []);
    },
  },
  {
    name: "claim: what is leased when its lease is over; then the owner before is fenced",
    async run(trial) {
      const other = await trial.other();
      await trial.own("short", SHORT);
      await trial.own("long");
      expect("claim: not what is leased for long", (await trial.claimed({ runId: "long" }, other)).length, 0);
      await trial.pass();
      const [claimed, ...more] = await trial.claim({}, other);
      expect("claim: what is leased when the lease is over, and only then", [claimed?.runId, more], ["short", []]);
      expect("claim: in a higher epoch", claimed!.epoch > 1, true);
      expect("append: the owner before is fenced after a claim", await trial.store.append([trial.commit("short", 1)]), ["fenced"]);
      expect("renew: false for the owner before", await trial.store.renew([{ runId: "short", epoch: 1 }], LONG), [false]);
      await trial.store.release([{ runId: "short", epoch: 1 }]);
      expect("release: of the owner before frees nothing", await trial.claimed({ owner: "c" }), []);
      const { epoch } = claimed!;
      expect("append: the new owner goes on with the sequence", await other.append([trial.commit("short", 1, { epoch })]), ["stored"]);
      expect("renew: true for the new owner", await other.renew([{ runId: "short", epoch }], LONG), [true]);
    },
  },
  {
    name: "claim: of several at once no two get the same run",
    async run(trial) {
      const other = await trial.other();
      const ids = Array.from({ length: 40 }, (_, n) => `r${String(n).padStart(2, "0")}`);
      for (const id of ids) await trial.add(id, { status: "queued" });
      const claims = Array.from({ length: 8 }, (_, n) => trial.claimed({ owner: `o${n}`, limit: 7 }, n % 2 === 0 ? trial.store : other));
      expect("claim: each run goes to one of those who claim at once", (await Promise.all(claims)).flat().sort(), ids);
      await trial.add("one");
      const by = await Promise.all([trial.store, other, trial.store, other].map((store, n) => trial.claimed({ owner: `o${n}`, runId: "one" }, store)));
      expect("claim: a run claimed by its id at once goes to one", by.flat(), ["one"]);
    },
  },
  {
    name: "claim: released runs are known to their latest owner only",
    async run(trial) {
      for (const id of ["a", "b", "kept", "nobody's"]) {
        if (id === "nobody's") await trial.add(id);
        else await trial.own(id, id === "kept" ? SHORT : LONG);
      }
      await trial.store.release(["a", "b"].map((runId) => ({ runId, epoch: 1 })));
      await trial.pass();
      expect("claim: another one finds none that it has released", await trial.claimed({ owner: "c", released: true }), []);
      expect("claim: by its id neither", await trial.claimed({ owner: "c", released: true, runId: "a" }), []);
      expect("claim: without `released` another one gets it", await trial.claimed({ owner: "c", runId: "a" }), ["a"]);
      await trial.store.release([{ runId: "a", epoch: 2 }]);
      expect("claim: its latest owner gets what it has released, and not what it lost otherwise", await trial.claimed({ owner: "a", released: true }), ["b"]);
      expect("claim: the run is its latest owner's to know", await trial.claimed({ owner: "c", released: true }), ["a"]);
    },
  },
  {
    name: "renew: prolongs a lease, and tells who has lost it",
    async run(trial) {
      await trial.own("r", SHORT);
      await trial.own("late", SHORT);
      await trial.own("released");
      await trial.store.release([{ runId: "released", epoch: 1 }]);
      const runs = ["r", "none", "released"].map((runId) => ({ runId, epoch: 1 }));
      const renewed = await trial.store.renew([...runs, { runId: "r", epoch: 2 }], LONG);
      expect("renew: true for its owner; false for who is not, for no run, and for one that was released", renewed, [true, false, false, false]);
      await trial.pass();
      expect("renew: a lease that is over and that nobody took is prolonged", await trial.store.renew([{ runId: "late", epoch: 1 }], LONG), [true]);
      expect("claim: not what was renewed", await trial.claimed(), ["released"]);
      expect("renew: of no runs", await trial.store.renew([], LONG), []);
    },
  },
  {
    name: "release: others may claim at once",
    async run(trial) {
      const other = await trial.other();
      for (const id of ["r", "s", "waits"]) await trial.own(id, LONG, id === "waits" ? { status: "waiting" } : {});
      await trial.store.release(["r", "waits", "none"].map((runId) => ({ runId, epoch: 1 })));
      expect("claim: what was released and is to go on, at once", await trial.claimed({}, other), ["r"]);
      expect("claim: what was released and waits, by its id", await trial.claimed({ runId: "waits" }, other), ["waits"]);
    },
  },
  {
    name: "info: what lists tell of a run, and whose it is",
    async run(trial) {
      const leaseEnd = async (runId: string) => (await trial.store.info(runId))?.leaseEnd;
      await trial.own("r", LONG, { status: "waiting", requests: ["q"], stream: 4 });
      const info = { runId: "r", workflow: "flow", version: 1, status: "waiting", requests: ["q"], inbox: 0, stream: 4 };
      expect("info: the head of a run", await trial.store.info("r"), info);
      expect("info: undefined for a run that is not there", await trial.store.info("none"), undefined);
      const [first, listed] = [await leaseEnd("r"), (await infos(trial.store.list()))[0]?.leaseEnd];
      expect("info: when its lease is over", [first! > trial.now() + LONG / 2, listed], [true, first]);
      await trial.store.renew([{ runId: "r", epoch: 1 }], 2 * LONG);
      expect("renew: the lease is over later", (await leaseEnd("r"))! > first!, true);
      await trial.store.release([{ runId: "r", epoch: 1 }]);
      expect("release: it has no lease", await leaseEnd("r"), 0);
      expect("claim: it has one again", [await trial.claimed({ runId: "r" }), (await leaseEnd("r"))! > trial.now()], [["r"], true]);
      await trial.store.append([trial.commit("r", 1, { epoch: 2, kind: "head", bytes: bytes(), head: { status: "completed", outcome: "{}" } })]);
      expect("append: a run that is over has none", await trial.store.info("r"), { status: "completed", outcome: "{}", leaseEnd: 0 });
      await trial.add("nobody's");
      expect("create: without an owner there is none", await leaseEnd("nobody's"), 0);
    },
  },
];
