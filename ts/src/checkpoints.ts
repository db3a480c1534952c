import { cold, exchange, frame, GONE } from "./buffer";
import { dropWork, failRun } from "./cancel";
import type { Encoded } from "./codec";
import { fromHost } from "./dispatch";
import { CancelledError, FencedError, StoreError } from "./errors";
import type { Event } from "./event";
import { internal, message } from "./failure";
import { ChildRun, type Flow, flowsOf } from "./flow";
import { IN_DURABLE } from "./generated/tables";
import { documentText, Entries, sameAs } from "./host-part";
import { Inbox } from "./inbox";
import { pin, storedEntries } from "./instance";
import type { Keeping } from "./kept-run";
import { leasesOf } from "./leases";
import { mergedBytes } from "./merge";
import { type Outcome, type Run, Thrown } from "./run";
import { encodeEvent, fetched, hostPart, save, saveChild, smallEntries } from "./save";
import { storedSession } from "./session-policy";
import { own } from "./snapshot";
import type { CommitResult, RunHead, StoredItem, StoredRun } from "./store";
import { itemText } from "./stored-item";
import { outcomeText } from "./stored-outcome";
import { positionOf, streamOf } from "./stream";
import { isAtRest, unload } from "./unload";
import { describe } from "./values";
import type { Writer } from "./writer";

/** How far commits may be ahead of the store where `durability` is "relaxed". */
const AHEAD = 1000;
/** The longest that setTimeout can wait for, in ms. */
const MAX_TIMEOUT = 2 ** 31 - 1;
const NO_BYTES = new Uint8Array(0);

/** What the core says of a run's changes: docs/internal/boundary.md. */
interface Changed {
  readonly commit: number;
  readonly slots: readonly number[];
  readonly released: readonly number[];
  readonly keys: readonly number[];
  readonly sent: readonly (readonly [number, number])[];
  readonly base?: true;
  /** The StopEvent is all that is left to route. */
  readonly last?: true;
}

/** When checkpoints are written. */
export interface CheckpointPolicy {
  readonly strict: boolean;
  /** Commits from one checkpoint to the next. */
  readonly every: number;
  /** Ms from one checkpoint to the next; 0: none. */
  readonly ms: number;
}

interface Checkpoint {
  readonly kind: "base" | "delta";
  readonly bytes: Uint8Array;
}

/** Those who wait until a commit is on disk. */
interface Waiter {
  readonly commit: number;
  readonly mark: number;
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * A run's checkpoints: what has changed goes to the store, one write at a time; what comes meanwhile goes with the next (12). The core
 * dispatches nothing of a commit before it is told that the commit is durable.
 */
export class Checkpoints {
  /** The latest commits of the core: one that is made, one that is written, and one that is on disk. */
  #made = 0;
  #written = 0;
  #durable = 0;
  /** Things that no commit of the core tells of, such as results of `once`: how many there were, and are on disk. */
  #marks = 0;
  #marksDurable = 0;
  /** A base is there for deltas. */
  #based = false;
  /** How many deltas there are since. */
  #deltas = 0;
  /** Something has been said to the core since the last checkpoint. */
  #dirty = false;
  #scheduled = false;
  #writing: Promise<void> | undefined = undefined;
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;
  /** Nothing is written any more: the run is over, or not this process' any more. */
  #stopped = false;
  /** Why the run is not this process' any more, or is not stored. */
  #failure: Error | undefined = undefined;
  #leaving = false;
  readonly #waiters: Waiter[] = [];
  /** What the next delta has of the host's, by key; undefined: the entry is gone. */
  readonly #entries = new Map<string, Encoded>();
  readonly #removed = new Set<string>();
  /** Entries that are looked at each time, as they were. */
  readonly #small = new Map<string, string>();
  /** Those of the session that the checkpoints have. */
  #session: ReadonlyMap<string, string> = new Map();
  readonly #children = new Map<ChildRun, boolean>();
  /** Encoded when they were emitted. */
  readonly #events = new WeakMap<Event, Encoded>();
  /** The events that the checkpoints have, by slot, and their slots. */
  readonly #slots = new Map<number, Event>();
  readonly #places = new Map<Event, number[]>();
  #answers = 0;
  /** Items of the stream for readers elsewhere, and until when there are any. */
  #items: StoredItem[] = [];
  #watched = 0;
  /** In verify mode: the base and the deltas after it. */
  #parts: Uint8Array[] | undefined = undefined;
  /** Settled when the store has the run, or has refused it. */
  creating: Promise<void> | undefined = undefined;
  readonly policy: CheckpointPolicy;
  readonly epoch: number;
  /** Of the latest commit in the store; -1 before the run is there. */
  sequence: number;
  /** When that was: time does not run backwards from there (12.3). */
  #at: number;
  readonly inbox: Inbox;
  /** The session as it was at first. */
  readonly session: ReadonlyMap<string, unknown>;
  /** Called when the run leaves memory. */
  onLeave: (() => void) | undefined = undefined;
  /** Until it leaves memory. */
  #idle: ReturnType<typeof setTimeout> | undefined = undefined;

