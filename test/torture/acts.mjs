// What the steps of the programs do.
import { event } from "blazen";
import { hashText } from "./random.mjs";

class Shown extends event("Shown") {}

const turn = () => new Promise((resolve) => setImmediate(resolve));
/** A promise of its own each time: what waits for it is kept as long as it is. */
const never = () => new Promise(() => {});

/**
 * Calls a step's acts, then `finish` with the value that they have come to.
 *
 * @param life the process that the step is called in: when it is dead nothing happens any more
 */
export function perform(life, { sync, acts }, call, finish) {
  const { name, by, ctx } = call;
  life.moment();
  if (life.dead) return never();
  life.world.started(name, by, ctx, life);
  if (!sync) return performAsync(life, acts, call, finish);
  let { value } = call;
  acts.forEach((act, at) => {
    value = hashText(`${value} ${now(life, act, `${name}_${at}`, ctx, name)}`);
  });
  return life.dead ? never() : finish(value);
}

async function performAsync(life, acts, { name, value: first, ctx }, finish) {
  let value = first;
  for (const [at, act] of acts.entries()) {
    const given = SLOW[act.kind] === undefined ? now(life, act, `${name}_${at}`, ctx, name) : await SLOW[act.kind](life, act, `${name}_${at}`, ctx);
    if (life.dead) return never();
    value = hashText(`${value} ${given}`);
  }
  return finish(value);
}

/** Something happens outside. Nothing does in a process that is dead, or dies just before. */
function effect(life, kind, name) {
  life.moment();
  if (life.dead) return;
  life.world.add(kind, name, life);
  life.moment();
}

function now(life, act, name, ctx, step) {
  if (act.kind === "raw") effect(life, "raw", name);
  else if (act.kind === "set") ctx.state.set(`set ${name}`, { name });
  else if (act.kind === "update") {
    ctx.state.update("count", (count) => (count ?? 0) + 1);
    ctx.state.update("names", (names) => [...(names ?? []), name]);
  } else if (act.kind === "fail" && !life.dead && life.world.fails(name, act.times)) throw new Error(`${step} fails on purpose`);
  return act.kind;
}

const SLOW = {
  async once(life, _, name, ctx) {
    const { world } = life;
    const happens = async () => {
      effect(life, "once", name);
      await undefined;
      return `o.${name}.`;
    };
    const given = await (life.broken === "once" ? happens() : ctx.once(name, happens));
    if (life.dead) return never();
    world.add("got", name, life);
    if (life.broken !== "once") world.told(`o.${name}.`);
    return given;
  },
  async commit(life, { awaited }, name, ctx) {
    const mark = `c.${name}.`;
    ctx.state.set(mark, 1);
    const point = ctx.commit({ id: `commit ${name}` });
    if (!awaited) return "commit";
    await point;
    if (life.dead) return never();
    life.world.told(mark);
    return "commit";
  },
  turn: (life) => life.during(turn),
  async sleep(life, { ms: long }, name, ctx) {
    const ms = long * life.scale;
    life.world.sleeps(name, life.clock.now() + ms);
    await ctx.sleep(ms);
    if (life.dead) return never();
    life.world.woke(name, life.clock.now());
  },
  ask: (_, __, name, ctx) => ctx.requestInput({ prompt: name }),
  stream: (_, __, name, ctx) => ctx.writeEventToStream(new Shown({ name })),
};

/** What a person answers. */
export function answerTo({ prompt, metadata }) {
  const mark = `a.${prompt}.`;
  return metadata === undefined ? mark : { path: metadata.path, value: hashText(`${metadata.value} ${mark}`), by: [mark] };
}
