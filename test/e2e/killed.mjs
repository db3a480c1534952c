// A process that runs `busy` over a SQLite file and is killed at a write: node killed.mjs <file> <number of the write> before|during|after <log of effects>
import { appendFileSync } from "node:fs";
import { SqliteStore } from "blazen";
import { busy } from "./busy.ts";

const [file, at, kind, log] = process.argv.slice(2);
let appends = 0;

class Killed extends SqliteStore {
  async append(commits) {
    if (appends++ !== Number(at)) return super.append(commits);
    if (kind === "before") process.kill(process.pid, "SIGKILL");
    const written = super.append(commits);
    if (kind === "during") process.kill(process.pid, "SIGKILL");
    await written;
    process.kill(process.pid, "SIGKILL");
  }
}

await busy({ push: (effect) => appendFileSync(log, `${effect}\n`) }).run({}, { store: new Killed(file), runId: "r" });
