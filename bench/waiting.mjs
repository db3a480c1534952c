// Prints the size of the snapshot of a run that waits: the one of W9.
process.env.BLAZEN_BINDING = "native";
const { default: load } = await import("./peers/adapters/blazen.mjs");
const job = await (await load("native")).W9({});
const handler = await job.pause(1);
process.stdout.write(`@@${JSON.stringify({ bytes: (await handler.snapshot()).toString().length })}\n`);
process.exit(0);
