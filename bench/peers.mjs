// npm run bench:peers -- [options of peers/run.mjs]. Installs the peers into bench/peers, and nowhere else, and measures them.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const peers = path.join(path.dirname(fileURLToPath(import.meta.url)), "peers");
const stamp = path.join(peers, "node_modules", ".package-lock.json");
const run = (command, args) => {
  const { status, error } = spawnSync(command, args, { cwd: peers, stdio: "inherit", shell: process.platform === "win32" });
  if (error !== undefined) console.error(error.message);
  if (status !== 0) process.exit(status ?? 1);
};

if (!fs.existsSync(stamp) || fs.statSync(stamp).mtimeMs < fs.statSync(path.join(peers, "package-lock.json")).mtimeMs) {
  console.log("Installing the peers into bench/peers/node_modules (some minutes: one of them is compiled) ...");
  run("npm", ["ci", "--no-audit", "--no-fund"]);
}
run(process.execPath, ["run.mjs", ...process.argv.slice(2)]);
