// `npm run demo -- [folder] [options]`: sets up what the demo needs and runs it.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { root } from "./parts.mjs";

const steps = [[join(root, "tools/setup.mjs")], [join(root, "examples/audit/main.mjs"), ...process.argv.slice(2)]];
for (const args of steps) {
  // npm runs scripts in the root; the folder named is meant from where the user stands.
  const { status } = spawnSync(process.execPath, args, {
    stdio: "inherit",
    cwd: args.length > 0 && args[0].endsWith("setup.mjs") ? root : (process.env.INIT_CWD ?? process.cwd()),
  });
  if (status !== 0) process.exit(status ?? 1);
}
