#!/usr/bin/env node
// node run.mjs [--peers a,b:variant] [--workloads W1,W2] [--rounds 3] [--slow-rounds 2] [--cold 15] [--quick] [--json out.json]
// node run.mjs --list | --render out.json[,newer.json] [--pool more.json]. A new peer is one file in adapters/.
// Each (peer, workload, round) is one child process. Rounds alternate the order of the peers, so drift cancels.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { WORKLOADS, TMP, median } from './lib.mjs';
import { node } from './spawn.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const arg = (name, dflt) => { const i = process.argv.indexOf('--' + name); return i < 0 ? dflt : process.argv[i + 1]; };
const flag = (name) => process.argv.includes('--' + name);

// Every file in adapters/ is a peer; its info.variants make `file` and `file:variant`.
const all = [];
const infos = {};
for (const f of fs.readdirSync(path.join(here, 'adapters')).sort()) {
  if (!f.endsWith('.mjs')) continue;
  const name = f.slice(0, -4);
  const { info } = await import(`./adapters/${f}`);
  for (const v of info.variants) { const id = v ? `${name}:${v}` : name; all.push(id); infos[id] = info; }
}
if (flag('list')) { console.log(all.join('\n')); process.exit(0); }
const floor = arg('floor', 'floor');
const peers = arg('peers') ? arg('peers').split(',') : all.filter((p) => !infos[p].optional);
const workloads = arg('workloads') ? arg('workloads').split(',').flatMap((w) => (w === 'W4' ? ['W4s', 'W4c'] : [w])) : Object.keys(WORKLOADS);
const rounds = Number(arg('rounds', flag('quick') ? 1 : 3));
const slow = new Set(['W2', 'W4s', 'W4c', 'W9']); // long samples: fewer rounds
const slowRounds = Number(arg('slow-rounds', Math.min(rounds, 2)));
const coldN = Number(arg('cold', flag('quick') ? 5 : 15));
const opts = flag('quick') ? { warmMs: 150, sampleMs: 300, capMs: 4000 } : {};
const limits = { timeoutMs: Number(arg('timeout', 180)) * 1000 };

const render = arg('render'); // --render out.json prints the tables of an earlier run
// several files, comma-separated, merge: a later file replaces the (peer, workload) cells that it has
const results = []; // one row per child
for (const f of render ? render.split(',') : []) {
  const rs = JSON.parse(fs.readFileSync(f, 'utf8')).results;
  const has = new Set(rs.map((r) => r.peer + ' ' + r.workload));
  results.splice(0, results.length, ...results.filter((r) => !has.has(r.peer + ' ' + r.workload)), ...rs);
}
for (const f of arg('pool') ? arg('pool').split(',') : []) results.push(...JSON.parse(fs.readFileSync(f, 'utf8')).results); // --pool: more rounds of the same cells
const started = Date.now();
if (!render) for (const W of workloads) {
  if (!WORKLOADS[W]) throw new Error('no such workload ' + W);
  const dead = new Set();
  if (W === 'W10') {
    const set = ['nothing', ...peers];
    for (let k = -1; k < coldN; k++) { // round -1 warms the page cache and is dropped
      for (const p of k % 2 ? [...set].reverse() : set) {
        if (dead.has(p)) continue;
        const r = await node(['cold.mjs', p], limits);
        if (r.na || r.error) { dead.add(p); results.push({ peer: p, workload: W, ...r }); } else if (k >= 0) results.push({ peer: p, workload: W, round: k, ...r });
      }
    }
  } else {
    for (let round = 0; round < (slow.has(W) ? slowRounds : rounds); round++) {
      for (const p of round % 2 ? [...peers].reverse() : peers) {
        if (dead.has(p)) continue;
        const r = await node(['--expose-gc', 'child.mjs', p, W, JSON.stringify(opts)], limits);
        if (r.na || r.error) dead.add(p);
        results.push({ round, ...r, peer: p, workload: W });
        if (process.stderr.isTTY || flag('v') || process.argv.includes('-v')) console.error(`[${((Date.now() - started) / 1000).toFixed(0)}s] ${W} ${p} #${round}: ${r.na ? 'n/a ' + r.na : r.error ? 'ERROR ' + r.error.slice(0, 300) : (r.us ?? r.rssPerRun)?.toFixed(2)}`);
      }
    }
  }
}

const rowsOf = (p, W) => results.filter((r) => r.peer === p && r.workload === W);
const summary = {};
for (const W of workloads) {
  summary[W] = {};
  for (const p of W === 'W10' ? ['nothing', ...peers] : peers) {
    const rs = rowsOf(p, W);
    const bad = rs.find((r) => r.na || r.error);
    const ok = rs.filter((r) => !r.na && !r.error);
    if (!ok.length) { summary[W][p] = bad ? { na: bad.na, error: bad.error } : { na: 'no result' }; continue; }
    const m = (k) => { const xs = ok.map((r) => r[k]).filter((x) => typeof x === 'number'); return xs.length ? median(xs) : undefined; };
    const mm = (k) => { const xs = ok.map((r) => r[k]); return [Math.min(...xs), Math.max(...xs)]; };
    const s = { rounds: ok.length };
    if (W === 'W10') Object.assign(s, { wallMs: m('wallMs'), range: mm('wallMs'), loadMs: m('load'), firstMs: m('first'), peakRss: m('rss') });
    else if (W === 'W9') Object.assign(s, { rssPerRun: m('rssPerRun'), range: mm('rssPerRun'), heapPerRun: m('heapPerRun'), pauseUs: m('pauseUs'), n: m('n'), full: ok.every((r) => r.full), peakRss: m('peakRss') });
    else Object.assign(s, { us: m('us'), range: mm('us'), peakRss: m('peakRss'), baseRss: m('baseRss'), samples: m('samples'), n: m('n'), full: ok.every((r) => r.full !== false), checkpoints: m('checkpoints'), bytes: m('bytes'), bytesPerCheckpoint: m('bytesPerCheckpoint'), snapshotBytes: m('snapshotBytes') });
    if (ok[0].note) s.note = ok[0].note;
    if (bad?.error) s.error = bad.error;
    summary[W][p] = s;
  }
  const base = summary[W][floor] ?? {};
  for (const s of Object.values(summary[W])) {
    const k = W === 'W10' ? 'wallMs' : W === 'W9' ? 'rssPerRun' : 'us';
    if (s[k] !== undefined && base[k]) s.ratio = s[k] / base[k];
  }
}

