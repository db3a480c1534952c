import { Away } from "./away";
import { dropWork } from "./cancel";
import { commits } from "./dispatch";
import { FencedError } from "./errors";
import { flowsOf } from "./flow";
import type { Keeping } from "./kept-run";
import { leasesOf } from "./leases";
import { goOnWith } from "./recover";
import type { Run } from "./run";
import type { CheckpointStore } from "./store";
import { Timer } from "./timers";

/** Whether nothing of a run goes on here but waiting, and nobody here looks on: it may leave memory (9.3). */
export function isAtRest(run: Run): boolean {
  if (
    run.handle < 0 ||
    run.over ||
    run.cancelling ||
    run.ready ||
    run.checkpoints!.keeping.options.signal !== undefined ||
    run.next !== -1 ||
    run.head < run.tail
  )
    return false;
  if (run.observers !== undefined || run.stream?.read === true || (run.stream?.held.first ?? undefined) !== undefined) return false;
  if (run.pause !== undefined ? !run.pause.taken : !run.waiting && commits(run)) return false;
  for (const { memory } of flowsOf(run)) {
    const session = memory?.session;
    // It would be lost: it is this process' alone.
    if (session !== undefined && (session.resources.any || !isAsGiven(session.entries, run))) return false;
  }
  return true;
}

/** What a session was given with the options of the run it is given again. */
function isAsGiven(entries: ReadonlyMap<string, unknown>, run: Run): boolean {
  const before = run.checkpoints!.session;
  for (const [key, entry] of entries) if (!before.has(key) || !Object.is(before.get(key), entry)) return false;
  return true;
}

/** The run has been stored: it leaves memory, and its handler goes on by way of its store. */
export async function unload(
  run: Run,
  store: CheckpointStore,
  keeping: Keeping,
  { epoch, deadline }: { epoch: number; deadline: number | undefined },
): Promise<void> {
  const { plan, runId } = run;
  const leases = leasesOf(store);
  leases.remove(run);
  const away = new Away(run, store, keeping.returns ? (stored) => void goOnWith(plan, store, stored, keeping) : undefined);
  dropWork(run);
  run.depart(away, new FencedError(`${run.title}: run ${runId} has left memory, and goes on from its store.`, { runId }));
  if (keeping.returns) leases.addAway(away);
  await store.release([{ runId, epoch }]);
  if (!keeping.returns || deadline === undefined) return;
  // The store's clock may be another than the run's: the run is asked for by its id.
  const goOn = async () => {
    const { owner } = keeping;
    const [stored] = await store.claim({ workflow: plan.name, owner, leaseMs: leases.leaseMs, limit: 1, runId });
    if (stored !== undefined) away.goOn!(stored);
  };
  const timer = new Timer(() => void goOn().catch(() => {}));
  run.timers.set(timer, deadline);
  away.timer = timer;
}
