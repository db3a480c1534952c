//! What the one who started a run has of it.

use std::fmt;
use std::sync::Arc;

use blazen_core::{IN_CANCEL, IN_EXTERNAL, IN_ID, IN_PAUSE, IN_RESPOND};
use serde_json::Value;

use super::error::Error;
use super::event::Event;
use super::machine::NONE;
use super::outputs::{self, Output};
use super::requests::{self, Known, PendingInput};
use super::run::{Run, State, Status};
use super::{save, tree};

/// A run that goes on, or has ended. Copies are one run. Dropped, it leaves the run to itself.
#[derive(Clone)]
pub struct Handler {
    run: Arc<Run>,
}

/// What a pause waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// Attempts that run settle first; those that sleep or wait for an answer do not matter.
    Drain,
    /// Nothing: attempts that run count as not settled, and run again after the resume.
    Now,
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, run {}: {:?}", self.run.plan.title(), self.run.id, self.status())
    }
}

impl Handler {
    pub(super) fn new(run: Arc<Run>) -> Self {
        Self { run }
    }

    /// The run's id.
    pub fn run_id(&self) -> &str {
        &self.run.id
    }

    /// What the run is doing.
    pub fn status(&self) -> Status {
        match self.run.outcome() {
            Some(Ok(_)) => Status::Completed,
            Some(Err(error)) if error.code() == "CANCELLED" => Status::Cancelled,
            Some(Err(error)) if error.code() == "PAUSED" => Status::Paused,
            Some(Err(_)) => Status::Failed,
            None if self.run.lock().waiting => Status::Waiting,
            None => Status::Running,
        }
    }

    /// The result of the StopEvent, when the run has ended; any number of times.
    ///
    /// # Errors
    /// How it has failed: its code is `STEP_FAILED`, `STALLED`, `CANCELLED`, `PAUSED` and so on.
    pub async fn result(&self) -> Result<Value, Error> {
        self.run.ended().await
    }

    /// Until nothing is left to do but for answers and events from outside, or the run is over.
    pub async fn until_waiting(&self) -> Status {
        loop {
            let stirred = self.run.stirred.notified();
            tokio::pin!(stirred);
            stirred.as_mut().enable();
            let waits = {
                let state = self.run.lock();
                (state.waiting, state.over)
            };
            match waits {
                (_, true) => {
                    // With a store it is over when that has been told.
                    let _ended = self.run.ended().await;
                    return self.status();
                }
                (true, _) => return Status::Waiting,
                _ => stirred.await,
            }
        }
    }

    /// The questions that wait for an answer, in the order in which they were asked.
    pub fn pending(&self) -> Vec<PendingInput> {
        let state = self.run.lock();
        if state.over {
            return Vec::new();
        }
        let pending = |pending: &requests::Pending| PendingInput {
            id: pending.id.clone(),
            prompt: pending.event["prompt"].as_str().unwrap_or_default().to_owned(),
            metadata: pending.event.payload().get("metadata").cloned(),
        };
        state.requests.all().iter().map(pending).collect()
    }

    /// Answers a question. The same answer twice is one.
    ///
    /// # Errors
    /// `UNKNOWN_REQUEST` for an id that the run has not, or that was withdrawn; `ALREADY_ANSWERED`; `RUN_OVER`; `INVALID_RESPONSE` for what is no
    /// payload: the question stays.
    pub fn respond(&self, id: &str, response: Value) -> Result<(), Error> {
        let run = &self.run;
        let title = run.plan.title();
        tree::check(&response).map_err(|why| Error::new("INVALID_RESPONSE", format!("The request \"{id}\": {why}. It stays pending.")))?;
        let digest = tree::digest(&response);
        let event = {
            let state = run.lock();
            match state.requests.known(id, &digest) {
                Known::Same => return Ok(()),
                Known::Other => {
                    let why = format!("The request \"{id}\" has been answered already, and not like this. The first answer counts.");
                    return Err(Error::new("ALREADY_ANSWERED", why));
                }
                Known::Unknown => {}
            }
            let pending = state.requests.pending(id);
            let unknown =
                || Error::new("UNKNOWN_REQUEST", format!("{title}: there is no request \"{id}\" in this run, or it was withdrawn."));
            let pending = pending.ok_or_else(unknown)?;
            check_over(run, &state, "answered")?;
            requests::answer(pending, response.clone())
        };
        let refused = |why: &str| {
            Error::new("INVALID_RESPONSE", format!("The request \"{id}\" does not accept this response: {why}. It stays pending."))
        };
        let output = outputs::of(&run.plan, event).map_err(|failure| refused(failure.message()))?;
        let mut state = run.lock();
        let Some(number) = state.requests.pending(id).map(|pending| pending.number) else {
            drop(state);
            // Meanwhile another has answered.
            return self.respond(id, response);
        };
        state.requests.answered(id, Some(digest.clone()));
        if let Some(checkpoints) = &mut state.checkpoints {
            checkpoints.answered(id, &digest);
        }
        let mut frames = Vec::new();
        output.write(&mut state, &mut frames, |kind, slot| [IN_RESPOND, number, kind, slot]);
        run.exchange(&mut state, frames);
        Ok(())
    }

