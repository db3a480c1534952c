//! A host that settles what it is told to call and checks that what it gets makes sense.

use super::tagged::split;
use std::collections::{BTreeMap, BTreeSet};

use super::*;

const HEADER: usize = 16;

pub struct Host {
    pub core: Core,
    pub plan: i32,
    pub run: i32,
    buffer: Vec<i32>,
    pub(super) running: BTreeSet<i32>,
    pub(super) aborted: BTreeSet<i32>,
    pub(super) flows: Flows,
    /// The invocation that opens a child run.
    opening: i32,
    /// By invocation: how often its attempt has slept and asked.
    waits: BTreeMap<i32, [i32; 2]>,
    /// By request: its slot.
    pending: BTreeMap<i32, i32>,
    now: i32,
    alarm: i32,
    /// By slot: the type's name, and the key of each that the host has told.
    held: BTreeMap<i32, String>,
    next_slot: i32,
    next_id: i32,
    /// Entries of keys and ids.
    known: BTreeSet<String>,
    pub over: bool,
}

impl Host {
    pub fn new(definition: &Value) -> Self {
        let mut core = Core::new();
        let plan = core.compile(&definition.to_string());
        assert!(plan >= 0, "{}", core.last_error());
        Self {
            core,
            plan,
            run: NONE,
            buffer: vec![0; BUFFER_WORDS],
            running: BTreeSet::new(),
            aborted: BTreeSet::new(),
            flows: Flows::default(),
            opening: NONE,
            waits: BTreeMap::new(),
            pending: BTreeMap::new(),
            now: 0,
            alarm: NONE,
            held: BTreeMap::new(),
            next_slot: 0,
            next_id: 0,
            known: (0..8)
                .flat_map(|id| [format!("key/{id}"), format!("sent/{id}")])
                .chain((1..6).flat_map(|flow| (0..8).map(move |id| format!("child/{flow}/sent/{id}"))))
                .collect(),
            over: false,
        }
    }

    pub fn begin(&mut self) {
        let slot = self.event(0);
        self.give(&[[IN_START, self.plan, slot, NONE]]);
    }

    fn event(&mut self, ty: usize) -> i32 {
        self.next_slot += 1;
        self.held.insert(self.next_slot - 1, TYPES[ty].to_owned());
        self.next_slot - 1
    }

    /// A new event and the keys before it.
    fn made(&mut self, ty: usize, tape: &mut Tape, frames: &mut Vec<[i32; 4]>) -> i32 {
        if ty == 2 || ty == 4 {
            frames.push([IN_KEY, 6, tape.below(3) as i32, NONE]);
        }
        self.event(ty)
    }

    pub fn give(&mut self, frames: &[[i32; 4]]) {
        self.buffer[HEADER..HEADER + 4 * frames.len()].copy_from_slice(frames.as_flattened());
        self.buffer[1] = frames.len() as i32;
        loop {
            self.buffer[0] = self.run;
            self.core.exchange(&mut self.buffer);
            self.run = self.buffer[0];
            let count = self.buffer[1];
            assert!(count >= 0, "{frames:?} are refused: {}", self.core.last_error());
            let commands: Vec<[i32; 4]> = self.buffer[HEADER..HEADER + 4 * count as usize].as_chunks().0.to_vec();
            commands.into_iter().for_each(|command| self.take(command));
            if self.buffer[2] == 0 {
                return;
            }
            self.buffer[1] = 0;
        }
    }

