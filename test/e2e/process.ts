import type { CheckpointStore, Claim, Commit, Message, NewRun, RunFilter } from "blazen";
import { expect } from "vitest";
import { BUSY_RESULT, busy } from "./busy";
import { deferred } from "./deferred";

/** A process: what it says to the store reaches it until it is killed. */
export class Process<Store extends CheckpointStore = CheckpointStore> implements CheckpointStore {
  dead = false;
  appends = 0;
  /** Called before each append; the process dies in it, or after it. */
  onAppend: ((number: number, commits: readonly Commit[]) => "before" | "after" | undefined | Promise<void>) | undefined = undefined;
  readonly #death = deferred<void>();
  /** Resolves when it has been killed. */
  readonly died = this.#death.promise;
  constructor(readonly disk: Store) {}

  #live<T>(call: () => Promise<T>): Promise<T> {
    return this.dead ? new Promise(() => {}) : call();
  }
  #die(): void {
    this.dead = true;
    this.#death.resolve();
  }
  create(run: NewRun) {
    return this.#live(() => this.disk.create(run));
  }
  claim(claim: Claim) {
    return this.#live(() => this.disk.claim(claim));
  }
  append(commits: readonly Commit[]) {
    return this.#live(async () => {
      const dies = await this.onAppend?.(this.appends++, commits);
      if (dies === "before") this.#die();
      const results = this.dead ? [] : await this.disk.append(commits);
      if (dies === "after") this.#die();
      return this.#live(async () => results);
    });
  }
  renew(runs: readonly { runId: string; epoch: number }[], leaseMs: number) {
    return this.#live(() => this.disk.renew(runs, leaseMs));
  }
  release(runs: readonly { runId: string; epoch: number }[]) {
    return this.#live(() => this.disk.release(runs));
  }
  push(runId: string, message: Message) {
    return this.#live(() => this.disk.push(runId, message));
  }
  read(runId: string) {
    return this.#live(() => this.disk.read(runId));
  }
  info(runId: string) {
    return this.#live(() => this.disk.info(runId));
  }
  told(owner: string) {
    return this.#live(() => this.disk.told(owner));
  }
  messages(runId: string) {
    return this.#live(() => this.disk.messages(runId));
  }
  list(filter?: RunFilter) {
    return this.disk.list(filter);
  }
  delete(runId: string) {
    return this.#live(() => this.disk.delete(runId));
  }
  async close() {}
}

/** A store, and what lets the leases in it be over. */
export interface Disk {
  readonly store: CheckpointStore;
  later(): Promise<void> | void;
}

/** When a process is killed, under each policy. */
export const kills = [
  { durability: "strict" as const },
  { durability: "relaxed" as const },
  { durability: "relaxed" as const, checkpoint: { every: 3 } },
].flatMap((policy) => (["before", "after"] as const).map((kind) => [JSON.stringify(policy), kind, policy] as const));

/** Kills a run's process at its first write, at its second, and so on: another one ends the run as if nothing had been. */
export async function killAtEachWrite(kind: "before" | "after", policy: (typeof kills)[number][2], makeDisk: () => Disk): Promise<void> {
  for (let at = 0; ; at++) {
    const { store, later } = makeDisk();
    const effects: string[] = [];
    const first = new Process(store);
    first.onAppend = (number) => (number === at ? kind : undefined);
    const run = busy(effects).run({}, { store: first, runId: "r", ...policy });
    const ended = await Promise.race([run, first.died]);
    if (!first.dead) {
      expect(ended).toEqual(BUSY_RESULT);
      expect(at).toBeGreaterThan(0);
      return;
    }
    await later();
    const second = new Process(store);
    const [handler] = await busy(effects).recover(second);
    const result = handler === undefined ? await busy(effects).run({}, { store: second, runId: "r" }) : await handler.result();
    expect(result, `killed at ${at}`).toEqual(BUSY_RESULT);
    // An effect whose record was on disk does not happen again; strict has each on disk before its step goes on.
    const repeated = effects.length - new Set(effects).size;
    expect(repeated).toBeLessThanOrEqual(3);
    expect((await store.read("r"))?.status).toBe("completed");
  }
}
