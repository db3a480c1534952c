import { HttpError } from "./listener.mjs";

/** The runs that can be asked about: those that go on, and the latest that are over. */
export class Runs {
  /** Handlers by run id. */
  #handlers = new Map();
  /** The ids of those that are over, the oldest first. */
  #over = [];
  #most;

  /** @param {number} most runs that go on at one time, and that are remembered when they are over */
  constructor(most) {
    this.#most = most;
  }

  /** @param {() => import("blazen").Handler} start @throws HttpError when too many go on */
  add(start) {
    if (this.#handlers.size - this.#over.length >= this.#most)
      throw new HttpError(503, "TOO_MANY_RUNS", `${this.#most} runs go on already. Answer or cancel one, or try later.`);
    const handler = start();
    this.#handlers.set(handler.runId, handler);
    const over = () => {
      this.#over.push(handler.runId);
      if (this.#over.length > this.#most) this.#handlers.delete(this.#over.shift());
    };
    // A run that fails says so on its stream and in its status.
    handler.result().then(over, over);
    return handler;
  }

  /** @returns {import("blazen").Handler} @throws HttpError for a run that is not known */
  get(runId) {
    const handler = this.#handlers.get(runId);
    if (handler === undefined) throw new HttpError(404, "UNKNOWN_RUN", `There is no run ${runId} here, or it was over long ago.`);
    return handler;
  }
}
