import { playwright } from "@vitest/browser-playwright";
import { defineConfig } from "vitest/config";
import { chromiumLaunch } from "./tools/parts.mjs";

export default defineConfig({
  test: {
    projects: [
      { test: { name: "node", include: ["test/e2e/**/*.test.ts", "test/docs/**/*.test.ts"], testTimeout: 30_000 } },
      // Pages that a server of the test gives to a Chromium of the test: these run in Node.
      { test: { name: "pages", include: ["test/pages/**/*.test.ts"], testTimeout: 30_000, hookTimeout: 60_000 } },
      {
        test: {
          name: "browser",
          include: ["test/browser/**/*.test.ts"],
          testTimeout: 30_000,
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            instances: [{ browser: "chromium" }],
            provider: playwright({ launchOptions: chromiumLaunch() }),
          },
        },
      },
    ],
  },
});
