import { cold } from "./buffer";
import { ChildRun, Children, type Flow } from "./flow";
import type { Nest } from "./nest";
import type { Run } from "./run";
import { damaged, type Stored, type StoredChild, text, unusable } from "./stored";

/** Adds the child runs of a stored run, without what they have: each from the step that opened it, by its name (7.5). */
export function addChildren(run: Run, { flows, header, section }: Stored): void {
  if (flows.length === 0) return;
  const rows = new Map(flows.map((row) => [row.id, row]));
  const made = new Map<number, Flow>([[0, run]]);
  for (const first of flows) {
    // Parents come first; each row is on the way once.
    const way: StoredChild[] = [];
    for (let row: StoredChild | undefined = first; row !== undefined && !made.has(row.id); row = rows.get(row.flow)) {
      if (way.push(row) > flows.length) damaged("child runs are within each other");
    }
    for (const row of way.reverse())
      made.set(row.id, childOf(made.get(row.flow) ?? run, row, said(section, row.id), header.children?.[row.workflow]?.workflow));
  }
  const children = new Children();
  const stored = new Map<number, ChildRun[]>();
  run.children = children;
  children.stored = stored;
  for (const { id, invocation } of flows) {
    const child = made.get(id) as ChildRun;
    children.known[id] = child;
    stored.set(invocation, [...(stored.get(invocation) ?? []), child]);
  }
  for (const opened of stored.values()) {
    opened.sort((one, two) => one.at - two.at);
    // What a step gives for its branches may be no more and no less than what it opened.
    const { parent, step } = opened[0]!;
    const { branches } = nestOf(parent, step)!;
    const added = branches.find((branch) => !opened.some((child) => child.branch === branch));
    if (added !== undefined)
      unusable(
        `the step ${JSON.stringify(step)} of "${parent.workflowName}" has a branch ${JSON.stringify(added.name)} now, which it had not when its child runs began`,
      );
  }
}

/** What the facade has written of a child run. */
interface Said {
  readonly id: string;
  readonly branch: string | undefined;
}

function said(section: Stored["section"], id: number): Said {
  const entry = `child/${id}/run`;
  const [found] = section(entry);
  const { id: own, branch } = (found?.[1].tree ?? {}) as { id?: unknown; branch?: unknown };
  return { id: text(entry, own), branch: branch === undefined ? undefined : text(entry, branch) };
}

function nestOf(flow: Flow, step: string): Nest | undefined {
  return flow.plan.steps.find(({ name }) => name === step)?.nest;
}

function childOf(parent: Flow, row: StoredChild, { id, branch: name }: Said, workflow: string | undefined): ChildRun {
  const { step, seq, branch: at } = row;
  const nest = nestOf(parent, step);
  const branch = nest?.branches.find((one) => one.name === name);
  if (branch === undefined) {
    const lost = nest === undefined ? "child runs" : name === undefined ? "child run without a branch" : `branch ${JSON.stringify(name)}`;
    return unusable(
      `a run of the workflow ${JSON.stringify(workflow)} goes on in the step ${JSON.stringify(step)} of "${parent.workflowName}", which has no ${lost} any more`,
    );
  }
  const child = new ChildRun(branch.plan(), parent, step, seq, 1, at, branch);
  child.number = row.id;
  child.storedId = id;
  // How it has ended is known when what it gave is read.
  if (row.over) child.outcome = { status: "cancelled" };
  return child;
}

/** The core's handle of a stored run, or the negative number of an error. */
export function restored(run: Run, bytes: Uint8Array): number {
  const plans = Array.from(run.children ?? [], ({ plan }) => plan.id);
  return cold(() => run.plan.binding.restore(run.plan.id, bytes, Uint32Array.from(plans)));
}
