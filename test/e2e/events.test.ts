import { DefinitionError, EventValidationError, event, StartEvent, StepError, StopEvent, Workflow } from "blazen";
import { describe, expect, test } from "vitest";
import { z } from "zod";

class Greet extends event("Greet")<{ name: string }> {}

describe("event classes (1.1, 1.2)", () => {
  test("an instance has the payload's fields and its type", () => {
    const greet = new Greet({ name: "Ada" });
    expect({ ...greet }).toEqual({ name: "Ada" });
    expect(greet.type).toBe("Greet");
    expect(Greet.type).toBe("Greet");
    expect(JSON.stringify(greet)).toBe('{"type":"Greet","name":"Ada"}');
  });

  test("a payload that is no plain object is found in data", () => {
    class Numbers extends event("Numbers")<number[]> {}
    class Name extends event("Name")<string> {}
    class At extends event("At")<Date> {}
    const numbers = [1, 2];
    const date = new Date(0);
    expect(new Numbers(numbers).data).toBe(numbers);
    expect(new Name("Ada").data).toBe("Ada");
    expect(new At(date).data).toBe(date);
  });

  test("an object without a prototype is plain", () => {
    const payload = Object.assign(Object.create(null) as object, { name: "Ada" }) as { name: string };
    expect(new Greet(payload).name).toBe("Ada");
  });

  test("a payload with a field type is refused", () => {
    expect(() => new Greet({ name: "Ada", type: "x" } as never)).toThrow(EventValidationError);
  });

  test("a payload's own __proto__ becomes a field and no prototype", () => {
    const greet = new Greet(JSON.parse('{"name":"Ada","__proto__":{"admin":true}}'));
    expect(greet).toBeInstanceOf(Greet);
    expect((greet as unknown as { admin?: boolean }).admin).toBeUndefined();
    expect(Object.getOwnPropertyDescriptor(greet, "__proto__")?.value).toEqual({ admin: true });
  });

  test.each(["StartEvent", "blazen::StartEvent", "ProgressEvent", "blazen::StepFailedEvent", ""])("event(%j) is a DefinitionError", (type) => {
    expect(() => event(type)).toThrow(DefinitionError);
  });

  test.each(["__proto__", "constructor", "toString", "a b\n\u0000", "日本語", "🦀", "blazen::Other"])("a type %j works", async (type) => {
    const Odd = event(type);
    const workflow = new Workflow("odd").step("first", StartEvent, () => new Odd()).step("last", Odd, (odd) => new StopEvent({ result: odd.type }));
    expect(await workflow.run({})).toBe(type);
  });
});

describe("schemas (1.6)", () => {
  class Scored extends event("Scored", z.object({ score: z.number().transform((n) => n * 2), list: z.array(z.object({ id: z.string() })).default([]) })) {}

  test("validate and transform where the event is made", () => {
    expect({ ...new Scored({ score: 2 }) }).toEqual({ score: 4, list: [] });
  });

  test("name the path of the field", () => {
    const make = () => new Scored({ score: 1, list: [{ id: "a" }, { id: 1 as unknown as string }] });
    expect(make).toThrow(EventValidationError);
    try {
      make();
    } catch (error) {
      expect((error as EventValidationError).path).toBe("list[1].id");
      expect((error as EventValidationError).code).toBe("EVENT_VALIDATION");
    }
  });

  test("that validate asynchronously are a DefinitionError", () => {
    class Slow extends event("Slow", z.object({ n: z.number().refine(async () => true) })) {}
    expect(() => new Slow({ n: 1 })).toThrow(DefinitionError);
  });
});

describe("plain objects (1.2)", () => {
  test("of an accepted class's type become its instance, once, for all steps", async () => {
    const seen: unknown[] = [];
    const list = { items: [1] };
    class Listed extends event("Listed")<{ list: { items: number[] } }> {}
    const workflow = new Workflow("plain")
      .step("first", StartEvent, () => ({ type: "Listed", list }))
      .step("a", Listed, (listed) => void seen.push(listed))
      .step("b", Listed, (listed) => {
        seen.push(listed);
        return new StopEvent({ result: listed.list });
      });
    expect(await workflow.run({})).toBe(list);
    expect(seen[0]).toBeInstanceOf(Listed);
    expect(seen[0]).toBe(seen[1]);
  });

  test("of a type accepted by name alone travel as they are", async () => {
    const sent = { type: "Loose", n: 1 };
    let got: unknown;
    const workflow = new Workflow("loose")
      .step("first", StartEvent, () => sent)
      .step("last", "Loose", (loose) => {
        got = loose;
        return { type: "StopEvent", result: loose["n"] };
      });
    expect(await workflow.run({})).toBe(1);
    expect(got).toBe(sent);
  });

  test("that their class refuses fail the attempt", async () => {
    class Checked extends event("Checked", z.object({ n: z.number() })) {}
    const workflow = new Workflow("refused")
      .step("first", StartEvent, () => ({ type: "Checked", n: "x" }))
      .step("last", Checked, () => new StopEvent({ result: 1 }));
    const error = await workflow.run({}).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(StepError);
    expect((error as StepError).step).toBe("first");
    expect((error as StepError).cause).toBeInstanceOf(EventValidationError);
  });

  test("two classes of one type are a DefinitionError", async () => {
    class Other extends event("Greet")<{ name: string }> {}
    const workflow = new Workflow("two")
      .step("a", StartEvent, () => null)
      .step("b", Greet, () => null)
      .step("c", Other, () => new StopEvent({ result: 1 }));
    await expect(workflow.run({} as never)).rejects.toThrow(/two classes have the type "Greet"/);
  });
});

describe("identity (1.4) and immutability (1.5)", () => {
  test("live objects come back as the very object, through every step", async () => {
    class Connection {
      query = () => 42;
    }
    class Holding extends event("Holding")<{ connection: Connection; call: () => number; map: Map<string, object> }> {}
    const connection = new Connection();
    const call = () => 1;
    const map = new Map([["self", {}]]);
    const workflow = new Workflow("live")
      .step("open", StartEvent<{ connection: Connection }>, (start) => new Holding({ connection: start.connection, call, map }))
      .step("use", Holding, async (holding) => new StopEvent({ result: holding }));
    const result = await workflow.run({ connection });
    expect(result.connection).toBe(connection);
    expect(result.call).toBe(call);
    expect(result.map).toBe(map);
  });

  test("an emitted event is frozen in development, the caller's input is not", async () => {
    const input = { name: "Ada" };
    const workflow = new Workflow("frozen")
      .step("first", StartEvent<{ name: string }>, (start) => {
        expect(Object.isFrozen(start)).toBe(true);
        return new Greet({ name: start.name });
      })
      .step("last", Greet, (greet) => new StopEvent({ result: Object.isFrozen(greet) }));
    expect(await workflow.run(input)).toBe(true);
    expect(Object.isFrozen(input)).toBe(false);
  });

  test("a result that is a promise is awaited", async () => {
    const workflow = new Workflow("promise").step("only", StartEvent, () => new StopEvent({ result: Promise.resolve(7) as unknown as number }));
    expect(await workflow.run({})).toBe(7);
  });
});
