//! One execution: everything it holds is plain data, so that a snapshot is a walk over it.

mod changes;
mod child;
mod collect;
mod compatible;
mod delta;
mod entries;
mod flow;
mod hop;
mod join;
mod keys;
mod layout;
mod request;
mod restore;
mod retry;
mod route;
mod save;
mod scope;
mod settle;
mod stall;
mod timer;
mod verify;
mod write;

use std::collections::VecDeque;
use std::rc::Rc;

use crate::bits::Bits;
use crate::error::CoreError;
use crate::frame::{Frame, NONE, Output};
use crate::generated::*;
use crate::plan::{Accept, Join, Plan, StepId, TypeId};
use crate::slab::Slab;

use changes::Changes;
pub use compatible::compatible;
pub use entries::{CollectEntry, Entry, GivenEntry, InvocationEntry, JoinEntry, QueueEntry, ScopeEntry};
pub use flow::RUN;
use flow::{Flow, FlowId};
use keys::{Key, Keys};
pub use layout::Layout;
pub use request::Request;
pub use restore::EventTypes;
pub use save::{HostEntries, add_bytes};
use scope::Scope;
use settle::Invocation;
use timer::{Timers, time};

pub type Slot = u32;
pub type ScopeId = u32;
pub type InvocationId = u32;
pub const NOBODY: u32 = u32::MAX;
pub const ROOT: ScopeId = 0;
/// A list of a finished run that is longer is not kept for another.
const SMALL: usize = 1024;
/// A host gives its slots out one after the other; one far beyond all it has used is a mistake, and would cost memory.
const FAR: usize = 1 << 20;

/// Where something belongs: a scope (a fan-out, or a flow's root) and the branch in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    pub scope: ScopeId,
    pub branch: u32,
}

/// What stands in the queue: an event, or a fan-out whose branches have all ended.
#[derive(Clone, Copy)]
pub struct Queued {
    /// The commit it came with: dispatch stops at the run's durable mark.
    commit: u64,
    what: What,
    place: Place,
}

#[derive(Clone, Copy)]
pub enum What {
    Event {
        ty: TypeId,
        slot: Slot,
        from: StepId,
    },
    Close,
    /// What stood here has been withdrawn.
    Nothing,
}

#[derive(Clone, Copy)]
struct Staged {
    invocation: InvocationId,
    ty: TypeId,
    slot: Slot,
}

#[derive(Default)]
pub struct Run {
    flows: Slab<Flow>,
    scopes: Slab<Scope>,
    queue: VecDeque<Queued>,
    invocations: Slab<Invocation>,
    requests: Slab<Request>,
    timers: Timers,
    /// How often each payload is held.
    slots: Vec<u32>,
    staged: Vec<Staged>,
    keys: Keys,
    next_keys: Vec<Key>,
    next_id: Option<u32>,
    commit: u64,
    durable: u64,
    /// Number of the next invocation; of the one that the host will call next if it is told nothing.
    next_seq: u64,
    called: u64,
    /// The latest fan-out's number; the root has 0.
    next_opened: u64,
    /// Number of the next event that comes to a join or collect.
    next_arrival: u64,
    /// The place of the queue's first entry among all that were ever in it.
    queue_head: u64,
    /// It comes from a snapshot and has not gone on yet: what had not settled is to be called again.
    restored: bool,
    /// Nothing is dispatched; what settles and comes is taken in.
    paused: bool,
    /// Child runs that wait for events from outside.
    outside: u32,
    /// Invocations whose outcome matters.
    live: u32,
    /// Those of them that wait for a place in their pool.
    lined: u32,
    /// Those of them that await an answer.
    asking: u32,
    /// Those of them that wait for child runs.
    within: u32,
    /// Requests that nobody awaits: their answers are events.
    asked: u32,
    /// Payloads that tell of a failed step: where the step fails that gets one, the run does.
    failures: Bits,
    /// What the checkpoints have not seen yet, if there are any.
    changes: Option<Box<Changes>>,
    /// The host wants to know of each event that is routed.
    observed: bool,
    pub over: bool,
    pub more: bool,
    pub failure: Option<Box<CoreError>>,
    pub spill: VecDeque<Frame>,
}

