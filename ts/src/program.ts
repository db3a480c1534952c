import { begin, checkOptions } from "./begin";
import { DefinitionError } from "./errors";
import { Handler, type RunOptions } from "./handler";
import { type ProgramOptions, programOptions, type WorkflowOptions } from "./options";
import { compile, type Plan, type WorkflowDefinition } from "./plan";
import { resumeRun } from "./resume";
import type { Snapshot } from "./snapshot";
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

  #compiled(): Plan {
    const plan = this.#plan;
    if (plan?.usable) return plan;
    this.#plan = compile(this.define());
    return this.#plan;
  }
}
