import { createRequire } from "node:module";
import { provide } from "../binding/load";
import { nodeSources } from "../binding/node";

provide(nodeSources(createRequire(import.meta.url)));

export * from "../index";