const fmt = (x, d = 2) => (x === undefined || Number.isNaN(x) ? '-' : x >= 1000 ? Math.round(x).toLocaleString('en-US') : x >= 100 ? x.toFixed(0) : x >= 10 ? x.toFixed(1) : x.toFixed(d));
const mb = (x) => (x ? (x / 1048576).toFixed(0) + ' MiB' : '-');
let text = '';
for (const W of workloads) {
  text += `\n## ${W} ${WORKLOADS[W].title} (${WORKLOADS[W].unit})\n\n`;
  const head = W === 'W9' ? ['peer', 'RSS bytes/run', 'min..max', 'heap bytes/run', 'us to pause', 'x floor'] : W === 'W10' ? ['peer', 'wall ms', 'min..max', 'import ms', 'define+first run ms', 'peak RSS', 'x floor'] : ['peer', WORKLOADS[W].unit, 'min..max of rounds', W.startsWith('W4') ? 'runs/s' : W === 'W1' ? 'runs/s' : W === 'W7' ? 'bytes stored per run (checkpoint writes)' : W === 'W8' ? 'snapshot bytes' : 'ops/s', 'peak RSS', 'x floor', 'note'];
  text += `| ${head.join(' | ')} |\n|${head.map(() => '---').join('|')}|\n`;
  for (const [p, s] of Object.entries(summary[W])) {
    if (s.na || (s.error && s.rounds === undefined)) { text += `| ${p} | n/a: ${(s.na ?? 'failed: ' + s.error.split('\n')[0]).replace(/\|/g, '/')} |${' |'.repeat(head.length - 2)}\n`; continue; }
    const notes = [s.note, s.full === false ? `only ${s.n} runs (time cap)` : ''].filter(Boolean).join('; ');
    const rng = `${fmt(s.range[0])}..${fmt(s.range[1])}`;
    const cells = W === 'W9' ? [p, fmt(s.rssPerRun), rng, fmt(s.heapPerRun), fmt(s.pauseUs), fmt(s.ratio, 1) + (notes ? ' (' + notes + ')' : '')]
      : W === 'W10' ? [p, fmt(s.wallMs), rng, fmt(s.loadMs), fmt(s.firstMs), mb(s.peakRss), fmt(s.ratio, 2)]
      : [p, fmt(s.us), rng,
        W.startsWith('W4') ? fmt(1e6 / s.us) : W === 'W1' ? fmt(1e6 / s.us / 100) : W === 'W7' ? `${fmt(s.bytes)} (${s.checkpoints} writes)` : W === 'W8' ? fmt(s.snapshotBytes) : fmt(1e6 / s.us),
        mb(s.peakRss), fmt(s.ratio, 1), notes];
    text += `| ${cells.join(' | ')} |\n`;
  }
}
// One compact matrix: median per unit, and in brackets how many times the floor.
{
  const ps = [...new Set(workloads.flatMap((W) => Object.keys(summary[W])))].filter((p) => p !== 'nothing');
  text += `\n## All in one: median (times the floor)\n\n| peer | ${workloads.map((W) => `${W} ${WORKLOADS[W].unit.split(' ')[0]}`).join(' | ')} |\n|${'---|'.repeat(workloads.length + 1)}\n`;
  for (const p of ps) {
    text += `| ${p} | ` + workloads.map((W) => {
      const s = summary[W][p];
      const v = s && (W === 'W10' ? s.wallMs : W === 'W9' ? s.rssPerRun : s.us);
      return v === undefined ? (s?.error ? 'failed' : 'n/a') : `${fmt(v)}${s.ratio ? ` (${fmt(s.ratio, 1)}x)` : ''}`;
    }).join(' | ') + ' |\n';
  }
}
{
  const st = results.map((r) => r.steal).filter((x) => typeof x === 'number');
  if (st.length) text += `\nCPU steal while measuring (share of busy time): median ${(median(st) * 100).toFixed(0)} %, worst child ${(Math.max(...st) * 100).toFixed(0)} %\n`;
}
console.log(text);
const json = arg('json');
if (json) {
  const versions = {};
  for (const i of Object.values(infos)) for (const pk of i.packages) {
    try { versions[pk] = JSON.parse(fs.readFileSync(path.join(here, 'node_modules', pk, 'package.json'), 'utf8')).version; } catch { versions[pk] = 'not installed'; }
  }
  fs.writeFileSync(json, JSON.stringify({ date: new Date().toISOString(), seconds: Math.round((Date.now() - started) / 1000), machine: { cpu: os.cpus()[0].model, cores: os.cpus().length, memGiB: Math.round(os.totalmem() / 2 ** 30), kernel: os.release(), node: process.version, v8: process.versions.v8 }, rounds, opts, versions, summary, results }, null, 1));
  console.error('wrote ' + json);
}
if (!render) fs.rmSync(TMP, { recursive: true, force: true });
process.exit(0);
