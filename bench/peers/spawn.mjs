// One sample, one process. Shared by this runner and by the project's own (bench/run.mjs).
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
// No peer may phone home while it is measured.
const QUIET = { LANGCHAIN_TRACING_V2: 'false', LANGSMITH_TRACING: 'false', MASTRA_TELEMETRY_DISABLED: '1' };

// Share of CPU time that the hypervisor took away (Linux): a cell measured under much steal is worth less.
function cpuTicks() {
  try { const t = fs.readFileSync('/proc/stat', 'utf8').split('\n')[0].trim().split(/\s+/).slice(1).map(Number); return { steal: t[7], busy: t[0] + t[1] + t[2] + t[5] + t[6] + t[7] }; } catch { return { steal: 0, busy: 0 }; }
}

// Runs `node ...args` in this folder; gives the JSON of its line that begins with @@, or { error }.
// `mode` is NODE_ENV; 'development' leaves it unset, as most users do.
export function node(args, { mode = 'production', timeoutMs = 180000 } = {}) {
  return new Promise((resolve) => {
    const env = { ...process.env, ...QUIET, NODE_ENV: 'production' };
    if (mode === 'development') delete env.NODE_ENV;
    const c0 = cpuTicks();
    const t0 = performance.now();
    const c = spawn(process.execPath, args, { cwd: here, stdio: ['ignore', 'pipe', 'pipe'], env });
    let so = '', se = '', tDone = NaN;
    const timer = setTimeout(() => c.kill('SIGKILL'), timeoutMs);
    c.stdout.on('data', (d) => { so += d; if (so.includes('@@')) tDone = performance.now() - t0; });
    c.stderr.on('data', (d) => { if (se.length < 4000) se += d; });
    c.on('close', (code, sig) => {
      clearTimeout(timer);
      const line = so.split('\n').find((l) => l.startsWith('@@'));
      resolve({ ...(line ? JSON.parse(line.slice(2)) : { error: `exit ${code} ${sig ?? ''}: ${se.slice(-600)}` }), wallMs: tDone, steal: (() => { const c1 = cpuTicks(); return c1.busy > c0.busy ? (c1.steal - c0.steal) / (c1.busy - c0.busy) : 0; })() });
    });
  });
}
