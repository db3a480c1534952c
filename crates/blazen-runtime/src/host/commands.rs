//! What the core says is done here. No code of the user's runs meanwhile: steps begin in tasks of their own.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use blazen_core::*;
use serde_json::{Value, json};

use super::attempt::{self, Attempt};
use super::error::Error;
use super::event::{Event, RESPONSE, STEP_FAILED};
use super::machine::{Frame, NONE};
use super::run::{Answered, Call, Run, State};
use super::slots::Payload;

// Of an Abort: what the invocation was doing; else it waited to be tried again.
const RUNNING: i32 = 0;
const STORED: i32 = 1;

impl Run {
    /// `failure`: JSON, of the exchange that the command came with.
    pub fn carry_out(self: &Arc<Self>, state: &mut State, [tag, a, b, c]: Frame, failure: Option<&str>) {
        match tag {
            CMD_ARG => {
                let event = state.slots.event(a).cloned();
                state.set.extend(event);
            }
            CMD_AGAIN => {
                state.next_seq = (u64::from(a as u32) << 32) | u64::from(b as u32);
                state.next_attempt = c as u32;
            }
            CMD_INVOKE => {
                let events = if c == NONE { std::mem::take(&mut state.set) } else { state.slots.event(c).cloned().into_iter().collect() };
                self.invoke(state, a, b, events);
            }
            CMD_RELEASE => state.slots.release(a),
            CMD_ABORT => withdraw(state, a, b),
            CMD_WAITING => state.waiting = true,
            CMD_FINISH => {
                state.handle = NONE;
                let result = state.slots.event(a).map_or(Value::Null, |event| event["result"].clone());
                self.end(state, Ok(result));
            }
            CMD_FAIL => {
                state.handle = NONE;
                let error = self.failure(state, a, b, c, failure.unwrap_or_default());
                self.end(state, Err(error));
            }
            CMD_FAILED => self.failed(state, a, b, c),
            CMD_ASKED => self.asked(state, a, b != NONE, c),
            CMD_ANSWERED => answered(state, a, b, c, true),
            CMD_EXPIRED => {
                answered(state, a, b, c, false);
                withdrawn(state, c);
            }
            CMD_WITHDRAWN => withdrawn(state, a),
            CMD_WOKEN => {
                let sleep = state.calls.get_mut(&a).and_then(|call| call.sleeping.remove(&b));
                sleep.map(|sleep| sleep.send(()));
            }
            CMD_ALARM => self.set_alarm(state, (a != NONE).then(|| (u64::from(a as u32) << 30) | u64::from(b as u32))),
            CMD_DELAYED => {}
            // Of a generator, a child run, a stream or an observer: a definition has none, and a snapshot that has is refused.
            other => self.end(state, Err(Error::internal(format!("{}: the core gave the command {other}", self.plan.title())))),
        }
    }

    fn invoke(self: &Arc<Self>, state: &mut State, invocation: i32, step: i32, events: Vec<Event>) {
        let (seq, number) = (state.next_seq, state.next_attempt);
        state.next_seq += 1;
        state.next_attempt = 1;
        state.next_token += 1;
        let token = state.next_token;
        let step = step as usize;
        let attempt = Attempt { run: self.clone(), invocation, token, seq, number, step };
        let task = self.runtime.spawn(attempt::drive(Arc::new(attempt), events)).abort_handle();
        let call = Call {
            token,
            task,
            begun: false,
            withdrawn: false,
            written: BTreeMap::new(),
            sleeps: 0,
            asks: 0,
            sleeping: HashMap::new(),
            asking: HashMap::new(),
        };
        state.calls.insert(invocation, call);
    }

    /// A step has failed for good, and another is told: the event stands in the slot of the failure.
    fn failed(&self, state: &mut State, slot: i32, step: i32, attempts: i32) {
        let set = std::mem::take(&mut state.set);
        let Some((failure, of)) = state.slots.failure(slot).zip(self.plan.steps.get(step as usize)) else { return };
        let told = |event: &Event| json!({ "type": event.kind(), "payload": event.payload() });
        let mut events: Vec<Value> = set.iter().map(told).collect();
        let event = if of.accepts.gathers() { Value::Array(events) } else { events.pop().unwrap_or_default() };
        let payload = json!({ "step": of.name, "event": event, "error": failure.json(), "attempts": attempts });
        state.slots.replace(slot, Payload::Event(Event::new(STEP_FAILED, payload)));
    }

