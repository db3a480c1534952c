export { assignFields, decode } from "./decode";
export { type EncodedField, encode, encodeFields, encodeState } from "./encode";
export { encodedEqual } from "./equal";
export { DecodeError } from "./error";
export type { Encoded } from "./kinds";
export { addMark, marksOf } from "./marks";
export { checkVersion, migrated } from "./migrate";
export { type Codec, codec, isFieldStore, isStateClass, NO_TYPES, type StateClass, type StateMeta, Types, versionOf } from "./types";
