// Numbers from a seed: the same everywhere.

/** A number of 32 bits from some others. */
export function hash(...numbers) {
  let state = 0x811c9dc5;
  for (const number of numbers) {
    state = Math.imul(state ^ number, 0x85ebca6b);
    state ^= state >>> 13;
    state = Math.imul(state, 0xc2b2ae35);
    state ^= state >>> 16;
  }
  return state >>> 0;
}

/** The same of a text. */
export function hashText(text) {
  let state = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) state = Math.imul(state ^ text.charCodeAt(at), 0x01000193);
  return state >>> 0;
}

export class Random {
  #seed;
  #count = 0;
  constructor(...seed) {
    this.#seed = hash(...seed);
  }
  /** A whole number below `limit`. */
  below(limit) {
    return hash(this.#seed, this.#count++) % limit;
  }
  between(low, high) {
    return low + this.below(high - low + 1);
  }
  /** True so many times of a hundred. */
  chance(percent) {
    return this.below(100) < percent;
  }
  pick(list) {
    return list[this.below(list.length)];
  }
}
