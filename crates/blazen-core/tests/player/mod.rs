//! Plays a vector, stops it, and goes on with it in another core.

use std::collections::{BTreeMap, BTreeSet};

use blazen_core::*;
use serde_json::{Value, json};

use crate::vector::names::full;
use crate::vector::{NONE, Names, exchange};

/// A vector being played, with what a host knows of it.
pub struct Player {
    pub core: Core,
    pub plan: i32,
    pub run: i32,
    names: Names,
    /// Types of payloads that the core holds.
    held: BTreeMap<i32, String>,
    /// Key lines by the slot of the event that they came with.
    keys: BTreeMap<i32, Vec<String>>,
    /// Invoke lines of what runs, and ids of what was aborted.
    running: BTreeMap<i32, String>,
    aborted: BTreeSet<i32>,
    /// The flow that commands are about.
    flow: i32,
    /// What invocations have waited for, as lines.
    waits: BTreeMap<i32, Vec<Vec<String>>>,
    until: Option<String>,
    tick: Option<u64>,
    observed: bool,
    /// Waits that are over, as lines.
    ended: BTreeSet<String>,
    resuming: bool,
    pub over: bool,
}

impl Player {
    pub fn new(definition: &Value) -> Self {
        let mut names = Names::of(definition);
        let mut core = Core::new();
        let plan = names.compile(&mut core);
        assert!(plan >= 0, "{}", core.last_error());
        Self {
            core,
            plan,
            run: NONE,
            names,
            held: BTreeMap::new(),
            keys: BTreeMap::new(),
            running: BTreeMap::new(),
            aborted: BTreeSet::new(),
            flow: 0,
            waits: BTreeMap::new(),
            until: None,
            tick: None,
            observed: false,
            ended: BTreeSet::new(),
            resuming: false,
            over: false,
        }
    }

