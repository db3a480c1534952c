export { assignFields, decode, isPlainTree } from "./decode";
export { encode, encodeFields } from "./encode";
export { encodedEqual } from "./equal";
export { DecodeError } from "./error";
export type { Encoded } from "./kinds";
export { migrated } from "./migrate";
export { type Codec, codec, isStateClass, NO_TYPES, type StateClass, type StateMeta, Types, versionOf } from "./types";
