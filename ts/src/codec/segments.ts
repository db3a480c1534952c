import { fieldPath } from "../path";

/** A step of a path: a field, an index, an entry of a Map or Set, or none. */
export type Segment = string | number | Inside | undefined;

export const HERE: Segment = undefined;

/** A place within a Map or Set. */
export class Inside {
  constructor(
    readonly part: "keys" | "value" | "values",
    readonly at: number,
    readonly key?: unknown,
  ) {}

  toString(): string {
    if (this.part !== "value") return `.${this.part}()[${this.at}]`;
    if (typeof this.key === "string") return `.get(${JSON.stringify(this.key)})`;
    return typeof this.key === "number" || typeof this.key === "boolean" ? `.get(${this.key})` : `.values()[${this.at}]`;
  }
}

/** The path through levels 1 to `depth`, after that of the value. */
export function written(path: string, segments: readonly Segment[], depth: number): string {
  let text = path;
  for (let level = 1; level <= depth; level++) {
    const segment = segments[level];
    if (typeof segment === "string") text = fieldPath(text, segment);
    else if (typeof segment === "number") text += `[${segment}]`;
    else if (segment !== HERE) text += String(segment);
  }
  return text;
}

/** A path for a message, which nobody reads to the end. */
export function shortened(path: string): string {
  return path.length > 200 ? `${path.slice(0, 120)} … ${path.slice(-60)}` : path;
}