impl Run {
    #[inline]
    pub fn begin(&mut self, plan: Rc<Plan>, slot: Slot) -> Result<(), CoreError> {
        self.durable = u64::MAX;
        self.scopes.insert(Scope::root(0));
        let start = plan.start;
        self.flows.insert(Flow::new(plan, ROOT, NOBODY));
        self.hold(slot)?;
        self.enqueue(start, slot, NOBODY, Place { scope: ROOT, branch: 0 });
        Ok(())
    }

    /// In a word of the header; what it cannot count no run reaches.
    #[inline]
    pub fn latest_commit(&self) -> i32 {
        self.commit as i32
    }

    /// It may wait for days: what is empty takes no memory meanwhile.
    fn rest(&mut self) {
        self.invocations.rest();
        self.queue.shrink_to_fit();
        self.staged.shrink_to_fit();
        self.slots.truncate(self.slots.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1));
        self.slots.shrink_to_fit();
        self.spill.shrink_to_fit();
    }

    /// Whether its memory is worth keeping for another run.
    #[inline]
    pub fn small(&self) -> bool {
        let sizes = [
            self.queue.capacity(),
            self.slots.capacity(),
            self.staged.capacity(),
            self.spill.capacity(),
            self.invocations.capacity(),
            self.scopes.capacity(),
            self.flows.capacity(),
        ];
        sizes.into_iter().all(|size| size <= SMALL)
    }

    #[inline]
    pub fn reset(&mut self) {
        self.flows.reset();
        self.scopes.reset();
        self.queue.clear();
        self.invocations.reset();
        self.requests.reset();
        self.timers.clear();
        self.slots.clear();
        self.staged.clear();
        self.keys.clear();
        self.next_keys.clear();
        self.next_id = None;
        self.commit = 0;
        self.next_seq = 0;
        self.called = 0;
        self.next_opened = 0;
        self.next_arrival = 0;
        self.queue_head = 0;
        self.restored = false;
        self.paused = false;
        self.outside = 0;
        self.within = 0;
        self.live = 0;
        self.lined = 0;
        self.asking = 0;
        self.asked = 0;
        self.failures.clear();
        self.changes = None;
        self.observed = false;
        self.over = false;
        self.more = false;
        self.failure = None;
        self.spill.clear();
    }

    #[inline]
    pub fn handle(&mut self, &[tag, a, b, c]: &Frame, out: &mut Output<'_>) -> Result<(), CoreError> {
        match tag {
            IN_EMIT => self.handle_emit(a as u32, b as u32, c as u32),
            IN_SETTLE => self.handle_settle(a as u32, b, c, out),
            IN_FAN => self.handle_fan(a as u32),
            IN_COMMIT => self.handle_commit(a as u32, b == 1, out),
            IN_SEND => self.handle_send(a as u32, b as u32, c as u32, out),
            IN_EXTERNAL => self.handle_external(a as u32, b as u32, c.max(0) as u32, out),
            IN_KEY => self.handle_key(a as u32, b, c),
            IN_ID => {
                self.next_id = Some(a as u32);
                Ok(())
            }
            IN_PAUSE => {
                self.paused = a == 1;
                if self.paused && self.restored {
                    self.tell_waits(out);
                }
                Ok(())
            }
            IN_TICK => {
                self.timers.tick(time(a, b)?);
                Ok(())
            }
            IN_UNTIL => {
                self.timers.set_until(time(a, b)?);
                Ok(())
            }
            IN_RANDOM => {
                self.timers.set_random(a as u32);
                Ok(())
            }
            IN_SLEEP => self.handle_sleep(a as u32, b as u32, out),
            IN_ASK => self.handle_ask(a as u32, b as u32, c as u32, out),
            IN_RESPOND => self.handle_respond(a as u32, b as u32, c as u32, out),
            IN_OBSERVE => {
                self.observed = a == 1;
                Ok(())
            }
            IN_KEYED => self.handle_keyed(a as u32),
            IN_DURABLE => {
                self.durable = u64::try_from(a).map_err(|_| CoreError::internal(format!("{a} is no commit")))?;
                Ok(())
            }
            IN_CANCEL if a > 0 => self.handle_cancel_child(a as u32, out),
            IN_CANCEL => {
                self.fail(RUN, CoreError::new(ERR_CANCELLED, "the run was cancelled"), NOBODY, NONE, out);
                Ok(())
            }
            _ => Err(CoreError::internal(format!("there is no input frame {tag} for a run"))),
        }
    }

    /// The key of the next event for a keyed join.
    fn handle_key(&mut self, step: StepId, key: i32, error: i32) -> Result<(), CoreError> {
        let keyed =
            |plan: &Plan| matches!(plan.steps.get(step as usize).map(|step| &step.accepts), Some(Accept::Join(Join { keyed: true, .. })));
        if !self.flows.iter().any(|(_, flow)| keyed(&flow.plan)) {
            return Err(CoreError::internal(format!("step {step} is no join with keys")));
        }
        self.next_keys.push((step, key, error));
        Ok(())
    }

    /// After a resume: the keys before this frame are of an event that the run holds.
    fn handle_keyed(&mut self, slot: Slot) -> Result<(), CoreError> {
        if !self.is_held(slot) {
            return Err(CoreError::internal(format!("nothing is in slot {slot}")));
        }
        self.keep_keys(slot);
        Ok(())
    }

    /// An event from outside belongs to the run itself, or to a child run that declares its type (1.8, 11.1).
    #[inline]
    fn handle_external(&mut self, ty: TypeId, slot: Slot, flow: FlowId, out: &mut Output<'_>) -> Result<(), CoreError> {
        self.hold(slot)?;
        self.keep_keys(slot);
        let Some(to) = self.flows.get(flow).filter(|flow| !flow.over) else {
            return Err(CoreError::internal(format!("there is no flow {flow}")));
        };
        let root = to.root();
        if self.known_id(flow) {
            self.release(slot, out);
            return Ok(());
        }
        self.wake_child(flow);
        self.commit += 1;
        self.enqueue(ty, slot, NOBODY, root);
        Ok(())
    }

    /// True if the id before this frame has been used in the flow; it is used from now on.
    #[inline]
    fn known_id(&mut self, flow: FlowId) -> bool {
        let Some(id) = self.next_id.take() else { return false };
        let new = self.flows[flow].sent.insert(id);
        if new {
            self.mark_sent(flow, id);
        }
        !new
    }

    fn arrive(&mut self) -> u64 {
        self.next_arrival += 1;
        self.next_arrival - 1
    }

    #[inline]
    fn keep_keys(&mut self, slot: Slot) {
        if !self.next_keys.is_empty() {
            self.keys.insert(slot, std::mem::take(&mut self.next_keys));
        }
    }

    #[inline]
    fn enqueue(&mut self, ty: TypeId, slot: Slot, from: StepId, place: Place) {
        if place.scope != ROOT
            && let Some(scope) = self.scopes.get_mut(place.scope)
        {
            scope.live += 1;
        }
        self.queue.push_back(Queued { commit: self.commit, what: What::Event { ty, slot, from }, place });
    }

    /// A payload that the host has just put into this slot.
    #[inline]
    fn hold(&mut self, slot: Slot) -> Result<(), CoreError> {
        let at = slot as usize;
        let used = self.slots.len();
        match self.slots.get_mut(at) {
            Some(count @ 0) => *count = 1,
            Some(_) => return Err(CoreError::internal(format!("slot {slot} is in use"))),
            None if at - used < FAR => {
                self.slots.resize(at, 0);
                self.slots.push(1);
            }
            None => return Err(CoreError::internal(format!("{slot} is no slot"))),
        }
        self.mark_slot(slot);
        Ok(())
    }

    fn is_held(&self, slot: Slot) -> bool {
        self.slots.get(slot as usize).is_some_and(|count| *count > 0)
    }

    #[inline]
    fn retain(&mut self, slot: Slot, times: u32) {
        if let Some(count) = self.slots.get_mut(slot as usize) {
            *count += times;
        }
    }

    #[inline]
    fn release(&mut self, slot: Slot, out: &mut Output<'_>) {
        let Some(count) = self.slots.get_mut(slot as usize) else { return };
        *count -= 1;
        if *count == 0 {
            out.push(CMD_RELEASE, slot as i32, NONE, NONE);
            self.mark_slot(slot);
            self.failures.remove(slot);
            if !self.keys.is_empty() {
                let keys = self.keys.remove(slot);
                for (.., error) in keys.into_iter().filter(|&(_, key, error)| key == NONE && error != NONE) {
                    out.push(CMD_RELEASE, error, NONE, NONE);
                }
            }
        }
    }
}
