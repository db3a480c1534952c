// What is compared after a scenario.

const keyOf = ({ kind, name }) => `${kind} ${name}`;

/** How often each thing happened, by life and in all. */
function counted(log) {
  const counts = new Map();
  for (const one of log) {
    if (one.late) continue;
    const key = keyOf(one);
    let lives = counts.get(key);
    if (lives === undefined) {
      lives = { kind: one.kind, name: one.name, all: 0, by: [] };
      counts.set(key, lives);
    }
    lives.all++;
    lives.by[one.life] = (lives.by[one.life] ?? 0) + 1;
  }
  return counts;
}

/**
 * Nothing is lost, nothing strange happens, and what happens again had to: what would have told of it was not on the disk.
 *
 * @returns `faults`, and how many effects were `lost`, `duplicated` though they should not be, and `repeated` as they may be
 */
export function check({ world, results }, expected) {
  const fault = (kind, text) => world.fault(kind, text);
  for (const [runId, result] of expected.results) {
    if (results.get(runId) !== result) fault("result", `${runId} gave ${results.get(runId)}, not ${result}`);
  }
  const [should, did] = [counted(expected.log), counted(world.log)];
  let repeated = 0;
  for (const [key, { kind }] of should) if (!did.has(key) && kind !== "got") fault("lost", key);
  for (const [key, { kind, name, all, by }] of did) {
    const plain = should.get(key);
    if (plain === undefined) {
      fault("strange", key);
      continue;
    }
    repeated += Math.max(0, all - plain.all);
    if (kind === "start" || kind === "once") checkLives(world, { kind, name, by }, kind === "once" ? 1 : plain.all);
  }
  checkTold(world);
  const count = (kind) => world.faults.filter((one) => one.kind === kind).length;
  return { faults: world.faults, lost: count("lost"), duplicated: count("duplicated"), repeated };
}

/** In one process it happens as often as in the plain run, and in none after its record, or its invocation's commit, was on the disk. */
function checkLives(world, { kind, name, by }, often) {
  const mark = kind === "once" ? `o.${name}.` : `d.${name}.`;
  for (const [life, times = 0] of by.entries()) {
    if (times > often) fault(world, `${kind} ${name}: ${times} times in process ${life}`);
    if (times > 0 && world.knew(life, mark)) fault(world, `${kind} ${name} in process ${life}, though ${mark} was on the disk`);
  }
}

/** A step that has got the result of an effect goes on: it must not happen again. */
function checkTold(world) {
  if (!world.strict) return;
  const got = new Set();
  for (const { kind, name, late } of world.log) {
    if (late) continue;
    if (kind === "got") got.add(name);
    else if (kind === "once" && got.has(name)) fault(world, `once ${name}, though its step had got the result`);
  }
}

function fault(world, text) {
  world.fault("duplicated", text);
}

/**
 * The end of a process that stood still while another took its runs over: it must be told that they are not its own any more.
 *
 * @param ends of its runs, by id
 * @param taken ids of those that the other has taken over
 */
export function checkStalled(world, ends, taken, results) {
  for (const [runId, end] of ends) {
    // A run that was over gives what it gives everywhere.
    if (taken.includes(runId) ? !end.startsWith("FencedError") : end !== results.get(runId))
      world.fault("unfenced", `${runId} ended in the process that had lost it: ${end}`);
  }
  const done = new Set(world.log.filter(({ late }) => !late).map(keyOf));
  for (const one of world.log)
    if (one.unfenced && one.kind !== "got" && done.has(keyOf(one))) fault(world, `${keyOf(one)} in the process that had lost its run`);
}
