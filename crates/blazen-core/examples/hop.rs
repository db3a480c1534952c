//! Nanoseconds of one hop of a chain (Emit and Settle in, Release and Invoke out) and of one branch of a fan-out:
//! `cargo run --release -p blazen-core --example hop`.

use std::time::Instant;

use blazen_core::*;

const STEPS: usize = 100;
const RUNS: usize = 20_000;
const ROUNDS: usize = 7;

fn main() {
    let mut core = Core::new();
    let plan = core.compile(&chain());
    measure("a hop of a chain", &mut core, |core, buffer| run(core, plan, buffer));
    let plan = core.compile(FAN_OUT);
    measure("a branch of a fan-out with its collect", &mut core, |core, buffer| fan_out(core, plan, buffer));
    let (stage, child) = (core.compile(STAGE), core.compile(ONE_STEP));
    measure("a stage with a child run of one step", &mut core, |core, buffer| stages(core, stage, child, buffer));
}

fn measure(what: &str, core: &mut Core, mut run: impl FnMut(&mut Core, &mut [i32])) {
    let mut buffer = vec![0; BUFFER_WORDS];
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..RUNS {
            run(core, &mut buffer);
        }
        best = best.min(start.elapsed().as_nanos() as f64 / (RUNS * STEPS) as f64);
    }
    println!("{best:.1} ns {what} (best of {ROUNDS} rounds of {RUNS} runs of {STEPS}, start and finish included)");
}

const FAN_OUT: &str = concat!(
    r#"{"name":"fan","version":1,"unhandled":"error","types":["blazen::StartEvent","blazen::StopEvent","A","B"],"external":[],"steps":["#,
    r#"{"name":"fan","accepts":{"kind":"any","types":[0]}},{"name":"work","accepts":{"kind":"any","types":[2]}},"#,
    r#"{"name":"total","accepts":{"kind":"collect","types":[3],"of":"fan"}}]}"#
);

const STAGE: &str = r#"{"name":"stage","version":1,"unhandled":"error","types":["blazen::StartEvent","blazen::StopEvent"],"external":[],"steps":[{"name":"a","accepts":{"kind":"any","types":[0]}}]}"#;
const ONE_STEP: &str = r#"{"name":"one","version":1,"unhandled":"error","types":["blazen::StartEvent","blazen::StopEvent"],"external":[],"steps":[{"name":"a","accepts":{"kind":"any","types":[0]}}]}"#;

fn stages(core: &mut Core, stage: i32, child: i32, buffer: &mut [i32]) {
    buffer[0] = -1;
    send(core, buffer, &[[IN_START, stage, 0, 0]]);
    for at in 0..STEPS as i32 {
        // Slots in turn: the facade too uses a freed slot again.
        let next = 1 - at % 2;
        send(core, buffer, &[[IN_CHILD, 0, child, next]]);
        assert_eq!(buffer[16], CMD_OPENED);
        send(core, buffer, &[[IN_EMIT, 1, 1, 2], [IN_SETTLE, 1, 0, -1]]);
        assert_eq!(buffer[20], CMD_ENDED);
        send(core, buffer, &[[IN_EMIT, 0, 0, next], [IN_SETTLE, 0, 0, -1]]);
    }
    send(core, buffer, &[[IN_CLOSE, 0, 0, 0]]);
}

fn send(core: &mut Core, buffer: &mut [i32], frames: &[[i32; 4]]) {
    buffer[1] = frames.len() as i32;
    buffer[16..16 + 4 * frames.len()].copy_from_slice(frames.as_flattened());
    core.exchange(buffer);
}

fn fan_out(core: &mut Core, plan: i32, buffer: &mut [i32]) {
    buffer[0] = -1;
    send(core, buffer, &[[IN_START, plan, 0, 0]]);
    let mut frames = vec![[IN_FAN, 0, 0, 0]];
    frames.extend((1..=STEPS as i32).map(|slot| [IN_EMIT, 0, 2, slot]));
    frames.push([IN_SETTLE, 0, 0, -1]);
    send(core, buffer, &frames);
    let calls: Vec<[i32; 4]> =
        buffer[16..16 + 4 * buffer[1] as usize].as_chunks().0.iter().copied().filter(|call| call[0] == CMD_INVOKE).collect();
    for [_, id, _, slot] in calls {
        send(core, buffer, &[[IN_EMIT, id, 3, slot + STEPS as i32], [IN_SETTLE, id, 0, -1]]);
    }
    let last = 16 + 4 * (buffer[1] as usize - 1);
    assert_eq!(buffer[last..last + 4], [CMD_INVOKE, buffer[last + 1], 2, -1]);
    let id = buffer[last + 1];
    send(core, buffer, &[[IN_EMIT, id, 1, 0], [IN_SETTLE, id, 0, -1]]);
    assert_eq!(buffer[16 + 4 * (buffer[1] as usize - 1)], CMD_FINISH);
}

fn chain() -> String {
    let types: Vec<String> =
        ["blazen::StartEvent", "blazen::StopEvent"].map(String::from).into_iter().chain((2..=STEPS).map(|id| format!("E{id}"))).collect();
    let accepted = |at: usize| if at == 0 { 0 } else { at + 1 };
    let steps: Vec<String> =
        (0..STEPS).map(|at| format!(r#"{{"name":"s{at}","accepts":{{"kind":"any","types":[{}]}}}}"#, accepted(at))).collect();
    format!(r#"{{"name":"chain","version":1,"unhandled":"error","types":{types:?},"external":[],"steps":[{}]}}"#, steps.join(","))
}

fn run(core: &mut Core, plan: i32, buffer: &mut [i32]) {
    buffer[0] = -1;
    buffer[1] = 1;
    buffer[16..20].copy_from_slice(&[IN_START, plan, 0, 0]);
    core.exchange(buffer);
    assert_eq!(buffer[16], CMD_INVOKE);
    let mut invocation = buffer[17];
    for at in 1..=STEPS {
        let ty = if at == STEPS { 1 } else { at as i32 + 1 };
        buffer[1] = 2;
        // Two slots in turn: the facade too uses a freed slot again.
        buffer[16..24].copy_from_slice(&[IN_EMIT, invocation, ty, at as i32 & 1, IN_SETTLE, invocation, 0, -1]);
        core.exchange(buffer);
        assert_eq!(buffer[1], 2);
        invocation = buffer[21];
    }
    assert_eq!(buffer[20], CMD_FINISH);
}
