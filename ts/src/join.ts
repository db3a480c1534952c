import type { ChildRun } from "./flow";
import type { Nest } from "./nest";

/** What becomes of a step that has child runs; undefined while it has to wait for them. */
export type Verdict = { readonly result: unknown } | { readonly error: unknown } | undefined;

/** Whether child runs have given what a step needs of them (11.2). */
export function joined({ join }: Nest, children: readonly ChildRun[]): Verdict {
  const fulfilled = children.filter(({ outcome }) => outcome?.status === "fulfilled");
  const failed = children.filter(({ outcome }) => outcome?.status === "rejected");
  switch (join) {
    case undefined:
    case "all":
      if (failed[0] !== undefined) return { error: reasonOf(failed[0]) };
      if (fulfilled.length < children.length) return undefined;
      return { result: join === undefined ? resultOf(children[0]!) : byBranch(children, resultOf) };
    case "settled":
      if (fulfilled.length + failed.length < children.length) return undefined;
      return { result: byBranch(children, (child) => child.outcome) };
    case "first":
      if (fulfilled[0] !== undefined) return { result: { branch: fulfilled[0].branch.name, result: resultOf(fulfilled[0]) } };
      return enough(children, failed, 1);
    default:
      if (fulfilled.length >= join.quorum) return { result: byBranch(fulfilled, resultOf) };
      return enough(children, failed, join.quorum);
  }
}

/** An error when so few are left that there cannot be enough successes. */
function enough(children: readonly ChildRun[], failed: readonly ChildRun[], needed: number): Verdict {
  if (children.length - failed.length >= needed) return undefined;
  const causes = failed.map((child) => `"${child.branch.name}": ${messageOf(reasonOf(child))}`);
  return {
    error: new AggregateError(
      failed.map(reasonOf),
      `${needed} of ${children.length} branches have to succeed, and ${failed.length} failed: ${causes.join("; ")}`,
    ),
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function resultOf({ outcome }: ChildRun): unknown {
  return outcome?.status === "fulfilled" ? outcome.value : undefined;
}
function reasonOf({ outcome }: ChildRun): unknown {
  return outcome?.status === "rejected" ? outcome.reason : undefined;
}

function byBranch(children: readonly ChildRun[], of: (child: ChildRun) => unknown): Record<string, unknown> {
  // Own fields whatever the names are.
  return Object.fromEntries(children.map((child) => [child.branch.name!, of(child)]));
}
