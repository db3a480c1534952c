// Plays every vector on the raw boundary and compares every command: node test/vectors/boundary.mjs [part of a name]
// BLAZEN_BINDING=native|wasm chooses the carrier, else both are played.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { accepts, expect, slots, typeName, words } from "./lines.mjs";
import { read } from "./files.mjs";

const tables = JSON.parse(readFileSync(new URL("../../tools/tables.json", import.meta.url), "utf8"));
