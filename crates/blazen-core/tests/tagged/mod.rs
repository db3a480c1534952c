//! The flow that a command is about: its tag has it in the upper bits.

use blazen_core::*;

const ABOUT: [i32; 8] = [CMD_INVOKE, CMD_FAIL, CMD_FAILED, CMD_DELAYED, CMD_ASKED, CMD_PUBLISH, CMD_ROUTED, CMD_ABORT];
/// Of an Abort: only one of a running invocation says of which flow.
const RUNNING: i32 = 0;

/// The command without its flow, and the flow, if it is about one.
pub fn split([tag, a, b, c]: [i32; 4]) -> ([i32; 4], Option<i32>) {
    let (flow, tag) = (tag >> 8, tag & 0xff);
    let about = ABOUT.contains(&tag) && (tag != CMD_ABORT || b == RUNNING);
    assert!(about || flow == 0, "the command {tag} is about no flow");
    ([tag, a, b, c], about.then_some(flow))
}
