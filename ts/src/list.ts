/** What stands in a list: it knows its neighbours, so that it can leave at once, wherever it is. */
export interface Listed<T> {
  previous: T | undefined;
  next: T | undefined;
}

/** A line of things, in order of arrival. Each stands in one list at most. */
export class List<T extends Listed<T>> {
  first: T | undefined = undefined;
  #last: T | undefined = undefined;

  push(one: T): void {
    const last = this.#last;
    one.previous = last;
    if (last === undefined) this.first = one;
    else last.next = one;
    this.#last = one;
  }
  drop(one: T): void {
    const { previous, next } = one;
    if (previous === undefined) this.first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    one.previous = undefined;
    one.next = undefined;
  }
}
