import { type Tagged, VIEWS } from "./kinds";

/** What a value uses of one ArrayBuffer. */
interface Use {
  readonly buffer: ArrayBuffer;
  start: number;
  end: number;
  /** Of the largest element: offsets in what is stored must be multiples of it, as they are in the buffer. */
  align: number;
  /** The views' trees, whose offsets are those in the buffer until all uses are known. */
  readonly views: Tagged[];
}

/** The buffers of a value: of each, the range that its views cover is stored, once. */
export class BufferTable {
  readonly #uses: Use[] = [];
  readonly #index = new Map<ArrayBuffer, number>();
  /** Where indices count from, and whether a buffer from before that was met again. */
  from = 0;
  crosses = false;
  readonly #relative: [tree: Tagged, from: number][] = [];

  get size(): number {
    return this.#uses.length;
  }
  get relative(): number {
    return this.#relative.length;
  }
  /** Makes the first so many relative indices count from 0. */
  rebase(count: number): void {
    for (const [tree, from] of this.#relative.slice(0, count)) tree["bytes"] = (tree["bytes"] as number) + from;
  }

  whole(buffer: ArrayBuffer): Tagged {
    const bytes = this.#of(buffer);
    this.#cover(bytes, 0, buffer.byteLength, 1);
    return this.#counted({ $: "buffer", bytes });
  }
  view(view: ArrayBufferView, type: string): Tagged {
    return this.#view(this.#of(view.buffer as ArrayBuffer), view, type);
  }
  /** A Node Buffer is stored alone: it may lie in a pool beside bytes that are none of the value's. */
  alone(view: Uint8Array): Tagged {
    return this.#view(this.#add(view.buffer as ArrayBuffer), view, "Uint8Array");
  }

  /** Copies of what is stored; the trees refer to these from now on. */
  bytes(): Uint8Array[] {
    return this.#uses.map(({ buffer, start, end, align, views }) => {
      const from = views.length > 1 ? start - (start % align) : start;
      for (const tree of views) tree["offset"] = (tree["offset"] as number) - from;
      return new Uint8Array(buffer.slice(from, end));
    });
  }

  #view(bytes: number, view: ArrayBufferView, type: string): Tagged {
    const size = VIEWS.get(type)!.BYTES_PER_ELEMENT ?? 1;
    const offset = view.byteOffset;
    const tree: Tagged = { $: "view", type, bytes, offset, length: view.byteLength / size };
    this.#cover(bytes, offset, offset + view.byteLength, size);
    this.#uses[bytes]!.views.push(tree);
    return this.#counted(tree);
  }
  #counted(tree: Tagged): Tagged {
    if (this.from === 0) return tree;
    const bytes = (tree["bytes"] as number) - this.from;
    tree["bytes"] = bytes;
    this.#relative.push([tree, this.from]);
    if (bytes < 0) this.crosses = true;
    return tree;
  }
  #of(buffer: ArrayBuffer): number {
    let at = this.#index.get(buffer);
    if (at === undefined) {
      at = this.#add(buffer);
      this.#index.set(buffer, at);
    }
    return at;
  }
  #add(buffer: ArrayBuffer): number {
    return this.#uses.push({ buffer, start: Number.POSITIVE_INFINITY, end: 0, align: 1, views: [] }) - 1;
  }
  #cover(at: number, start: number, end: number, align: number): void {
    const use = this.#uses[at]!;
    use.start = Math.min(use.start, start);
    use.end = Math.max(use.end, end);
    use.align = Math.max(use.align, align);
  }
}
