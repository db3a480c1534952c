//! Generated from tools/tables.json by `npm run generate`: do not edit.

pub const IN_START: i32 = 1;
pub const IN_KEY: i32 = 2;
pub const IN_EMIT: i32 = 3;
pub const IN_FAN: i32 = 4;
pub const IN_COMMIT: i32 = 5;
pub const IN_SEND: i32 = 6;
pub const IN_SETTLE: i32 = 7;
pub const IN_ID: i32 = 8;
pub const IN_EXTERNAL: i32 = 9;
pub const IN_DURABLE: i32 = 10;
pub const IN_CANCEL: i32 = 11;
pub const IN_CLOSE: i32 = 12;
pub const IN_PANIC: i32 = 13;
pub const IN_PAUSE: i32 = 14;
pub const IN_KEYED: i32 = 15;
pub const IN_TICK: i32 = 16;
pub const IN_UNTIL: i32 = 17;
pub const IN_SLEEP: i32 = 18;
pub const IN_ASK: i32 = 19;
pub const IN_RESPOND: i32 = 20;
pub const IN_OBSERVE: i32 = 21;
pub const IN_RANDOM: i32 = 22;
pub const IN_CHILD: i32 = 23;

pub const CMD_ARG: i32 = 1;
pub const CMD_INVOKE: i32 = 2;
pub const CMD_RELEASE: i32 = 3;
pub const CMD_PUBLISH: i32 = 4;
pub const CMD_ABORT: i32 = 5;
pub const CMD_WAITING: i32 = 6;
pub const CMD_FINISH: i32 = 7;
pub const CMD_FAIL: i32 = 8;
pub const CMD_AGAIN: i32 = 9;
pub const CMD_YIELDED: i32 = 10;
pub const CMD_ASKED: i32 = 11;
pub const CMD_ANSWERED: i32 = 12;
pub const CMD_EXPIRED: i32 = 13;
pub const CMD_WOKEN: i32 = 14;
pub const CMD_WITHDRAWN: i32 = 15;
pub const CMD_DELAYED: i32 = 16;
pub const CMD_FAILED: i32 = 17;
pub const CMD_ALARM: i32 = 18;
pub const CMD_ROUTED: i32 = 19;
pub const CMD_OPENED: i32 = 20;
pub const CMD_ENDED: i32 = 21;

pub const ERR_DEFINITION: i32 = 100;
pub const ERR_EVENT_VALIDATION: i32 = 101;
pub const ERR_STEP_RETURN: i32 = 102;
pub const ERR_UNHANDLED_EVENT: i32 = 103;
pub const ERR_STEP: i32 = 200;
pub const ERR_TIMEOUT: i32 = 201;
pub const ERR_CANCELLED: i32 = 202;
pub const ERR_STALLED: i32 = 203;
pub const ERR_RUN_OVER: i32 = 204;
pub const ERR_STREAM_OVERFLOW: i32 = 205;
pub const ERR_ALREADY_ANSWERED: i32 = 206;
pub const ERR_UNKNOWN_REQUEST: i32 = 207;
pub const ERR_INVALID_RESPONSE: i32 = 208;
pub const ERR_LOOP_LIMIT: i32 = 209;
pub const ERR_SNAPSHOT: i32 = 300;
pub const ERR_UNSERIALIZABLE: i32 = 301;
pub const ERR_SESSION_VALUE: i32 = 400;
pub const ERR_SESSION_PAUSE: i32 = 401;
pub const ERR_FIELD_STORE: i32 = 402;
pub const ERR_STORE: i32 = 500;
pub const ERR_FENCED: i32 = 501;
pub const ERR_RUN_EXISTS: i32 = 502;
pub const ERR_INTERNAL: i32 = 900;

/// The stable code of an error number.
pub const fn code(number: i32) -> &'static str {
    match number {
        ERR_DEFINITION => "DEFINITION",
        ERR_EVENT_VALIDATION => "EVENT_VALIDATION",
        ERR_STEP_RETURN => "STEP_RETURN",
        ERR_UNHANDLED_EVENT => "UNHANDLED_EVENT",
        ERR_STEP => "STEP_FAILED",
        ERR_TIMEOUT => "TIMEOUT",
        ERR_CANCELLED => "CANCELLED",
        ERR_STALLED => "STALLED",
        ERR_RUN_OVER => "RUN_OVER",
        ERR_STREAM_OVERFLOW => "STREAM_OVERFLOW",
        ERR_ALREADY_ANSWERED => "ALREADY_ANSWERED",
        ERR_UNKNOWN_REQUEST => "UNKNOWN_REQUEST",
        ERR_INVALID_RESPONSE => "INVALID_RESPONSE",
        ERR_LOOP_LIMIT => "LOOP_LIMIT",
        ERR_SNAPSHOT => "SNAPSHOT",
        ERR_UNSERIALIZABLE => "UNSERIALIZABLE",
        ERR_SESSION_VALUE => "SESSION_VALUE",
        ERR_SESSION_PAUSE => "SESSION_PAUSE",
        ERR_FIELD_STORE => "FIELD_STORE",
        ERR_STORE => "STORE",
        ERR_FENCED => "FENCED",
        ERR_RUN_EXISTS => "RUN_EXISTS",
        _ => "INTERNAL",
    }
}
