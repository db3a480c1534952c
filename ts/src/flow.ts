import type { Attempt } from "./attempt";
import type { MemoryOptions, RunMemory } from "./memory";
import type { Branch } from "./nest";
import type { Numbers } from "./numbers";
import type { Plan } from "./plan";
import type { StageAt } from "./progress";
import type { Run } from "./run";
import type { Stopwatch } from "./timers";

/** A plan being executed within a run: the run itself, or a child run. */
export abstract class Flow {
  /** The run that it is, or is part of. */
  readonly run: Run;
  abstract readonly runId: string;
  /** Steps and stages that lead to it, outermost first; empty for the run itself. */
  abstract readonly path: readonly string[];
  /** Head of the attempts that have not settled. */
  live: Attempt | undefined = undefined;
  /** State, session and results of `once`, if any was used. */
  memory: RunMemory | undefined = undefined;
  ids: Numbers<string> | undefined = undefined;
  /** The time that is left of its own, where it has a limit (5.2). */
  limit: Stopwatch | undefined = undefined;
  /** Milliseconds that it had run when it was stored. */
  elapsed = 0;
  /** Of a pipeline: the stage that started or ended last (11.4). */
  stage: StageAt | undefined = undefined;

  constructor(
    readonly plan: Plan,
    run?: Run,
  ) {
    this.run = run ?? (this as unknown as Run);
  }

  get workflowName(): string {
    return this.plan.name;
  }
  /** For messages. */
  get title(): string {
    return this.plan.title;
  }
  get memoryOptions(): MemoryOptions {
    return this.plan.memory;
  }

  /** Something goes on in it: the time of all limited child runs around it runs. */
  enter(): void {}
  leave(): void {}

  link(attempt: Attempt): void {
    const { live } = this;
    attempt.next = live;
    if (live !== undefined) live.previous = attempt;
    this.live = attempt;
  }
  unlink(attempt: Attempt): void {
    const { previous, next } = attempt;
    if (previous === undefined) this.live = next;
    else previous.next = next;
    if (next !== undefined) next.previous = previous;
    attempt.previous = undefined;
    attempt.next = undefined;
  }
}

/** How a child run has ended. */
export type ChildOutcome =
  | { readonly status: "fulfilled"; readonly value: unknown }
  | { readonly status: "rejected"; readonly reason: unknown }
  | { readonly status: "cancelled" };

/** A run that a step has opened within its own: part of the same run, with a plan and memory of its own (11.1). */
export class ChildRun extends Flow {
  /** The core's number. */
  number = -1;
  outcome: ChildOutcome | undefined = undefined;
  /** Of one that comes from a snapshot: its id there. */
  storedId: string | undefined = undefined;
  /** The attempt that waits for it; one that runs again takes the place of the one before. */
  opener: Attempt | undefined = undefined;
  /** How many things use up its time, where it has a limit. */
  busy = 0;
  readonly #timed: ChildRun | undefined;

  constructor(
    plan: Plan,
    /** That of the step which opened it. */
    readonly parent: Flow,
    readonly step: string,
    readonly seq: number,
    /** The step's attempt which opened it: each has child runs of its own. */
    readonly attempt: number,
    /** Its number among those that the attempt has opened. */
    readonly at: number,
    readonly branch: Branch,
  ) {
    super(plan, parent.run);
    this.#timed = this.timeout === undefined ? this.#outer : this;
  }

  get runId(): string {
    return `${this.parent.runId}/${this.id}`;
  }
  /** Its id within the run around it: its opener's number, the step, the branch of a parallel stage, and the attempt from the second on. */
  get id(): string {
    // Steps may have other names now.
    if (this.storedId !== undefined) return this.storedId;
    const { name } = this.branch;
    const branch = name === undefined ? "" : `/${encodeURIComponent(name)}`;
    return `${this.seq}/${encodeURIComponent(this.step)}${branch}${this.attempt === 1 ? "" : `#${this.attempt}`}`;
  }
  get path(): readonly string[] {
    const { name } = this.branch;
    return Object.freeze([...this.parent.path, this.step, ...(name === undefined ? [] : [name])]);
  }
  /** Milliseconds that it may take: by its workflow and by the stage that it is of. */
  get timeout(): number | undefined {
    const { timeout } = this.branch;
    return timeout === undefined || (this.plan.timeout !== undefined && this.plan.timeout < timeout) ? this.plan.timeout : timeout;
  }
  /** The nearest child run around what goes on here, itself included, whose time is limited. */
  get timed(): ChildRun | undefined {
    return this.#timed;
  }
  override enter(): void {
    for (let one = this.#timed; one !== undefined; one = one.#outer) if (one.busy++ === 0 && one.run.pause?.taken !== true) one.limit?.start();
  }
  override leave(): void {
    for (let one = this.#timed; one !== undefined; one = one.#outer) if (--one.busy === 0) one.limit?.stop();
  }
  get #outer(): ChildRun | undefined {
    return this.parent instanceof ChildRun ? this.parent.#timed : undefined;
  }
  get over(): boolean {
    return this.outcome !== undefined;
  }
}

/** The child runs of a run, until the steps that opened them are over. */
export class Children {
  /** By the core's numbers. */
  readonly known: (ChildRun | undefined)[] = [];
  /** The one that the next exchange opens. */
  opening: ChildRun | undefined = undefined;
  /** Those of a stored run, by the invocations that opened them, until those are called again. */
  stored: Map<number, ChildRun[]> | undefined = undefined;
  /** Attempts whose child runs are over and which have not settled. */
  late: Set<Attempt> | undefined = undefined;
  /** Those that are over, and whose steps have to be told. */
  endings: { readonly child: ChildRun; readonly cause: unknown }[] | undefined = undefined;

  /** The step that opened it is over: the core may give its number to another. */
  forget(child: ChildRun): void {
    if (this.known[child.number] === child) this.known[child.number] = undefined;
  }
  *[Symbol.iterator](): Generator<ChildRun> {
    for (const child of this.known) if (child !== undefined) yield child;
  }
  get any(): boolean {
    for (let at = 0; at < this.known.length; at++) if (this.known[at] !== undefined) return true;
    return false;
  }
}

/** The run itself and its child runs. */
export function* flowsOf(run: Run): Generator<Flow> {
  yield run;
  if (run.children !== undefined) yield* run.children;
}

/** The attempts of a run and of all its child runs that have not settled. */
export function* attemptsOf(run: Run): Generator<Attempt> {
  for (const flow of flowsOf(run)) for (let at = flow.live; at !== undefined; at = at.next) yield at;
}