    fn take(&mut self, command: [i32; 4]) {
        let ([tag, a, b, c], flow) = split(command);
        self.flows.told = flow.unwrap_or(self.flows.told);
        match tag {
            CMD_ARG => assert!(self.held.contains_key(&a), "the argument {a} was released"),
            CMD_INVOKE => {
                assert!(c == NONE || self.held.contains_key(&c), "the argument {c} was released");
                assert!(self.running.insert(a) && !self.aborted.contains(&a), "{a} is called twice");
                self.waits.insert(a, [0, 0]);
                self.flows.called(a);
            }
            CMD_OPENED => self.flows.opened(a, self.opening),
            CMD_ENDED => {
                assert!(self.held.contains_key(&b), "the StopEvent {b} was released");
                self.end(a);
            }
            CMD_FAIL if self.flows.told != 0 => self.end(self.flows.told),
            CMD_RELEASE => assert!(self.held.remove(&a).is_some(), "{a} is released twice"),
            CMD_ABORT if b == 2 => assert!(!self.running.contains(&a), "{a} runs and waits to be tried again"),
            CMD_ABORT => {
                assert_eq!(self.running.remove(&a), b == 0, "{a} is aborted and was not called");
                assert!(self.aborted.insert(a), "{a} is aborted twice");
                self.end_children(a);
            }
            CMD_FINISH | CMD_FAIL => {
                assert!(!self.over);
                self.over = true;
            }
            CMD_ASKED => {
                assert!(self.held.contains_key(&c), "the request {c} was released");
                assert!(self.pending.insert(a, c).is_none_or(|slot| slot == c), "two requests have the number {a}");
            }
            CMD_WITHDRAWN => {
                assert!(self.held.contains_key(&a), "the request {a} was released");
                let before = self.pending.len();
                self.pending.retain(|_, slot| *slot != a);
                assert_eq!(self.pending.len() + 1, before, "the request in {a} was not pending");
            }
            CMD_EXPIRED => self.pending.retain(|_, slot| *slot != c),
            CMD_ANSWERED => assert!(self.held.contains_key(&c), "the answer {c} was released"),
            CMD_FAILED => {
                self.held.insert(a, TYPES[FAILED].to_owned());
            }
            CMD_ALARM => self.alarm = if a == NONE { NONE } else { b },
            CMD_AGAIN | CMD_YIELDED | CMD_WAITING | CMD_PUBLISH | CMD_WOKEN | CMD_DELAYED => {}
            _ => panic!("command {tag}"),
        }
    }

    /// An invocation emits, sends or settles; false if there is none.
    pub fn act(&mut self, tape: &mut Tape) -> bool {
        if self.over {
            return false;
        }
        let all: Vec<i32> = self.running.iter().chain(&self.aborted).copied().collect();
        if all.is_empty() {
            return self.wait();
        }
        let id = all[tape.below(all.len())];
        let mut frames = Vec::new();
        let what = if tape.over() { 9 } else { tape.below(16) };
        let ty = |tape: &mut Tape| tape.of(&[2, 3, 3, 4, 4, 4, 5, 5, 5, 5]);
        match what {
            0 => {
                if tape.below(2) == 1 {
                    frames.push([IN_ID, self.next_id, NONE, NONE]);
                    self.next_id += tape.below(2) as i32;
                }
                let ty = ty(tape);
                let slot = self.made(ty, tape, &mut frames);
                frames.push([IN_SEND, id, ty as i32, slot]);
                return self.done(&frames);
            }
            1 => {
                frames.push([IN_FAN, id, NONE, NONE]);
                let ty = ty(tape);
                let slot = self.made(ty, tape, &mut frames);
                frames.push([IN_EMIT, id, ty as i32, slot]);
                frames.push([IN_COMMIT, id, 1, NONE]);
                return self.done(&frames);
            }
            2 => {
                let ty = 2;
                let slot = self.made(ty, tape, &mut frames);
                frames.push([IN_EXTERNAL, ty as i32, slot, self.flows.some(tape).unwrap_or(NONE)]);
                return self.done(&frames);
            }
            3..7 => {
                frames.push([IN_FAN, id, NONE, NONE]);
                for _ in 0..tape.below(5) {
                    let ty = ty(tape);
                    let slot = self.made(ty, tape, &mut frames);
                    frames.push([IN_EMIT, id, ty as i32, slot]);
                }
            }
            7 => {
                let ends = self.flows.is_child(id) && tape.below(3) == 0;
                let ty = if ends { STOP } else { ty(tape) };
                let slot = self.made(ty, tape, &mut frames);
                frames.push([IN_EMIT, id, ty as i32, slot]);
            }
            10 | 11 => {
                let time = self.tick(tape);
                let waits = self.waits.entry(id).or_default();
                let (sleeps, asks) = (waits[0], waits[1]);
                let until = [IN_UNTIL, 0, time[2] + tape.below(20) as i32, NONE];
                frames.push(time);
                if what == 10 {
                    waits[0] += 1;
                    frames.extend([until, [IN_SLEEP, id, sleeps, NONE]]);
                } else {
                    waits[1] += 1;
                    frames.extend((tape.below(2) == 1).then_some(until));
                    let slot = self.event(REQUEST);
                    frames.push([IN_ASK, id, asks, slot]);
                }
                return self.done(&frames);
            }
            12 if !self.pending.is_empty() => {
                let request = *self.pending.keys().nth(tape.below(self.pending.len())).unwrap();
                return self.answer(request, tape);
            }
            12 | 13 => {
                frames.push([IN_FAN, id, NONE, NONE]);
                let slot = self.event(REQUEST);
                frames.push([IN_EMIT, id, REQUEST as i32, slot]);
            }
            14 => {
                let time = self.tick(tape);
                let slot = self.event(FAILED);
                frames.extend([time, [IN_RANDOM, tape.below(1 << 30) as i32, NONE, NONE], [IN_SETTLE, id, 1, slot]]);
                self.settled(id);
                return self.done(&frames);
            }
            8 => {
                let slot = self.event(0);
                self.opening = id;
                return self.done(&[[IN_CHILD, id, self.plan, slot]]);
            }
            15 if let Some(flow) = self.flows.some(tape) => {
                self.end(flow);
                return self.done(&[[IN_CANCEL, flow, NONE, NONE]]);
            }
            _ => {}
        }
        frames.push([IN_SETTLE, id, 0, NONE]);
        self.settled(id);
        self.done(&frames)
    }

