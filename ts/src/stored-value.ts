import { decode, type Encoded, encode, type Types } from "./codec";

/** A value as JSON text that stands beside a run in its store. @throws UnserializableError */
export function valueText(value: unknown, path: string, types: Types): string {
  return encodedText(encode(value, path, types));
}

/** The same of what is encoded already. */
export function encodedText({ tree, bytes }: Encoded): string {
  return JSON.stringify(bytes === undefined ? { tree } : { tree, bytes: bytes.map(toBase64) });
}

/** The value that a text was made of: a copy. @throws for a text that was not made so */
export function textValue(text: string, types: Types): unknown {
  const { tree, bytes } = JSON.parse(text) as { tree: unknown; bytes?: string[] };
  return decode({ tree, bytes: bytes?.map(fromBase64) }, types);
}

function toBase64(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}
