//! Nanoseconds of one hop of a chain (Emit and Settle in, Release and Invoke out): `cargo run --release --example hop`.

use std::time::Instant;

use blazen_core::*;

const STEPS: usize = 100;
const RUNS: usize = 20_000;
const ROUNDS: usize = 7;

fn main() {
    let mut core = Core::new();
    let plan = core.compile(&chain());
    let mut buffer = vec![0; BUFFER_WORDS];
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..RUNS {
            run(&mut core, plan, &mut buffer);
        }
        best = best.min(start.elapsed().as_nanos() as f64 / (RUNS * STEPS) as f64);
    }
    println!("{best:.1} ns a hop (best of {ROUNDS} rounds of {RUNS} runs of {STEPS} steps, start and finish included)");
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
