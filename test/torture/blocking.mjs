// A SqliteStore that answers at once: what is done on it does not depend on how long the machine takes.
import { MessageChannel, receiveMessageOnPort, Worker } from "node:worker_threads";

export class BlockingStore {
  #signal = new Int32Array(new SharedArrayBuffer(4));
  #port;

  constructor() {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    const thread = new URL("blocking-thread.mjs", import.meta.url);
    new Worker(thread, { workerData: { port: port2, signal: this.#signal }, transferList: [port2] }).unref();
  }

  /** Closes the file before, and opens this one with what is asked next. */
  open(path) {
    this.ask("open", [path]);
  }
  /** A method of the store, or "state", or "expire". @throws what the store does */
  ask(op, args = []) {
    Atomics.store(this.#signal, 0, 0);
    this.#port.postMessage({ op, args });
    // It may be woken late for the answer before.
    while (Atomics.load(this.#signal, 0) === 0) Atomics.wait(this.#signal, 0, 0);
    const { answer, error } = receiveMessageOnPort(this.#port).message;
    if (error !== undefined) throw error;
    return answer;
  }
}
