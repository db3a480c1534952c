//! Fan-outs: a tree of scopes. What descends from a branch belongs to it; a scope with nothing live in it is over.

use super::collect::Gathered;
use super::flow::FlowId;
use super::request::RequestId;
use super::{InvocationId, NOBODY, Place, Queued, ROOT, Run, ScopeId, What};
use crate::frame::Output;
use crate::plan::StepId;
use crate::sort::sort;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum State {
    Open,
    /// Nothing lives in it any more; its Close stands in the queue, or it has been closed.
    Ended,
    /// A collect had enough: what is left of it in the queue is dropped when its turn comes.
    Cancelled,
}

pub struct Scope {
    pub flow: FlowId,
    /// The step that opened it; NOBODY for a flow's root.
    pub opener: StepId,
    /// Where the fan-out itself belongs.
    pub place: Place,
    pub depth: u32,
    /// Its number among all that the run has opened.
    pub opened: u64,
    pub next_branch: u32,
    /// Queued events, invocations, child scopes and a generator that goes on.
    pub live: u32,
    /// Reasons to keep the record of a scope that is over: events that wait in a join, its Close in the queue.
    pub held: u32,
    pub state: State,
    /// The invocation that opened it and has not settled.
    pub generator: InvocationId,
    pub invocations: InvocationId,
    pub children: ScopeId,
    /// Requests in it that are pending.
    pub asked: Vec<RequestId>,
    pub previous: ScopeId,
    pub next: ScopeId,
    /// What each collect of its opener has gathered.
    pub gathered: Vec<Gathered>,
}

impl Scope {
    pub fn root(flow: FlowId) -> Self {
        Self {
            flow,
            opener: NOBODY,
            place: Place { scope: NOBODY, branch: 0 },
            depth: 0,
            opened: 0,
            next_branch: 1,
            live: 0,
            held: 0,
            state: State::Open,
            generator: NOBODY,
            invocations: NOBODY,
            children: NOBODY,
            asked: Vec::new(),
            previous: NOBODY,
            next: NOBODY,
            gathered: Vec::new(),
        }
    }
}

/// Ids by size.
pub fn in_order(ids: &[RequestId]) -> Vec<RequestId> {
    let mut pairs: Vec<(u64, RequestId)> = ids.iter().map(|id| (u64::from(*id), *id)).collect();
    sort(&mut pairs);
    pairs.into_iter().map(|(_, id)| id).collect()
}

impl Run {
    /// Opens a fan-out; it is live until its opener settles, whatever its branches do.
    #[inline]
    pub(super) fn open(&mut self, flow: FlowId, opener: StepId, generator: InvocationId, place: Place, collects: usize) -> ScopeId {
        let (depth, next) = self.scopes.get(place.scope).map_or((0, NOBODY), |parent| (parent.depth, parent.children));
        let gathered = (0..collects).map(|_| Gathered::default()).collect();
        self.next_opened += 1;
        let id = self.scopes.insert(Scope {
            opened: self.next_opened,
            opener,
            generator,
            place,
            depth: depth + 1,
            next_branch: 0,
            live: 1,
            next,
            gathered,
            ..Scope::root(flow)
        });
        self.flows[flow].scopes += 1;
        if let Some(sibling) = self.scopes.get_mut(next) {
            sibling.previous = id;
        }
        if let Some(parent) = self.scopes.get_mut(place.scope) {
            parent.children = id;
            parent.live += u32::from(place.scope != ROOT);
        }
        id
    }

    /// The place of the next branch of a fan-out.
    #[inline]
    pub(super) fn branch(&mut self, fan: ScopeId) -> Place {
        let Some(scope) = self.scopes.get_mut(fan) else { return Place { scope: ROOT, branch: 0 } };
        scope.next_branch += 1;
        Place { scope: fan, branch: scope.next_branch - 1 }
    }

    #[inline]
    pub(super) fn is_cancelled(&self, scope: ScopeId) -> bool {
        self.scopes.get(scope).is_none_or(|scope| scope.state == State::Cancelled)
    }

