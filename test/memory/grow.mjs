// Starts a process that makes 100,000 runs and tells its memory after 10,000 and at the end. Also used by `npm run bench -- --memory`.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const child = fileURLToPath(new URL("child.mjs", import.meta.url));

/**
 * @param binding "native" or "wasm"
 * @param load a name in loads.mjs, or "workers"
 * @returns `{ early: { heap, rss }, late: { heap, rss } }` in bytes
 */
export function grow(binding, load) {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, BLAZEN_BINDING: binding, NODE_ENV: "production" };
    const running = spawn(process.execPath, ["--expose-gc", child, load], { env, stdio: ["ignore", "pipe", "inherit"] });
    let out = "";
    running.stdout.on("data", (data) => {
      out += data;
    });
    running.on("error", reject);
    running.on("close", (code) => (code === 0 ? resolve(JSON.parse(out)) : reject(new Error(`${binding} ${load}: exit code ${code}`))));
  });
}
