import { type Binding, renew } from "./binding/load";
import { rare } from "./commands";
import { InternalError } from "./errors";
import { internal, message } from "./failure";
import { CMD_AGAIN, CMD_ARG, CMD_FINISH, CMD_INVOKE, CMD_RELEASE, CMD_WAITING, CMD_YIELDED, IN_CLOSE, IN_EMIT, IN_SETTLE } from "./generated/tables";
import type { Run } from "./run";

// The layout of the shared buffer: docs/internal/boundary.md.
const FIRST = 16;
const FRAME = 4;
/** Frames written before the core must take them; the rest of the buffer is for those that belong together. */
const ROOM = 4000;
export const NONE = -1;
/** Not the core's: the loop settles an invocation that nobody runs. */
export const CMD_SETTLED = 1000;
/** Likewise: steps of child runs that are over have to be told. */
export const CMD_TELL = 1001;
/** The handle of a run that the core has ended: what its last steps still give is dropped. */
export const GONE = -2;

let core: Binding;
let view: Int32Array = new Int32Array(0);

/** Frames written to the buffer and not yet handed over. */
let frames = 0;

/** Whether more frames should wait for the next exchange. */
export function full(): boolean {
  return frames >= ROOM;
}

/** The handle of the run that the last exchange was about. */
export function handle(): number {
  return view[0]!;
}

/** Makes a binding the one that frames go to. */
export function use(binding: Binding): void {
  if (core === binding) return;
  core = binding;
  view = binding.buffer();
}

/** The core's memory may grow in any call; `exchange` looks itself. */
export function refresh(): void {
  if (view.length === 0 && core !== undefined) view = core.buffer();
}

/** Writes an input frame; `exchange` hands it over. No user code may run between the two. */
export function frame(tag: number, a: number, b: number, c: number): void {
  const at = FIRST + FRAME * frames++;
  view[at] = tag;
  view[at + 1] = a;
  view[at + 2] = b;
  view[at + 3] = c;
}

/** A time goes in two words of so many bits. */
const WORD = 2 ** 30;

/** A frame of a time in ms since 1970. */
export function frameTime(tag: number, ms: number): void {
  frame(tag, Math.floor(ms / WORD), ms % WORD, NONE);
}

/** A time that a command carries. */
export function timeOf(high: number, low: number): number {
  return high * WORD + low;
}

/** The two frames that most steps end with, an Emit and a Settle, in one go. */
export function emitAndSettle(invocation: number, type: number, slot: number): void {
  const at = FIRST + FRAME * frames;
  frames += 2;
  view[at] = IN_EMIT;
  view[at + 1] = invocation;
  view[at + 2] = type;
  view[at + 3] = slot;
  view[at + 4] = IN_SETTLE;
  view[at + 5] = invocation;
  view[at + 6] = 0;
  view[at + 7] = NONE;
}

/**
 * Calls the core outside of the exchange.
 *
 * @throws InternalError when it traps, which ends the runs of that instance
 */
export function cold<T>(call: () => T): T {
  try {
    return call();
  } catch (trap) {
    trapped();
    throw new InternalError("The core trapped. This is a fault of the engine: please report it.", { cause: trap });
  } finally {
    // Its memory may have grown.
    refresh();
  }
}

/** Frees a run of the core that nobody drives. */
export function close(binding: Binding, run: number): void {
  if (binding !== core) return;
  frames = 0;
  frame(IN_CLOSE, 0, 0, 0);
  view[0] = run;
  view[1] = frames;
  frames = 0;
  core.exchange();
}

/** What a step is called for: the payload of a slot, or the set that the Args before have given. */
export function inputOf(run: Run, slot: number): unknown {
  if (slot >= 0) return run.payload(slot);
  const { set } = run;
  run.set = undefined;
  return set ?? [];
}

/** Hands the written frames to the core and keeps the commands it answers with. Runs no user code. */
export function exchange(run: Run): void {
  if (run.handle === GONE) {
    frames = 0;
    return;
  }
  if (run.plan.binding !== core) return poisoned(run);
  if (run.waiting) run.goOn();
  view[0] = run.handle;
  view[1] = frames;
  frames = 0;
  try {
    core.exchange();
  } catch (trap) {
    trapped();
    return run.fail(internal(run, "the core trapped", trap));
  }
  if (view.length === 0) view = core.buffer();
  const count = view[1]!;
  if (count < 0) {
    run.fail(internal(run, message(core.lastError())));
    return refresh();
  }
  run.more = view[2] !== 0;
  const commit = view[3]!;
  for (let at = FIRST, end = FIRST + FRAME * count; at < end; at += FRAME) {
    const tag = view[at]!;
    if (tag === CMD_RELEASE) run.release(view[at + 1]!);
    else if (tag === CMD_INVOKE) {
      run.push(view[at + 1]!, view[at + 2]!, inputOf(run, view[at + 3]!), run);
    } else if (tag === CMD_ARG) {
      run.set ??= [];
      run.set.push(run.payload(view[at + 1]!));
    } else if (tag === CMD_AGAIN) run.push(-tag, view[at + 3]!, view[at + 1]! * 2 ** 32 + (view[at + 2]! >>> 0), run);
    else if (tag === CMD_YIELDED) run.push(-tag, view[at + 1]!, undefined, run);
    else if (tag === CMD_WAITING) wait(run);
    else if (tag === CMD_FINISH) {
      run.handle = GONE;
      run.push(-tag, view[at + 1]!, undefined, run);
    } else rare(run, tag, view[at + 1]!, view[at + 2]!, view[at + 3]!);
  }
  if (run.checkpoints !== undefined) run.checkpoints.exchanged(commit);
}

/** What is known of a run that waits or is paused: nothing else would tell it that its core trapped, or free it. */
export class Tracked {
  readonly run: WeakRef<Run>;
  readonly binding: Binding;
  readonly handle: number;
  constructor(run: Run) {
    this.run = new WeakRef(run);
    this.binding = run.plan.binding;
    this.handle = run.handle;
  }
}
const tracked = new Map<Binding, Set<Tracked>>();
const forgotten = new FinalizationRegistry<Tracked>((one) => {
  tracked.get(one.binding)?.delete(one);
  close(one.binding, one.handle);
});

/** A run that only waits for answers and events from outside. */
function wait(run: Run): void {
  run.waiting = true;
  run.limit?.stop();
  run.rest();
  track(run);
}

/** Keeps track of a run that nothing in this process may go on with. */
export function track(run: Run): void {
  if (run.tracked !== undefined) return;
  const one = new Tracked(run);
  run.tracked = one;
  const all = tracked.get(one.binding) ?? new Set();
  tracked.set(one.binding, all.add(one));
  forgotten.register(run, one, one);
}

/** The run is over. */
export function untrack(one: Tracked): void {
  forgotten.unregister(one);
  tracked.get(one.binding)?.delete(one);
}

function poisoned(run: Run): void {
  frames = 0;
  run.fail(internal(run, "the core trapped in another run of the same instance"));
}

/** A trap leaves an instance's memory in an unknown state: its runs end, and the next start gets a fresh one. */
function trapped(): void {
  const dead = core;
  use(renew(dead));
  for (const one of tracked.get(dead) ?? []) {
    const run = one.run.deref();
    if (run !== undefined) poisoned(run);
  }
  tracked.delete(dead);
}
