import { readdirSync, readFileSync } from "node:fs";

const folder = new URL(".", import.meta.url);

/** Every vector whose name holds `part`, by name. */
export function read(part = "") {
  return readdirSync(folder)
    .filter((file) => file.endsWith(".json") && file.includes(part))
    .sort()
    .map((file) => ({ name: file.slice(0, -".json".length), vector: JSON.parse(readFileSync(new URL(file, folder), "utf8")) }));
}