    /// Something in the scope has ended.
    #[inline]
    pub(super) fn leave(&mut self, id: ScopeId) {
        // The root is never over before the run is, so nothing counts what lives in it.
        if id == ROOT {
            return;
        }
        let Some(scope) = self.scopes.get_mut(id) else { return };
        scope.live -= 1;
        if scope.live > 0 {
            return;
        }
        if scope.state == State::Open {
            self.enqueue_close(id);
        } else {
            self.free_scope(id);
        }
    }

    /// Nothing lives in a scope any more: its end has its turn.
    pub(super) fn enqueue_close(&mut self, id: ScopeId) {
        let Some(scope) = self.scopes.get_mut(id) else { return };
        scope.state = State::Ended;
        scope.held += 1;
        self.queue.push_back(Queued { commit: self.commit, what: What::Close, place: Place { scope: id, branch: 0 } });
    }

    /// The invocation that opened the fan-out gives no further branches.
    #[inline]
    pub(super) fn leave_generator(&mut self, id: ScopeId) {
        if let Some(scope) = self.scopes.get_mut(id) {
            scope.generator = NOBODY;
        }
        self.leave(id);
    }

    pub(super) fn hold_scope(&mut self, id: ScopeId) {
        if let Some(scope) = self.scopes.get_mut(id) {
            scope.held += 1;
        }
    }

    pub(super) fn unhold_scope(&mut self, id: ScopeId) {
        if let Some(scope) = self.scopes.get_mut(id) {
            scope.held -= 1;
        }
        self.free_scope(id);
    }

    /// Frees the record of a scope that is over and that nothing refers to; then perhaps those around it.
    #[inline]
    fn free_scope(&mut self, mut id: ScopeId) {
        while let Some(scope) = self.scopes.get(id) {
            if scope.live > 0 || scope.held > 0 || scope.state == State::Open || scope.opener == NOBODY {
                return;
            }
            let (parent, flow) = (scope.place.scope, scope.flow);
            self.scopes.remove(id);
            self.flows[flow].scopes -= 1;
            // Its record kept its parent's, so that the way up stays known.
            let Some(around) = self.scopes.get_mut(parent) else { return };
            around.held -= u32::from(around.opener != NOBODY);
            id = parent;
        }
    }

    /// All branches have ended: what the collects have becomes theirs, in the branch that the fan-out was opened in.
    #[inline]
    pub(super) fn close(&mut self, id: ScopeId, out: &mut Output<'_>) {
        if let Some(&Scope { opener: NOBODY, flow, .. }) = self.scopes.get(id) {
            return self.close_child(flow, out);
        }
        if !self.is_cancelled(id) {
            self.run_collects(id, out);
            self.detach(id);
        }
        self.unhold_scope(id);
    }

    /// Takes a scope that is over out of its parent.
    #[inline]
    fn detach(&mut self, id: ScopeId) {
        let Some(scope) = self.scopes.get(id) else { return };
        let (previous, next, parent) = (scope.previous, scope.next, scope.place.scope);
        if let Some(sibling) = self.scopes.get_mut(next) {
            sibling.previous = previous;
        }
        if let Some(sibling) = self.scopes.get_mut(previous) {
            sibling.next = next;
        } else if let Some(parent) = self.scopes.get_mut(parent) {
            parent.children = next;
        }
        if let Some(around) = self.scopes.get_mut(parent) {
            around.held += u32::from(around.opener != NOBODY);
        }
        self.leave(parent);
    }