    fn asked(&self, state: &mut State, number: i32, awaited: bool, slot: i32) {
        let Some(event) = state.slots.event(slot).cloned() else { return };
        if !state.requests.asked(number, awaited, &event) || awaited {
            return;
        }
        let answer = event["answer"].as_str().unwrap_or(RESPONSE);
        if !self.plan.accepted.contains(answer) {
            let prompt = &event["prompt"];
            let why = format!(
                "{}: no step accepts \"{answer}\", the answer of the request {prompt}. Add a step that accepts it, or name another type as \"answer\".",
                self.plan.title()
            );
            self.end(state, Err(Error::new(code(ERR_UNHANDLED_EVENT), why)));
        }
    }

    /// The error that the run ends with.
    fn failure(&self, state: &State, number: i32, step: i32, slot: i32, said: &str) -> Error {
        let said: Value = serde_json::from_str(said).unwrap_or_default();
        let message = said["message"].as_str().unwrap_or_default();
        let title = self.plan.title();
        let step = self.plan.step_name(step);
        let failure = state.slots.failure(slot);
        let named = step.unwrap_or_default();
        let error = |text: String| Error::new(code(number), format!("{title}: {text}")).of_step(step);
        match (number, failure, state.slots.event(slot)) {
            (ERR_STEP, Some(failure), _) => {
                let attempts = said["attempts"].as_u64().and_then(|attempts| u32::try_from(attempts).ok()).unwrap_or(1);
                error(format!("step \"{named}\" failed: {}", failure.message())).caused(attempts, failure)
            }
            (ERR_STEP_RETURN, Some(failure), _) => error(format!("step \"{named}\": {}", failure.message())),
            (ERR_UNHANDLED_EVENT, _, Some(event)) => {
                let from = if named.is_empty() { String::new() } else { format!(" that step \"{named}\" emitted") };
                error(format!(
                    "no step accepts the event \"{}\"{from}. Add a step that accepts it, or say `ignore_unhandled`.",
                    event.kind()
                ))
            }
            (ERR_STALLED, ..) => {
                let lacking = said["lacking"].as_array().into_iter().flatten();
                error(message.to_owned()).lacks(lacking.filter_map(|line| line.as_str().map(str::to_owned)).collect())
            }
            (ERR_CANCELLED, ..) => error("the run was cancelled.".to_owned()),
            _ => error(message.to_owned()),
        }
    }
}

/// What an invocation does is over: its step is dropped at its next await, and has settled when that has happened.
fn withdraw(state: &mut State, invocation: i32, what: i32) {
    let settled = [IN_SETTLE, invocation, 0, NONE];
    match (what, state.calls.get_mut(&invocation)) {
        (RUNNING, Some(call)) => {
            call.task.abort();
            call.withdrawn = true;
            call.sleeping.clear();
            call.asking.clear();
            if !call.begun {
                state.calls.remove(&invocation);
                state.frames.push(settled);
            }
        }
        // It was aborted when the run was stored: nothing of it runs here.
        (STORED, _) => state.frames.push(settled),
        _ => {}
    }
}

fn withdrawn(state: &mut State, slot: i32) {
    if let Some(event) = state.slots.event(slot) {
        state.requests.withdrawn(event);
    }
}

/// The question number `at` of an invocation is over; the slot has the answer, or the request that nobody has answered.
fn answered(state: &mut State, invocation: i32, at: i32, slot: i32, has_answer: bool) {
    let Some(wait) = state.calls.get_mut(&invocation).and_then(|call| call.asking.remove(&at)) else { return };
    let Some(event) = state.slots.event(slot) else { return };
    let request = if has_answer { &event["request"] } else { event.payload() };
    let prompt = request["prompt"].as_str().unwrap_or_default().to_owned();
    let response = has_answer.then(|| event["response"].clone());
    // The step may have given up waiting.
    drop(wait.send(Answered { prompt, response }));
}
