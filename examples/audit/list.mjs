import { opendir } from "node:fs/promises";
import { extname, join, relative, sep } from "node:path";

const SKIPPED = new Set([".git", "node_modules", "target", "dist"]);
const MARKDOWN = new Set([".md", ".markdown"]);
const SOURCE = new Set([
  ...[".c", ".cc", ".cpp", ".cs", ".css", ".go", ".h", ".hpp", ".html", ".java", ".js", ".jsx", ".cjs", ".mjs"],
  ...[".kt", ".mts", ".cts", ".php", ".py", ".rb", ".rs", ".scala", ".sh", ".sql", ".swift", ".ts", ".tsx", ".vue"],
]);

/**
 * The Markdown and source files below a folder, sorted; symbolic links are not followed.
 * @param {string} folder
 * @returns {Promise<{ path: string, kind: "markdown" | "source" | "folder", error?: string }[]>} paths relative to the folder;
 * a folder is in the list if it cannot be read, with the reason
 */
export async function listFiles(folder) {
  const found = [];
  const name = (path) => relative(folder, path).replaceAll(sep, "/") || ".";
  const folders = [folder];
  for (let at = folders.pop(); at !== undefined; at = folders.pop()) {
    try {
      for await (const entry of await opendir(at)) {
        const path = join(at, entry.name);
        if (entry.isDirectory()) {
          if (!SKIPPED.has(entry.name)) folders.push(path);
          continue;
        }
        const extension = extname(entry.name).toLowerCase();
        if (!entry.isFile() || !(MARKDOWN.has(extension) || SOURCE.has(extension))) continue;
        found.push({ path: name(path), kind: MARKDOWN.has(extension) ? "markdown" : "source" });
      }
    } catch (error) {
      found.push({ path: name(at), kind: "folder", error: error.code ?? error.message });
    }
  }
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}
