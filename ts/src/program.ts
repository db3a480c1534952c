import { begin, checkOptions } from "./begin";
import { DefinitionError } from "./errors";
import { Handler, type RunOptions } from "./handler";
import { type ProgramOptions, programOptions, type WorkflowOptions } from "./options";
import { compile, type Plan, type WorkflowDefinition } from "./plan";
import {
  attachRun,
  checkRecoverOptions,
  checkWorkerOptions,
  enqueueRun,
  keepingFor,
  letGoOn,
  type RecoverOptions,
  recoverRuns,
  Worker,
  type WorkerOptions,
} from "./recover";
import { resumeRun } from "./resume";
import type { Snapshot } from "./snapshot";
import type { CheckpointStore } from "./store";
import { describe } from "./values";

/** Whether something is a workflow or pipeline. */
export let isProgram: (value: unknown) => boolean;
/** The plan of a workflow or pipeline. @throws DefinitionError for anything else, and for one that does not compile (2.6) */
export let planOf: (program: unknown, where: string) => Plan;

/** The plan of a program as a branch asks for it, again and again. */
export function planned(program: unknown, where: string): () => Plan {
  let plan: Plan | undefined;
  return () => {
    if (plan?.usable !== true) plan = planOf(program, where);
    return plan;
  };
}

/** What has runs of its own, or child runs: a workflow or a pipeline. */
export abstract class Program<Input = unknown, Result = unknown> {
  readonly name: string;
  readonly version: number;
  protected readonly options: ProgramOptions;
  #plan: Plan | undefined;

  /** @throws DefinitionError for bad options, UnserializableError for an initial state that cannot be stored */
  constructor(kind: "Workflow" | "Pipeline", name: string, options: WorkflowOptions<object>) {
    this.options = programOptions(kind, name, options);
    this.name = name;
    this.version = this.options.version;
  }
  static {
    isProgram = (value) => typeof value === "object" && value !== null && #plan in value;
    planOf = (program, where) => {
      if (isProgram(program)) return (program as Program).#compiled();
      throw new DefinitionError(`${where}: give a Workflow or a Pipeline, not ${describe(program)}.`);
    };
  }

  /** What is compiled when it first runs. */
  protected abstract define(): WorkflowDefinition;
  /** It has run: nothing can be added any more. */
  protected get hasRun(): boolean {
    return this.#plan !== undefined;
  }

  run(input: Input, options?: RunOptions): Promise<Result> {
    try {
      return begin(this.#compiled(), input, options).result() as Promise<Result>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  start(input: Input, options?: RunOptions): Handler<Result> {
    return new Handler(begin(this.#compiled(), input, options));
  }

  /**
   * Goes on from a snapshot, here or in another process, on Node or in a browser, under the same run id (7.3). Its steps are
   * called after this has returned; those that had not settled are called again.
   *
   * @param snapshot a Snapshot, its text, or its bytes in either form
   * @param options `signal`, `session`, `streamRetention` and `overflow`
   * @throws SnapshotError for what is damaged, newer, of another workflow, or does not fit this one: nothing is left of it
   * @example
   * const handler = workflow.resume(await readFile("run.json", "utf8"));
   */
  resume(snapshot: Snapshot | string | Uint8Array, options: RunOptions = {}): Handler<Result> {
    const plan = this.#compiled();
    checkOptions(plan.title, options);
    return new Handler(resumeRun(plan, snapshot, options));
  }

  /**
   * Goes on with runs of a store that no process goes on with, each under its own id (12.3).
   *
   * @param options `concurrency`: so many at most; default: all. `runId`: this one alone, also where it waits for a person. `signal`:
   *   when it is aborted the runs are let go, for others to go on with. `leaseMs`, `session`, `durability`, `unloadAfter`, `clock`
   * @throws (as a rejection) DefinitionError for bad options, StoreError; SnapshotError for runs that do not fit this workflow, if there is no other
   * @example
   * for (const handler of await workflow.recover(store)) console.log(handler.runId, await handler.result());
   */
  async recover(store: CheckpointStore, options: RecoverOptions = {}): Promise<Handler<Result>[]> {
    const plan = this.#compiled();
    checkRecoverOptions(`${plan.title}, recover`, options);
    const runs = await recoverRuns(plan, store, keepingFor(store, options), options.concurrency ?? Number.MAX_SAFE_INTEGER, options.runId);
    letGoOn(options.signal, runs);
    return runs.map((run) => new Handler<Result>(run));
  }

  /**
   * A run wherever it is, by its store: in this process, in another or in none (12.3). What is said to it by the handler goes through the
   * store, where it stays until the run is gone on with; `result()` waits for its end.
   *
   * @throws DefinitionError for what is no id; (as rejections, by the handler) StoreError for a run that the store does not have
   * @example
   * await workflow.attach(store, runId).respond(requestId, { approved: true });
   */
  attach(store: CheckpointStore, runId: string): Handler<Result> {
    return new Handler<Result>(attachRun(this.#compiled(), store, runId));
  }

  /**
   * Puts a run into a store, for any worker; gives its id (12.3).
   *
   * @throws (as a rejection) RunExistsError, EventValidationError, UnserializableError, StoreError
   * @example
   * const runId = await workflow.enqueue(store, { name: "Ada" });
   */
  async enqueue(store: CheckpointStore, input: Input, options: { runId?: string } = {}): Promise<string> {
    return enqueueRun(this.#compiled(), store, input, options.runId);
  }

  /**
   * Goes on with a store's runs of this workflow, those that were enqueued and those whose process is gone, until it is stopped (12.3).
   *
   * @param options `concurrency`: runs at a time, default 10; `signal`: stops the worker; `retention`: of runs that are over; `leaseMs`,
   *   `session`, `durability`, `unloadAfter`, `clock`
   * @throws DefinitionError for bad options
   * @example
   * await using worker = workflow.worker(store, { concurrency: 4 });
   */
  worker(store: CheckpointStore, options: WorkerOptions = {}): Worker {
    const plan = this.#compiled();
    checkWorkerOptions(`${plan.title}, worker`, options);
    return new Worker(plan, store, options);
  }

  #compiled(): Plan {
    const plan = this.#plan;
    if (plan?.usable) return plan;
    this.#plan = compile(this.define());
    return this.#plan;
  }
}
