//! What a step is given beside its events.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use blazen_core::{IN_ASK, IN_COMMIT, IN_ID, IN_SEND, IN_SLEEP, IN_UNTIL};
use serde_json::Value;
use tokio::sync::oneshot;

use super::attempt::{self, Attempt};
use super::error::{Error, FailureKind, StepFailure};
use super::event::Event;
use super::machine::{Frame, NONE};
use super::outputs;
use super::requests::{Question, id_of};
use super::run::{Bytes, Call, State, time_frame};

/// What an attempt can ask of its run. It may be copied into tasks; when the attempt is over all but its fields and reads are errors
/// with the code `CANCELLED`.
#[derive(Clone)]
pub struct Context(pub(super) Arc<Attempt>);

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of step \"{}\"", self.invocation_id(), self.step())
    }
}

impl Context {
    /// The run's id.
    pub fn run_id(&self) -> &str {
        &self.0.run.id
    }
    /// The name of the step.
    pub fn step(&self) -> &str {
        &self.0.run.plan.steps[self.0.step].name
    }
    /// Stable over attempts and resumes, and unique over all runs: an idempotency key for other services.
    pub fn invocation_id(&self) -> String {
        format!("{}/{}", self.0.run.id, self.0.seq)
    }
    /// Which attempt this is, from 1. A resume counts.
    pub fn attempt(&self) -> u32 {
        self.0.number
    }
    /// The run's state as this attempt sees it.
    pub fn state(&self) -> StateView<'_> {
        StateView(&self.0)
    }

    /// An event enters the run at once, in the branch of this step, with what the step wrote so far. A step that runs again sends again.
    ///
    /// # Errors
    /// `CANCELLED` when the attempt is over; `STEP_RETURN` for an event that may not be emitted, which fails the run where its type is not
    /// among the step's `emits`.
    pub fn send(&self, event: Event) -> Result<(), Error> {
        self.send_as(event, None)
    }
    /// The same, once for each id in a run: an id that the run knows sends nothing, and drops what the step wrote so far.
    ///
    /// # Errors
    /// As those of `send`.
    pub fn send_once(&self, event: Event, id: &str) -> Result<(), Error> {
        self.send_as(event, Some(id))
    }
    fn send_as(&self, event: Event, id: Option<&str>) -> Result<(), Error> {
        let Attempt { run, invocation, step, .. } = &*self.0;
        let refused = |failure: &StepFailure| {
            let step = self.step();
            Error::new("STEP_RETURN", format!("Step \"{step}\", send: {}", failure.message())).of_step(Some(step))
        };
        let output = outputs::of_step(&run.plan, &run.plan.steps[*step], event).map_err(|failure| {
            let error = refused(&failure);
            if failure.kind == FailureKind::BadReturn {
                // Whatever the step makes of it.
                attempt::settle(&self.0, Err(failure));
            }
            error
        })?;
        let mut state = run.lock();
        let known = id.is_some_and(|id| state.ids.has(id));
        let call = self.alive(&mut state, "send")?;
        if known {
            call.written.clear();
            return Ok(());
        }
        outputs::claim(&state, std::slice::from_ref(&output)).map_err(|failure| refused(&failure))?;
        self.commit_written(&mut state);
        let mut frames: Vec<Frame> = id.map(|id| [IN_ID, state.ids.of(id), NONE, NONE]).into_iter().collect();
        output.write(&mut state, &mut frames, |kind, slot| [IN_SEND, *invocation, kind, slot]);
        run.exchange(&mut state, frames);
        Ok(())
    }
    /// Makes what the step wrote so far part of the run.
    ///
    /// # Errors
    /// `CANCELLED` when the attempt is over.
    pub fn commit(&self) -> Result<(), Error> {
        let Attempt { run, invocation, .. } = &*self.0;
        let mut state = run.lock();
        self.alive(&mut state, "commit")?;
        self.commit_written(&mut state);
        run.exchange(&mut state, vec![[IN_COMMIT, *invocation, 0, NONE]]);
        Ok(())
    }
    fn commit_written(&self, state: &mut State) {
        let written = self.0.call(state).map(|call| std::mem::take(&mut call.written)).unwrap_or_default();
        state.commit(written);
    }

    /// Waits, however often the process ends meanwhile: neither a retry nor a resumed attempt repeats a sleep that is over. Whole
    /// milliseconds.
    ///
    /// # Errors
    /// `CANCELLED` when the attempt is over.
    pub async fn sleep(&self, time: Duration) -> Result<(), Error> {
        let ms = u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        self.sleep_to(self.0.run.plan.clock.now().saturating_add(ms)).await
    }
    /// The same, until a time.
    ///
    /// # Errors
    /// `CANCELLED` when the attempt is over.
    pub async fn sleep_until(&self, time: SystemTime) -> Result<(), Error> {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.sleep_to(u64::try_from(since.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)).await
    }
    async fn sleep_to(&self, until: u64) -> Result<(), Error> {
        let Attempt { run, invocation, .. } = &*self.0;
        let woken = {
            let mut state = run.lock();
            let call = self.alive(&mut state, "sleep")?;
            let at = call.sleeps;
            call.sleeps += 1;
            let (wake, woken) = oneshot::channel();
            call.sleeping.insert(at, wake);
            let now = run.now(&mut state);
            run.exchange(&mut state, vec![now, time_frame(IN_UNTIL, until), [IN_SLEEP, *invocation, at, NONE]]);
            run.stirred.notify_waiters();
            woken
        };
        woken.await.map_err(|_| self.over("sleep"))
    }

    /// Asks a person, and waits for the answer, however often the process ends meanwhile. A step that runs again must ask the same in
    /// the same order. The answer is not checked.
    ///
    /// # Errors
    /// `TIMEOUT` when nobody answers in time, `DEFINITION` for a question with an id or a type of answer, or where another was asked at
    /// this place before, `CANCELLED` when the attempt is over.
    pub async fn ask(&self, question: Question) -> Result<Value, Error> {
        let Attempt { run, invocation, .. } = &*self.0;
        let (answered, prompt) = {
            let mut state = run.lock();
            let call = self.alive(&mut state, "ask")?;
            let at = call.asks;
            let (event, timeout) = question.asked(format!("{}/{at}", self.invocation_id()))?;
            outputs::check_payload(&event).map_err(|failure| Error::definition(failure.message()))?;
            call.asks += 1;
            let (answer, answered) = oneshot::channel();
            call.asking.insert(at, answer);
            let prompt = event["prompt"].as_str().unwrap_or_default().to_owned();
            let id = id_of(&event);
            let mut frames = Vec::new();
            if let Some(timeout) = timeout {
                let now = run.now(&mut state);
                let ms = u64::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
                frames.extend([now, time_frame(IN_UNTIL, run.plan.clock.now().saturating_add(ms))]);
            }
            frames.push([IN_ASK, *invocation, at, state.put(event)]);
            run.exchange(&mut state, frames);
            let asked = state.requests.pending(&id).map(|pending| pending.event["prompt"].clone());
            if asked.is_some_and(|asked| asked != prompt.as_str()) {
                return Err(self.asks_otherwise());
            }
            run.stirred.notify_waiters();
            (answered, prompt)
        };
        let answer = answered.await.map_err(|_| self.over("ask"))?;
        if answer.prompt != prompt {
            return Err(self.asks_otherwise());
        }
        answer.response.ok_or_else(|| {
            let why = format!("Step \"{}\", ask: nobody answered \"{prompt}\" in time, so the request was withdrawn.", self.step());
            Error::new("TIMEOUT", why).of_step(Some(self.step()))
        })
    }
    fn asks_otherwise(&self) -> Error {
        let step = self.step();
        let why = format!(
            "Step \"{step}\", ask: this place of the step has asked another question before. A step that runs again must ask the same in the same order."
        );
        Error::definition(why).of_step(Some(step))
    }

    fn alive<'a>(&self, state: &'a mut State, what: &str) -> Result<&'a mut Call, Error> {
        self.0.call(state).ok_or_else(|| self.over(what))
    }
    fn over(&self, what: &str) -> Error {
        let step = self.step();
        Error::cancelled(format!("Step \"{step}\", {what}: this attempt is over.")).of_step(Some(step))
    }
}

