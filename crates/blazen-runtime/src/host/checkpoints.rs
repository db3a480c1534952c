//! What a run has in its store, and what is to be written next: a base, and deltas after it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::Error;
use super::event::Event;
use super::run::{Bytes, Outcome, Run, State};
use super::run_store::RunStore;
use super::save::{self, Entries, Entry, Part};
use super::tree;

pub struct Checkpoints {
    pub store: RunStore,
    pub epoch: i64,
    /// Of the latest commit in the store.
    pub sequence: i64,
    /// When that was: time does not run backwards from there.
    pub at: u64,
    pub inbox: i64,
    pub stream: i64,
    /// The latest commits of the core: one that is made, one that is being written, and one that is on disk.
    made: i32,
    written: i32,
    pub durable: i32,
    /// Something was said to the core since the last checkpoint.
    dirty: bool,
    /// A base is there for deltas.
    based: bool,
    /// What the next delta has of the host's.
    entries: BTreeMap<String, Entry>,
    removed: BTreeSet<String>,
    answers: usize,
    /// The run is let go when what it has done is written.
    pub leaving: bool,
    /// That was taken: what comes now does not count.
    pub last: bool,
    /// Where checkpoints are verified: the base and the deltas after it.
    parts: Vec<Vec<u8>>,
}

/// What the core says of a run's changes.
#[derive(Deserialize)]
struct Changed {
    slots: Vec<i32>,
    keys: Vec<i32>,
    sent: Vec<(i32, i32)>,
    #[serde(default)]
    base: bool,
    /// The StopEvent is all that is left to route.
    #[serde(default)]
    last: bool,
}

/// What is to be done next with the store.
pub enum Next {
    Nothing,
    /// All that is left is the run's end, which is stored itself: the commit may be acted upon.
    LetGo(i32),
    /// The commit that the bytes are of.
    Write {
        commit: i32,
        head: Value,
        bytes: Vec<u8>,
    },
    End {
        head: Value,
        outcome: Outcome,
    },
    /// Of the epoch in which it was claimed.
    Leave(i64),
    /// The run is over, and its store knows or will not.
    Over,
}

impl Checkpoints {
    pub fn new(store: RunStore, epoch: i64, sequence: i64) -> Self {
        Self {
            store,
            epoch,
            sequence,
            at: 0,
            inbox: 0,
            stream: 0,
            made: 0,
            written: 0,
            durable: 0,
            dirty: false,
            based: false,
            entries: BTreeMap::new(),
            removed: BTreeSet::new(),
            answers: 0,
            leaving: false,
            last: false,
            parts: Vec::new(),
        }
    }

    /// After each exchange, of which this was the latest commit. Whether there is something to write.
    pub fn exchanged(&mut self, commit: i32, waiting: bool) -> bool {
        self.made = commit;
        self.dirty = true;
        self.made > self.written || waiting || self.leaving
    }
    /// What was made up to now is in the store.
    pub fn created(&mut self) {
        self.written = self.made;
        self.durable = self.made;
        self.dirty = false;
    }
    pub fn state_changed(&mut self, key: &str, value: Option<&Bytes>) {
        let key = save::state_key(key);
        match value {
            Some(bytes) => {
                self.entries.insert(key, Entry::Bytes(bytes.clone()));
            }
            None => {
                self.entries.remove(&key);
                self.removed.insert(key);
            }
        }
    }
    pub fn answered(&mut self, id: &str, digest: &str) {
        self.entries.insert(format!("answered/{}", self.answers), Entry::Json(save::answered(id, Some(digest))));
        self.answers += 1;
    }
    fn clear(&mut self) {
        self.entries.clear();
        self.removed.clear();
    }

    fn head(&mut self, run: &Run, status: &str, alarm: Option<u64>, requests: &[String], outcome: Option<String>) -> Value {
        self.at = self.at.max(run.plan.clock.now());
        let mut head = json!({ "status": status, "requests": requests, "inbox": self.inbox, "stream": self.stream, "at": self.at });
        if let Some(alarm) = alarm {
            head["deadline"] = alarm.into();
        }
        if let Some(outcome) = outcome {
            head["outcome"] = outcome.into();
        }
        head
    }
    /// A commit of what comes next.
    pub fn commit(&self, run: &Run, kind: &str, head: &Value) -> Value {
        json!({ "runId": run.id, "epoch": self.epoch, "sequence": self.sequence + 1, "kind": kind, "head": head })
    }
}

/// What is to be written now, if anything is.
pub fn next(run: &Run, state: &mut State) -> Next {
    if state.over {
        let Some(outcome) = state.ending.take() else { return Next::Over };
        let Some(checkpoints) = &mut state.checkpoints else { return Next::Over };
        let (status, text) = outcome_text(&outcome);
        let head = checkpoints.head(run, status, None, &[], Some(text));
        return Next::End { head, outcome };
    }
    let waiting = state.waiting;
    let requests: Vec<String> = state.requests.all().iter().map(|pending| pending.id.clone()).collect();
    let Some(checkpoints) = &mut state.checkpoints else { return Next::Over };
    let changed = checkpoints.made > checkpoints.written || (checkpoints.dirty && (waiting || checkpoints.leaving));
    if checkpoints.leaving && (checkpoints.last || !changed) {
        return Next::Leave(checkpoints.epoch);
    }
    if !changed {
        return Next::Nothing;
    }
    checkpoints.last = checkpoints.leaving;
    let commit = checkpoints.made;
    checkpoints.dirty = false;
    checkpoints.written = commit;
    let head = checkpoints.head(run, if waiting { "waiting" } else { "running" }, state.alarm, &requests, None);
    match checkpoint(run, state) {
        Ok(None) => Next::LetGo(commit),
        Ok(Some((kind, bytes))) => {
            let head = state.checkpoints.as_ref().map(|checkpoints| checkpoints.commit(run, kind, &head)).unwrap_or_default();
            Next::Write { commit, head, bytes }
        }
        Err(message) => {
            run.abandon(state, Error::internal(format!("{}: {message}", run.plan.title())));
            Next::Over
        }
    }
}

