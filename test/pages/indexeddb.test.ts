// A page that keeps its run in IndexedDB, given to a real Chromium: reloaded in the middle, and opened twice.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { build } from "esbuild";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
// @ts-expect-error plain JavaScript
import { chromiumLaunch } from "../../tools/parts.mjs";

/** Begins its run, or takes up the one that is there; stands still at the fourth item until `goOn` is set. */
const script = `
  import { IndexedDbStore } from "blazen";
  import { stored } from "./stored-workflow";
  const store = new IndexedDbStore("runs");
  const workflow = stored((n) => {
    localStorage.begun = (localStorage.begun ?? "") + n;
    if (n === 3 && !localStorage.goOn) return new Promise(() => {});
  }, { asks: location.search === "?asks" });
  const worker = workflow.worker(store, { leaseMs: 500 });
  const known = await store.info("r");
  const run = known === undefined ? workflow.start({}, { store, runId: "r" }) : workflow.attach(store, "r");
  window.told = { respond: (response) => run.respond("q", response), status: () => store.info("r").then((info) => info?.status) };
  document.title = JSON.stringify(await run.result());
`;

let browser: Browser;
let context: BrowserContext;
let server: Server;
let address = "";
const problems: string[] = [];
beforeAll(async () => {
  const { outputFiles } = await build({
    ...{ stdin: { contents: script, resolveDir: `${import.meta.dirname}/../browser` }, write: false },
    ...{ bundle: true, format: "esm", platform: "browser", conditions: ["browser"], target: "es2022" },
  });
  const html = '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script type="module" src="/page.js"></script>';
  server = createServer(({ url }, response) => {
    const js = url === "/page.js";
    response.setHeader("content-type", js ? "text/javascript" : "text/html").end(js ? outputFiles[0]!.text : html);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  browser = await chromium.launch(chromiumLaunch());
});
afterAll(async () => {
  await browser?.close();
  server?.closeAllConnections();
  server?.close();
});
// Each has a database of its own.
beforeEach(async () => {
  context = await browser.newContext();
});
afterEach(async () => {
  await context.close();
  expect(problems.splice(0)).toEqual([]);
});

async function open(query = ""): Promise<Page> {
  const page = await context.newPage();
  page.on("pageerror", ({ message }) => problems.push(message));
  await page.goto(address + query);
  return page;
}
/** What the page has for the test, when it has begun. */
interface Told {
  readonly told?: { respond(answer: string): Promise<void>; status(): Promise<string> };
}
const begun = (page: Page, items: string) => page.waitForFunction((all) => localStorage["begun"] === all, items);
const ended = (page: Page, result: string) => page.waitForFunction((title) => document.title === title, result);

test("reloaded in the middle, it goes on: what was under way is done again, and nothing else", async () => {
  const page = await open();
  await begun(page, "0123");
  await page.evaluate(() => localStorage.setItem("goOn", "yes"));
  await page.reload();
  await ended(page, "[6,15]");
  expect(await page.evaluate(() => localStorage["begun"])).toBe("0123345");
  // And once more: there is the result, and no step is called.
  await page.reload();
  await ended(page, "[6,15]");
  expect(await page.evaluate(() => localStorage["begun"])).toBe("0123345");
});

test("closed while it waits for a person, it is answered in another tab; two tabs see one run", async () => {
  const first = await open("?asks");
  await begun(first, "0123");
  await first.evaluate(() => localStorage.setItem("goOn", "yes"));
  await first.close();
  const second = await open("?asks");
  await second.waitForFunction(async () => (await (window as Told).told?.status()) === "waiting");
  await second.close();
  const [third, fourth] = [await open("?asks"), await open("?asks")];
  await third.waitForFunction(() => (window as Told).told !== undefined);
  await third.evaluate(() => (window as Told).told!.respond("yes"));
  for (const page of [third, fourth]) await ended(page, '["yes",15]');
  expect(await fourth.evaluate(() => localStorage["begun"])).toBe("0123345");
});
