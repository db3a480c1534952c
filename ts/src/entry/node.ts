import { createRequire } from "node:module";
import { carrier, provide } from "../binding/load";
import { nodeSources } from "../binding/node";

provide(nodeSources(createRequire(import.meta.url)));

export * from "../index";

/** Which carrier the core runs on, here and now; undefined if none could be loaded. */
export const binding = carrier();
