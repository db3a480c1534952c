/** An encoded value that is damaged, or of a class that is not listed or failed to make its instance. */
export class DecodeError extends Error {
  static {
    this.prototype.name = "DecodeError";
  }
}