fn checkpoint(run: &Run, state: &mut State) -> Result<Option<(&'static str, Vec<u8>)>, String> {
    let handle = state.handle;
    let leaving = state.checkpoints.as_ref().is_some_and(|checkpoints| checkpoints.leaving);
    if state.checkpoints.as_ref().is_some_and(|checkpoints| checkpoints.based) {
        let changed = run.plan.machine.call(move |core| core.changed(handle))?;
        let changed: Changed = serde_json::from_str(&changed).map_err(|error| error.to_string())?;
        if changed.last && !leaving {
            return Ok(None);
        }
        if !changed.base {
            let delta = delta(run, state, &changed)?;
            verify(run, state, &delta)?;
            return Ok(Some(("delta", delta)));
        }
    }
    base(run, state).map(|bytes| Some(("base", bytes)))
}

/// The whole run, which deltas follow.
pub fn base(run: &Run, state: &mut State) -> Result<Vec<u8>, String> {
    let bytes = save::whole(run, state, true)?;
    let answers = state.requests.answers().len();
    if let Some(checkpoints) = &mut state.checkpoints {
        checkpoints.based = true;
        checkpoints.answers = answers;
        checkpoints.clear();
        if run.plan.verify {
            checkpoints.parts = vec![bytes.clone()];
        }
    }
    Ok(bytes)
}

/// The checkpoints must make the snapshot that could be taken now.
fn verify(run: &Run, state: &mut State, delta: &[u8]) -> Result<(), String> {
    let Some(checkpoints) = state.checkpoints.as_mut().filter(|_| run.plan.verify) else { return Ok(()) };
    checkpoints.parts.push(delta.to_vec());
    let lengths: Vec<u32> = checkpoints.parts.iter().map(|part| part.len() as u32).collect();
    let parts = checkpoints.parts.concat();
    let merged = run.plan.machine.call(move |core| core.merge(&parts, &lengths))?;
    if merged == save::whole(run, state, false)? { Ok(()) } else { Err("its checkpoints would lose a part of it".to_owned()) }
}

fn delta(run: &Run, state: &mut State, changed: &Changed) -> Result<Vec<u8>, String> {
    let mut entries = Entries::default();
    for key in &changed.keys {
        entries.json(format!("key/{key}"), state.keys.text(*key).map(save::key_value).unwrap_or_default());
    }
    // There are no child runs: all are the run's own.
    for (_, id) in &changed.sent {
        entries.json(format!("sent/{id}"), state.ids.text(*id).into());
    }
    let Some(checkpoints) = &mut state.checkpoints else { return Err("it has no store".to_owned()) };
    for (key, entry) in std::mem::take(&mut checkpoints.entries) {
        entries.add(key, &entry);
    }
    let removed = std::mem::take(&mut checkpoints.removed);
    let events: Vec<(usize, &Event)> =
        changed.slots.iter().filter_map(|slot| Some((usize::try_from(*slot).ok()?, state.slots.event(*slot)?))).collect();
    let Part { document, blob } = Part::new(run, state, events.into_iter(), entries, json!({ "removed": removed }));
    let handle = state.handle;
    run.plan.machine.call(move |core| core.delta(handle, &document, &blob))
}

/// How a run has ended, as its store has it.
fn outcome_text(outcome: &Outcome) -> (&'static str, String) {
    match outcome {
        Ok(result) => ("completed", json!({ "tree": tree::encode(result) }).to_string()),
        Err(error) => {
            let status = if error.code() == "CANCELLED" { "cancelled" } else { "failed" };
            let told = json!({ "name": "Error", "message": error.to_string(), "code": error.code() });
            (status, json!({ "tree": tree::encode_error(&told) }).to_string())
        }
    }
}

/// The end of a run that a store has: its result, or its error with the code that it had.
pub fn stored_outcome(status: &str, text: Option<&str>) -> Outcome {
    let unreadable = |why: String| Error::new("STORE", format!("The store says that the run is over, and not how: {why}."));
    let read: Value = serde_json::from_str(text.unwrap_or_default()).map_err(|error| unreadable(error.to_string()))?;
    let tree = &read["tree"];
    if status == "completed" {
        return tree::decode(tree).map_err(unreadable);
    }
    let message = tree["message"].as_str().unwrap_or("the run has failed, and no message was stored");
    let told = tree["fields"]["code"].as_str().unwrap_or_default();
    let known = (100..1000).map(blazen_core::code).find(|code| *code == told);
    let otherwise = if status == "cancelled" { "CANCELLED" } else { "STEP_FAILED" };
    Err(Error::new(known.unwrap_or(otherwise), message))
}
