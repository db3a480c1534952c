// Generated from tools/tables.json by `npm run generate`: do not edit.

export const IN_START = 1;
export const IN_KEY = 2;
export const IN_EMIT = 3;
export const IN_FAN = 4;
export const IN_COMMIT = 5;
export const IN_SEND = 6;
export const IN_SETTLE = 7;
export const IN_ID = 8;
export const IN_EXTERNAL = 9;
export const IN_DURABLE = 10;
export const IN_CANCEL = 11;
export const IN_CLOSE = 12;
export const IN_PANIC = 13;
export const IN_PAUSE = 14;
export const IN_KEYED = 15;

export const CMD_ARG = 1;
export const CMD_INVOKE = 2;
export const CMD_RELEASE = 3;
export const CMD_PUBLISH = 4;
export const CMD_ABORT = 5;
export const CMD_WAITING = 6;
export const CMD_FINISH = 7;
export const CMD_FAIL = 8;
export const CMD_AGAIN = 9;
export const CMD_YIELDED = 10;

export const ERR_DEFINITION = 100;
export const ERR_EVENT_VALIDATION = 101;
export const ERR_STEP_RETURN = 102;
export const ERR_UNHANDLED_EVENT = 103;
export const ERR_STEP = 200;
export const ERR_TIMEOUT = 201;
export const ERR_CANCELLED = 202;
export const ERR_STALLED = 203;
export const ERR_RUN_OVER = 204;
export const ERR_SNAPSHOT = 300;
export const ERR_UNSERIALIZABLE = 301;
export const ERR_SESSION_VALUE = 400;
export const ERR_SESSION_PAUSE = 401;
export const ERR_FIELD_STORE = 402;
export const ERR_INTERNAL = 900;
