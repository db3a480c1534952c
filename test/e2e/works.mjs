// A process that goes on with the runs of a SQLite file until it is killed: node works.mjs <file>
import { SqliteStore } from "blazen";
import { busy } from "./busy.ts";

busy([]).worker(new SqliteStore(process.argv[2]), { concurrency: 5, leaseMs: 500 });
// What it waits for does not keep a process alive.
setInterval(() => {}, 1_000_000);
