// Writes the frame and error tables of both sides of the boundary from tools/tables.json.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const tables = JSON.parse(readFileSync(join(root, "tools/tables.json"), "utf8"));
const note = "Generated from tools/tables.json by `npm run generate`: do not edit.";
const upper = (name) => name.replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();

const groups = [
  ["IN", Object.entries(tables.inputs)],
  ["CMD", Object.entries(tables.commands)],
  ["ERR", tables.errors.map(({ name, number }) => [name, number])],
];

const rust = [`//! ${note}`, ""];
const ts = [`// ${note}`, ""];
for (const [prefix, entries] of groups) {
  for (const [name, number] of entries) {
    rust.push(`pub const ${prefix}_${upper(name)}: i32 = ${number};`);
    ts.push(`export const ${prefix}_${upper(name)} = ${number};`);
  }
  rust.push("");
  ts.push("");
}
rust.push("/// The stable code of an error number.", "pub const fn code(number: i32) -> &'static str {", "    match number {");
for (const { name, code } of tables.errors) if (name !== "Internal") rust.push(`        ERR_${upper(name)} => "${code}",`);
rust.push('        _ => "INTERNAL",', "    }", "}", "");
ts.pop();

const write = (file, lines) => {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), `${lines.join("\n").trimEnd()}\n`);
};
write("crates/blazen-core/src/generated.rs", rust);
write("ts/src/generated/tables.ts", ts);
