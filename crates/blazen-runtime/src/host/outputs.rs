//! Events on their way out of a step, or in from outside: checked, and with their keys, before the run is locked.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use blazen_core::IN_KEY;
use serde_json::Value;

use super::accepts::Kind;
use super::error::{StepFailure, panic_message};
use super::event::{Event, REQUEST};
use super::machine::{Frame, NONE};
use super::plan::{Plan, Step};
use super::requests::{self, id_of};
use super::run::State;
use super::tree;

pub struct Output {
    event: Event,
    kind: i32,
    /// For each keyed join that takes it: the step, and the key as its JSON.
    keys: Vec<(usize, Result<String, StepFailure>)>,
}

/// What a step emits. A type that it may not emit fails the run.
pub fn of_step(plan: &Plan, step: &Step, event: Event) -> Result<Output, StepFailure> {
    if step.accepts.emits.as_ref().is_some_and(|emits| !emits.iter().any(|kind| kind == event.kind())) {
        return Err(StepFailure::bad_return(format!("it emitted \"{}\", which is not among its \"emits\"", event.kind())));
    }
    of(plan, event)
}

pub fn of(plan: &Plan, event: Event) -> Result<Output, StepFailure> {
    let event = if event.kind() == REQUEST { requests::checked(event)? } else { event };
    check_payload(&event)?;
    let keys = plan.joined_by_key(event.kind()).iter().map(|at| (*at, key(&plan.steps[*at], &event))).collect();
    Ok(Output { kind: plan.type_id(event.kind()), keys, event })
}

/// What an event may carry so that any host can read it.
pub fn check_payload(event: &Event) -> Result<(), StepFailure> {
    let kind = event.kind();
    if event.payload().get("type").is_some() {
        return Err(StepFailure::new(format!(
            "the payload of \"{kind}\" has a field \"type\", which is the event's own name: rename the field"
        )));
    }
    tree::check(event.payload()).map_err(|why| StepFailure::new(format!("the payload of \"{kind}\": {why}")))
}

/// The JSON of an event's key for a join.
fn key(step: &Step, event: &Event) -> Result<String, StepFailure> {
    let Kind::All { by: Some(by) } = &step.accepts.kind else { return Err(StepFailure::new("it has no \"by\"")) };
    let failed = |why: String| StepFailure::new(format!("\"by\" of step \"{}\" {why}", step.name));
    match catch_unwind(AssertUnwindSafe(|| by(event))) {
        Ok(Value::String(key)) => Ok(Value::from(key).to_string()),
        Ok(Value::Number(key)) if tree::encode(&Value::Number(key.clone())).is_number() => Ok(tree::number_text(&key)),
        Ok(other) => Err(failed(format!("gave {other} for an event \"{}\": a key is a string or a number", event.kind()))),
        Err(panic) => Err(failed(format!("panicked: {}", panic_message(&*panic)))),
    }
}

/// Each request has an id of its own.
pub fn claim(state: &State, outputs: &[Output]) -> Result<(), StepFailure> {
    let mut ids = HashSet::new();
    for Output { event, .. } in outputs.iter().filter(|output| output.event.kind() == REQUEST) {
        let id = id_of(event);
        if state.requests.has(&id) || !ids.insert(id.clone()) {
            return Err(StepFailure::new(format!(
                "the request id \"{id}\" is used already in this run: give each request its own, or none"
            )));
        }
    }
    Ok(())
}

impl Output {
    pub fn is_external(&self, plan: &Plan) -> bool {
        plan.external.contains(self.event.kind())
    }
    pub fn kind(&self) -> &str {
        self.event.kind()
    }

    /// The frames of its keys, and its own.
    pub fn write(self, state: &mut State, frames: &mut Vec<Frame>, own: impl FnOnce(i32, i32) -> Frame) {
        if self.event.kind() == REQUEST {
            state.requests.emitted(&self.event);
        }
        for frame in keys(self.keys, state) {
            frames.push(frame);
        }
        let slot = state.put(self.event);
        frames.push(own(self.kind, slot));
    }
    /// The frames of its keys alone.
    pub fn write_keys(self, state: &mut State) -> Vec<Frame> {
        keys(self.keys, state)
    }
}

fn keys(keys: Vec<(usize, Result<String, StepFailure>)>, state: &mut State) -> Vec<Frame> {
    let frame = |(step, key): (usize, Result<String, StepFailure>)| match key {
        Ok(key) => [IN_KEY, step as i32, state.keys.of(&key), NONE],
        Err(failure) => [IN_KEY, step as i32, NONE, state.put_failure(failure)],
    };
    keys.into_iter().map(frame).collect()
}
