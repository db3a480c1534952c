// `npm run demo -- [folder] [options]`: sets up what the demo needs and runs it.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "./parts.mjs";

const { status } = spawnSync(process.execPath, [join(root, "tools/setup.mjs")], { stdio: "inherit", cwd: root });
if (status !== 0) process.exit(status ?? 1);
// npm runs scripts in the root; the folder named is meant from where the user stands.
process.chdir(process.env.INIT_CWD ?? process.cwd());
// In this process, which gets the signals.
await import(pathToFileURL(join(root, "examples/audit/main.mjs")).href);
