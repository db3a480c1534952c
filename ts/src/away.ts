import { InputRequestEvent } from "./built-in";
import { graceOf } from "./cancel";
import { checkId } from "./commit";
import { given, sameAnswer } from "./digest";
import { eventOf } from "./emit";
import { randomId } from "./environment";
import {
  AlreadyAnsweredError,
  CancelledError,
  type CancelReport,
  InvalidResponseError,
  RunOverError,
  StoreError,
  UnhandledEventError,
  UnknownRequestError,
} from "./errors";
import type { Flow } from "./flow";
import { eventSaid, type Said } from "./inbox";
import { leasesOf } from "./leases";
import { mergedRun } from "./merge";
import { checkPause } from "./pause";
import { Pending, type PendingInput, pendingInput, requestsOf } from "./requests";
import { answerEvent } from "./respond";
import { fill } from "./resume";
import { addChildren } from "./resume-children";
import { Run, type RunStatus } from "./run";
import { type Snapshot, snapshotOf } from "./snapshot";
import { type CheckpointStore, isOver, type RunHead, type RunInfo, type StoredRun } from "./store";
import { read } from "./stored";
import { storedItem } from "./stored-item";
import { outcomeText, storedOutcome } from "./stored-outcome";
import { textValue, valueText } from "./stored-value";
import { streamOf } from "./stream";
import type { Timer } from "./timers";

/** Ms from one look at the store to the next, at first and at most: for what somebody waits for. */
const LOOK = 10;
const LOOK_MAX = 250;
/** Ms for which what was seen of a run is good enough for `status` and the like. */
const FRESH = 100;
/** Ms for which a run's owner gives what is published, once it was asked to. */
const WATCH = 30_000;
/** Items of a stream that are taken at a time. */
const ITEMS = 1000;

/**
 * A run that goes on elsewhere, in another process or in none: its handler speaks to it by way of its store (12.3). `run` is an empty one,
 * which gets the end of it.
 */
export class Away {
  #info: RunInfo | undefined = undefined;
  /** Its questions, if somebody has asked for them, and the ids that they are of. */
  #pending: readonly PendingInput[] = [];
  #wanted = false;
  #ids = "";
  /** When it was looked at, and the look that is under way. */
  #seen = 0;
  #looking: Promise<RunInfo> | undefined = undefined;
  #watched = false;
  /** When the owner was asked for the stream. */
  #asked = 0;
  /** Ms to the next look. */
  #pause = LOOK;
  /** Set for when it is due by time. */
  timer: Timer | undefined = undefined;

  constructor(
    readonly run: Run,
    readonly store: CheckpointStore,
    /** It goes on here when it is due, and has been claimed; undefined: it does not. */
    readonly goOn: ((stored: StoredRun) => void) | undefined,
  ) {}

  /** The run itself, where it goes on in this process. */
  get here(): Run | undefined {
    return this.run.told === undefined ? leasesOf(this.store).find(this.run.runId) : undefined;
  }
  /** As it was when it was looked at last; looks again, for the next time. */
  get status(): RunStatus {
    if (this.run.told !== undefined) return this.run.status;
    this.#glance();
    return this.#info?.status ?? "waiting";
  }
  get pendingInputs(): readonly PendingInput[] {
    if (this.run.told !== undefined) return [];
    this.#wanted = true;
    this.#glance();
    return this.#pending;
  }

  /** Somebody waits for its end, or reads its stream. */
  watch(): void {
    if (this.#watched || this.run.told !== undefined) return;
    this.#watched = true;
    const { run } = this;
    this.#end().then(
      async (info) => {
        await this.#take();
        run.settle(endOf(run, info));
      },
      (error: unknown) => run.settle({ status: "failed", error }),
    );
  }

  async respond(id: string, response: unknown): Promise<void> {
    const { run } = this;
    const details = { runId: run.runId };
    const stored = await this.#read();
    if (isOver(stored)) throw this.#over(`nobody waits for an answer to ${JSON.stringify(id)}`);
    const content = contentOf(run, stored);
    const before = requestsOf(content).answer(id);
    if (before !== undefined && sameAnswer(content, before, response)) return;
    const other = () =>
      new AlreadyAnsweredError(`The request ${JSON.stringify(id)} has been answered already, and not like this. The first answer counts.`, details);
    if (before !== undefined) throw other();
    const asked = stored.requests.includes(id) ? requestIn(content, id) : undefined;
    if (asked === undefined)
      throw new UnknownRequestError(`${run.title}: there is no request ${JSON.stringify(id)} in this run, or it was withdrawn.`, details);
    // The answer of a class is checked here; what a step awaits, by the step.
    await answerEvent(new Pending(asked.event, -1, false, asked.flow), response);
    const { types } = run.memoryOptions;
    const first = await this.#say({ op: "respond", requestId: id, response: valueText(response, "response", types) }, `respond/${id}`);
    if (first === undefined) return this.respond(id, response);
    if (first.op !== "respond" || !sameAnswer(content, given(content, textValue(first.response, types)), response)) throw other();
    // Where nobody goes on with it, nobody can say more.
    if (stored.leaseEnd <= Date.now() && this.goOn === undefined) return;
    const info = await this.#taken(`respond/${id}`);
    if (info?.requests.includes(id))
      throw new InvalidResponseError(`The request ${JSON.stringify(id)} does not accept this response: the step that asks has refused it.`, "", details);
  }

