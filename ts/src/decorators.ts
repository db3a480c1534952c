import type { Accepts } from "./accepts";
import type { Context } from "./context";
import { DefinitionError } from "./errors";
import type { Received, StepOptions, StepResult } from "./step";
import type { Workflow } from "./workflow";

interface MethodStep {
  readonly accepts: Accepts;
  readonly options: StepOptions;
  readonly name: string | undefined;
}

/** On a class' prototype: the decorated methods of that class. */
const STEPS = Symbol("steps");
type Decorated = { [STEPS]?: Map<string, MethodStep> };

// biome-ignore lint/suspicious/noExplicitAny: any workflow, whatever flows in it
type AnyWorkflow = Workflow<any, any, any, any, any>;
// biome-ignore lint/suspicious/noExplicitAny: a method may name the state's type, which the decorator does not see
type AnyContext = Context<any>;

export interface StepDecorator<A> {
  <This extends AnyWorkflow, F extends (this: This, event: Received<A>, ctx: AnyContext) => StepResult>(
    method: F,
    context: ClassMethodDecoratorContext<This, F>,
  ): void;
  <F extends (event: Received<A>, ctx: AnyContext) => StepResult>(target: AnyWorkflow, name: string, method: TypedPropertyDescriptor<F>): void;
}

/**
 * Method decorator, standard or `experimentalDecorators`: makes the method a step of its workflow class. The method's
 * name is the step's unless `name` is given. A method that overrides a step stays that step.
 *
 * @throws DefinitionError on something else than a public method
 * @example
 * class Greeter extends Workflow<{ name: string }, string> {
 *   constructor() { super("greeter"); }
 *   \@step(StartEvent<{ name: string }>)
 *   hello(start: StartEvent<{ name: string }>) { return new StopEvent({ result: `Hello, ${start.name}` }); }
 * }
 */
export function step<const A extends Accepts>(accepts: A, options: StepOptions & { name?: string } = {}): StepDecorator<A> {
  const { name, ...rest } = options;
  const decorated: MethodStep = { accepts, options: rest, name };
  return ((target: object, context: string | symbol | ClassMethodDecoratorContext) => {
    if (typeof context !== "object") {
      methodsOf(target).set(String(context), decorated);
      return;
    }
    if (context.kind !== "method" || context.private || context.static || typeof context.name !== "string") {
      throw new DefinitionError(`@step on ${String(context.name)}: a step is a public method with a name.`);
    }
    standard.set(target, decorated);
    const method = context.name;
    context.addInitializer(function (this: unknown) {
      // Another decorator may have replaced the method, so that the constructor did not find it.
      if (found.get(this as object)?.has(method)) return;
      const workflow = this as Workflow & Record<string, (event: unknown, ctx: Context) => StepResult>;
      workflow.step(name ?? method, accepts, rest, (event, ctx) => workflow[method]!(event, ctx));
    });
  }) as StepDecorator<A>;
}

/** Standard decorators see the method and not its class: the constructor finds them by the method itself. */
const standard = new WeakMap<object, MethodStep>();

/** What the constructor found, by workflow. */
const found = new WeakMap<object, Map<string, MethodStep>>();

function methodsOf(prototype: Decorated): Map<string, MethodStep> {
  if (!Object.hasOwn(prototype, STEPS)) Object.defineProperty(prototype, STEPS, { value: new Map() });
  return prototype[STEPS]!;
}

/** The decorated methods of a workflow's class and its bases, by method name, bases first. */
export function methodSteps(workflow: object): Map<string, MethodStep> {
  const chain: object[] = [];
  for (let at = Object.getPrototypeOf(workflow); at !== null && at !== Object.prototype; at = Object.getPrototypeOf(at)) chain.unshift(at);
  const steps = new Map<string, MethodStep>();
  found.set(workflow, steps);
  for (const prototype of chain) {
    const legacy = (prototype as Decorated)[STEPS];
    for (const name of Object.getOwnPropertyNames(prototype)) {
      const method = Object.getOwnPropertyDescriptor(prototype, name)?.value;
      const decorated = (Object.hasOwn(prototype, STEPS) ? legacy?.get(name) : undefined) ?? (typeof method === "function" ? standard.get(method) : undefined);
      if (decorated !== undefined) steps.set(name, decorated);
    }
  }
  return steps;
}
