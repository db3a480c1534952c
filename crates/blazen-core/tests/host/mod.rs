//! A host that settles invocations in random order and checks each command it gets.

use std::collections::{BTreeMap, BTreeSet};

use blazen_core::*;
use serde_json::json;

use crate::tape::Tape;
use crate::workflow::{Kind, POOL, START, STOP, TYPES, Workflow};

pub type Frame = [i32; 4];
const NONE: i32 = -1;
const HEADER: usize = 16;
/// Events after which steps return nothing more.
const ENOUGH: usize = 150;

/// Hands frames over; all commands, or None where the core refuses.
pub fn exchange(core: &mut Core, buffer: &mut [i32], run: &mut i32, frames: &[Frame]) -> Result<Vec<Frame>, i32> {
    buffer[HEADER..HEADER + 4 * frames.len()].copy_from_slice(frames.as_flattened());
    buffer[1] = frames.len() as i32;
    let mut commands = Vec::new();
    loop {
        buffer[0] = *run;
        core.exchange(buffer);
        *run = buffer[0];
        if buffer[1] < 0 {
            return Err(buffer[1]);
        }
        commands.extend(buffer[HEADER..HEADER + 4 * buffer[1] as usize].as_chunks().0);
        if buffer[2] == 0 {
            return Ok(commands);
        }
        buffer[1] = 0;
    }
}

/// A snapshot as read from its text.
fn other_form(core: &mut Core, text: &str) -> Vec<u8> {
    core.parse(text.as_bytes()).unwrap_or_else(|| panic!("{}", core.last_error()))
}

struct Call {
    step: i32,
    input: Vec<i32>,
    aborted: bool,
    fanned: bool,
    seq: i64,
    attempt: i32,
}

pub struct Host<'a> {
    workflow: &'a Workflow,
    core: Core,
    buffer: Vec<i32>,
    run: i32,
    running: BTreeMap<i32, Call>,
    next_slot: i32,
    /// By payload: that the core has it.
    pub held: BTreeMap<i32, ()>,
    /// By payload: its type.
    pub events: BTreeMap<i32, i32>,
    /// Payloads in the order in which they entered the queue.
    pub routed: Vec<i32>,
    /// Every call: step and input.
    pub calls: Vec<(i32, Vec<i32>)>,
    /// Every fan-out's opener.
    pub fans: Vec<usize>,
    /// Every exchange.
    pub log: Vec<(Vec<Frame>, Vec<Frame>)>,
    over: bool,
    waiting: bool,
    paused: bool,
    plan: i32,
    /// After a resume: what is to be called or aborted again.
    again: BTreeSet<i32>,
    /// How often it was stored and gone on with in another core.
    pub stops: usize,
    next_seq: i64,
    attempt: i32,
    /// The number of each call's invocation.
    pub seqs: BTreeSet<i64>,
    /// The run had nothing left to do, and no StopEvent came.
    pub exhausted: bool,
}

impl<'a> Host<'a> {
    pub fn play(workflow: &'a Workflow, tape: &mut Tape) -> Self {
        Self::play_with(workflow, tape, false)
    }

    /// `stops`: now and then it is stored, and goes on in another core.
    pub fn play_with(workflow: &'a Workflow, tape: &mut Tape, stops: bool) -> Self {
        let mut core = Core::new();
        let plan = core.compile(&workflow.definition());
        assert!(plan >= 0, "{}", core.last_error());
        let mut host = Self {
            workflow,
            core,
            buffer: vec![0; BUFFER_WORDS],
            run: NONE,
            running: BTreeMap::new(),
            next_slot: 0,
            held: BTreeMap::new(),
            events: BTreeMap::new(),
            routed: Vec::new(),
            calls: Vec::new(),
            fans: Vec::new(),
            log: Vec::new(),
            over: false,
            waiting: false,
            paused: false,
            plan,
            again: BTreeSet::new(),
            stops: 0,
            next_seq: 0,
            attempt: 1,
            seqs: BTreeSet::new(),
            exhausted: false,
        };
        let slot = host.event(START);
        host.routed.push(slot);
        host.hand_over(vec![[IN_START, plan, slot, NONE]]);
        while !host.over {
            if stops && tape.below(6) == 1 {
                host.stop(tape);
                continue;
            }
            if let Some(frames) = host.act(tape) {
                host.hand_over(frames);
            } else {
                host.exhausted |= host.waiting;
                break;
            }
        }
        assert_eq!(host.core.runs(), usize::from(!host.over));
        host
    }

