import { opendir } from "node:fs/promises";
import { extname, join, relative } from "node:path";

const SKIPPED = new Set([".git", "node_modules", "target", "dist"]);
const MARKDOWN = new Set([".md", ".markdown"]);
const SOURCE = new Set([
  ...[".c", ".cc", ".cpp", ".cs", ".css", ".go", ".h", ".hpp", ".html", ".java", ".js", ".jsx", ".cjs", ".mjs"],
  ...[".kt", ".mts", ".cts", ".php", ".py", ".rb", ".rs", ".scala", ".sh", ".sql", ".swift", ".ts", ".tsx", ".vue"],
]);

/**
 * The Markdown and source files below a folder, sorted; symbolic links are not followed.
 * @param {string} folder
 * @returns {Promise<{ path: string, kind: "markdown" | "source" }[]>} paths relative to the folder
 */
export async function listFiles(folder) {
  const files = [];
  const folders = [folder];
  for (let at = folders.pop(); at !== undefined; at = folders.pop()) {
    for await (const entry of await opendir(at)) {
      const path = join(at, entry.name);
      if (entry.isDirectory()) {
        if (!SKIPPED.has(entry.name)) folders.push(path);
        continue;
      }
      const extension = extname(entry.name).toLowerCase();
      if (!entry.isFile() || !(MARKDOWN.has(extension) || SOURCE.has(extension))) continue;
      files.push({ path: relative(folder, path), kind: MARKDOWN.has(extension) ? "markdown" : "source" });
    }
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}
