//! A host that settles invocations in random order, opens child runs, and checks each command it gets.
#![allow(dead_code)] // Each test file uses a part.

mod hear;
mod store;

use std::collections::{BTreeMap, BTreeSet};

use blazen_core::*;

use crate::tape::Tape;
use crate::workflow::{Kind, START, STOP, Step, TYPES, Workflow};

pub type Frame = [i32; 4];
const NONE: i32 = -1;
const HEADER: usize = 16;
/// Events after which steps return nothing more.
const ENOUGH: usize = 150;
/// A slot behind all others.
const FAR: i32 = 1000;
/// An error, which is no event.
const ERROR: i32 = -1;
/// Child runs that one invocation opens.
const CHILDREN: usize = 3;

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
        let told: &[Frame] = buffer[HEADER..HEADER + 4 * buffer[1] as usize].as_chunks().0;
        // `last_error` tells of one.
        let failures = told.iter().filter(|[tag, ..]| *tag & 0xff == CMD_FAIL).count();
        assert!(failures <= frames.len().max(1), "{failures} failures in an exchange");
        commands.extend(told);
        if buffer[2] == 0 {
            return Ok(commands);
        }
        buffer[1] = 0;
    }
}

struct Call {
    flow: i32,
    step: i32,
    input: Vec<i32>,
    aborted: bool,
    fanned: bool,
    seq: i64,
    attempt: i32,
    failures: usize,
    /// Child runs that it has opened, and those of them that go on.
    opened: usize,
    children: BTreeSet<i32>,
}

/// What went on in a flow.
pub struct Book<'a> {
    pub workflow: &'a Workflow,
    /// Payloads in the order in which they entered the queue.
    pub routed: Vec<i32>,
    /// Every call: step and input.
    pub calls: Vec<(i32, Vec<i32>)>,
    /// Every fan-out's opener.
    pub fans: Vec<usize>,
    /// It had nothing left to do, and no StopEvent came.
    pub exhausted: bool,
    over: bool,
}

impl<'a> Book<'a> {
    fn new(workflow: &'a Workflow) -> Self {
        Self { workflow, routed: Vec::new(), calls: Vec::new(), fans: Vec::new(), exhausted: false, over: false }
    }
}

pub struct Host<'a> {
    core: Core,
    buffer: Vec<i32>,
    run: i32,
    running: BTreeMap<i32, Call>,
    /// Invocations that have failed and are tried again.
    delayed: BTreeMap<i32, Call>,
    /// The one that settles in this exchange.
    settling: Option<(i32, Call)>,
    next_slot: i32,
    /// It takes slots that are like used ones to the core, so that invocations hop from step to step.
    used: bool,
    /// By payload: that the core has it.
    pub held: BTreeMap<i32, ()>,
    /// By payload: its type, and the book of its flow.
    pub events: BTreeMap<i32, (i32, usize)>,
    /// The run and all its child runs; the run itself first.
    pub books: Vec<Book<'a>>,
    /// By flow that the core has: its book.
    flows: BTreeMap<i32, usize>,
    /// By child run: the invocation that has opened it.
    owners: BTreeMap<i32, i32>,
    /// The flow that commands are about.
    told: i32,
    /// The child run that is opened in this exchange, and by whom.
    opening: Option<(usize, i32)>,
    /// Every exchange.
    pub log: Vec<(Vec<Frame>, Vec<Frame>)>,
    over: bool,
    waiting: bool,
    paused: bool,
    /// After a resume: what is to be called or aborted again.
    again: BTreeSet<i32>,
    /// How often it was stored and gone on with in another core.
    pub stops: usize,
    next_seq: i64,
    attempt: i32,
    /// The number of each call's invocation.
    pub seqs: BTreeSet<i64>,
}

impl<'a> Host<'a> {
    pub fn play(workflow: &'a Workflow, tape: &mut Tape) -> Self {
        Self::play_with(workflow, tape, false)
    }

    /// `stops`: now and then it is stored, and goes on in another core.
    pub fn play_with(workflow: &'a Workflow, tape: &mut Tape, stops: bool) -> Self {
        let mut host = Self {
            core: compiled(workflow),
            buffer: vec![0; BUFFER_WORDS],
            run: NONE,
            running: BTreeMap::new(),
            delayed: BTreeMap::new(),
            settling: None,
            next_slot: 0,
            used: stops,
            held: BTreeMap::new(),
            events: BTreeMap::new(),
            books: vec![Book::new(workflow)],
            flows: BTreeMap::from([(0, 0)]),
            owners: BTreeMap::new(),
            told: 0,
            opening: None,
            log: Vec::new(),
            over: false,
            waiting: false,
            paused: false,
            again: BTreeSet::new(),
            stops: 0,
            next_seq: 0,
            attempt: 1,
            seqs: BTreeSet::new(),
        };
        let slot = host.event(START, 0);
        host.hand_over(vec![[IN_START, workflow.plan, slot, NONE]]);
        while !host.over {
            if stops && tape.below(6) == 1 {
                host.stop(tape);
                continue;
            }
            if let Some(frames) = host.act(tape) {
                host.hand_over(frames);
            } else {
                host.books[0].exhausted |= host.waiting;
                break;
            }
        }
        assert_eq!(host.core.runs(), usize::from(!host.over));
        host
    }

