// The thread of a store that answers at once.
import { workerData } from "node:worker_threads";
import { SqliteStore } from "blazen";

const { port, signal } = workerData;
let store;

const more = {
  async open(path) {
    await store?.close();
    store = new SqliteStore(path);
  },
  list: (filter) => Array.fromAsync(store.list(filter)),
  /** All that the store has, to be compared. */
  async state() {
    const runs = [];
    for await (const { runId } of store.list()) runs.push([await store.read(runId), await store.messages(runId), await store.items(runId, 0, 10_000)]);
    return JSON.stringify(runs, (_, value) => (value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : value));
  },
  /** Time has passed: nobody's lease holds any more. */
  async expire() {
    const runs = [];
    for await (const { runId } of store.list()) runs.push({ runId, epoch: (await store.read(runId)).epoch });
    await store.renew(runs, -1000);
  },
};

port.on("message", async ({ op, args }) => {
  const reply = {};
  try {
    reply.answer = await (more[op] === undefined ? store[op](...args) : more[op](...args));
  } catch (error) {
    reply.error = error;
  }
  port.postMessage(reply);
  Atomics.store(signal, 0, 1);
  Atomics.notify(signal, 0);
});