    /// Ends a fan-out before its branches have: all that lives in it is withdrawn. Gives it and the fan-outs in it,
    /// outermost first, for `finish_cancel`.
    pub(super) fn withdraw(&mut self, top: ScopeId, out: &mut Output<'_>) -> Vec<ScopeId> {
        let mut scopes = vec![top];
        let mut at = 0;
        while let Some(&id) = scopes.get(at) {
            at += 1;
            let Some(scope) = self.scopes.get_mut(id) else { continue };
            scope.state = State::Cancelled;
            scope.held += 1;
            let mut invocation = std::mem::replace(&mut scope.invocations, NOBODY);
            let generator = scope.generator;
            // In an order that does not depend on which others were answered.
            let asked = in_order(&std::mem::take(&mut scope.asked));
            scope.live -= asked.len() as u32;
            let mut child = scope.children;
            while let Some(found) = self.scopes.get(child) {
                scopes.push(child);
                child = found.next;
            }
            while let Some(next) = self.invocations.get(invocation).map(|found| found.next) {
                self.abort(invocation, out);
                if let Some(scope) = self.scopes.get_mut(id) {
                    scope.live -= 1;
                }
                invocation = next;
            }
            for request in asked {
                self.withdraw_request(request, out);
            }
            // What feeds the fan-out stands outside of it; nobody wants what it would still give.
            if id == top && generator != NOBODY {
                let outer = self.scopes.get(id).map_or(ROOT, |scope| scope.place.scope);
                self.exit(generator);
                self.abort(generator, out);
                self.leave(outer);
            }
        }
        for &id in scopes[1..].iter().rev() {
            self.drop_gathered(id, out);
            self.detach(id);
        }
        scopes
    }

    /// The other collects of a withdrawn fan-out get what they have, and it is gone.
    pub(super) fn finish_cancel(&mut self, withdrawn: Vec<ScopeId>, out: &mut Output<'_>) {
        if let Some(&top) = withdrawn.first() {
            self.run_collects(top, out);
            self.detach(top);
        }
        for id in withdrawn {
            self.unhold_scope(id);
        }
    }

    /// Adds an invocation to its scope, which is not the run's root. A child run's counts its own, and lists none.
    #[inline]
    pub(super) fn enter(&mut self, scope: ScopeId, id: InvocationId) {
        let Some(scope) = self.scopes.get_mut(scope) else { return };
        scope.live += 1;
        if scope.opener == NOBODY {
            return;
        }
        let next = std::mem::replace(&mut scope.invocations, id);
        if let Some(invocation) = self.invocations.get_mut(id) {
            invocation.next = next;
        }
        if let Some(invocation) = self.invocations.get_mut(next) {
            invocation.previous = id;
        }
    }

    /// Takes an invocation out of its scope's list; `leave` says that it has ended.
    #[inline]
    pub(super) fn exit(&mut self, id: InvocationId) {
        let Some(invocation) = self.invocations.get(id) else { return };
        let (previous, next, scope) = (invocation.previous, invocation.next, invocation.place.scope);
        if scope == ROOT {
            return;
        }
        if let Some(neighbour) = self.invocations.get_mut(next) {
            neighbour.previous = previous;
        }
        if let Some(neighbour) = self.invocations.get_mut(previous) {
            neighbour.next = next;
        } else if let Some(scope) = self.scopes.get_mut(scope) {
            scope.invocations = next;
        }
    }

    /// The innermost fan-out around `place` that `opener` opened, and the branch in it.
    #[inline]
    pub(super) fn enclosing(&self, mut place: Place, opener: StepId) -> Option<Place> {
        while let Some(scope) = self.scopes.get(place.scope) {
            if scope.opener == opener {
                return Some(place);
            }
            place = scope.place;
        }
        None
    }

    /// The innermost open fan-out around all of `places`, in the branch of `last`.
    pub(super) fn common(&self, places: &[Place], last: Place) -> Place {
        let mut at = self.open_around(last);
        for place in places {
            while !self.is_root(at.scope) && !self.is_around(at.scope, place.scope) {
                at = self.open_around(self.scopes.get(at.scope).map_or(at, |scope| scope.place));
            }
        }
        at
    }

    fn is_root(&self, scope: ScopeId) -> bool {
        self.scopes.get(scope).is_none_or(|scope| scope.opener == NOBODY)
    }

    fn open_around(&self, mut place: Place) -> Place {
        while let Some(scope) = self.scopes.get(place.scope) {
            if scope.state == State::Open {
                break;
            }
            place = scope.place;
        }
        place
    }

    fn is_around(&self, outer: ScopeId, mut inner: ScopeId) -> bool {
        let depth = self.scopes.get(outer).map_or(0, |scope| scope.depth);
        while let Some(scope) = self.scopes.get(inner) {
            if inner == outer {
                return true;
            }
            if scope.depth <= depth {
                return false;
            }
            inner = scope.place.scope;
        }
        false
    }
}
