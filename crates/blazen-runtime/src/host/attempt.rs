//! An attempt: a step's call in a task of its own, and how it settles.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use blazen_core::{IN_EMIT, IN_FAN, IN_RANDOM, IN_SETTLE};

use super::context::Context;
use super::error::{FailureKind, StepFailure};
use super::event::{Event, Outputs};
use super::machine::{Frame, NONE};
use super::outputs::{self, Output};
use super::random;
use super::run::{Call, Run, State};

const OK: i32 = 0;

pub struct Attempt {
    pub run: Arc<Run>,
    pub invocation: i32,
    /// Of its call.
    pub token: u64,
    pub seq: u64,
    /// From 1.
    pub number: u32,
    pub step: usize,
}

impl Attempt {
    /// Its call, while what it does still counts.
    pub fn call<'a>(&self, state: &'a mut State) -> Option<&'a mut Call> {
        state.calls.get_mut(&self.invocation).filter(|call| call.token == self.token && !call.withdrawn)
    }
    fn take_call(&self, state: &mut State) -> Option<Call> {
        if state.calls.get(&self.invocation)?.token == self.token { state.calls.remove(&self.invocation) } else { None }
    }
    fn begin(&self) -> bool {
        let mut state = self.run.lock();
        self.call(&mut state).map(|call| call.begun = true).is_some()
    }
}

/// A step that was withdrawn has settled when it is dropped.
struct Guard(Arc<Attempt>);

impl Drop for Guard {
    fn drop(&mut self) {
        let Attempt { run, invocation, token, .. } = &*self.0;
        let mut state = run.lock();
        if state.calls.get(invocation).is_some_and(|call| call.token == *token && call.withdrawn) {
            state.calls.remove(invocation);
            run.exchange(&mut state, vec![[IN_SETTLE, *invocation, OK, NONE]]);
        }
    }
}

/// Calls the step, and settles.
pub async fn drive(attempt: Arc<Attempt>, events: Vec<Event>) {
    if !attempt.begin() {
        return;
    }
    let _guard = Guard(attempt.clone());
    let step = &attempt.run.plan.steps[attempt.step];
    let context = Context(attempt.clone());
    let outcome = caught(|| (step.function)(events, context)).await;
    let outputs = outcome.and_then(|outputs| prepared(&attempt, outputs));
    settle(&attempt, outputs);
}

/// A panic is the step's failure.
async fn caught<F: Future<Output = Result<Outputs, StepFailure>> + Unpin>(call: impl FnOnce() -> F) -> Result<Outputs, StepFailure> {
    let failed = |panic: Box<dyn std::any::Any + Send>| StepFailure::panicked(&*panic);
    let mut future = match catch_unwind(AssertUnwindSafe(call)) {
        Ok(future) => future,
        Err(panic) => return Err(failed(panic)),
    };
    poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| std::pin::Pin::new(&mut future).poll(cx)));
        polled.unwrap_or_else(|panic| std::task::Poll::Ready(Err(failed(panic))))
    })
    .await
}

/// What the step gave, with all that code of the user's has to say about it.
fn prepared(attempt: &Attempt, outputs: Outputs) -> Result<(Vec<Output>, bool), StepFailure> {
    let plan = &attempt.run.plan;
    let (events, fan) = outputs.into_list();
    let outputs = events.into_iter().map(|event| outputs::of_step(plan, &plan.steps[attempt.step], event));
    Ok((outputs.collect::<Result<_, _>>()?, fan))
}

/// The attempt is over: what it gave becomes part of the run with what it wrote.
pub fn settle(attempt: &Attempt, outcome: Result<(Vec<Output>, bool), StepFailure>) {
    let Attempt { run, invocation, step, .. } = attempt;
    let mut state = run.lock();
    let Some(call) = attempt.take_call(&mut state) else { return };
    // It may be within the step, which has emitted what it must not.
    call.task.abort();
    let outcome = outcome.and_then(|(outputs, fan)| {
        outputs::claim(&state, &outputs)?;
        Ok((outputs, fan))
    });
    let mut frames: Vec<Frame> = Vec::new();
    match outcome {
        _ if call.withdrawn => frames.push([IN_SETTLE, *invocation, OK, NONE]),
        Ok((outputs, fan)) => {
            state.commit(call.written);
            if fan {
                frames.push([IN_FAN, *invocation, NONE, NONE]);
            }
            for output in outputs {
                output.write(&mut state, &mut frames, |kind, slot| [IN_EMIT, *invocation, kind, slot]);
            }
            frames.push([IN_SETTLE, *invocation, OK, NONE]);
        }
        Err(failure) => {
            frames.push(run.now(&mut state));
            if run.plan.steps[*step].accepts.retry.is_some_and(|retry| retry.jitter > 0.0) {
                frames.push([IN_RANDOM, (random::bits() & 0x3fff_ffff) as i32, NONE, NONE]);
            }
            let outcome = match failure.kind {
                FailureKind::Plain => 1,
                FailureKind::BadReturn => 2,
                FailureKind::Permanent => 3,
            };
            let slot = state.put_failure(failure);
            frames.push([IN_SETTLE, *invocation, outcome, slot]);
        }
    }
    run.exchange(&mut state, frames);
    run.stirred.notify_waiters();
}
