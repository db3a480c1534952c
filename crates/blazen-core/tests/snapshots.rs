//! Every vector, stopped after every frame, stored, read by another core and gone on with (7.3).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test fails by panicking.

mod vector;

use std::collections::{BTreeMap, BTreeSet};

use blazen_core::*;
use serde_json::{Value, json};
use vector::{NONE, Names, all, exchange, full, lines};

/// A vector being played, with what a host knows of it.
struct Player {
    core: Core,
    plan: i32,
    run: i32,
    names: Names,
    /// Types of payloads that the core holds.
    held: BTreeMap<i32, String>,
    /// Key lines by the slot of the event that they came with.
    keys: BTreeMap<i32, Vec<String>>,
    /// Invoke lines of what runs, and ids of what was aborted.
    running: BTreeMap<i32, String>,
    aborted: BTreeSet<i32>,
    /// What invocations have waited for, as lines.
    waits: BTreeMap<i32, Vec<Vec<String>>>,
    until: Option<String>,
    tick: Option<u64>,
    observed: bool,
    /// Waits that are over, as lines.
    ended: BTreeSet<String>,
    resuming: bool,
    over: bool,
}

impl Player {
    fn new(definition: &Value) -> Self {
        let names = Names::of(definition);
        let mut core = Core::new();
        let plan = core.compile(&names.definition.to_string());
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
            waits: BTreeMap::new(),
            until: None,
            tick: None,
            observed: false,
            ended: BTreeSet::new(),
            resuming: false,
            over: false,
        }
    }

    fn give(&mut self, lines: &[String]) -> Vec<String> {
        let mut keys = Vec::new();
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            match words[0] {
                "Key" => keys.push(line.clone()),
                "Start" => self.hold(words[1], "StartEvent", &mut keys),
                "Emit" | "Send" => self.hold(words[3], words[2], &mut keys),
                "External" => self.hold(words[2], words[1], &mut keys),
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
                    self.running.remove(&words[1].parse().unwrap());
                    self.aborted.remove(&words[1].parse().unwrap());
                }
                _ => {}
            }
        }
        let frames: Vec<_> = lines.iter().map(|line| self.names.encode(line, self.plan)).collect();
        let got = exchange(&mut self.core, &mut self.run, &frames, &self.names).unwrap();
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
                }
                "Woken" | "Expired" => {
                    self.ended.insert(line.clone());
                }
                "Finish" | "Fail" => self.over = true,
                _ => {}
            }
        }
        got
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

    fn save(&mut self) -> Option<Vec<u8>> {
        self.save_without("")
    }

    /// As a build would that forgets a member.
    fn save_without(&mut self, member: &str) -> Option<Vec<u8>> {
        let slots: Vec<i32> = self.held.keys().copied().collect();
        let types: Vec<&String> = self.held.values().collect();
        let of: Vec<usize> = (0..types.len()).collect();
        let payloads = vec![json!({}); types.len()];
        let keys: Vec<String> = (0..10).flat_map(|id| [format!("key/{id}"), format!("sent/{id}")]).collect();
        let values: Vec<Value> = (0..10).flat_map(|id| [json!(id), json!(format!("id {id}"))]).collect();
        let document =
            json!({ "runId": "r", "slots": slots, "types": types, "of": of, "payloads": payloads, "keys": keys, "values": values, "omit": member }).to_string();
        self.core.save(self.run, document.as_bytes(), &[])
    }

    /// Goes on in another core.
    fn restore(&mut self, bytes: &[u8]) {
        let difference = self.core.verify(self.plan, self.run, bytes, &[]);
        assert_eq!(difference.as_deref(), Some(""), "{}", self.core.last_error());
        let text = self.core.text(bytes).unwrap();
        let mut other = Core::new();
        self.plan = other.compile(&self.names.definition.to_string());
        let parsed = other.parse(text.as_bytes()).unwrap_or_else(|| panic!("{}", other.last_error()));
        assert_eq!(parsed, bytes, "the text has the content of the binary form");
        self.run = other.restore(self.plan, &parsed);
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
    fn resume(&mut self, frames: &[String]) -> Vec<String> {
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

fn turns(vector: &Value) -> Vec<(Vec<String>, Vec<String>)> {
    vector["play"].as_array().unwrap().iter().map(|turn| (lines(&turn["in"]), lines(&turn["out"]))).collect()
}

/// Without the number of attempts in a Failed line, which a stop makes one more.
fn told(lines: &[String]) -> Vec<String> {
    let told = |line: &String| match line.split(' ').collect::<Vec<_>>()[..] {
        ["Failed", slot, step, _, inputs] => format!("Failed {slot} {step} {inputs}"),
        _ => line.clone(),
    };
    lines.iter().map(told).collect()
}

#[test]
fn every_vector_after_every_turn() {
    let mut stops = 0;
    for (name, vector) in all().iter().filter(|(_, vector)| vector.get("error").is_none()) {
        let turns = turns(vector);
        for stop in 0..turns.len() {
            let mut player = Player::new(&vector["definition"]);
            for (at, (frames, expected)) in turns.iter().enumerate() {
                assert_eq!(told(&player.give(frames)), told(expected), "{name}, stopped after {stop}, play[{at}]");
                if at == stop && !player.over {
                    let bytes = player.save().unwrap_or_else(|| panic!("{}", player.core.last_error()));
                    player.restore(&bytes);
                    let rest: Vec<String> =
                        player.resume(&[]).into_iter().filter(|line| line != "Waiting" && !line.starts_with("Alarm")).collect();
                    assert_eq!(rest, Vec::<String>::new(), "{name}, stopped after {stop}: nothing else happens");
                    stops += 1;
                }
            }
        }
    }
    assert!(stops > 300, "{stops} stops");
}

/// What settles while nothing is dispatched waits in the queue, and in the snapshot.
#[test]
fn every_vector_after_every_frame() {
    let mut stops = 0;
    for (name, vector) in all().iter().filter(|(_, vector)| vector.get("error").is_none()) {
        let turns = turns(vector);
        for (stop, (frames, expected)) in turns.iter().enumerate() {
            // A turn with a Cancel or a failure ends the run whether it is paused or not.
            for split in 1..=frames.len() {
                let mut player = Player::new(&vector["definition"]);
                for (frames, _) in &turns[..stop] {
                    player.give(frames);
                }
                if player.run == NONE {
                    continue;
                }
                let mut first = vec!["Pause 1".to_owned()];
                first.extend(frames[..split].to_vec());
                let mut got = player.give(&first);
                if player.over {
                    continue;
                }
                let Some(bytes) = player.save() else {
                    assert!(player.core.last_error().contains("in the middle of an exchange"), "{}", player.core.last_error());
                    continue;
                };
                player.restore(&bytes);
                got.extend(player.resume(&frames[split..]));
                let quiet = |lines: &[String]| {
                    lines.iter().filter(|line| *line != "Waiting" && !line.starts_with("Alarm")).cloned().collect::<Vec<_>>()
                };
                // What a place was given to is called when the run goes on, after all else.
                let sorted = |mut lines: Vec<String>| {
                    lines.sort_unstable();
                    lines
                };
                let (got, expected) = (sorted(told(&quiet(&got))), sorted(told(&quiet(expected))));
                assert_eq!(got, expected, "{name}, play[{stop}] stopped after frame {split}");
                for (at, (frames, expected)) in turns.iter().enumerate().skip(stop + 1) {
                    assert_eq!(
                        told(&quiet(&player.give(frames))),
                        told(&quiet(expected)),
                        "{name}, stopped in {stop} after {split}, play[{at}]"
                    );
                }
                stops += 1;
            }
        }
    }
    assert!(stops > 300, "{stops} stops");
}

/// A build that drops a member of rule 7.2 is caught, and told which.
#[test]
fn a_member_left_out_is_named() {
    const MEMBERS: &[&str] = &[
        "run",
        "queue",
        "event",
        "invocation",
        "attempts",
        "yields",
        "failures",
        "sleeps",
        "line",
        "until",
        "request",
        "fan",
        "scope",
        "branches",
        "done",
        "join",
        "collect",
        "given",
        "key",
        "sent",
    ];
    let mut named = BTreeSet::new();
    for (_, vector) in all().iter().filter(|(_, vector)| vector.get("error").is_none()) {
        let turns = turns(vector);
        for stop in 0..2 * turns.len() {
            let mut player = Player::new(&vector["definition"]);
            for (frames, _) in &turns[..stop / 2] {
                player.give(frames);
            }
            let mut frames = turns[stop / 2].0.clone();
            if stop % 2 == 1 && player.run != NONE {
                frames.insert(0, "Pause 1".to_owned());
            }
            player.give(&frames);
            if player.over {
                continue;
            }
            let whole = player.save().unwrap();
            for member in MEMBERS {
                let bytes = player.save_without(member).unwrap();
                let difference = player.core.verify(player.plan, player.run, &bytes, &[]);
                let told = difference.clone().unwrap_or_else(|| player.core.last_error().to_owned());
                assert!(bytes == whole || !told.is_empty(), "\"{member}\" is not missed: {}", player.core.text(&whole).unwrap());
                let word = |text: &str| text.split(|letter: char| !letter.is_alphanumeric()).any(|word| word == *member);
                if bytes != whole && word(&told) {
                    named.insert(*member);
                }
            }
        }
    }
    assert_eq!(named.into_iter().collect::<Vec<_>>(), {
        let mut all = MEMBERS.to_vec();
        all.sort_unstable();
        all
    });
}