    pub fn give(&mut self, lines: &[String]) -> Vec<String> {
        let mut keys = Vec::new();
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            match words[0] {
                "Key" => keys.push(line.clone()),
                "Start" => self.hold(words[1], "StartEvent", &mut keys),
                "Emit" | "Send" => self.hold(words[3], words[2], &mut keys),
                "External" => self.hold(words[2], words[1], &mut keys),
                "Child" => self.hold(words[3], "StartEvent", &mut keys),
                "CancelChild" => self.end(words[1].parse().unwrap()),
                "Respond" => self.hold(words[3], words[2], &mut keys),
                "Ask" => {
                    self.hold(words[3], "InputRequestEvent", &mut keys);
                    self.wait(line);
                }
                "Sleep" => self.wait(line),
                "Until" => self.until = Some(line.clone()),
                "Observe" => self.observed = true,
                // Time does not go back.
                "Tick" => self.tick = self.tick.max(words[1].parse().ok()),
                "Settle" => {
                    if words.len() > 3 {
                        // Of an error that may go on as an event.
                        self.hold(words[3], "StepFailedEvent", &mut keys);
                    }
                    let id = words[1].parse().unwrap();
                    self.running.remove(&id);
                    self.aborted.remove(&id);
                    self.end_children(id);
                }
                _ => {}
            }
        }
        let frames = self.names.encode(lines);
        let got = exchange(&mut self.core, &mut self.run, &frames, &mut self.names).unwrap();
        let got = with_flows(&got, &mut self.flow);
        for line in &got {
            let words: Vec<&str> = line.split(' ').collect();
            let id = words.get(1).and_then(|word| word.parse().ok()).unwrap_or(NONE);
            match words[0] {
                "Invoke" => {
                    let resuming = self.resuming;
                    let before = self.running.insert(id, line.clone());
                    self.waits.retain(|other, _| *other != id || before.is_some() || resuming);
                }
                "Release" => {
                    self.held.remove(&id);
                    self.keys.remove(&id);
                }
                "Failed" => {
                    self.held.insert(id, full("StepFailedEvent"));
                }
                "Abort" if words.len() == 2 => {
                    self.running.remove(&id);
                    self.aborted.insert(id);
                    self.end_children(id);
                }
                "Ended" => self.end(id),
                "Fail" if words.len() > 4 => self.end(words[4][1..].parse().unwrap()),
                "Woken" | "Expired" => {
                    self.ended.insert(line.clone());
                }
                "Finish" | "Fail" => self.over = true,
                _ => {}
            }
        }
        got
    }

    /// A child run is over: its invocations are nobody's, and neither are those of child runs in it.
    fn end(&mut self, flow: i32) {
        let own = |id: &&i32| self.names.flow_of(**id) == flow;
        let ended: Vec<i32> = self.running.keys().chain(&self.aborted).filter(own).copied().collect();
        for id in ended {
            self.running.remove(&id);
            self.aborted.remove(&id);
            self.end_children(id);
        }
    }

    fn end_children(&mut self, opener: i32) {
        for flow in self.names.opened_by(opener) {
            self.names.forget(flow);
            self.end(flow);
        }
    }

    fn wait(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let waits = self.waits.entry(words[1].parse().unwrap()).or_default();
        if waits.len() == words[2].parse::<usize>().unwrap() {
            waits.push(self.until.take().into_iter().chain([line.to_owned()]).collect());
        }
    }

    fn hold(&mut self, slot: &str, ty: &str, keys: &mut Vec<String>) {
        let slot = slot.parse().unwrap();
        self.held.insert(slot, full(ty));
        if !keys.is_empty() {
            self.keys.insert(slot, std::mem::take(keys));
        }
    }

    pub fn save(&mut self) -> Option<Vec<u8>> {
        self.save_without("")
    }

    /// A snapshot on which deltas build.
    pub fn base(&mut self) -> Option<Vec<u8>> {
        self.store("", true)
    }

    /// As a build would that forgets a member.
    pub fn save_without(&mut self, member: &str) -> Option<Vec<u8>> {
        self.store(member, false)
    }

    fn store(&mut self, member: &str, base: bool) -> Option<Vec<u8>> {
        let slots: Vec<i32> = self.held.keys().copied().collect();
        let types: Vec<&String> = self.held.values().collect();
        let of: Vec<usize> = (0..types.len()).collect();
        let payloads = vec![json!({}); types.len()];
        let own = (0..10).flat_map(|id| [format!("key/{id}"), format!("sent/{id}")]);
        let keys: Vec<String> = own.chain((1..6).flat_map(|flow| (0..10).map(move |id| format!("child/{flow}/sent/{id}")))).collect();
        let values: Vec<Value> = keys.iter().map(|key| json!(format!("the value of {key}"))).collect();
        let document =
            json!({ "runId": "r", "slots": slots, "types": types, "of": of, "payloads": payloads, "keys": keys, "values": values, "omit": member, "base": base }).to_string();
        self.core.save(self.run, document.as_bytes(), &[])
    }

    /// The changes since the last checkpoint, of which the host gives no more than what it is asked for.
    pub fn delta(&mut self) -> Option<Vec<u8>> {
        let changed: Value = serde_json::from_str(&self.core.changed(self.run)?).unwrap();
        let slots: Vec<i32> = changed["slots"].as_array().unwrap().iter().map(|slot| slot.as_i64().unwrap() as i32).collect();
        let types: Vec<&String> = slots.iter().map(|slot| &self.held[slot]).collect();
        let of: Vec<usize> = (0..types.len()).collect();
        let payloads = vec![json!({}); types.len()];
        let mut keys: Vec<String> = changed["keys"].as_array().unwrap().iter().map(|key| format!("key/{key}")).collect();
        for sent in changed["sent"].as_array().unwrap() {
            let (flow, id) = (&sent[0], &sent[1]);
            keys.push(if flow == 0 { format!("sent/{id}") } else { format!("child/{flow}/sent/{id}") });
        }
        let values: Vec<Value> = keys.iter().map(|key| json!(format!("the value of {key}"))).collect();
        let document =
            json!({ "runId": "r", "slots": slots, "types": types, "of": of, "payloads": payloads, "keys": keys, "values": values })
                .to_string();
        self.core.delta(self.run, document.as_bytes(), &[])
    }

    /// Goes on in another core.
    pub fn restore(&mut self, bytes: &[u8]) {
        let difference = self.core.verify(self.plan, self.run, bytes, &[]);
        assert_eq!(difference.as_deref(), Some(""), "{}", self.core.last_error());
        let text = self.core.text(bytes).unwrap();
        let mut other = Core::new();
        self.plan = self.names.compile(&mut other);
        self.flow = 0;
        let parsed = other.parse(text.as_bytes()).unwrap_or_else(|| panic!("{}", other.last_error()));
        assert_eq!(parsed, bytes, "the text has the content of the binary form");
        let children = self.names.children(&mut other, &parsed);
        self.run = other.restore(self.plan, &parsed, &children);
        assert!(self.run >= 0, "{}\n{text}", other.last_error());
        self.core = other;
        assert_eq!(self.save().as_deref(), Some(bytes), "stored again at once it is equal byte for byte\n{text}");
    }

    /// Steps that are called again wait for what they have waited for, and find what was over. Gives what is over by now and was not before.
    fn wait_again(&mut self) -> Vec<String> {
        let before = self.ended.clone();
        let again: Vec<_> = self.waits.iter().filter(|(id, _)| self.running.contains_key(id)).map(|(_, lines)| lines.clone()).collect();
        for lines in again.into_iter().flatten() {
            let (last, before) = lines.split_last().unwrap();
            let words: Vec<&str> = last.split(' ').collect();
            let line = if words[0] == "Ask" { format!("Ask {} {} 1000", words[1], words[2]) } else { last.clone() };
            let got = self.give(&before.iter().cloned().chain([line]).collect::<Vec<_>>());
            let quiet = |line: &&String| !line.starts_with("Alarm") && *line != "Waiting";
            match got.iter().filter(quiet).map(|line| line.split(' ').next().unwrap()).collect::<Vec<_>>()[..] {
                ["Release", "Asked" | "Answered" | "Expired"] if words[0] == "Ask" => {}
                [] | ["Woken"] if words[0] == "Sleep" => {}
                _ => panic!("{last} gives {got:?}"),
            }
        }
        self.ended.difference(&before).cloned().collect()
    }

    /// The first exchange after a resume: what had not settled is called again, and nothing else.
    pub fn resume(&mut self, frames: &[String]) -> Vec<String> {
        let (mut before, mut aborted) = (std::mem::take(&mut self.running), std::mem::take(&mut self.aborted));
        for line in frames.iter().filter(|line| line.starts_with("Settle")) {
            let id = line.split(' ').nth(1).unwrap().parse().unwrap();
            before.remove(&id);
            aborted.remove(&id);
        }
        let mut lines: Vec<String> = self.tick.map(|tick| format!("Tick {tick}")).into_iter().collect();
        for (slot, keys) in &self.keys {
            lines.extend(keys.clone());
            lines.push(format!("Keyed {slot}"));
        }
        lines.extend(frames.to_vec());
        lines.extend(self.observed.then(|| "Observe 1".to_owned()));
        lines.push("Pause 0".to_owned());
        self.resuming = true;
        let got = self.give(&lines);
        self.resuming = false;
        let mut rest = Vec::new();
        let mut called = BTreeMap::new();
        for line in got {
            let id: i32 = line.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(NONE);
            if line.starts_with("Invoke") && before.get(&id) == Some(&line) && !called.contains_key(&id) {
                called.insert(id, line);
            } else if line.starts_with("Abort") && aborted.remove(&id) {
                self.aborted.insert(id);
            } else {
                rest.push(line);
            }
        }
        assert_eq!(called, before, "what had not settled is called again");
        assert!(aborted.is_empty(), "what was aborted is told of again");
        self.waits.retain(|id, _| before.contains_key(id));
        rest.extend(self.wait_again());
        rest
    }
}

/// Without Flow lines, which depend on what was told before a stop: each line says itself of which flow it is.
pub fn with_flows(lines: &[String], flow: &mut i32) -> Vec<String> {
    let mut own = Vec::new();
    for line in lines {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["Flow", other] => *flow = other.parse().unwrap(),
            ["Invoke" | "Fail" | "Failed" | "Delayed" | "Asked" | "Publish" | "Routed", ..] if *flow != 0 => {
                own.push(format!("{line} @{flow}"))
            }
            _ => own.push(line.clone()),
        }
    }
    own
}
