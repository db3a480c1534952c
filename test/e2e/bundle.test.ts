// What a bundler takes of the package for a page.
import { resolve } from "node:path";
import { build } from "esbuild";
import { expect, test } from "vitest";

async function bundled(contents: string): Promise<string> {
  const { outputFiles } = await build({
    ...{ stdin: { contents, resolveDir: resolve(import.meta.dirname, "../..") }, external: ["@blazen/*"], write: false },
    ...{ bundle: true, format: "esm", platform: "browser", conditions: ["browser"] },
  });
  return outputFiles[0]!.text;
}

test("stores that are not used are not in it", async () => {
  const stores = /IndexedDbStore|indexedDB|SqliteStore|openSqlite|MemoryStore/g;
  const used = async (contents: string) => [...new Set((await bundled(contents)).match(stores))].sort();
  expect(await used('export { Workflow } from "blazen";')).toEqual([]);
  expect(await used('export { Workflow } from "blazen/slim";')).toEqual([]);
  expect(await used('export { IndexedDbStore } from "blazen";')).toEqual(expect.arrayContaining(["IndexedDbStore", "indexedDB"]));
});
