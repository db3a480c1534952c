import type { CheckpointStore, Commit, CommitResult } from "./store";

interface Waiting {
  readonly commit: Commit;
  resolve(result: CommitResult): void;
  reject(error: unknown): void;
}

/** Commits of all runs of one store: those that come at once go in one batch, and what comes while it is written goes with the next (12.1). */
export class Writer {
  #waiting: Waiting[] = [];
  #writing = false;

  constructor(readonly store: CheckpointStore) {}

  append(commit: Commit): Promise<CommitResult> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ commit, resolve, reject });
      if (this.#waiting.length === 1 && !this.#writing) queueMicrotask(() => void this.#write());
    });
  }

  async #write(): Promise<void> {
    this.#writing = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        const results = await this.store.append(batch.map(({ commit }) => commit));
        batch.forEach(({ resolve }, at) => {
          resolve(results[at] ?? "unknown");
        });
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#writing = false;
  }
}

const writers = new WeakMap<CheckpointStore, Writer>();

/** The one writer of a store in this process. */
export function writerOf(store: CheckpointStore): Writer {
  let writer = writers.get(store);
  if (writer === undefined) {
    writer = new Writer(store);
    writers.set(store, writer);
  }
  return writer;
}
