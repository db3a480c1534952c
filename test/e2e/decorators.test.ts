import { DefinitionError, event, StartEvent, StopEvent, step, Workflow } from "blazen";
import { describe, expect, test } from "vitest";

class Greet extends event("Greet")<{ name: string }> {}

// What TypeScript's `experimentalDecorators` compiles `@step(…) method() {}` to.
function legacy(prototype: object, method: string, decorate: (target: never, name: string, method: never) => void): void {
  decorate(prototype as never, method, Object.getOwnPropertyDescriptor(prototype, method) as never);
}

// What standard decorators amount to at run time: called with the method and a context, initializers run after super().
function standard(
  prototype: Record<string, unknown>,
  method: string,
  decorate: (method: never, context: never) => void,
  initializers: ((this: unknown) => void)[],
): void {
  decorate(
    prototype[method] as never,
    { kind: "method", name: method, private: false, static: false, addInitializer: (run: (this: unknown) => void) => initializers.push(run) } as never,
  );
}

describe("@step", () => {
  test("experimentalDecorators", async () => {
    class Greeter extends Workflow<{ name: string }, string> {
      greeting = "Hello";
      hello(start: StartEvent<{ name: string }>) {
        return new Greet({ name: start.name });
      }
      reply(greet: Greet) {
        return new StopEvent({ result: `${this.greeting}, ${greet.name}` });
      }
    }
    legacy(Greeter.prototype, "hello", step(StartEvent) as never);
    legacy(Greeter.prototype, "reply", step(Greet, { name: "answer", concurrency: 2 }) as never);
    expect(await new Greeter("legacy").run({ name: "Ada" })).toBe("Hello, Ada");
    class Polite extends Greeter {
      override reply(greet: Greet) {
        return new StopEvent({ result: `Good day, ${greet.name}` });
      }
    }
    expect(await new Polite("override").run({ name: "Ada" })).toBe("Good day, Ada");
  });

  test("standard decorators, also where another decorator replaced the method", async () => {
    const initializers: ((this: unknown) => void)[] = [];
    class Greeter extends Workflow<{ name: string }, string> {
      constructor() {
        super("standard");
        for (const run of initializers) run.call(this);
      }
      hello(start: StartEvent<{ name: string }>) {
        return new Greet({ name: start.name });
      }
      reply(greet: Greet) {
        return new StopEvent({ result: greet.name });
      }
    }
    const prototype = Greeter.prototype as unknown as Record<string, (event: never) => unknown>;
    standard(prototype, "hello", step(StartEvent) as never, initializers);
    standard(prototype, "reply", step(Greet) as never, initializers);
    const replaced = prototype["reply"]!;
    prototype["reply"] = function (this: unknown, greet: never) {
      return new StopEvent({ result: `wrapped ${(replaced.call(this, greet) as StopEvent<string>).result}` });
    };
    expect(await new Greeter().run({ name: "Ada" })).toBe("wrapped Ada");
  });

  test("on a private or static member is a DefinitionError", () => {
    const context = { kind: "method", name: "hello", private: false, static: true, addInitializer: () => {} };
    expect(() => (step(StartEvent) as never as (method: unknown, context: unknown) => void)(() => null, context)).toThrow(DefinitionError);
  });
});