  constructor(
    readonly run: Run,
    readonly writer: Writer,
    readonly keeping: Keeping,
    from?: StoredRun,
  ) {
    this.policy = keeping.policy;
    this.epoch = from?.epoch ?? 1;
    this.sequence = from?.sequence ?? -1;
    this.#at = from?.at ?? 0;
    this.inbox = new Inbox(run, from?.inbox ?? 0);
    this.session = new Map(run.memory?.session?.entries);
  }

  /** After each exchange, of which this was the latest commit. Runs no user code. */
  exchanged(commit: number): void {
    this.#made = commit;
    this.#dirty = true;
    this.#consider();
  }

  /** Somebody elsewhere reads the stream, from an offset on, for so many ms. */
  watch(from: number, ms: number): void {
    const stream = streamOf(this.run);
    const { memory } = this.run.plan;
    const was = stream.tee !== undefined;
    this.#watched = Date.now() + ms;
    // One that begins further behind gets what is kept again; a store that has it changes nothing.
    if (!was || from < this.#from) this.#items = Array.from(stream.kept(from), (item) => itemText(memory, item));
    this.#from = was ? Math.min(from, this.#from) : from;
    stream.tee = (item) => {
      if (Date.now() > this.#watched) {
        stream.tee = undefined;
        return;
      }
      this.#items.push(itemText(memory, item));
      this.#consider();
    };
    this.#consider();
  }
  #from = 0;
  /** Something of its head is another. */
  touched(): void {
    this.#dirty = true;
    this.#consider();
  }
  /** @throws UnserializableError for an event that cannot be stored: where it is emitted (12.1) */
  emitted(flow: Flow, event: Event): void {
    if (!this.#events.has(event)) this.#events.set(event, encodeEvent(flow, event));
  }
  stateChanged(flow: Flow, changes: ReadonlyMap<string, Encoded | undefined>): void {
    for (const [key, value] of changes) {
      const name = `${prefixOf(flow)}state/${encodeURIComponent(key)}`;
      if (flow.memoryOptions.types.hasStates) this.#removeAll(`${name}/`);
      if (value === undefined) this.#remove(name);
      else {
        for (const [suffix, entry] of storedEntries(value)) this.#entries.set(name + suffix, entry);
        pin(value);
      }
    }
  }
  onceRecorded(flow: Flow, seq: number, key: string, result: Encoded): Promise<void> {
    this.#entries.set(`${prefixOf(flow)}once/${seq}/${encodeURIComponent(key)}`, result);
    return this.#mark();
  }
  onceForgotten(flow: Flow, seq: number): void {
    this.#removeAll(`${prefixOf(flow)}once/${seq}/`);
  }
  answered(id: string, digest: string | undefined): void {
    this.#put(`answered/${this.#answers++}`, { id, ...(digest === undefined ? {} : { digest }) });
  }

  /** Resolves when all that has been committed up to now is on disk; at once where nobody waits for that. */
  durable(): Promise<void> | undefined {
    if (!this.policy.strict || (this.#durable >= this.#made && this.#marksDurable >= this.#marks)) return undefined;
    return this.#wait();
  }

  /** The snapshot of a run that has not begun, which is created in the store by it. */
  first(): Uint8Array {
    const bytes = this.#base();
    this.#written = this.#made;
    this.#durable = this.#made;
    this.#dirty = false;
    return bytes;
  }
  /** It is in the store. */
  created(): void {
    this.sequence = 0;
  }
  /** What the core may dispatch. */
  frameDurable(): void {
    frame(IN_DURABLE, this.policy.strict ? this.#durable : this.#durable + AHEAD, 0, 0);
  }

  /** The run has ended: the store is told how, after all else. @returns the end that counts */
  async end(outcome: Outcome): Promise<Outcome> {
    await this.creating;
    // What has failed meanwhile could not fail a run that was ending.
    if (this.#failure !== undefined) return { status: "failed", error: this.#failure };
    if (this.#stopped || this.sequence < 0) return outcome;
    this.#halt();
    await this.#writing;
    const told = outcomeText(this.run, outcome);
    const head = { ...this.#head(), status: told.outcome.status, outcome: told.text };
    try {
      const result = await this.writer.append({ ...this.#commit("head", NO_BYTES), head });
      if (result !== "stored") throw this.#fenced(result);
      for (const waiter of this.#waiters.splice(0)) waiter.resolve();
      return told.outcome;
    } catch (cause) {
      // What the store does not know of has not happened.
      const error = storeError(this.run, cause);
      for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
      return { status: "failed", error };
    }
  }
  /** The run is not this process' any more, or its store has failed: nothing of it is written from here on. */
  abandon(error: Error): void {
    if (this.#stopped) return;
    this.#failure = error;
    this.#halt();
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
    failRun(this.run, error);
  }
  /** The run goes on elsewhere: when what it has done is stored, nothing more happens here. */
  async leave(): Promise<void> {
    const { run } = this;
    if (this.#stopped || run.over || run.cancelling) return;
    await this.creating;
    // Attempts that run count as not settled.
    this.#leaving = true;
    await this.#writing;
    if (this.#stopped || run.over) return;
    this.#halt();
    await this.writer.store.release([{ runId: run.runId, epoch: this.epoch }]);
    failRun(run, new FencedError(`${run.title}: run ${run.runId} was let go by its worker, for others to go on with.`, { runId: run.runId }));
  }
  /** The store has the end of it. */
  known(outcome: Outcome): void {
    this.#halt();
    const { run } = this;
    if (outcome.status === "completed") {
      dropWork(run);
      run.complete(outcome.stop);
    } else failRun(run, outcome.error as Error);
  }
  #halt(): void {
    this.#stopped = true;
    leasesOf(this.writer.store).remove(this.run);
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
    clearTimeout(this.#idle);
  }
  /** All is stored, for now. */
  #rest(): void {
    const { unloadAfter } = this.keeping;
    if (this.#idle !== undefined || unloadAfter === Number.POSITIVE_INFINITY) return;
    const made = this.#made;
    // setTimeout fires at once for what is longer than it can count.
    this.#idle = setTimeout(
      () => {
        this.#idle = undefined;
        if (this.#writing !== undefined || this.#scheduled) return;
        if (this.#made !== made || !isAtRest(this.run)) this.#rest();
        else if (this.#dirty || this.#written < made || this.#marksDurable < this.#marks) this.#due();
        else void this.#unload();
      },
      Math.min(unloadAfter, MAX_TIMEOUT),
    );
    // It is no reason for a process to stay.
    (this.#idle as { unref?(): void }).unref?.();
  }
  async #unload(): Promise<void> {
    const { run } = this;
    const { store } = this.writer;
    // One that sleeps is due at its deadline, and not before.
    const head = { ...this.#head(), status: run.pause === undefined ? ("waiting" as const) : run.status };
    let base: Uint8Array | undefined;
    try {
      // What may lie for long takes no more room than it has to.
      if (this.#deltas > 0) base = this.#base();
    } catch (error) {
      return this.abandon(error as Error);
    }
    this.#halt();
    const asleep = run.status !== head.status;
    if (base !== undefined || asleep)
      void this.writer.append({ ...this.#commit(base === undefined ? "head" : "base", base ?? NO_BYTES), head }).catch(() => {});
    await unload(run, store, this.keeping, { epoch: this.epoch, deadline: head.deadline }).catch(() => {});
    this.onLeave?.();
  }

  #mark(): Promise<void> {
    this.#marks++;
    this.#consider();
    return this.policy.strict ? this.#wait() : Promise.resolve();
  }
  #wait(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ commit: this.#made, mark: this.#marks, resolve, reject });
      this.#consider();
    });
  }

  /** Whether a checkpoint is due; it is taken when nothing is on the stack. */
  #consider(): void {
    if (this.#scheduled || this.#stopped || this.#leaving || this.#writing !== undefined || this.sequence < 0) return;
    const { every, ms } = this.policy;
    const commits = this.#made - this.#written;
    const quiet = this.run.waiting || this.run.pause?.taken === true;
    const idle = quiet && this.#dirty;
    // The core stops at the bound of a relaxed run, and a write in time keeps it from that.
    const due = commits >= Math.min(every, AHEAD / 2);
    if (!idle && this.#waiters.length === 0 && this.#items.length === 0 && !due) {
      if (ms > 0 && commits > 0) this.#timer ??= setTimeout(() => this.#due(), ms);
      else this.#rest();
      return;
    }
    this.#due();
  }
  #due(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#write();
    });
  }

  #write(): void {
    const { run } = this;
    if (run.cancelling) this.#cancelWaits();
    if (this.#stopped || this.#writing !== undefined || run.over || run.cancelling || run.handle === GONE) return;
    const commit = this.#made;
    const marks = this.#marks;
    let checkpoint: Checkpoint | undefined;
    try {
      checkpoint = this.#checkpoint();
    } catch (error) {
      return this.abandon(error as Error);
    }
    if (checkpoint === undefined) return this.#letGo(commit);
    this.#dirty = false;
    this.#written = commit;
    const began = performance.now();
    const written = this.writer.append({ ...this.#commit(checkpoint.kind, checkpoint.bytes), head: this.#head() });
    this.#writing = written.then(
      (result) => {
        this.#writing = undefined;
        if (!this.#settle(result)) return;
        run.observers?.checkpointed(performance.now() - began);
        this.#stored(commit, marks);
      },
      (cause: unknown) => {
        this.#writing = undefined;
        this.abandon(storeError(run, cause));
        // It may be well again, and another may go on.
        this.writer.store.release([{ runId: run.runId, epoch: this.epoch }]).catch(() => {});
      },
    );
  }
  /** What has been committed may be dispatched. */
  #letGo(commit: number): void {
    const { run } = this;
    this.#written = commit;
    this.#durable = commit;
    this.frameDurable();
    exchange(run);
    fromHost(run);
  }
  /** The steps of a cancelled run are waited for, and nothing is written before its end. */
  #cancelWaits(): void {
    const { title, runId } = this.run;
    for (const { reject } of this.#waiters.splice(0))
      reject(new CancelledError(`${title}: the run was cancelled before what its step waits for was stored.`, undefined, { runId }));
  }
  #stored(commit: number, marks: number): void {
    const { run } = this;
    this.#marksDurable = marks;
    const further = commit > this.#durable;
    this.#durable = Math.max(this.#durable, commit);
    while (this.#waiters[0] !== undefined && this.#waiters[0].commit <= commit && this.#waiters[0].mark <= marks) this.#waiters.shift()!.resolve();
    if (further && !run.over && !run.cancelling && run.handle >= 0) this.#letGo(commit);
    this.#consider();
  }
  /** False for a run that is not ours any more. */
  #settle(result: CommitResult): boolean {
    if (result === "stored") {
      this.sequence++;
      return true;
    }
    this.abandon(this.#fenced(result));
    return false;
  }
  #fenced(result: CommitResult): FencedError {
    const { title, runId } = this.run;
    const why = result === "fenced" ? "another owner has claimed it" : "the store does not have it any more";
    return new FencedError(`${title}: run ${runId} is not this process' any more: ${why}. What it did since its last commit does not count.`, { runId });
  }
  #commit(kind: "base" | "delta" | "head", bytes: Uint8Array) {
    const items = this.#items.length === 0 ? undefined : this.#items;
    this.#items = [];
    return { runId: this.run.runId, epoch: this.epoch, sequence: this.sequence + 1, kind, bytes, items };
  }
  #head(): RunHead {
    const { run } = this;
    const deadline = run.alarm?.at;
    this.#at = Math.max(this.#at, run.timers.now());
    return {
      status: run.status,
      // Nothing of a paused run is due.
      deadline: deadline === Number.POSITIVE_INFINITY || run.pause?.taken ? undefined : deadline,
      requests: run.requests?.allPending().map(({ event }) => event.id) ?? [],
      inbox: this.inbox.taken,
      stream: positionOf(run),
      at: this.#at,
    };
  }

  /** What has changed since the last one; undefined: all that is left is the run's end, which is stored itself. @throws InternalError */
  #checkpoint(): Checkpoint | undefined {
    return fetched(this.run, () => {
      if (!this.#based) return { kind: "base", bytes: this.#base() };
      const { run } = this;
      const core = run.plan.binding;
      const text = cold(() => core.changed(run.handle));
      if (text === undefined) throw internal(run, message(core.lastError()));
      const changed = JSON.parse(text) as Changed;
      if (changed.last && this.policy.strict && run.pause === undefined) return undefined;
      return changed.base ? { kind: "base", bytes: this.#base() } : { kind: "delta", bytes: this.#delta(changed) };
    });
  }

  #base(): Uint8Array {
    const { run } = this;
    const part = hostPart(run, { checkpoint: true, base: true });
    const bytes = save(run, part);
    this.#based = true;
    this.#deltas = 0;
    if (run.plan.memory.verify) this.#parts = [bytes];
    this.#addSession();
    this.#entries.clear();
    this.#removed.clear();
    this.#slots.clear();
    this.#places.clear();
    run.eachEvent((event, slot) => this.#keep(event, slot));
    this.#small.clear();
    this.#children.clear();
    for (const [key, text] of this.#smallNow()) this.#small.set(key, text);
    for (const child of run.children ?? []) this.#children.set(child, child.over);
    this.#answers = part.answers;
    return bytes;
  }

  #delta(changed: Changed): Uint8Array {
    const { run } = this;
    const entries = new Entries();
    const slots: number[] = [];
    const types: string[] = [];
    const payloads: unknown[] = [];
    for (const slot of this.#moved(changed)) {
      const event = this.#slots.get(slot)!;
      const first = Math.min(...this.#places.get(event)!);
      slots.push(slot);
      types.push(event.type);
      if (slot !== first) payloads.push(sameAs(first));
      else {
        const encoded = this.#events.get(event) ?? encodeEvent(run.owner(slot), event);
        payloads.push(encoded.bytes === undefined ? encoded.tree : entries.keep(`event/${slot}`, encoded));
      }
    }
    for (const key of changed.keys) this.#put(`key/${key}`, run.joinKeys!.value(key));
    for (const [number, id] of changed.sent) {
      const flow = number === 0 ? run : run.children!.known[number]!;
      this.#put(`${prefixOf(flow)}sent/${id}`, flow.ids!.value(id));
    }
    for (const [key, text] of this.#smallNow()) {
      if (this.#small.get(key) === text) continue;
      this.#small.set(key, text);
      this.#put(key, JSON.parse(text));
    }
    this.#addSession();
    this.#addChildren(entries);
    for (const [key, entry] of this.#entries) entries.add(key, entry);
    const document = {
      runId: run.runId,
      droppedSession: [],
      unbegun: run.uncalled(),
      slots,
      types,
      payloads,
      entries: entries.list,
      bytes: entries.bytes,
      removed: [...this.#removed],
    };
    const core = run.plan.binding;
    const bytes = cold(() => core.delta(run.handle, documentText(document), entries.blob()));
    if (bytes === undefined) throw internal(run, message(core.lastError()));
    this.#entries.clear();
    this.#removed.clear();
    this.#deltas++;
    if (this.#parts !== undefined) this.#verify(own(bytes));
    return own(bytes);
  }

  /** In verify mode: the checkpoints must make the snapshot that could be taken now. @throws InternalError */
  #verify(delta: Uint8Array): void {
    const { run } = this;
    this.#parts!.push(delta);
    const [whole, now] = [mergedBytes(run.plan, this.#parts!), save(run, hostPart(run, { checkpoint: true }))];
    if (whole !== undefined && whole.length === now.length && whole.every((byte, at) => byte === now[at])) return;
    const core = run.plan.binding;
    const lines = (bytes: Uint8Array | undefined) => new Set(bytes === undefined ? [] : core.text(bytes)!.split("\n"));
    const [stored, live] = [lines(whole), lines(now)];
    const differ = [...stored].filter((line) => !live.has(line)).map((line) => `-${line}`);
    differ.push(...[...live].filter((line) => !stored.has(line)).map((line) => `+${line}`));
    throw internal(run, `its checkpoints would lose a part of it: ${differ.slice(0, 4).join(" ")}`);
  }

  /** The slots whose entries are others now: an event that has several slots is stored with the lowest of them. */
  #moved({ slots, released }: Changed): Set<number> {
    const { run } = this;
    const moved = new Set<number>(slots);
    for (const slot of [...released, ...slots]) {
      const before = this.#slots.get(slot);
      if (before === undefined) continue;
      const places = this.#places.get(before)!;
      places.splice(places.indexOf(slot), 1);
      this.#slots.delete(slot);
      if (places.length === 0) this.#places.delete(before);
      else for (const place of places) moved.add(place);
    }
    for (const slot of slots) {
      const event = run.payload(slot);
      if (event instanceof Thrown) continue;
      this.#keep(event as Event, slot);
      const places = this.#places.get(event as Event)!;
      if (places.length > 1) for (const place of places) moved.add(place);
    }
    for (const slot of moved) if (!this.#slots.has(slot)) moved.delete(slot);
    return moved;
  }
  #keep(event: Event, slot: number): void {
    this.#slots.set(slot, event);
    const places = this.#places.get(event);
    if (places === undefined) this.#places.set(event, [slot]);
    else places.push(slot);
  }

  /** Anything may change a value of the session, so all that are stored are looked at. */
  #addSession(): void {
    const stored = new Map<string, string>();
    for (const flow of flowsOf(this.run)) {
      if (flow.memory?.session === undefined || (flow instanceof ChildRun && (flow.over || flow.branch.inherits))) continue;
      for (const [key, entry] of storedSession(flow)) {
        const name = prefixOf(flow) + key;
        // Bytes are not compared.
        const text = entry.bytes === undefined ? JSON.stringify(entry.tree) : "";
        if (text === "" || this.#session.get(name) !== text) this.#entries.set(name, entry);
        stored.set(name, text);
      }
    }
    for (const name of this.#session.keys()) if (!stored.has(name)) this.#remove(name);
    this.#session = stored;
  }

  #addChildren(entries: Entries): void {
    const { run } = this;
    for (const child of this.#children.keys()) if (run.children?.known[child.number] !== child) this.#children.delete(child);
    for (const child of run.children ?? []) {
      if (this.#children.get(child) === child.over) continue;
      if (child.over) this.#removeAll(prefixOf(child));
      this.#children.set(child, child.over);
      saveChild(child, entries, [], { checkpoint: true });
      for (const key of this.#entries.keys()) if (key.startsWith(prefixOf(child))) this.#entries.delete(key);
    }
  }

  /** Entries of which there are few, and which anything may change. */
  *#smallNow(): Generator<[string, string]> {
    for (const flow of flowsOf(this.run)) {
      if (flow !== this.run && (flow as ChildRun).over) continue;
      for (const [key, tree] of smallEntries(flow)) yield [prefixOf(flow) + key, JSON.stringify(tree)];
    }
    const position = positionOf(this.run);
    if (position > 0) yield ["stream", String(position)];
  }

  #put(key: string, tree: unknown): void {
    this.#entries.set(key, { tree, bytes: undefined });
  }
  #remove(key: string): void {
    this.#entries.delete(key);
    this.#removed.add(key);
  }
  #removeAll(prefix: string): void {
    for (const key of this.#entries.keys()) if (key.startsWith(prefix)) this.#entries.delete(key);
    this.#removed.add(prefix);
  }
}

function prefixOf(flow: Flow): string {
  return flow.run === flow ? "" : `child/${(flow as ChildRun).number}/`;
}

export function storeError(run: Run, cause: unknown): StoreError {
  if (cause instanceof StoreError)
    return cause.runId === undefined ? new StoreError(`${run.title}: ${cause.message}`, { cause: cause.cause, runId: run.runId }) : cause;
  return new StoreError(`${run.title}: the store failed: ${cause instanceof Error ? cause.message : describe(cause)}. The run stops where it was committed.`, {
    cause,
    runId: run.runId,
  });
}
