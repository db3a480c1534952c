//! Size and bad use: what fills the buffer many times over, what must not recurse, what must not be believed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test fails by panicking.

use std::panic::{AssertUnwindSafe, catch_unwind};

use blazen_core::*;

type Frame = [i32; 4];
const NONE: i32 = -1;
const HEADER: usize = 16;
const MANY: i32 = 50_000;

struct Host {
    core: Core,
    buffer: Vec<i32>,
    run: i32,
    /// The most commands one exchange gave.
    most: i32,
}

impl Host {
    /// Types beside StartEvent and StopEvent: A is 2, B is 3.
    fn new(steps: &str) -> Self {
        let mut core = Core::new();
        let plan = core.compile(&definition(r#"["blazen::StartEvent","blazen::StopEvent","A","B"]"#, steps));
        assert_eq!(plan, 0, "{}", core.last_error());
        Self { core, buffer: vec![0; BUFFER_WORDS], run: NONE, most: 0 }
    }

    fn start(&mut self) -> Vec<Frame> {
        self.run = NONE;
        self.exchange(&[[IN_START, 0, 0, NONE]])
    }

    fn try_exchange(&mut self, frames: &[Frame]) -> Result<Vec<Frame>, String> {
        let (mut commands, mut batches) = (Vec::new(), frames.chunks(4096));
        loop {
            let batch = batches.next().unwrap_or_default();
            self.buffer[HEADER..HEADER + 4 * batch.len()].copy_from_slice(batch.as_flattened());
            self.buffer[0] = self.run;
            self.buffer[1] = batch.len() as i32;
            self.core.exchange(&mut self.buffer);
            let count = self.buffer[1];
            if count < 0 {
                return Err(self.core.last_error().to_owned());
            }
            self.run = self.buffer[0];
            self.most = self.most.max(count);
            commands.extend(self.buffer[HEADER..HEADER + 4 * count as usize].as_chunks().0);
            if self.buffer[2] == 0 && batches.len() == 0 {
                return Ok(commands);
            }
        }
    }

    fn exchange(&mut self, frames: &[Frame]) -> Vec<Frame> {
        self.try_exchange(frames).unwrap()
    }
}

fn definition(types: &str, steps: &str) -> String {
    format!(r#"{{"name":"w","version":1,"unhandled":"error","types":{types},"external":[],"steps":[{steps}]}}"#)
}

const FAN: &str = r#"{"name":"fan","accepts":{"kind":"any","types":[0]}},{"name":"work","accepts":{"kind":"any","types":[2]}}"#;
const PLAIN: &str = r#"{"name":"first","accepts":{"kind":"any","types":[0,2]}}"#;

fn fan_out(host: &mut Host) -> Vec<Frame> {
    host.start();
    let branches = (1..=MANY).map(|slot| [IN_EMIT, 0, 2, slot]);
    let frames: Vec<Frame> = std::iter::once([IN_FAN, 0, NONE, NONE]).chain(branches).chain([[IN_SETTLE, 0, 0, NONE]]).collect();
    host.exchange(&frames).into_iter().filter(|command| command[0] == CMD_INVOKE).collect()
}

#[test]
fn a_wide_fan_out_and_its_collect() {
    let mut host = Host::new(&format!(r#"{FAN},{{"name":"total","accepts":{{"kind":"collect","types":[3],"of":"fan"}}}}"#));
    let calls = fan_out(&mut host);
    assert_eq!(calls.len(), MANY as usize);
    assert!(host.most < 1100, "control waits for {} commands", host.most);
    let mut last = Vec::new();
    for &[_, id, _, slot] in calls.iter().rev() {
        last = host.exchange(&[[IN_EMIT, id, 3, slot + MANY], [IN_SETTLE, id, 0, NONE]]);
    }
    let set: Vec<i32> = last.iter().filter(|command| command[0] == CMD_ARG).map(|command| command[1]).collect();
    assert_eq!(set, (MANY + 1..=2 * MANY).collect::<Vec<_>>());
    assert_eq!(last.last().unwrap()[0], CMD_INVOKE);
}

#[test]
fn a_wide_fan_out_is_cancelled() {
    let mut host = Host::new(&format!(r#"{FAN},{{"name":"win","accepts":{{"kind":"collect","types":[3],"of":"fan","first":1}}}}"#));
    let calls = fan_out(&mut host);
    let commands = host.exchange(&[[IN_EMIT, calls[0][1], 3, MANY + 1], [IN_SETTLE, calls[0][1], 0, NONE]]);
    assert_eq!(commands.iter().filter(|command| command[0] == CMD_ABORT).count(), calls.len() - 1);
    assert_eq!(commands.last().unwrap()[0], CMD_INVOKE);
}

#[test]
fn the_end_of_a_run_is_fetched_after_all_before_it() {
    let mut host = Host::new(&format!(r#"{FAN},{{"name":"win","accepts":{{"kind":"collect","types":[3],"of":"fan","first":1}}}}"#));
    let calls = fan_out(&mut host);
    let id = calls[0][1];
    let commands = host.exchange(&[[IN_SEND, id, 3, MANY + 1], [IN_SEND, id, 1, MANY + 2], [IN_CANCEL, NONE, NONE, NONE]]);
    assert_eq!(commands.last().unwrap()[..2], [CMD_FAIL, ERR_CANCELLED]);
    assert_eq!(host.core.runs(), 0);
}

#[test]
fn deep_nesting_closes_without_recursion() {
    let mut host = Host::new(concat!(
        r#"{"name":"fan","accepts":{"kind":"any","types":[0,2]}},"#,
        r#"{"name":"total","accepts":{"kind":"collect","types":[3],"of":"fan"}}"#
    ));
    let mut invoke = *host.start().last().unwrap();
    for slot in 1..=MANY {
        let id = invoke[1];
        invoke = *host.exchange(&[[IN_FAN, id, NONE, NONE], [IN_EMIT, id, 2, slot & 1], [IN_SETTLE, id, 0, NONE]]).last().unwrap();
    }
    let mut closed = 0;
    let mut commands = host.exchange(&[[IN_SETTLE, invoke[1], 0, NONE]]);
    while let &[CMD_INVOKE, id, 1, NONE] = commands.last().unwrap() {
        closed += 1;
        commands = host.exchange(&[[IN_SETTLE, id, 0, NONE]]);
    }
    assert_eq!((closed, commands.last().unwrap()[1]), (MANY, ERR_STALLED));
}

#[test]
fn a_large_definition_is_checked_in_linear_time() {
    let count = 10_000;
    let types: Vec<String> =
        ["blazen::StartEvent", "blazen::StopEvent"].map(String::from).into_iter().chain((2..=count).map(|id| format!("T{id}"))).collect();
    let step = |at: usize| {
        let (from, to) = (if at == 1 { 0 } else { at }, if at == count { 1 } else { at + 1 });
        format!(r#"{{"name":"s{at}","accepts":{{"kind":"any","types":[{from}]}},"emits":[{to}]}}"#)
    };
    // The last step first: a check that walks the steps again and again would be quadratic.
    let steps: Vec<String> = (1..=count).rev().map(step).collect();
    let start = std::time::Instant::now();
    assert_eq!(Core::new().compile(&definition(&format!("{types:?}"), &steps.join(","))), 0);
    assert!(start.elapsed().as_millis() < 1000, "{:?}", start.elapsed());
}

#[test]
fn a_refused_frame_ends_its_run_alone() {
    let bad = [
        vec![[99, 0, 0, 0]],
        vec![[IN_EMIT, 7, 2, 1]],
        vec![[IN_EMIT, 0, 2, 0]],
        vec![[IN_EMIT, 0, 2, i32::MAX]],
        vec![[IN_EMIT, 0, 2, -5]],
        vec![[IN_SETTLE, 0, 9, 1]],
        vec![[IN_SETTLE, 0, 1, NONE]],
        vec![[IN_KEY, 0, 1, NONE]],
        vec![[IN_DURABLE, -1, 0, 0]],
        vec![[IN_START, 0, 1, NONE]],
        vec![[IN_SETTLE, 0, 0, NONE], [IN_SETTLE, 0, 0, NONE]],
    ];
    let mut host = Host::new(PLAIN);
    host.start();
    let other = host.run;
    for frames in bad {
        host.start();
        let error = host.try_exchange(&frames).unwrap_err();
        assert!(error.contains("\"code\":900"), "{frames:?}: {error}");
        assert_eq!(host.core.runs(), 1, "{frames:?}");
    }
    host.run = 77;
    assert!(host.try_exchange(&[]).unwrap_err().contains("no run 77"));
    host.run = NONE;
    assert!(host.try_exchange(&[[IN_START, 5, 0, NONE]]).unwrap_err().contains("no plan 5"));
    host.run = other;
    assert_eq!(host.exchange(&[[IN_EMIT, 0, 1, 1], [IN_SETTLE, 0, 0, NONE]]).last().unwrap()[..2], [CMD_FINISH, 1]);
}

#[test]
fn a_panic_poisons_one_run() {
    let mut host = Host::new(PLAIN);
    host.start();
    let other = host.run;
    host.start();
    assert!(catch_unwind(AssertUnwindSafe(|| host.try_exchange(&[[IN_PANIC, 0, 0, 0]]))).is_err());
    let run = host.run;
    host.core.poison(run, "it panicked");
    assert!(host.core.last_error().contains("it panicked"));
    assert_eq!(host.core.runs(), 1);
    host.run = other;
    assert!(host.exchange(&[[IN_CLOSE, 0, 0, 0]]).is_empty());
    assert_eq!(host.core.runs(), 0);
}

#[test]
fn dispatch_stops_at_the_durable_mark() {
    let mut host = Host::new(PLAIN);
    host.start();
    assert!(host.exchange(&[[IN_DURABLE, 0, 0, 0]]).is_empty());
    assert_eq!(host.exchange(&[[IN_EMIT, 0, 2, 1], [IN_SETTLE, 0, 0, NONE]]), [[CMD_RELEASE, 0, NONE, NONE]]);
    assert_eq!(host.exchange(&[[IN_DURABLE, 1, 0, 0]]), [[CMD_INVOKE, 0, 0, 1]]);
}