/// What outlives the run's process: bytes by key, with what this attempt wrote over what is committed. Others see it when the attempt
/// succeeds, or commits; of an attempt that fails nothing remains.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use blazen_runtime::host::{Event, Workflow};
/// use serde_json::Value;
///
/// let workflow = Workflow::new("counted")
///     .step("count", &["StartEvent"], |_, ctx| async move {
///         ctx.state().set("total", vec![1, 2])?;
///         Ok(Event::new("Counted", Value::Null).into())
///     })
///     .step("tell", &["Counted"], |_, ctx| async move {
///         Ok(Event::stop(ctx.state().get("total").map_or(0, |total| total.len())).into())
///     })
///     .build()?;
/// assert_eq!(workflow.run(Value::Null).await?, 2);
/// # Ok(()) }
/// ```
pub struct StateView<'a>(&'a Attempt);

impl StateView<'_> {
    /// The bytes of a key; None where there is none.
    pub fn get(&self, key: &str) -> Option<Bytes> {
        let mut state = self.0.run.lock();
        let own = self.0.call(&mut state).and_then(|call| call.written.get(key).cloned());
        own.unwrap_or_else(|| state.memory.get(key).cloned())
    }
    /// Writes the bytes of a key.
    ///
    /// # Errors
    /// `CANCELLED` when the attempt is over.
    pub fn set(&self, key: &str, bytes: impl Into<Bytes>) -> Result<(), Error> {
        self.write(key, Some(bytes.into()))
    }
    /// Removes a key.
    ///
    /// # Errors
    /// `CANCELLED` when the attempt is over.
    pub fn delete(&self, key: &str) -> Result<(), Error> {
        self.write(key, None)
    }
    fn write(&self, key: &str, bytes: Option<Bytes>) -> Result<(), Error> {
        let mut state = self.0.run.lock();
        let over = || Error::cancelled(format!("state \"{key}\": this attempt is over."));
        self.0.call(&mut state).ok_or_else(over)?.written.insert(key.to_owned(), bytes);
        Ok(())
    }
    /// All keys, in their order.
    pub fn keys(&self) -> Vec<String> {
        let mut state = self.0.run.lock();
        let written = self.0.call(&mut state).map(|call| call.written.clone()).unwrap_or_default();
        let mut keys: BTreeSet<String> = state.memory.keys().cloned().collect();
        for (key, value) in written {
            if value.is_some() {
                keys.insert(key)
            } else {
                keys.remove(&key)
            };
        }
        keys.into_iter().collect()
    }
}
