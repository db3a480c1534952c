/** Small integers for what the core knows only by number, each value's for the run's life. */
export class Numbers<K> {
  readonly #numbers = new Map<K, number>();
  /** By number, once that was asked for. */
  #values: K[] | undefined = undefined;
  #next = 0;

  of(value: K): number {
    let number = this.#numbers.get(value);
    if (number === undefined) {
      number = this.#next++;
      this.#numbers.set(value, number);
      if (this.#values !== undefined) this.#values[number] = value;
    }
    return number;
  }
  value(number: number): K {
    if (this.#values === undefined) {
      this.#values = [];
      for (const [value, of] of this.#numbers) this.#values[of] = value;
    }
    return this.#values[number]!;
  }
  has(value: K): boolean {
    return this.#numbers.has(value);
  }
  /** A stored value under the number it had. */
  set(value: K, number: number): void {
    this.#numbers.set(value, number);
    this.#next = Math.max(this.#next, number + 1);
  }
  [Symbol.iterator](): IterableIterator<[K, number]> {
    return this.#numbers.entries();
  }
}
