// Verify mode tells which part of a run its snapshot would lose. The facade's own modules are used, so that parts can be left out.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  all,
  BlazenState,
  type Context,
  codec,
  collect,
  event,
  InternalError,
  Pipeline,
  StartEvent,
  StopEvent,
  subworkflow,
  Workflow,
} from "../../ts/src/entry/node";
import { Run } from "../../ts/src/run";
import * as saving from "../../ts/src/save";

/** What the snapshots of verify mode lack: a section, or entries by their keys. */
const lacking = { omit: "", entry: /^$/ };
/** Sizes of runs when they were verified. */
const sizes: number[] = [];

vi.mock("../../ts/src/save", async (load) => {
  const { hostPart, save, ...others } = await load<typeof saving>();
  return {
    ...others,
    hostPart: ((run, making) => {
      if (run.verified > 0) sizes.push(run.verified);
      return hostPart(run, { ...making, omit: lacking.omit });
    }) satisfies typeof hostPart,
    save: vi.fn<typeof save>((run, { document, blob }) => {
      const entries = document.entries.filter(([key]) => !lacking.entry.test(key));
      return save(run, { document: { ...document, entries }, blob });
    }),
  };
});

const stored = vi.mocked(saving.save);
beforeEach(() => {
  stored.mockClear();
  sizes.length = 0;
});
afterEach(() => {
  Object.assign(lacking, { omit: "", entry: /^$/ });
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

const stop = (result: unknown) => new StopEvent({ result });

class Left extends event("Left")<{ id: string; data: Uint8Array }> {}
class Right extends event("Right")<{ id: string }> {}
class Money {
  constructor(readonly cents: bigint) {}
}
const money = codec(Money, { name: "Money", encode: ({ cents }) => cents, decode: (cents) => new Money(cents as bigint) });
const kept = new Map<string, unknown>();
class Agent extends BlazenState {
  static meta = { name: "Agent", storeBy: { log: { save: (key: string, value: unknown) => void kept.set(key, value), load: (key: string) => kept.get(key) } } };
  turns = ["one"];
  log = ["kept elsewhere"];
}

/** Has something in every section that the facade stores. */
const everything = () =>
  new Workflow("everything", { verify: true, types: [money, Agent], state: { plain: 1 }, session: "live", sessionPausePolicy: "pickle_or_serialize" })
    .step("open", StartEvent, async (_, ctx) => {
      ctx.session.set("price", new Money(5n));
      ctx.set("agent", new Agent());
      expect(await ctx.once("effect", () => "done")).toBe("done");
      await ctx.sendEvent(new Left({ id: "a", data: new Uint8Array([1, 2, 3]) }), { id: "left" });
      await ctx.writeEventToStream(new Right({ id: "shown" }));
      await ctx.commit({ id: "opened" });
      return new Right({ id: "a" });
    })
    .step("close", all(Left, Right, { by: ({ id }) => id }), ([{ data }], ctx) => stop([...data, ctx.state.get("plain")]));

/** The error of a run. */
const failure = (workflow: { run(data: object): Promise<unknown> }): Promise<unknown> =>
  workflow.run({}).then(
    (result) => `no error, but ${result}`,
    (error: unknown) => error,
  );

describe("a part that is left out is named", () => {
  const names = (part: string) => new RegExp(`^Workflow "everything": a snapshot taken now would lose a part of the run: .*\\b${part}\\b.*\\. This is a fault`);
  test("whole, it goes on", async () => {
    expect(await everything().run({})).toEqual([1, 2, 3, 1]);
    const entries = new Set(stored.mock.calls.flatMap(([, { document }]) => document.entries.map(([key]) => key.split("/")[0])));
    expect([...entries].sort()).toEqual(["commits", "key", "once", "policy", "sent", "session", "state", "stream"]);
  });
  test.each(["event", "state", "once", "sent", "key", "session", "policy", "commits", "stream", "bytes"])("%s", async (omit) => {
    lacking.omit = omit;
    const error = await failure(everything());
    expect(error).toBeInstanceOf(InternalError);
    expect((error as Error).message).toMatch(names(omit));
  });
  test.each([
    ["a key of the state", /^state\/plain$/, "state"],
    ["an instance", /^state\/agent$/, "state"],
    ["a field of it", /^state\/agent\/turns$/, "state"],
    ["the place of a field that a store keeps", /^state\/agent\/log$/, "state"],
    ["all of its fields", /^state\/agent\/./, "state"],
  ])("%s", async (_, entry, part) => {
    lacking.entry = entry;
    const error = await failure(everything());
    expect(error).toBeInstanceOf(InternalError);
    expect((error as Error).message).toMatch(names(part));
  });
});

describe("a part of a child run that is left out is named", () => {
  class Got extends event("Got")<{ n: number }> {}
  /** Has something in every section of a child run. */
  const nested = () => {
    const quick = new Workflow("quick").step("quick", StartEvent, () => stop(1));
    const slow = new Workflow("slow", { state: { plain: 1 }, session: "live", types: [money], timeout: 60_000 })
      .step("open", StartEvent, async (_, ctx) => {
        ctx.session.set("price", new Money(5n));
        await ctx.once("effect", () => "done");
        await ctx.sendEvent(new Got({ n: 1 }), { id: "got" });
        await new Promise((resolve) => setTimeout(resolve, 3));
        return new Left({ id: "a", data: new Uint8Array([1]) });
      })
      .step("given", collect(Got, { count: 1 }), () => null)
      .step("close", Left, () => stop(2));
    const pipeline = new Pipeline("pipeline").parallel("both", { quick, slow } as never, { input: () => ({}) } as never);
    return new Workflow("everything", { verify: true }).step(
      "child",
      StartEvent,
      subworkflow(pipeline as never, { input: () => ({}), output: (result) => stop(result) }),
    );
  };
  const names = (part: string) => new RegExp(`^Workflow "everything": a snapshot taken now would lose a part of the run: .*\\b${part}\\b.*\\. This is a fault`);
  test("whole, it goes on", async () => {
    expect(await nested().run({} as never)).toEqual({ quick: 1, slow: 2 });
    const entries = new Set(stored.mock.calls.flatMap(([, { document }]) => document.entries.map(([key]) => key.replace(/^child\/\d+\/|\/.*$/g, ""))));
    expect([...entries].sort()).toEqual(["elapsed", "ended", "once", "outcome", "progress", "run", "sent", "session", "state", "stream"]);
  });
  test.each(["flow", "flow-given", "branch", "child", "event"])("%s", async (omit) => {
    lacking.omit = omit;
    expect(((await failure(nested() as never)) as Error).message).toMatch(names(omit));
  });
  test.each(["run", "ended", "outcome", "state", "once", "sent", "session", "progress", "elapsed"])("child/<id>/%s", async (section) => {
    lacking.entry = new RegExp(`^child/\\d+/${section}(/|$)`);
    expect(((await failure(nested() as never)) as Error).message).toMatch(names("child"));
  });
});

describe("it is the run that fails", () => {
  class Once extends BlazenState {
    static meta = { name: "Once" };
    static made = 0;
    constructor() {
      super();
      if (++Once.made > 1) throw new Error("there is one already");
    }
  }
  const settles = (use = (_: Context) => {}) =>
    new Workflow("settles", { verify: true, types: [Once] })
      .step("open", StartEvent, (_, ctx) => {
        use(ctx);
        return new Right({ id: "a" });
      })
      .step("close", Right, async () => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        return stop(1);
      });

  test("after the step has settled, too", async () => {
    expect(await settles().run({})).toBe(1);
    lacking.omit = "event";
    expect(await failure(settles())).toBeInstanceOf(InternalError);
  });
  test("when it cannot be stored at all", async () => {
    const error = new InternalError("cannot be stored");
    stored.mockImplementationOnce(() => {
      throw error;
    });
    expect(await failure(settles())).toBe(error);
  });
  test("when a value cannot be read again", async () => {
    const error = await failure(settles((ctx) => ctx.set("one", new Once())));
    expect(error).toBeInstanceOf(InternalError);
    expect(error).toMatchObject({
      message: expect.stringMatching(/a part of the run: state.*new Once\(\) threw: there is one already\. /),
      cause: expect.any(Error),
    });
  });
});

describe("when a run is verified", () => {
  const echo = (verify?: boolean) => new Workflow("echo", verify === undefined ? {} : { verify }).step("only", StartEvent, () => stop(1));

  test("by default it is not, and one without state has no memory", async () => {
    vi.stubEnv("BLAZEN_VERIFY", undefined);
    const ends = vi.spyOn(Run.prototype, "complete");
    await echo().run({});
    expect(ends.mock.contexts.map(({ memory }) => memory)).toEqual([undefined]);
    expect(stored).not.toHaveBeenCalled();
  });
  test.each([
    [undefined, true, true],
    ["0", undefined, false],
    ["1", undefined, true],
    ["1", true, true],
    ["1", false, false],
  ])("BLAZEN_VERIFY=%s and the option %s: %s", async (variable, option, expected) => {
    vi.stubEnv("BLAZEN_VERIFY", variable);
    const two = new Workflow("two", option === undefined ? {} : { verify: option })
      .step("open", StartEvent, () => new Right({ id: "a" }))
      .step("close", Right, () => stop(1));
    expect(await two.run({})).toBe(1);
    expect(stored.mock.calls.length > 0).toBe(expected);
  });
  test("each commit up to 1,000 items, then each time that their number has doubled", async () => {
    const state = Object.fromEntries(Array.from({ length: 990 }, (_, at) => [`key${at}`, at]));
    const grow = new Workflow("grow", { verify: true, state })
      .step("open", StartEvent, async function* () {
        for (let n = 0; n < 4500; n++) yield new Right({ id: `${n}` });
      })
      .step("close", collect(Right, { of: "open" }), (rights) => stop(rights.length));
    expect(await grow.run({})).toBe(4500);
    expect(sizes).toEqual([994, 995, 996, 997, 998, 999, 1000, 2000, 4000]);
  });
});

describe("what verify mode leaves as it is", () => {
  test("events that cannot be stored", async () => {
    class Live extends event("Live")<{ give: () => number }> {}
    const live = new Workflow("live", { verify: true })
      .step("open", StartEvent, (_, ctx) => {
        ctx.state.set("a", 1);
        return [new Live({ give: () => 5 }), new Live({ give: () => 6 })];
      })
      .step("close", collect(Live, { of: "open" }), (live) => stop(live.map(({ give }) => give())));
    expect(await live.run({})).toEqual([5, 6]);
    expect(stored).toHaveBeenCalled();
  });
  test("what a key function throws, though it looks like an event", async () => {
    const cause = { type: "Right", id: "a" };
    const thrower = () => {
      throw cause;
    };
    const failing = new Workflow("failing", { verify: true })
      .step("open", StartEvent, () => [new Left({ id: "a", data: new Uint8Array() }), new Right({ id: "a" })])
      .step("close", all(Left, Right, { by: thrower }), () => stop(1));
    expect(await failure(failing)).toMatchObject({ code: "STEP_FAILED", step: "close", cause });
  });
  test("what stores keep: a key that a commit replaces is deleted", async () => {
    const deleted: string[] = [];
    const there = new Map<string, unknown>();
    class Log extends BlazenState {
      static meta = {
        name: "Log",
        storeBy: {
          lines: {
            save: (key: string, value: unknown) => void there.set(key, value),
            load: (key: string) => there.get(key),
            delete: (key: string) => void deleted.push(key),
          },
        },
      };
      lines = ["a"];
    }
    const twice = new Workflow("twice", { verify: true, types: [Log] }).step("only", StartEvent, async (_, ctx) => {
      for (const line of ["b", "c"]) {
        const log = (ctx.get("log") as Log | undefined) ?? new Log();
        log.lines.push(line);
        ctx.set("log", log);
        await ctx.commit();
      }
      return stop((ctx.get("log") as Log).lines);
    });
    expect(await twice.start({}, { runId: "one" }).result()).toEqual(["a", "b", "c"]);
    expect(deleted).toEqual(["one/log/lines/1"]);
    expect(stored).toHaveBeenCalled();
  });
});