    /// Settles a few invocations while nothing is dispatched, then goes on in another core.
    fn stop(&mut self, tape: &mut Tape) {
        self.paused = true;
        self.hand_over(vec![[IN_PAUSE, 1, NONE, NONE]]);
        for _ in 0..tape.below(4) {
            if let Some(frames) = self.act(tape).filter(|_| !self.over) {
                self.hand_over(frames);
            }
        }
        if self.over {
            return;
        }
        let bytes = self.save().unwrap_or_else(|| panic!("{}", self.core.last_error()));
        assert_eq!(self.core.verify(self.plan, self.run, &bytes, &[]).as_deref(), Some(""), "{}", self.core.last_error());
        let text = self.core.text(&bytes).unwrap();
        let mut other = Core::new();
        self.plan = other.compile(&self.workflow.definition());
        let parsed = other_form(&mut other, &text);
        self.run = other.restore(self.plan, &parsed);
        assert!(self.run >= 0, "{}\n{text}", other.last_error());
        self.core = other;
        assert_eq!(self.save(), Some(bytes), "{text}");
        self.again = self.running.keys().copied().collect();
        self.next_seq = 0;
        self.stops += 1;
        self.paused = false;
        self.waiting = false;
        self.hand_over(vec![[IN_PAUSE, 0, NONE, NONE]]);
        assert!(self.over || self.again.is_empty(), "not called again: {:?}", self.again);
    }

    fn save(&mut self) -> Option<Vec<u8>> {
        let name = |ty: &i32| match *ty {
            START => "blazen::StartEvent".to_owned(),
            STOP => "blazen::StopEvent".to_owned(),
            ty => format!("T{}", ty - 2),
        };
        let slots: Vec<i32> = self.held.keys().copied().collect();
        let types: Vec<_> = slots.iter().map(|slot| name(&self.events[slot])).collect();
        let of: Vec<_> = (0..slots.len()).collect();
        let payloads = vec![json!({}); slots.len()];
        self.core.save(
            self.run,
            json!({ "runId": "r", "slots": slots, "types": types, "of": of, "payloads": payloads }).to_string().as_bytes(),
            &[],
        )
    }

    /// What had not settled when the run was stored.
    fn invoke_again(&mut self, id: i32, step: i32, input: &[i32]) {
        let call = self.running.get_mut(&id).expect("it was running");
        assert!(!call.aborted, "what was aborted is not called");
        call.attempt += 1;
        assert_eq!((call.step, &*call.input, call.seq, call.attempt), (step, input, self.next_seq, self.attempt));
        self.next_seq += 1;
        self.attempt = 1;
    }

    /// A new payload.
    fn event(&mut self, ty: i32) -> i32 {
        let slot = self.next_slot;
        self.next_slot += 1;
        self.held.insert(slot, ());
        self.events.insert(slot, ty);
        slot
    }

    fn random_event(&mut self, tape: &mut Tape) -> (i32, i32) {
        let cancels = self.workflow.steps.iter().any(|step| matches!(step.kind, Kind::Of { first: Some(_), .. }));
        let ty = if cancels && tape.below(40) == 39 { STOP } else { 2 + tape.below(TYPES) as i32 };
        (ty, self.event(ty))
    }

    /// What happens next: an invocation emits, sends, or settles; None when nothing can happen any more.
    fn act(&mut self, tape: &mut Tape) -> Option<Vec<Frame>> {
        let more = self.next_slot < ENOUGH as i32 && !tape.over();
        if self.workflow.external && more && tape.below(8) == 7 {
            let slot = self.event(2);
            self.routed.push(slot);
            self.waiting = false;
            return Some(vec![[IN_EXTERNAL, 2, slot, NONE]]);
        }
        let at = tape.below(self.running.len().max(1));
        let id = *self.running.keys().nth(at)?;
        let mut frames = Vec::new();
        match if more { 1 + tape.below(9) } else { 0 } {
            0 => {}
            1..4 => frames.extend(self.emit(id, tape)),
            4 => {
                let (ty, slot) = self.random_event(tape);
                self.note_routed(id, &[slot]);
                return Some(vec![[IN_SEND, id, ty, slot]]);
            }
            5 => {
                self.fan(id, &mut frames);
                frames.extend(self.emit(id, tape));
                frames.push([IN_COMMIT, id, NONE, NONE]);
                return Some(frames);
            }
            _ => {
                self.fan(id, &mut frames);
                for _ in 0..tape.below(6) {
                    frames.extend(self.emit(id, tape));
                }
            }
        }
        frames.push([IN_SETTLE, id, 0, NONE]);
        self.running.remove(&id);
        Some(frames)
    }

