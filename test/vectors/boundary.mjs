// Plays every vector on the raw boundary (docs/internal/boundary.md) and compares every command:
//   node test/vectors/boundary.mjs [part of a name]
// BLAZEN_BINDING=native|wasm chooses the carrier, else both are played. Needs esbuild, and what the set-up built.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { read } from "./files.mjs";
import { accepts, expect, typeName, words } from "./lines.mjs";

const { inputs, commands, errors } = JSON.parse(readFileSync(new URL("../../tools/tables.json", import.meta.url), "utf8"));
const commandNames = Object.fromEntries(Object.entries(commands).map(([name, tag]) => [tag, name]));
const codes = Object.fromEntries(errors.map(({ number, code }) => [number, code]));
const numbers = Object.fromEntries(errors.map(({ number, code }) => [code, number]));
const NONE = -1;
const HEADER = 16;
const OUTCOMES = { ok: 0, failed: 1, bad: 2, final: 3 };
/** A time goes in two words of so many bits. */
const WORD = 2 ** 30;
/** A command has its tag in the lower bits, and above them the flow that it is about. */
const FLOW = 8;
const TAG = 2 ** FLOW - 1;
/** Commands that are about a flow; of an Abort only that of a running invocation. */
const ABOUT = ["Invoke", "Fail", "Failed", "Delayed", "Asked", "Publish", "Routed", "Abort"];

/**
 * @param binding the core on either carrier
 * @throws Mismatch where its commands are others than the vector's
 */
export function play(vector, binding) {
  const plans = [vector.definition, ...(vector.definition.children ?? [])].map((definition) => compiled(definition, binding));
  const [own] = plans;
  if (vector.error !== undefined) return refused(vector.error, own.id, binding);
  for (const { id, name } of plans) expect(id >= 0, `the definition "${name}" was refused: ${id < 0 && binding.lastError()}`);
  const run = new Run(plans);
  for (const [at, { in: lines, out }] of vector.play.entries()) {
    const got = exchange(binding, run, run.encode(lines));
    expect(got.join("; ") === out.join("; "), `play[${at}] ${lines.join("; ")}\n  expected ${out.join("; ")}\n  got      ${got.join("; ")}`);
    if (vector.lacking === undefined || !got.some((line) => line.startsWith("Fail STALLED"))) continue;
    const lacking = JSON.parse(binding.lastError()).lacking.join("; ");
    for (const what of vector.lacking) expect(lacking.includes(what), `"${what}" expected in what is lacking: ${lacking}`);
  }
  for (const { id } of plans) binding.drop(id);
}

function refused({ code, message }, plan, binding) {
  expect(plan < 0, "the definition was not refused");
  expect(-plan === numbers[code], `error ${codes[-plan]} instead of ${code}`);
  const told = JSON.parse(binding.lastError());
  expect(told.code === -plan && told.message.includes(message), `"${message}" expected in the message: ${told.message}`);
}

/** A definition with its types as numbers, as the facade would give it, and the plan that the core makes of it. */
function compiled({ name, unhandled = "error", external = [], steps }, binding) {
  const types = ["blazen::StartEvent", "blazen::StopEvent", "blazen::InputRequestEvent"];
  const typeIds = new Map(types.map((type, id) => [type, id]));
  const idOf = (word) => {
    const type = typeName(word);
    if (!typeIds.has(type)) typeIds.set(type, types.push(type) - 1);
    return typeIds.get(type);
  };
  const outside = external.map(idOf);
  const accepted = steps.map((step) => {
    const { kind, types: names, keyed, options } = accepts(step.accepts);
    return { kind, types: names.map(idOf), ...(kind === "all" && { keyed }), ...options };
  });
  const emits = steps.map((step) => step.emits?.map(idOf));
  const definition = {
    name,
    version: 1,
    unhandled,
    types,
    external: outside,
    steps: steps.map(({ name, limit, pool, retry }, at) => ({ name, accepts: accepted[at], limit, pool, retry, emits: emits[at] })),
  };
  return { id: binding.compile(JSON.stringify(definition)), name, steps: definition.steps, types: typeIds };
}

/** What has to be known of a run to make lines frames, and commands lines. */
class Run {
  handle = NONE;
  /** By their numbers: the plans of the run itself and of its child runs. */
  flows = new Map();
  /** The flow that commands were about last. */
  told = 0;
  /** By invocation and by request: the flow. */
  invocations = new Map();
  requests = new Map();
  /** Plans of the Child lines that the core has not answered yet. */
  opening = [];

