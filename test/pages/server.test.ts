// The page of the example server, given by the real server to a real Chromium.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
// @ts-expect-error the example is plain JavaScript
import { auditServer } from "../../examples/server/server.mjs";
// @ts-expect-error
import { chromiumLaunch } from "../../tools/parts.mjs";
import { deferred } from "../e2e/deferred";

const FILES = 40;
const names = Array.from({ length: FILES }, (_, at) => `${at}.md`).sort();
let root = "";
let browser: Browser;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "blazen-page-"));
  mkdirSync(join(root, "docs"));
  for (const name of names) writeFileSync(join(root, "docs", name), `# ${name}\n`);
  browser = await chromium.launch(chromiumLaunch());
});
afterAll(async () => {
  await browser?.close();
  rmSync(root, { recursive: true, force: true });
});

/** The audits stand still before this many files are read, until `goOn`. */
const HELD = 12;
let goOn: () => void;
let server: Server;
let page: Page;
let problems: string[];
beforeEach(async () => {
  const { promise, resolve } = deferred<void>();
  goOn = () => resolve();
  let read = 0;
  server = auditServer({ root, onRead: () => (++read > HELD ? promise : undefined) });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  page = await browser.newPage();
  problems = [];
  page.on("pageerror", (error) => problems.push(error.message));
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
});
afterEach(async () => {
  await page.close();
  server.closeAllConnections();
  server.close();
  expect(problems).toEqual([]);
});

const shown = (id: string, text: string) => page.locator(`#${id}`, { hasText: text }).waitFor();
const start = async () => {
  await page.getByLabel("Folder").fill("docs");
  await page.getByRole("button", { name: "Start" }).click();
  await shown("markdown", `${HELD} of ${FILES} files`);
};
/** The files that are listed, sorted. */
const listed = async () => (await page.locator("#files li").allTextContents()).sort();

test("a reload in the middle misses nothing, a click answers, and the report is shown", async () => {
  await start();
  const before = await listed();
  await page.reload();
  await shown("markdown", `${HELD} of ${FILES} files`);
  expect(await listed()).toEqual(before);
  goOn();
  await shown("prompt", "Write the report?");
  await shown("stage", "approve");
  expect(await page.getByRole("progressbar").getAttribute("value")).toBe("60");
  expect(await listed()).toEqual(names);
  // A question that stands survives a reload too.
  await page.reload();
  await shown("summary", "40 files");
  await shown("status", "waiting for an answer");
  await page.getByRole("button", { name: "Yes" }).click();
  await shown("report", "# Audit of docs");
  await shown("status", "completed");
  expect(await page.locator("#question").isVisible()).toBe(false);
  await page.reload();
  await shown("report", "# Audit of docs");
  expect(await listed()).toEqual(names);
});

test("a connection that is lost is made again, misses nothing and gets nothing twice", async () => {
  await start();
  server.closeAllConnections();
  await shown("status", "connection lost; trying again");
  goOn();
  await shown("prompt", "Write the report?");
  expect(await listed()).toEqual(names);
  await page.getByRole("button", { name: "No" }).click();
  await shown("report", "No report was written.");
});

test("the button cancels; another run can be started, and the way back leads to the first", async () => {
  await start();
  const first = page.url();
  await page.getByRole("button", { name: "Cancel" }).click();
  await shown("status", "cancelled");
  expect(await page.getByRole("button", { name: "Cancel" }).isVisible()).toBe(false);
  expect(await listed()).toHaveLength(HELD);
  goOn();
  await page.getByRole("button", { name: "Start" }).click();
  await shown("prompt", "Write the report?");
  expect(await listed()).toEqual(names);
  expect(page.url()).not.toBe(first);
  await page.goBack();
  await shown("status", "cancelled");
  expect(await listed()).toHaveLength(HELD);
});

test("what the server refuses is said; a run that is not known too", async () => {
  await page.getByLabel("Folder").fill("../elsewhere");
  await page.getByRole("button", { name: "Start" }).click();
  await shown("problem", "There is no such folder below the root");
  await page.goto(`${page.url()}#unknown`);
  await shown("status", "not known any more");
});
