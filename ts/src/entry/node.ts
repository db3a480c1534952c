import { createRequire } from "node:module";
import { nodeSources } from "../binding/node";
import { provide } from "../binding/load";

provide(nodeSources(createRequire(import.meta.url)));
export * from "../index";