    fn emit(&mut self, id: i32, tape: &mut Tape) -> Option<Frame> {
        let (ty, slot) = self.random_event(tape);
        self.note_routed(id, &[slot]);
        Some([IN_EMIT, id, ty, slot])
    }

    fn note_routed(&mut self, id: i32, slots: &[i32]) {
        if !self.running[&id].aborted {
            self.routed.extend(slots);
        }
    }

    fn fan(&mut self, id: i32, frames: &mut Vec<Frame>) {
        frames.push([IN_FAN, id, NONE, NONE]);
        if let Some(call) = self.running.get_mut(&id)
            && !call.fanned
            && !call.aborted
        {
            call.fanned = true;
            self.fans.push(call.step as usize);
        }
    }

    fn hand_over(&mut self, frames: Vec<Frame>) {
        let commands = exchange(&mut self.core, &mut self.buffer, &mut self.run, &frames)
            .unwrap_or_else(|error| panic!("{error}: {}", self.core.last_error()));
        let mut set = Vec::new();
        self.waiting = false;
        for &[tag, a, b, c] in &commands {
            assert!(!self.over, "a command after the end");
            match tag {
                CMD_ARG => set.push(a),
                CMD_INVOKE if self.again.remove(&a) => {
                    let input = if c == NONE { std::mem::take(&mut set) } else { vec![c] };
                    self.invoke_again(a, b, &input);
                }
                CMD_INVOKE => self.invoke(a, b, if c == NONE { std::mem::take(&mut set) } else { vec![c] }),
                CMD_RELEASE => {
                    assert!(self.held.remove(&a).is_some(), "payload {a} is released twice");
                    let user = self.running.values().find(|call| call.input.contains(&a));
                    assert!(user.is_none(), "payload {a} is released while step {} has it", user.map_or(NONE, |call| call.step));
                }
                CMD_ABORT if b == 1 => {
                    assert!(self.again.remove(&a) && self.running[&a].aborted, "{a} was aborted when the run was stored");
                }
                CMD_ABORT => {
                    let call = self.running.get_mut(&a).expect("what is aborted is running");
                    assert!(!std::mem::replace(&mut call.aborted, true), "{a} is aborted twice");
                }
                CMD_WAITING => {
                    assert!(self.workflow.external);
                    self.waiting = true;
                }
                CMD_FINISH => {
                    assert_eq!(self.events[&a], STOP);
                    self.over = true;
                }
                CMD_FAIL => {
                    assert_eq!(a, ERR_STALLED, "{}", self.core.last_error());
                    self.over = true;
                    self.exhausted = true;
                }
                CMD_AGAIN => {
                    self.next_seq = (i64::from(a) << 32) | i64::from(b as u32);
                    self.attempt = c;
                }
                _ => panic!("command {tag}"),
            }
        }
        self.log.push((frames, commands));
        assert!(set.is_empty());
        let live = self.running.values().any(|call| !call.aborted);
        // An aborted invocation keeps its place, for which others may wait.
        let kept = self.running.values().any(|call| self.workflow.steps[call.step as usize].limit.is_some());
        assert!(self.over || live || kept || self.waiting || self.paused, "nothing is running, and the run does not say so");
        assert!(!live || !self.waiting, "the run waits while a step is running");
    }

    fn invoke(&mut self, id: i32, step: i32, input: Vec<i32>) {
        assert!(self.seqs.insert(self.next_seq), "two invocations have the number {}", self.next_seq);
        self.next_seq += 1;
        assert_eq!(std::mem::replace(&mut self.attempt, 1), 1, "a first attempt");
        self.waiting = false;
        let distinct: BTreeSet<_> = input.iter().collect();
        assert_eq!(distinct.len(), input.len(), "an event twice in a set");
        for slot in &input {
            assert!(self.held.contains_key(slot), "payload {slot} was released");
        }
        self.calls.push((step, input.clone()));
        let call = Call { step, input, aborted: false, fanned: false, seq: self.next_seq - 1, attempt: 1 };
        let before = self.running.insert(id, call);
        assert!(before.is_none(), "invocation {id} is running already");
        let steps = &self.workflow.steps;
        let of = |call: &Call| &steps[call.step as usize];
        let made = &steps[step as usize];
        if made.pooled {
            assert!(self.running.values().filter(|call| of(call).pooled).count() <= POOL, "the pool is over its limit");
        } else if let Some(limit) = made.limit {
            assert!(self.running.values().filter(|call| call.step == step).count() <= limit, "step {step} is over its limit");
        }
    }
}