  constructor(plans) {
    this.plans = plans;
    this.flows.set(0, plans[0]);
  }
  encode(lines) {
    this.opening = [];
    // A key is of the event in the line behind it.
    return lines.map((line, at) => this.#frame(line, this.#flow(lines.slice(at).find((one) => !one.startsWith("Key ")))));
  }

  /** The plan by which a line is read. */
  #flow(line) {
    const [verb, a, , c] = words(line);
    const flow = verb === "External" ? Number(c ?? 0) : verb === "Respond" ? this.requests.get(a) : this.invocations.get(a);
    return this.flows.get(flow ?? 0);
  }
  #frame(line, { steps, types }) {
    const [verb, a, b, c] = words(line);
    const type = (word) => types.get(typeName(word)) ?? types.size;
    const step = (word) => steps.findIndex(({ name }) => name === word);
    const frame = (...fields) => [inputs[verb], ...fields.map(Number), 0, 0, 0].slice(0, 4);
    switch (verb) {
      case "Start":
        return frame(this.plans[0].id, a);
      case "Key":
        return b === "-" ? frame(step(a), NONE, c) : frame(step(a), b, NONE);
      case "Emit":
      case "Send":
        return frame(a, type(b), c);
      case "External":
        return frame(type(a), b, c ?? 0);
      case "Tick":
      case "Until":
        return frame(Math.floor(a / WORD), a % WORD);
      case "Sleep":
        return frame(a, b);
      case "Ask":
        return frame(a, b, c);
      case "Respond":
        return frame(a, type(b), c);
      case "Yield":
        return [inputs.Commit, Number(a), 1, 0];
      case "Settle":
        return frame(a, OUTCOMES[b], c ?? NONE);
      case "Child": {
        const plan = this.plans.find(({ name }) => name === b);
        this.opening.push(plan);
        return frame(a, plan.id, c);
      }
      case "CancelChild":
        return [inputs.Cancel, Number(a), 0, 0];
      default:
        expect(inputs[verb] !== undefined, `unknown line "${line}"`);
        return a === undefined ? frame() : frame(a);
    }
  }

  /** The lines of a command. */
  decode([word, a, b, c], set) {
    const tag = word & TAG;
    const flow = word >> FLOW;
    const verb = commandNames[tag];
    const about = ABOUT.includes(verb) && !(verb === "Abort" && b !== 0);
    expect(about || flow === 0, `the command ${verb} is about no flow`);
    const before = about && flow !== this.told ? [`Flow ${flow}`] : [];
    if (about) this.told = flow;
    if (verb === "Invoke") this.invocations.set(String(a), flow);
    else if (verb === "Asked") this.requests.set(String(a), flow);
    else if (verb === "Opened") {
      this.flows.set(a, this.opening.shift());
      // Another may have had the number.
      if (this.told === a) this.told = undefined;
    }
    const line = decode([verb, a, b, c], set, this.flows.get(flow));
    return line === undefined ? before : [...before, line];
  }
}

/** Hands frames over and gives the commands as lines. */
function exchange(binding, run, frames) {
  let view = binding.buffer();
  for (const [at, frame] of frames.entries()) view.set(frame, HEADER + 4 * at);
  const lines = [];
  const set = [];
  let count = frames.length;
  do {
    view[0] = run.handle;
    view[1] = count;
    count = 0;
    binding.exchange();
    view = binding.buffer();
    run.handle = view[0];
    expect(view[1] >= 0, `the core answers with error ${view[1]}: ${view[1] < 0 && binding.lastError()}`);
    for (let at = HEADER; at < HEADER + 4 * view[1]; at += 4) {
      lines.push(...run.decode([...view.subarray(at, at + 4)], set));
    }
  } while (view[2] !== 0);
  return lines;
}

/** A command as a line; a set's members are gathered for the Invoke that follows. */
function decode([verb, a, b, c], set, { steps }) {
  const orNone = (value, shown = value) => (value === NONE ? "-" : shown);
  switch (verb) {
    case "Arg":
      set.push(a);
      return undefined;
    case "Invoke":
      return `Invoke ${a} ${steps[b].name} ${c === NONE ? `[${set.splice(0)}]` : c}`;
    case "Abort":
      return `Abort ${a}${b === 2 ? " delayed" : ""}`;
    case "Asked":
      return `Asked ${a} ${orNone(b)} ${c}`;
    case "Answered":
    case "Expired":
      return `${verb} ${a} ${b} ${c}`;
    case "Woken":
    case "Ended":
      return `${verb} ${a} ${b}`;
    case "Delayed":
      return `Delayed ${a} ${steps[b].name} ${c}`;
    case "Failed":
      return `Failed ${a} ${steps[b].name} ${c} [${set.splice(0)}]`;
    case "Alarm":
      return `Alarm ${orNone(a, a * WORD + b)}`;
    case "Fail":
      return `Fail ${codes[a]} ${orNone(b, steps[b]?.name)} ${orNone(c)}`;
    case "Again":
    case "Yielded":
      // What they number is in the core's own tests.
      return undefined;
    case "Waiting":
      return verb;
    default:
      return `${verb} ${a}`;
  }
}

/** The facade's own way to a carrier, which the package does not export. */
async function load(kind) {
  const { build } = await import("esbuild");
  const entry = fileURLToPath(new URL("../../ts/src/binding/node.ts", import.meta.url));
  const { outputFiles } = await build({ entryPoints: [entry], bundle: true, format: "esm", platform: "node", write: false });
  const { nodeSources } = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
  process.env.BLAZEN_BINDING = kind;
  const errors = [];
  for (const { name, load } of nodeSources(createRequire(entry))) {
    try {
      return load();
    } catch (error) {
      errors.push(`${name}: ${error.message}`);
    }
  }
  throw new Error(`No ${kind} binding. Run \`npm run setup -- --test\` first.\n${errors.join("\n")}`);
}

async function main(part) {
  let passed = 0;
  let failed = 0;
  for (const kind of process.env.BLAZEN_BINDING ? [process.env.BLAZEN_BINDING] : ["native", "wasm"]) {
    const binding = await load(kind);
    for (const { name, vector } of read(part)) {
      try {
        play(vector, binding);
        passed++;
      } catch (error) {
        failed++;
        console.log(`${kind} ${name}: ${error.message}`);
      }
    }
    console.log(`boundary, ${binding.kind}, Node ${process.versions.node}`);
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv[2]);
