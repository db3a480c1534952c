import type { Binding } from "./types";

/** What the Node addon exports. */
export interface Addon {
  buffer(): ArrayBuffer;
  exchangeFunction(): () => void;
  compile(definition: string): number;
  dropPlan(plan: number): void;
  lastError(): string;
}

export function nativeBinding(addon: Addon): Binding {
  const view = new Int32Array(addon.buffer());
  return {
    kind: "native",
    session: "json",
    buffer: () => view,
    exchange: addon.exchangeFunction(),
    compile: addon.compile,
    drop: addon.dropPlan,
    lastError: addon.lastError,
  };
}
