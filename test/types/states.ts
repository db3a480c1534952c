// BlazenState classes, decorators and field stores: what compiles, and what does not.
import { BlazenState, CallbackFieldStore, type Context, type FieldStore, StartEvent, StopEvent, storeBy, transient, Workflow } from "blazen";

const store: FieldStore = { save: async (key: string, value: unknown) => void [key, value], load: (key) => key };
export const made: FieldStore = new CallbackFieldStore({ saveFn: (key, value, ctx) => void [key, value, ctx.runId], loadFn: async (key) => key });

class Agent extends BlazenState {
  static override meta = {
    name: "Agent",
    version: 2,
    transient: ["socket"],
    storeBy: { memory: store },
    migrate: { 1: ({ nick, ...old }: Record<string, unknown>) => ({ ...old, name: nick }) },
  };
  name = "";
  socket: { url: string } | undefined;
  memory: number[] = [];
  @transient cache = new Map<string, string>();
  @storeBy(store) documents: readonly string[] = [];
  // @ts-expect-error a field, not a method
  @transient greet() {
    return `Hello, ${this.name}`;
  }
  override async restore(ctx: Context<{ url: string }>) {
    this.socket = { url: ctx.state.get("url") };
  }
}
class Plain extends BlazenState {
  static override meta = { name: "Plain" };
}

export const chat = new Workflow("chat", { types: [Agent, Plain], state: { agent: new Agent(), url: "x" } }).step("only", StartEvent, async (_, ctx) => {
  const agent: Agent = ctx.state.get("agent");
  await agent.saveTo(ctx, "copy");
  const copy: Agent | undefined = await Agent.loadFrom(ctx, "copy");
  ctx.state.update("agent", (now) => Object.assign(now, { name: copy?.name ?? "" }));
  return new StopEvent({ result: agent.name });
});
export const answer: string = await chat.run({});

// @ts-expect-error a store has load
storeBy({ save: () => {} });
// @ts-expect-error no BlazenState and no codec
new Workflow("bad", { types: [Date] });
// With experimentalDecorators they are called like this.
transient(Agent.prototype, "cache");
storeBy(store)(Agent.prototype, "documents");
