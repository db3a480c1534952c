import { defineConfig } from "tsup";

const shared = { target: "es2022", splitting: false, sourcemap: false, clean: false, treeshake: true } as const;

// `slim`, `browser` and `workerd` are for bundlers; Node's entry is there in both module systems.
export default defineConfig([
  { ...shared, entry: { node: "src/entry/node.ts", testing: "src/entry/testing.ts" }, format: ["esm", "cjs"], platform: "node", shims: true, dts: true },
  {
    ...shared,
    entry: { browser: "src/entry/browser.ts", slim: "src/entry/slim.ts", workerd: "src/entry/workerd.ts" },
    format: ["esm"],
    platform: "neutral",
    dts: true,
    external: [/^@blazen\/wasm/],
  },
]);
