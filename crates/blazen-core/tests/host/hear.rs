//! The commands that a host gets, each checked.

use super::*;
use crate::tagged::split;
use crate::workflow::POOL;

impl Host<'_> {
    pub(super) fn hand_over(&mut self, frames: Vec<Frame>) {
        let commands = exchange(&mut self.core, &mut self.buffer, &mut self.run, &frames)
            .unwrap_or_else(|error| panic!("{error}: {}", self.core.last_error()));
        let mut set = Vec::new();
        self.waiting = false;
        for &command in &commands {
            assert!(!self.over, "a command after the end");
            self.hear(command, &mut set);
        }
        self.log.push((frames, commands));
        assert!(set.is_empty());
        assert!(self.opening.is_none(), "a child run was not opened");
        self.settling = None;
        // What an invocation that is aborted goes with is released before it.
        let gone = self.running.values().flat_map(|call| &call.input).find(|slot| !self.over && !self.held.contains_key(slot));
        assert_eq!(gone, None, "a payload is released while a step has it");
        let lost = |slot: &&i32| !self.over && self.books[self.events[*slot].1].over;
        assert_eq!(self.held.keys().find(lost), None, "a child run has ended, and its payload is held");
        self.look();
    }

    /// Whether the run says what it does.
    fn look(&self) {
        let leaf = |call: &Call| !call.aborted && call.children.is_empty();
        let live = self.running.values().any(leaf);
        // An aborted invocation keeps its place, for which others may wait.
        let kept = self.running.values().any(|call| call.aborted && self.step(call).limit.is_some());
        assert!(self.over || live || kept || self.waiting || self.paused, "nothing is running, and the run does not say so");
        assert!(!live || !self.waiting, "the run waits while a step is running");
    }

    fn hear(&mut self, command: Frame, set: &mut Vec<i32>) {
        let ([tag, a, b, c], flow) = split(command);
        self.told = flow.unwrap_or(self.told);
        match tag {
            CMD_ARG => set.push(a),
            CMD_OPENED => {
                let (book, by) = self.opening.take().expect("a child run is opened");
                let before = self.flows.insert(a, book);
                assert!(before.is_none(), "two flows have the number {a}");
                self.owners.insert(a, by);
                let call = self.running.get_mut(&by).unwrap();
                call.children.insert(a);
                call.opened += 1;
            }
            CMD_INVOKE => {
                let input = if c == NONE { std::mem::take(set) } else { vec![c] };
                assert!(!self.books[self.book(self.told)].over, "a call of a flow that has ended");
                if self.again.remove(&a) { self.invoke_again(a, b, &input) } else { self.invoke(a, b, input) }
            }
            CMD_RELEASE => {
                assert!(self.held.remove(&a).is_some(), "payload {a} is released twice");
            }
            CMD_ABORT if b == 1 => {
                assert!(self.again.remove(&a) && self.running[&a].aborted, "{a} was aborted when the run was stored");
            }
            CMD_ABORT if b == 2 => assert!(self.delayed.remove(&a).is_some(), "{a} does not wait to be tried again"),
            CMD_ABORT => {
                let call = self.running.get_mut(&a).expect("what is aborted is running");
                assert!(!std::mem::replace(&mut call.aborted, true), "{a} is aborted twice");
                let children = std::mem::take(&mut call.children);
                children.into_iter().for_each(|child| self.end(child));
                self.forget_children(a);
            }
            CMD_DELAYED => {
                let (id, mut call) = self.settling.take().expect("it has failed");
                call.failures += 1;
                assert_eq!((id, call.step, call.failures, self.told), (a, b, c as usize, call.flow));
                call.opened = 0;
                call.children = BTreeSet::new();
                self.delayed.insert(id, call);
            }
            CMD_WAITING => {
                assert!(self.live().iter().any(|flow| self.books[self.book(*flow)].workflow.external));
                self.waiting = true;
            }
            CMD_ENDED => {
                assert_eq!(self.events[&b], (STOP, self.book(a)), "another's StopEvent");
                self.ended(a);
            }
            CMD_FAIL => self.failed(a, b),
            CMD_FINISH => {
                assert_eq!(self.events[&a], (STOP, 0));
                self.over = true;
            }
            CMD_AGAIN => {
                self.next_seq = (i64::from(a) << 32) | i64::from(b as u32);
                self.attempt = c;
            }
            CMD_ALARM => {}
            _ => panic!("command {tag}"),
        }
    }

    fn failed(&mut self, code: i32, step: i32) {
        let (book, flow) = (self.book(self.told), self.told);
        let stalled = code == ERR_STALLED;
        self.books[book].exhausted |= stalled;
        if flow == 0 {
            assert!(stalled, "{}", self.core.last_error());
            self.over = true;
            return;
        }
        let settling = self.settling.as_ref().map(|(_, call)| (call.flow, call.step));
        assert!(stalled || [ERR_STEP, ERR_STEP_RETURN].contains(&code) && settling == Some((flow, step)));
        self.ended(flow);
    }

    /// A child run says so itself: the invocation that opened it goes on.
    fn ended(&mut self, flow: i32) {
        let opener = self.running.values_mut().find(|call| call.children.contains(&flow)).expect("an invocation waits for it");
        assert!(!opener.aborted);
        opener.children.remove(&flow);
        self.end(flow);
    }

    /// Nothing of a child run goes on, nor of those within it.
    pub(super) fn end(&mut self, flow: i32) {
        let book = self.book(flow);
        assert!(!std::mem::replace(&mut self.books[book].over, true), "it ends twice");
        let own: Vec<i32> = self.running.iter().filter(|(_, call)| call.flow == flow).map(|(id, _)| *id).collect();
        for id in own {
            self.again.remove(&id);
            let call = self.running.remove(&id).unwrap();
            call.children.iter().for_each(|child| self.end(*child));
            self.forget_children(id);
        }
        if self.settling.as_ref().is_some_and(|(_, call)| call.flow == flow) {
            self.settling = None;
        }
    }

    /// The numbers of the child runs that an invocation has opened may be others' from here on.
    pub(super) fn forget_children(&mut self, id: i32) {
        let owners = &mut self.owners;
        let flows: Vec<i32> = owners.iter().filter(|(_, by)| **by == id).map(|(flow, _)| *flow).collect();
        for flow in flows {
            owners.remove(&flow);
            self.flows.remove(&flow);
        }
    }

    /// What had not settled when the run was stored.
    fn invoke_again(&mut self, id: i32, step: i32, input: &[i32]) {
        let (seq, attempt) = self.number();
        let told = self.told;
        let call = self.running.get_mut(&id).expect("it was running");
        assert!(!call.aborted, "what was aborted is not called");
        call.attempt += 1;
        assert_eq!((call.step, &*call.input, call.seq, call.attempt, call.flow), (step, input, seq, attempt, told));
    }

    /// The number and the attempt of what is called.
    fn number(&mut self) -> (i64, i32) {
        self.next_seq += 1;
        (self.next_seq - 1, std::mem::replace(&mut self.attempt, 1))
    }

    fn invoke(&mut self, id: i32, step: i32, input: Vec<i32>) {
        let (seq, attempt) = self.number();
        let (flow, book) = (self.told, self.book(self.told));
        self.waiting = false;
        let distinct: BTreeSet<_> = input.iter().collect();
        assert_eq!(distinct.len(), input.len(), "an event twice in a set");
        for slot in &input {
            assert!(self.held.contains_key(slot), "payload {slot} was released");
            assert_eq!(self.events[slot].1, book, "payload {slot} is of another flow");
        }
        // One that was withdrawn in the line for a place was not told of.
        if let Some(mut call) = self.delayed.remove(&id).filter(|call| call.seq == seq) {
            call.attempt += 1;
            assert_eq!((call.step, &call.input, call.attempt, call.flow), (step, &input, attempt, flow));
            self.running.insert(id, call);
        } else {
            assert!(self.seqs.insert(seq), "two invocations have the number {seq}");
            assert_eq!(attempt, 1, "a first attempt");
            self.books[book].calls.push((step, input.clone()));
            let call = Call {
                flow,
                step,
                input,
                aborted: false,
                fanned: false,
                seq,
                attempt: 1,
                failures: 0,
                opened: 0,
                children: BTreeSet::new(),
            };
            let before = self.running.insert(id, call);
            assert!(before.is_none(), "invocation {id} is running already");
        }
        let made = &self.books[book].workflow.steps[step as usize];
        let own = || self.running.values().filter(|call| call.flow == flow);
        if made.pooled {
            assert!(own().filter(|call| self.step(call).pooled).count() <= POOL, "the pool is over its limit");
        } else if let Some(limit) = made.limit {
            assert!(own().filter(|call| call.step == step).count() <= limit, "step {step} is over its limit");
        }
    }
}