    fn workflow(&self) -> &'a Workflow {
        self.books[0].workflow
    }

    fn book(&self, flow: i32) -> usize {
        self.flows[&flow]
    }

    fn step(&self, call: &Call) -> &'a Step {
        &self.books[self.book(call.flow)].workflow.steps[call.step as usize]
    }

    /// Flows that go on.
    fn live(&self) -> Vec<i32> {
        self.flows.iter().filter(|(_, book)| !self.books[**book].over).map(|(flow, _)| *flow).collect()
    }

    /// A new payload, which enters the queue.
    fn event(&mut self, ty: i32, book: usize) -> i32 {
        let slot = self.payload(ty, book);
        self.books[book].routed.push(slot);
        slot
    }

    fn payload(&mut self, ty: i32, book: usize) -> i32 {
        let slot = if self.next_slot == 0 && self.used { FAR } else { self.next_slot };
        self.next_slot += 1;
        self.held.insert(slot, ());
        self.events.insert(slot, (ty, book));
        slot
    }

    /// What an invocation emits.
    fn random_event(&mut self, id: i32, tape: &mut Tape) -> (i32, i32) {
        let call = &self.running[&id];
        let (book, aborted) = (self.book(call.flow), call.aborted);
        let cancels = self.books[book].workflow.steps.iter().any(|step| matches!(step.kind, Kind::Of { first: Some(_), .. }));
        let ty = if cancels && tape.below(40) == 39 { STOP } else { 2 + tape.below(TYPES) as i32 };
        (ty, if aborted { self.payload(ty, book) } else { self.event(ty, book) })
    }

    /// What happens next: an invocation emits, sends, opens a child run, or settles; None when nothing can happen any more.
    fn act(&mut self, tape: &mut Tape) -> Option<Vec<Frame>> {
        let more = self.next_slot < ENOUGH as i32 && !tape.over();
        if more
            && tape.below(8) == 7
            && let Some(frames) = self.outside(tape)
        {
            return Some(frames);
        }
        let at = tape.below(self.running.len().max(1));
        let id = *self.running.keys().nth(at)?;
        let call = &self.running[&id];
        let opens = more && self.step(call).opens && !call.aborted && call.opened < CHILDREN;
        if opens && tape.below(2) == 0 {
            return Some(self.open(id, tape));
        }
        if more && let Some(child) = self.running[&id].children.first().copied() {
            // It mostly waits.
            match tape.below(8) {
                0 => {
                    self.end(child);
                    self.running.get_mut(&id).unwrap().children.remove(&child);
                    return Some(vec![[IN_CANCEL, child, NONE, NONE]]);
                }
                1 => {}
                _ => return self.act(tape),
            }
        }
        let mut frames = Vec::new();
        match if more { 1 + tape.below(10) } else { 0 } {
            0 => {}
            1..4 => frames.extend(self.emit(id, tape)),
            4 => {
                let (ty, slot) = self.random_event(id, tape);
                return Some(vec![[IN_SEND, id, ty, slot]]);
            }
            5 => {
                self.fan(id, &mut frames);
                frames.extend(self.emit(id, tape));
                frames.push([IN_COMMIT, id, NONE, NONE]);
                return Some(frames);
            }
            10 if self.may_fail(id) => {
                let outcome = if self.running[&id].flow == 0 { 1 } else { [1, 3, 2][tape.below(3)] };
                let book = self.book(self.running[&id].flow);
                let slot = self.payload(ERROR, book);
                self.settle(id);
                return Some(vec![[IN_SETTLE, id, outcome, slot]]);
            }
            _ => {
                self.fan(id, &mut frames);
                for _ in 0..tape.below(6) {
                    frames.extend(self.emit(id, tape));
                }
            }
        }
        frames.push([IN_SETTLE, id, 0, NONE]);
        self.settle(id);
        Some(frames)
    }

    /// The failure would not be the run's.
    fn may_fail(&self, id: i32) -> bool {
        let call = &self.running[&id];
        call.flow != 0 || call.aborted || call.failures + 1 < self.step(call).attempts
    }

    fn settle(&mut self, id: i32) {
        let call = self.running.remove(&id).unwrap();
        call.children.iter().for_each(|child| self.end(*child));
        self.forget_children(id);
        self.settling = Some((id, call));
    }

    fn outside(&mut self, tape: &mut Tape) -> Option<Vec<Frame>> {
        let open: Vec<i32> = self.live().into_iter().filter(|flow| self.books[self.book(*flow)].workflow.external).collect();
        let flow = *open.get(tape.below(open.len().max(1)))?;
        let slot = self.event(2, self.book(flow));
        Some(vec![[IN_EXTERNAL, 2, slot, flow]])
    }

    fn open(&mut self, id: i32, tape: &mut Tape) -> Vec<Frame> {
        let book = self.book(self.running[&id].flow);
        let children = &self.books[book].workflow.children;
        let child = &children[tape.below(children.len())];
        self.books.push(Book::new(child));
        let slot = self.event(START, self.books.len() - 1);
        self.opening = Some((self.books.len() - 1, id));
        vec![[IN_CHILD, id, child.plan, slot]]
    }

    fn emit(&mut self, id: i32, tape: &mut Tape) -> Option<Frame> {
        let (ty, slot) = self.random_event(id, tape);
        Some([IN_EMIT, id, ty, slot])
    }

    fn fan(&mut self, id: i32, frames: &mut Vec<Frame>) {
        frames.push([IN_FAN, id, NONE, NONE]);
        if let Some(call) = self.running.get_mut(&id)
            && !call.fanned
            && !call.aborted
        {
            call.fanned = true;
            let (flow, step) = (call.flow, call.step);
            let book = self.book(flow);
            self.books[book].fans.push(step as usize);
        }
    }
}

/// A core with the plans of a workflow and of all within it.
pub fn compiled(workflow: &Workflow) -> Core {
    let mut core = Core::new();
    for one in workflow.all() {
        assert_eq!(core.compile(&one.definition()), one.plan, "{}", core.last_error());
    }
    core
}