    /// An event from outside, of a type that the workflow's `external` names.
    ///
    /// # Errors
    /// `UNHANDLED_EVENT` for another type: the run goes on; `EVENT_VALIDATION` for a payload that no event may have; `RUN_OVER`.
    pub fn send(&self, event: Event) -> Result<(), Error> {
        self.send_as(event, None)
    }
    /// The same, once for each id in a run.
    ///
    /// # Errors
    /// As those of `send`.
    pub fn send_once(&self, event: Event, id: &str) -> Result<(), Error> {
        self.send_as(event, Some(id))
    }
    fn send_as(&self, event: Event, id: Option<&str>) -> Result<(), Error> {
        let run = &self.run;
        let invalid = |why: &str| Error::new("EVENT_VALIDATION", format!("{}, send: {why}", run.plan.title()));
        let output: Output = outputs::of(&run.plan, event).map_err(|failure| invalid(failure.message()))?;
        if !output.is_external(&run.plan) {
            let why =
                format!("{}: the event \"{}\" may not come from outside. Name its type in `external`.", run.plan.title(), output.kind());
            return Err(Error::new("UNHANDLED_EVENT", why));
        }
        let mut state = run.lock();
        check_over(run, &state, "sent to")?;
        let mut frames = Vec::new();
        if let Some(id) = id {
            frames.push([IN_ID, state.ids.of(id), NONE, NONE]);
        }
        output.write(&mut state, &mut frames, |kind, slot| [IN_EXTERNAL, kind, slot, NONE]);
        run.exchange(&mut state, frames);
        Ok(())
    }

    /// Ends the run: its steps are dropped at their next await, and its result is an error with the code `CANCELLED`. One that is over
    /// stays as it is.
    pub fn cancel(&self) {
        let mut state = self.run.lock();
        self.run.exchange(&mut state, vec![[IN_CANCEL, NONE, NONE, NONE]]);
    }

    /// The run as it stands, in the binary form of `docs/format.md`; it goes on.
    ///
    /// # Errors
    /// `RUN_OVER`.
    pub fn snapshot(&self) -> Result<Vec<u8>, Error> {
        let state = self.run.lock();
        check_over(&self.run, &state, "stored")?;
        save::whole(&self.run, &state, false).map_err(Error::internal)
    }

    /// Stops the run here, and gives what `Workflow::resume` goes on from. Its result is an error with the code `PAUSED`.
    ///
    /// # Errors
    /// `RUN_OVER`, also where the run ends before it can be paused; `DEFINITION` for a run in a store, which is let go by `leave`.
    pub async fn pause(&self, pause: Pause) -> Result<Vec<u8>, Error> {
        let run = &self.run;
        if run.lock().checkpoints.is_some() {
            return Err(Error::definition(format!(
                "{}: run {} is kept in a store: let it go with `leave`, and recover it",
                run.plan.title(),
                run.id
            )));
        }
        let mut still = StandStill::new(run)?;
        loop {
            let stirred = run.stirred.notified();
            tokio::pin!(stirred);
            // What happens from here on is not missed.
            stirred.as_mut().enable();
            {
                let mut state = run.lock();
                check_over(run, &state, "paused")?;
                let drained = state.calls.values().all(|call| call.begun && call.is_parked());
                if pause == Pause::Now || drained {
                    let bytes = save::whole(run, &state, false).map_err(Error::internal)?;
                    let paused =
                        Error::new("PAUSED", format!("{}: run {} was paused, and goes on from its snapshot.", run.plan.title(), run.id));
                    run.abandon(&mut state, paused);
                    still.stays = true;
                    return Ok(bytes);
                }
            }
            stirred.await;
        }
    }

    /// Lets a run in a store go, when what it has done is written: others may claim it at once. Attempts that run count as not settled.
    /// Its result is an error with the code `FENCED`.
    ///
    /// # Errors
    /// `RUN_OVER`; `DEFINITION` for a run without a store.
    pub async fn leave(&self) -> Result<(), Error> {
        let run = &self.run;
        {
            let mut state = run.lock();
            check_over(run, &state, "let go")?;
            match &mut state.checkpoints {
                Some(checkpoints) => checkpoints.leaving = true,
                None => return Err(Error::definition(format!("{}: run {} is kept in no store: pause it", run.plan.title(), run.id))),
            }
        }
        run.due.notify_one();
        match run.ended().await {
            Err(error) if error.code() == "FENCED" => Ok(()),
            Err(error) if error.code() == "STORE" => Err(error),
            _ => check_over(run, &run.lock(), "let go"),
        }
    }
}

/// The core dispatches nothing more, until this is dropped and not said to stay so.
struct StandStill<'a> {
    run: &'a Arc<Run>,
    stays: bool,
}

impl<'a> StandStill<'a> {
    fn new(run: &'a Arc<Run>) -> Result<Self, Error> {
        let mut state = run.lock();
        check_over(run, &state, "paused")?;
        state.pausing += 1;
        run.exchange(&mut state, vec![[IN_PAUSE, 1, NONE, NONE]]);
        Ok(Self { run, stays: false })
    }
}

impl Drop for StandStill<'_> {
    fn drop(&mut self) {
        if self.stays {
            return;
        }
        let mut state = self.run.lock();
        state.pausing -= 1;
        if state.pausing == 0 {
            let now = self.run.now(&mut state);
            self.run.exchange(&mut state, vec![now, [IN_PAUSE, 0, NONE, NONE]]);
            // It may have rung meanwhile.
            let alarm = state.alarm;
            self.run.set_alarm(&mut state, alarm);
        }
    }
}

fn check_over(run: &Run, state: &State, what: &str) -> Result<(), Error> {
    if !state.over {
        return Ok(());
    }
    Err(Error::new("RUN_OVER", format!("{}: the run is over, so it cannot be {what}.", run.plan.title())))
}
