// Pipelines beside the same steps in one workflow, nested sub-workflows beside the floor, what a snapshot keeps of those that have ended, and how
// long fifty stages take the compiler.
import path from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { node } from "./peers/spawn.mjs";
import { BINDINGS, inTurns, ratio, summary } from "./rounds.mjs";
import { number, table, times } from "./table.mjs";

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), "..");
/** Chains of ten sub-workflows within each other: of the largest there are 10,000 in one run. */
const CHAINS = [10, 100, 1000];
const LIVE = [10, 1000];

export async function children({ rounds, quick, bars, verdicts }) {
  const works = [["stages", 1], ...CHAINS.map((chains) => ["nested", chains]), ...LIVE.map((count) => ["snapshot", count])];
  const cells = works.flatMap(([what, size]) =>
    BINDINGS.map((binding) => ({
      id: `${binding} ${what} ${size}`,
      run: () => node(["--expose-gc", "../children/child.mjs", binding, what, String(size), ...(quick ? ["quick"] : [])]),
    })),
  );
  const results = await inTurns(rounds, cells);
  const of = (binding, what, size) => results.get(`${binding} ${what} ${size}`);
  const compared = (name, binding, what, size, bar, first) => {
    const rows = of(binding, what, size);
    const times_ = ratio(
      rows.map(({ own, ...rest }) => ({ us: own, ...rest })),
      rows.map(({ floor, ...rest }) => ({ us: floor, ...rest })),
    );
    const grown = first === undefined || times_ === undefined ? undefined : times_ / first;
    return {
      ...summary(rows, ({ own }) => own),
      floor: summary(rows, ({ floor }) => floor).median,
      ratio: times_,
      grown,
      verdict: verdicts.at(name, times_, bar, times),
    };
  };
  const out = { stages: {}, nested: [], snapshot: {} };
  for (const binding of BINDINGS) {
    out.stages[binding] = compared(`pipeline of 3 stages ${binding}`, binding, "stages", 1, bars.children.stages);
    const [few, many] = LIVE.map((count) => summary(of(binding, "snapshot", count), ({ bytes }) => bytes).median);
    out.snapshot[binding] = { few, many, verdict: verdicts.at(`snapshot of 1 live of 1,000 ${binding}`, many / few, 1.1, times) };
  }
  for (const size of CHAINS) {
    const row = { size };
    for (const binding of BINDINGS)
      row[binding] = compared(`${size * 10} sub-workflows ${binding}`, binding, "nested", size, bars.children.nested, out.nested[0]?.[binding].ratio);
    out.nested.push(row);
  }
  const compiler = checkMs();
  out.compiler = { ms: compiler, verdict: verdicts.at("50 stages in the compiler, ms", compiler, bars.children.compilerMs) };
  return out;
}

/** Milliseconds that the compiler needs for a pipeline of fifty stages, when it has read the files. */
function checkMs() {
  const folder = path.join(root, "test/types");
  const { config } = ts.readConfigFile(path.join(folder, "tsconfig.json"), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, folder);
  const program = ts.createProgram([path.join(folder, "fifty.ts")], options);
  const from = performance.now();
  const [wrong] = ts.getPreEmitDiagnostics(program);
  if (wrong !== undefined) throw new Error(ts.flattenDiagnosticMessageText(wrong.messageText, "\n"));
  return performance.now() - from;
}

export function printChildren({ stages, nested, snapshot, compiler }) {
  const row = (what, floor, of) => [
    what,
    number(floor),
    ...BINDINGS.flatMap((binding) => [number(of[binding].median), times(of[binding].ratio), of[binding].verdict]),
  ];
  const rows = [
    row("a pipeline of 3 one-step stages beside one workflow of 3 steps, us/run", stages.native.floor, stages),
    ...nested.map((one) => row(`${one.size * 10} sub-workflows in one run, nested 10 deep, us/sub-workflow`, one.native.floor, one)),
  ];
  const grown = nested.slice(1).map((one) => `${one.size * 10}: ${BINDINGS.map((binding) => `${binding} ${times(one[binding].grown)}`).join(", ")}`);
  const kept = BINDINGS.map((binding) => `${binding} ${snapshot[binding].few} and ${snapshot[binding].many}`).join(", ");
  return [
    table(["children", "beside", "native", "times", "", "wasm", "times", ""], rows),
    `Times the floor against 100 sub-workflows: ${grown.join("; ")}. Bytes of a snapshot with one live sub-workflow of 10 and of 1,000: ${kept}. Fifty stages in the compiler: ${number(compiler.ms)} ms (${compiler.verdict}).`,
  ].join("\n\n");
}