    fn settled(&mut self, id: i32) {
        self.running.remove(&id);
        self.aborted.remove(&id);
        self.end_children(id);
    }

    fn tick(&mut self, tape: &mut Tape) -> [i32; 4] {
        self.now += tape.below(8) as i32;
        [IN_TICK, 0, self.now, NONE]
    }

    /// Nothing runs: time passes, or somebody answers. False if nothing is left to wait for.
    fn wait(&mut self) -> bool {
        if self.alarm != NONE {
            self.now = self.now.max(self.alarm);
            let before = self.alarm;
            self.give(&[[IN_TICK, 0, self.now, NONE]]);
            return before != self.alarm || !self.running.is_empty();
        }
        match self.pending.keys().next().copied() {
            Some(request) => self.answer(request, &mut Tape::new(&[])),
            None => false,
        }
    }

    fn answer(&mut self, request: i32, tape: &mut Tape) -> bool {
        let mut frames = Vec::new();
        let slot = self.made(5, tape, &mut frames);
        frames.push([IN_RESPOND, request, 5, slot]);
        self.pending.remove(&request);
        self.done(&frames)
    }

    fn done(&mut self, frames: &[[i32; 4]]) -> bool {
        self.give(frames);
        true
    }

    /// How many invocations are to settle.
    pub fn called(&self) -> usize {
        self.running.len()
    }

    pub fn save(&mut self) -> Option<Vec<u8>> {
        let slots: Vec<i32> = self.held.keys().copied().collect();
        let types: Vec<&String> = self.held.values().collect();
        let of: Vec<usize> = (0..types.len()).collect();
        let payloads = vec![json!({ "a": 1 }); types.len()];
        let mut keys: Vec<&str> = self.known.iter().map(String::as_str).collect();
        let mut values: Vec<Value> = keys.iter().map(|name| json!(name)).collect();
        keys.extend(["state/a%2Fb", "once/0/charge", "session/user"]);
        values.extend([json!({ "$": "buffer", "bytes": 0 }), json!({ "a": [1, "x"] }), json!("Ada")]);
        let document = json!({ "runId": "r", "slots": slots, "types": types, "of": of, "payloads": payloads, "keys": keys, "values": values, "bytes": [["state/a%2Fb", [3]]] });
        self.core.save(self.run, document.to_string().as_bytes(), &[1, 2, 255])
    }

    /// A run of a snapshot; false: it was refused as it should be.
    pub fn restore(&mut self, bytes: &[u8]) -> bool {
        let parsed = self.core.parse(bytes);
        let read = parsed.and_then(|parsed| Some((children(&mut self.core, self.plan, &parsed)?, parsed)));
        self.run = read.map_or(-ERR_SNAPSHOT, |(children, parsed)| self.core.restore(self.plan, &parsed, &children));
        if self.run < 0 {
            assert_eq!(self.run, -ERR_SNAPSHOT, "{}", self.core.last_error());
            assert!(self.core.last_error().starts_with("{\"code\":300,"), "{}", self.core.last_error());
            assert_eq!(self.core.runs(), 0);
            return false;
        }
        let snap = Snap::read(bytes);
        self.flows = Flows::read(&snap);
        for (key, _) in snap.entries.iter().filter(|(key, _)| key.starts_with("event/")) {
            let slot = key[6..].parse().unwrap();
            self.held.insert(slot, snap.json(key)["type"].as_str().unwrap().to_owned());
            self.next_slot = self.next_slot.max(slot + 1);
        }
        let known = snap.entries.iter().map(|(key, _)| key).filter(|key| key.starts_with("key/") || key.contains("sent/"));
        self.known.extend(known.cloned());
        // Tells of the requests that are pending.
        self.give(&[[IN_PAUSE, 1, NONE, NONE]]);
        true
    }
}
