import type { CheckpointStore, Claim, Commit, CommitResult, Message, NewRun, RunFilter, RunHead, RunInfo, StoredItem, StoredMessage, StoredRun } from "./store";
import { isOver, isWanted } from "./store";

interface Row {
  readonly runId: string;
  readonly workflow: string;
  readonly version: number;
  head: RunHead;
  epoch: number;
  sequence: number;
  owner: string | undefined;
  /** When the owner's lease is over, in ms since 1970; 0: it has let the run go, or there is none. */
  leaseEnd: number;
  bytes: Uint8Array[];
  inbox: Message[];
  items: StoredItem[];
}

/** Items of a stream that are kept. */
const ITEMS = 10_000;

/**
 * Keeps runs in this process' memory: bytes alone, as a store on a disk would. For tests, and for programs that want runs to leave memory's
 * objects but not the process.
 *
 * @example
 * const store = new MemoryStore();
 * await workflow.run(input, { store });
 */
export class MemoryStore implements CheckpointStore {
  readonly #rows = new Map<string, Row>();
  /** Those that have messages. */
  readonly #told = new Set<Row>();

  /** @param now the time in ms since 1970; for tests */
  constructor(private readonly now: () => number = Date.now) {}

  async create({ runId, workflow, version, head, base, owner }: NewRun): Promise<boolean> {
    if (this.#rows.has(runId)) return false;
    const leaseEnd = owner === undefined ? 0 : this.now() + owner.leaseMs;
    this.#rows.set(runId, {
      runId,
      workflow,
      version,
      head: copied(head),
      epoch: 1,
      sequence: 0,
      owner: owner?.name,
      leaseEnd,
      bytes: [base.slice()],
      inbox: [],
      items: [],
    });
    return true;
  }

  async claim({ workflow, owner, leaseMs, limit, runId, released }: Claim): Promise<StoredRun[]> {
    const now = this.now();
    const claimed: StoredRun[] = [];
    const rows = runId === undefined ? this.#rows.values() : [this.#rows.get(runId)];
    for (const row of rows) {
      if (claimed.length === limit) break;
      if (row === undefined || row.workflow !== workflow || isOver(row.head)) continue;
      if (row.leaseEnd > now || (released && !(row.owner === owner && row.leaseEnd === 0))) continue;
      if (runId === undefined && !isDue(row, now)) continue;
      row.epoch++;
      row.owner = owner;
      row.leaseEnd = now + leaseMs;
      claimed.push(stored(row));
    }
    return claimed;
  }

  async append(commits: readonly Commit[]): Promise<CommitResult[]> {
    return commits.map(({ runId, epoch, sequence, kind, bytes, head, items }) => {
      const row = this.#rows.get(runId);
      if (row === undefined) return "unknown";
      if (row.epoch !== epoch || row.sequence !== sequence - 1) return "fenced";
      row.sequence = sequence;
      row.inbox.splice(0, head.inbox - row.head.inbox);
      row.head = copied(head);
      if (kind === "base") row.bytes = [bytes.slice()];
      else if (kind === "delta") row.bytes.push(bytes.slice());
      if (items !== undefined) row.items = merged(row.items, items);
      if (isOver(head)) {
        row.bytes = [];
        row.inbox = [];
        row.owner = undefined;
        row.leaseEnd = 0;
      }
      if (row.inbox.length === 0) this.#told.delete(row);
      return "stored";
    });
  }

  async renew(runs: readonly { runId: string; epoch: number }[], leaseMs: number): Promise<boolean[]> {
    return runs.map((run) => {
      const row = this.#owned(run);
      if (row !== undefined) row.leaseEnd = this.now() + leaseMs;
      return row !== undefined;
    });
  }

  async release(runs: readonly { runId: string; epoch: number }[]): Promise<void> {
    for (const run of runs) {
      const row = this.#owned(run);
      if (row !== undefined) row.leaseEnd = 0;
    }
  }

  async push(runId: string, message: Message): Promise<"stored" | "known" | "over" | "unknown"> {
    const row = this.#rows.get(runId);
    if (row === undefined) return "unknown";
    if (isOver(row.head)) return "over";
    if (row.inbox.some(({ id }) => id === message.id)) return "known";
    row.inbox.push({ ...message });
    this.#told.add(row);
    return "stored";
  }

  async read(runId: string): Promise<StoredRun | undefined> {
    const row = this.#rows.get(runId);
    return row === undefined ? undefined : stored(row);
  }

  async info(runId: string): Promise<RunInfo | undefined> {
    const row = this.#rows.get(runId);
    return row === undefined ? undefined : info(row);
  }

  async told(owner: string): Promise<readonly string[]> {
    return [...this.#told].filter((row) => row.owner === owner && row.leaseEnd > 0).map(({ runId }) => runId);
  }

  async messages(runId: string): Promise<readonly StoredMessage[]> {
    const row = this.#rows.get(runId);
    return row === undefined ? [] : inbox(row);
  }

  async items(runId: string, from: number, limit: number): Promise<readonly StoredItem[]> {
    const items = this.#rows.get(runId)?.items ?? [];
    return items.filter(({ offset }) => offset >= from).slice(0, limit);
  }

  async *list(filter: RunFilter = {}): AsyncGenerator<RunInfo> {
    const ids = [...this.#rows.keys()].sort();
    for (const id of ids) {
      const row = this.#rows.get(id);
      if (row !== undefined && isWanted(info(row), filter)) yield info(row);
    }
  }

  async delete(runId: string): Promise<boolean> {
    const row = this.#rows.get(runId);
    return row !== undefined && isOver(row.head) && this.#rows.delete(runId);
  }

  async close(): Promise<void> {}

  #owned({ runId, epoch }: { runId: string; epoch: number }): Row | undefined {
    const row = this.#rows.get(runId);
    return row?.epoch === epoch && row.leaseEnd > 0 ? row : undefined;
  }
}

/** Those that were there before stay where there is no other with their offset. */
function merged(before: readonly StoredItem[], items: readonly StoredItem[]): StoredItem[] {
  const byOffset = new Map([...before, ...items].map((item) => [item.offset, { ...item }]));
  return [...byOffset.values()].sort((one, two) => one.offset - two.offset).slice(-ITEMS);
}

function copied(head: RunHead): RunHead {
  return { ...head, requests: head.requests.slice() };
}

function isDue({ head, inbox }: Row, now: number): boolean {
  if (inbox.length > 0 || (head.deadline !== undefined && head.deadline <= now)) return true;
  return head.status === "queued" || head.status === "running";
}

function info({ runId, workflow, version, head, leaseEnd }: Row): RunInfo {
  return { ...copied(head), runId, workflow, version, leaseEnd };
}

function stored(row: Row): StoredRun {
  return {
    ...info(row),
    epoch: row.epoch,
    sequence: row.sequence,
    bytes: row.bytes.map((bytes) => bytes.slice()),
    messages: inbox(row),
  };
}

function inbox({ head, inbox }: Row): StoredMessage[] {
  return inbox.map((message, at) => ({ ...message, number: head.inbox + at }));
}
