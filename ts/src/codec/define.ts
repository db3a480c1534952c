/** Sets a field of its own: assigning to `__proto__`, or where the class has an accessor, would call a setter. */
export function define(target: object, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
}
