// From a program to the workflow of one process.
import { all, collect, event, InputRequestEvent, Pipeline, StartEvent, StopEvent, subworkflow, Workflow } from "blazen";
import { perform } from "./acts.mjs";
import { hashText } from "./random.mjs";

const classes = new Map();
/** The class of a type of events. All have the same fields: `path`, `value`, and `by`, the marks that their emitters have left. */
function typeOf(name) {
  if (!classes.has(name)) classes.set(name, class extends event(name) {});
  return classes.get(name);
}
const Done = typeOf("Done");

/** @param holder whose `life` is the process that the steps are called in, and `scale` what its times are multiplied with */
export function build(program, holder, name = "tortured") {
  const workflow = new Workflow(name);
  const define = definer(workflow, holder);
  define("root", StartEvent, program.root, ({ path }, give) => {
    const first = program.lanes.map((_, lane) => give(typeOf(`L${lane}x0`), `${path}_${lane}`));
    return first.length === 1 ? first[0] : first;
  });
  program.lanes.forEach((ops, lane) => {
    ops.forEach((op, at) => {
      const Next = at + 1 < ops.length ? typeOf(`L${lane}x${at + 1}`) : Done;
      KINDS[op.kind](define, `s${lane}x${at}`, typeOf(`L${lane}x${at}`), op, Next, workflow, holder);
    });
  });
  define("end", collect(Done), program.end, (done, _, ctx, mark) => {
    const ends = done.members.map(({ path, value }) => `${path} ${value}`).sort();
    return new StopEvent({ result: { ends, state: stateOf(ctx), mark } });
  });
  return workflow;
}

/** All of the state, but for the order in which parallel steps have added to it. */
function stateOf({ state }) {
  return [...state.keys()].sort().map((key) => {
    const value = state.get(key);
    return [key, Array.isArray(value) ? value.sort() : value];
  });
}

/**
 * Gives what defines steps: their acts, and what they emit. That is asked for with their event, by which `path` and `value` are those of what was
 * collected or joined too, and with `give`, which makes an event of a path and the step's value.
 */
function definer(workflow, holder) {
  return (name, accepts, spec, emit, options = {}) => {
    workflow.step(name, accepts, { ...retryOf(spec, holder), ...options }, (received, ctx) => {
      const { life } = holder;
      const call = callOf(name, received, ctx);
      return perform(life, spec, call, (value) => {
        const mark = `d.${call.name}.`;
        const give = (Type, path, more = "") => new Type({ path, value: more === "" ? value : hashText(`${value} ${more}`), by: [mark] });
        const emitted = emit(call.event, give, ctx, mark, life);
        return emitted instanceof Promise ? emitted.then((event) => last(ctx, mark, event)) : last(ctx, mark, emitted);
      });
    });
  };
}

/** The mark of a step is what it writes last, so that no commit point before its end has it. */
function last({ state }, mark, emitted) {
  state.set(mark, 1);
  return emitted;
}

function retryOf({ acts }, { scale }) {
  const fail = acts.find(({ kind }) => kind === "fail");
  return fail === undefined ? {} : { retry: { maxAttempts: fail.times + 1, initial: fail.delay * scale } };
}

function callOf(step, received, ctx) {
  const members = Array.isArray(received) ? received : [received];
  // Of nothing collected there is the run alone to be named by.
  const path = members[0] === undefined ? ctx.runId : step === "end" ? ctx.runId : members.length > 1 ? parentOf(members[0].path) : members[0].path;
  const value =
    members.length === 1
      ? members[0].value
      : hashText(
          members
            .map(({ value }) => value)
            .sort()
            .join(" "),
        );
  const { round = 0 } = members[0] ?? {};
  const name = `${step}_${path}${round > 0 ? `_r${round}` : ""}`;
  return { name, value, by: members.flatMap(({ by }) => by ?? []), ctx, event: { path, round, members } };
}
const parentOf = (path) => path.slice(0, path.lastIndexOf("_"));

const plain = (define, name, Accepts, op, Next) => define(name, Accepts, op, ({ path }, give) => give(Next, path));
const limited = (limit) => (limit === 0 ? {} : { concurrency: limit });

