//! Whether what has happened is what a turn's lines say.

use std::time::Duration;

use blazen_runtime::host::{Error, Status};
use serde_json::Value;

use super::{Player, UNKNOWN, lines, never_begins, settle};

impl Player<'_> {
    /// All has happened that is expected, or time enough has gone by.
    pub(super) async fn settle(&self, expected: &[String]) {
        settle().await;
        if !self.mode.stores() {
            return;
        }
        for _ in 0..5000 {
            std::thread::sleep(Duration::from_micros(200));
            settle().await;
            if self.has_happened(expected) {
                break;
            }
        }
        for _ in 0..5 {
            std::thread::sleep(Duration::from_micros(300));
            settle().await;
        }
    }

    fn has_happened(&self, expected: &[String]) -> bool {
        let (mut calls, mut told, mut over, mut waits, mut asked) = (0, 0, false, false, true);
        let pending = self.handler().pending();
        for (at, line) in expected.iter().enumerate() {
            let words: Vec<&str> = line.split(' ').collect();
            match words[0] {
                "Invoke" => calls += usize::from(!never_begins(words[1], &expected[at + 1..])),
                "Woken" | "Answered" | "Expired" => told += usize::from(self.running.contains_key(words[1])),
                "Asked" => asked &= pending.iter().any(|pending| self.asks.get(words[3]) == Some(&pending.id)),
                "Finish" | "Fail" => over = true,
                "Waiting" => waits = true,
                _ => {}
            }
        }
        let status = self.handler().status();
        let right = if waits { status == Status::Waiting } else { over || (asked && status == Status::Running) };
        let so_far = self.told.lock().unwrap();
        right && (over || (asked && so_far.calls.len() >= calls && so_far.waits.len() >= told))
    }

    pub(super) async fn check(&mut self, expected: &[String]) -> Result<(), String> {
        for (at, line) in expected.iter().enumerate() {
            let words: Vec<&str> = line.split(' ').collect();
            if words[0] == "Invoke" && self.never_begins(words[1], &expected[at + 1..]) {
                continue;
            }
            self.line(&words).await.map_err(|why| format!("\"{line}\" expected: {why}"))?;
        }
        let told = self.told.lock().unwrap();
        let over = expected.iter().any(|line| line.starts_with("Finish") || line.starts_with("Fail "));
        // In a store the run's end comes when that of the step before it is on disk, and a call may come in between.
        if let Some(call) = told.calls.first().filter(|_| !(over && self.mode.stores())) {
            return Err(format!("step \"{}\" was called with {:?}", call.step, call.got));
        }
        let waits = expected.iter().any(|line| line == "Waiting");
        let status = self.handler().status();
        if !over && status != (if waits { Status::Waiting } else { Status::Running }) {
            return Err(format!("the run is {status:?}"));
        }
        Ok(())
    }

    fn never_begins(&mut self, invocation: &str, later: &[String]) -> bool {
        if later.iter().any(|line| *line == format!("Abort {invocation}")) {
            self.gone.insert(invocation.to_owned());
        }
        never_begins(invocation, later)
    }

    async fn line(&mut self, words: &[&str]) -> Result<(), String> {
        let word = |at: usize| words.get(at).copied().unwrap_or_default();
        match word(0) {
            "Invoke" => self.invoked(word(1), word(2), word(3)),
            "Abort" if word(2) != "delayed" => {
                let Some(call) = self.running.remove(word(1)) else {
                    return if self.gone.contains(word(1)) { Ok(()) } else { Err("it does not run".to_owned()) };
                };
                self.gone.insert(word(1).to_owned());
                let dropped = call.settle.is_none_or(|settle| settle.is_closed());
                if dropped { Ok(()) } else { Err("the step goes on".to_owned()) }
            }
            "Woken" | "Answered" | "Expired" => self.waited(word(0), word(1), word(2), word(3)),
            "Asked" => {
                let id = self.asks[word(3)].clone();
                let pending = self.handler().pending().iter().any(|pending| pending.id == id);
                self.requests.insert(word(1).to_owned(), id);
                if pending { Ok(()) } else { Err("it is not pending".to_owned()) }
            }
            "Withdrawn" => {
                let id = &self.asks[word(1)];
                let pending = self.handler().pending().iter().any(|pending| pending.id == *id);
                if pending { Err("it is pending".to_owned()) } else { Ok(()) }
            }
            "Finish" => match self.handler().result().await {
                Ok(result) if result.as_i64() == word(1).parse().ok() => Ok(()),
                other => Err(format!("{other:?}")),
            },
            "Fail" => self.failed(self.handler().result().await, word(1), word(2), word(3)),
            _ => Ok(()),
        }
    }

    fn invoked(&mut self, invocation: &str, step: &str, given: &str) -> Result<(), String> {
        let mut told = self.told.lock().unwrap();
        if told.calls.is_empty() {
            return Err("no step was called".to_owned());
        }
        let call = told.calls.remove(0);
        let slots: Vec<i64> = given.trim_matches(['[', ']']).split(',').filter_map(|slot| slot.parse().ok()).collect();
        let same = call.got.len() == slots.len() && call.got.iter().zip(&slots).all(|(got, slot)| [*slot, UNKNOWN].contains(got));
        if call.step != step || !same {
            return Err(format!("step \"{}\" was called with {:?}", call.step, call.got));
        }
        let id = call.ctx.invocation_id();
        let attempt = self.attempts.entry(id.clone()).or_insert(0);
        *attempt += 1;
        if call.ctx.attempt() != *attempt {
            return Err(format!("it is attempt {} of {id}", call.ctx.attempt()));
        }
        self.running.insert(invocation.to_owned(), call);
        Ok(())
    }

    fn waited(&mut self, verb: &str, invocation: &str, at: &str, slot: &str) -> Result<(), String> {
        // One that waits to be tried again hears of it then.
        let Some(call) = self.running.get(invocation) else { return Ok(()) };
        let mut told = self.told.lock().unwrap();
        if told.waits.is_empty() {
            return Err("nothing was told".to_owned());
        }
        let (got, id, number, n) = told.waits.remove(0);
        self.over.insert((id.clone(), got, number));
        let right = got == verb
            && id == call.ctx.invocation_id()
            && number.to_string() == at
            && (slot.is_empty() || n < 0 || n.to_string() == slot);
        if right { Ok(()) } else { Err(format!("{got} {number} of {id} with {n}")) }
    }

    fn failed(&self, result: Result<Value, Error>, code: &str, step: &str, slot: &str) -> Result<(), String> {
        let Err(error) = result else { return Err(format!("it has the result {result:?}")) };
        let named = step == "-" || error.step() == Some(step);
        let caused = code != "STEP_FAILED" || slot == "-" || self.keys_fail() || error.to_string().ends_with(&format!("error {slot}"));
        let lacking = error.lacking().join("; ");
        let lacks = code != "STALLED"
            || lines(self.vector.get("lacking").unwrap_or(&Value::Null)).iter().all(|what| lacking.contains(what.as_str()));
        if error.code() == code && named && caused && lacks { Ok(()) } else { Err(format!("{error:?}")) }
    }
    /// A join's `by` has failed, with an error of the host's.
    fn keys_fail(&self) -> bool {
        let turns = self.vector["play"].as_array().unwrap();
        turns.iter().flat_map(|turn| lines(&turn["in"])).any(|line| line.starts_with("Key ") && line.contains(" - "))
    }
}