  async send(event: unknown, id: string | undefined): Promise<void> {
    const { run } = this;
    const { plan } = run;
    checkId(id, "handler.send");
    const sent = eventOf(plan, event, `handler.send of workflow "${plan.name}" was given`);
    // What child runs take is known where they are.
    if (!plan.external.has(sent.type) && plan.steps.every(({ nest }) => nest === undefined))
      throw new UnhandledEventError(
        `${plan.title}: the event "${sent.type}" may not come from outside. Name its class in the option "external" of the workflow.`,
        sent.type,
        { runId: run.runId },
      );
    const own = id ?? randomId();
    await this.#say(eventSaid(sent, own, run.memoryOptions.types), `send/${own}`);
  }

  async cancel(reason: unknown, options: unknown): Promise<CancelReport> {
    const { run } = this;
    const grace = graceOf(run, options);
    if (isOver(await this.#look())) return { stopped: [], ignored: [] };
    const mine = await this.#claim();
    if (mine !== undefined) {
      // Nobody goes on with it, so there is nothing to stop.
      const error = new CancelledError(`${run.title}: the run was cancelled.`, undefined, { cause: reason, runId: run.runId });
      await this.#commit(mine, { status: "cancelled", outcome: outcomeText(run, { status: "cancelled", error }).text });
      leasesOf(this.store).forget(this);
      return error.report;
    }
    await this.#say({ op: "cancel", reason: valueText(reason, "reason", run.memoryOptions.types), grace }, "cancel");
    const { status, error } = endOf(run, await this.#end()) as { status: string; error?: unknown };
    return status === "cancelled" ? (error as CancelledError).report : { stopped: [], ignored: [] };
  }

  async pause(options: unknown = {}): Promise<Snapshot> {
    const { mode = "drain", timeout } = checkPause(this.run, options);
    if (isOver(await this.#look())) throw this.#over("it cannot be paused");
    const mine = await this.#claim();
    if (mine !== undefined) {
      await this.#commit(mine, { status: "paused", deadline: undefined });
      await this.store.release([mine]);
    } else {
      await this.#say({ op: "pause", mode, timeout }, `pause/${randomId()}`);
      for await (const { status } of this.#looks()) if (status === "paused" || isOver({ status })) break;
    }
    return this.snapshot();
  }
  /** @returns when the store knows it */
  async resume(): Promise<void> {
    if (!isOver(await this.#look())) await this.#say({ op: "resume" }, `resume/${randomId()}`);
  }
  async snapshot(): Promise<Snapshot> {
    const stored = await this.#read();
    if (isOver(stored)) throw this.#over("there is no snapshot of it");
    return snapshotOf(mergedRun(this.run.plan, stored));
  }

  /** Puts a message into its inbox, and has it taken where the run is to go on here. @returns the first of this id, if it is still there */
  async #say(said: Said, id: string): Promise<Said | undefined> {
    const { run, store } = this;
    const pushed = await store.push(run.runId, { id, body: JSON.stringify(said) });
    if (pushed === "unknown") throw this.#unknown();
    if (pushed === "over") throw this.#over("nothing can be said to it");
    await leasesOf(store).look();
    if (pushed === "stored") return said;
    const first = (await store.messages(run.runId)).find((message) => message.id === id);
    return first === undefined ? undefined : (JSON.parse(first.body) as Said);
  }
  /** Until whoever goes on with it has taken a message; undefined where nobody does. */
  async #taken(id: string): Promise<RunInfo | undefined> {
    for await (const info of this.#looks()) {
      if (isOver(info) || info.leaseEnd <= Date.now()) return undefined;
      if ((await this.store.messages(this.run.runId)).every((message) => message.id !== id)) return this.#look();
    }
    return undefined;
  }
  async #end(): Promise<RunInfo> {
    for await (const info of this.#looks()) {
      if (isOver(info)) return info;
      if (this.run.stream?.read === true) await this.#follow(info);
      else await this.here?.result().catch(() => {});
    }
    throw this.#unknown();
  }
  /** Asks whoever goes on with it for what is published, and takes what has come. */
  async #follow({ leaseEnd }: RunInfo): Promise<void> {
    const now = Date.now();
    const from = streamOf(this.run).position;
    if (leaseEnd > now && now > this.#asked + WATCH / 3) {
      this.#asked = now;
      await this.#say({ op: "watch", from, ms: WATCH }, `watch/${randomId()}`);
    }
    await this.#take();
  }
  async #take(): Promise<void> {
    const { run, store } = this;
    if (run.stream === undefined) return;
    for (;;) {
      const items = await store.items(run.runId, run.stream.position, ITEMS);
      for (const item of items) run.stream.add(storedItem(run.plan, item));
      // More comes soon.
      if (items.length > 0) this.#pause = LOOK;
      if (items.length < ITEMS) return;
    }
  }

  /** Takes it over if nobody goes on with it. */
  async #claim(): Promise<StoredRun | undefined> {
    const { owner, leaseMs } = leasesOf(this.store);
    const { plan, runId } = this.run;
    return (await this.store.claim({ workflow: plan.name, owner, leaseMs, limit: 1, runId }))[0];
  }
  async #commit({ runId, epoch, sequence, ...stored }: StoredRun, changed: Partial<RunHead>): Promise<void> {
    const { status, deadline, requests, inbox, stream, at, outcome } = { ...stored, ...changed };
    const head = { status, deadline, requests, inbox, stream, at: Math.max(at, this.run.timers.now()), outcome };
    const [result] = await this.store.append([{ runId, epoch, sequence: sequence + 1, kind: "head", bytes: new Uint8Array(0), head }]);
    if (result !== "stored") throw new StoreError(`${this.run.title}: another process took run ${runId} over meanwhile. Try again.`, { runId });
  }

  #glance(): void {
    if (Date.now() - this.#seen < FRESH) return;
    // What cannot be seen now is told by whatever is asked of it next.
    this.#look().catch(() => {});
  }
  /** Looks again and again, with ever longer pauses. */
  async *#looks(): AsyncGenerator<RunInfo> {
    for (this.#pause = LOOK; ; this.#pause = Math.min(2 * this.#pause, LOOK_MAX)) {
      yield await this.#look();
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, this.#pause);
        // As a run in memory that waits, one that has left it is no reason for a process to stay.
        if (this.goOn !== undefined) (timer as { unref?(): void }).unref?.();
      });
    }
  }
  #look(): Promise<RunInfo> {
    this.#looking ??= this.#lookNow().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }
  async #lookNow(): Promise<RunInfo> {
    this.#seen = Date.now();
    const info = await this.store.info(this.run.runId);
    if (info === undefined || info.workflow !== this.run.plan.name) throw this.#unknown();
    const ids = info.requests.join();
    if (this.#wanted && ids !== this.#ids) {
      // It may have ended meanwhile.
      const stored = ids === "" ? undefined : await this.#read();
      const content = stored === undefined || isOver(stored) ? new Run(this.run.plan, info.runId) : contentOf(this.run, stored);
      this.#pending = info.requests.flatMap((id) => {
        const asked = requestIn(content, id);
        return asked === undefined ? [] : [pendingInput(asked.event, asked.flow)];
      });
      this.#ids = ids;
    }
    this.#info = info;
    if (isOver(info) && this.run.awaited) this.watch();
    return info;
  }
  async #read(): Promise<StoredRun> {
    const stored = await this.store.read(this.run.runId);
    if (stored === undefined || stored.workflow !== this.run.plan.name) throw this.#unknown();
    return stored;
  }
  #unknown(): StoreError {
    const { plan, runId } = this.run;
    return new StoreError(`${plan.title}: the store has no run ${runId} of it.`, { runId });
  }
  #over(why: string): RunOverError {
    const { title, runId } = this.run;
    return new RunOverError(`${title}: the run is over, so ${why}.`, { runId });
  }
}

function endOf({ plan }: Run, { runId, status, outcome }: RunInfo) {
  return storedOutcome(plan, runId, status as "completed", outcome);
}

/** What a stored run holds, in a run that does not go on. @throws SnapshotError */
function contentOf({ plan }: Run, stored: StoredRun): Run {
  const content = new Run(plan, stored.runId);
  const document = read(plan, mergedRun(plan, stored));
  addChildren(content, document);
  fill(content, document);
  return content;
}

function requestIn(content: Run, id: string): { readonly event: InputRequestEvent; readonly flow: Flow } | undefined {
  let found: { readonly event: InputRequestEvent; readonly flow: Flow } | undefined;
  content.eachEvent((event, slot) => {
    if (event.type === InputRequestEvent.type && (event as InputRequestEvent).id === id)
      found = { event: event as InputRequestEvent, flow: content.owner(slot) };
  });
  return found;
}