/** The steps of each kind of operation: from an event of `Accepts` to one of `Next` with its path. */
const KINDS = {
  plain,
  fan(define, name, Accepts, op, Next) {
    const Item = typeOf(`${name}Item`);
    define(name, Accepts, op, ({ path }, give) => Array.from({ length: op.width }, (_, n) => give(Item, `${path}_${n}`, n)));
    gathered(define, name, Item, op, Next);
  },
  generate(define, name, Accepts, op, Next, workflow, holder) {
    const Item = typeOf(`${name}Item`);
    workflow.step(name, Accepts, retryOf(op, holder), async function* (received, ctx) {
      const { life } = holder;
      const call = callOf(name, received, ctx);
      const value = await perform(life, op, call, (value) => value);
      for (let n = 0; n < op.width; n++) {
        const mark = `y.${call.name}_${n}.`;
        ctx.state.set(mark, 1);
        yield new Item({ path: `${call.event.path}_${n}`, value: hashText(`${value} ${n}`), by: [mark] });
      }
      ctx.state.set(`d.${call.name}.`, 1);
    });
    gathered(define, name, Item, op, Next);
  },
  loop: (define, name, Accepts, op, Next) =>
    define(name, Accepts, op, ({ path, round }, give, _, mark) => {
      const next = give(Next, path, round);
      return round + 1 < op.rounds ? new Accepts({ path, value: next.value, by: [mark], round: round + 1 }) : next;
    }),
  join(define, name, Accepts, op, Next) {
    const [One, Other] = [typeOf(`${name}One`), typeOf(`${name}Other`)];
    define(name, Accepts, op, ({ path }, give, ctx, _, life) => {
      const sent = `c.${name}_${path}_sent.`;
      ctx.state.set(sent, 1);
      const sending = ctx.sendEvent(new One({ path: `${path}_1`, value: 1, by: [sent] }), { id: `sent ${name} ${path}` });
      const other = give(Other, `${path}_2`);
      if (op.sync || !op.awaited) return other;
      return sending.then(() => {
        if (!life.dead) life.world.told(sent);
        return other;
      });
    });
    define(`${name}joined`, all(One, Other, { by: ({ path }) => parentOf(path) }), op.joined, ({ path }, give) => give(Next, path));
  },
  child(_, name, Accepts, op, Next, workflow, holder) {
    workflow.step(name, Accepts, subworkflow(chain(`${name}child`, op.steps, holder), inAndOut(name, Next)));
  },
  pipeline(_, name, Accepts, op, Next, workflow, holder) {
    const [first, second] = op.steps.map((step, at) => chain(`${name}stage${at}`, [step], holder));
    const pipeline = new Pipeline(`${name}pipeline`)
      .stage("first", first)
      .loop("second", second, { until: (_, round) => round >= op.rounds, max: 5 })
      .map("last", ({ path, value, by }) => ({ path, value: hashText(`${value} last`), by }));
    workflow.step(name, Accepts, subworkflow(pipeline, inAndOut(name, Next)));
  },
  question: (define, name, Accepts, op, Next) =>
    define(name, Accepts, op, ({ path }, give) => {
      const { value } = give(Next, path);
      return new InputRequestEvent({ prompt: `${name}_${path}`, metadata: { path, value }, answer: Next });
    }),
};

function gathered(define, name, Item, op, Next) {
  const Result = typeOf(`${name}Result`);
  define(`${name}work`, Item, op.work, ({ path }, give) => give(Result, path), limited(op.limit));
  define(`${name}gather`, collect(Result, { of: name }), op.gather, ({ path, members }, give, ctx) =>
    give(Next, members.length === 0 ? `${ctx.runId}_none` : members.length === 1 ? parentOf(path) : path),
  );
}

/** A workflow of steps that follow one another. */
function chain(name, specs, holder) {
  const workflow = new Workflow(name);
  const define = definer(workflow, holder);
  specs.forEach((spec, at) => {
    define(`${name}${at}`, at === 0 ? StartEvent : typeOf(`${name}${at}`), spec, ({ path, round }, give, _, mark) => {
      const next = give(typeOf(`${name}${at + 1}`), path);
      if (at + 1 < specs.length) return next;
      return new StopEvent({ result: { path, value: next.value, by: [mark], round: round + 1 } });
    });
  });
  return workflow;
}

const inAndOut = (name, Next) => ({
  input: ({ path, value, by }) => ({ path: `${path}_${name}`, value, by }),
  output: ({ path, value, by }) => new Next({ path: parentOf(path), value, by }),
});
