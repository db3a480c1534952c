//! Questions to a person: events that a step returned, which wait in their branch, and those that a step awaits.

use super::flow::{RUN, of};
use super::settle::State;
use super::timer::{NEVER, Time, Timer};
use super::{InvocationId, NOBODY, Place, ROOT, Run, Slot};
use crate::error::CoreError;
use crate::frame::{NONE, Output};
use crate::generated::*;
use crate::plan::TypeId;

pub type RequestId = u32;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asking {
    Pending,
    /// Its slot holds the answer. Only for the invocation that asks, which may be called again.
    Answered,
    /// As Answered, but nobody did in time.
    Expired,
}

pub struct Request {
    /// The request, or its answer.
    pub slot: Slot,
    /// Where its answer goes; of one that is awaited the root.
    pub place: Place,
    /// The invocation that awaits it, or NOBODY.
    pub by: InvocationId,
    pub state: Asking,
    /// When it is withdrawn, or NEVER.
    pub until: Time,
    /// The present attempt awaits it.
    pub awaited: bool,
}

/// What an invocation has waited for, in the order of its calls: an attempt that runs again finds it.
#[derive(Default)]
pub struct Waits {
    /// Deadlines; 0 for one that is over.
    pub sleeps: Vec<Time>,
    pub requests: Vec<RequestId>,
    /// Requests that the present attempt awaits.
    pub awaited: u32,
    /// When the invocation is tried again, if it has failed and waits for that.
    pub again: Time,
}

impl Run {
    pub(super) fn waits(&mut self, id: InvocationId) -> Result<&mut Waits, CoreError> {
        let invocation = self.invocations.get_mut(id).ok_or_else(|| CoreError::internal(format!("there is no invocation {id}")))?;
        Ok(invocation.waits.get_or_insert_default())
    }

    /// An event that asks has come to its turn: it keeps its branch open until it is answered (9.1).
    pub(super) fn ask(&mut self, slot: Slot, place: Place, out: &mut Output<'_>) {
        let id = self.requests.insert(Request { slot, place, by: NOBODY, state: Asking::Pending, until: NEVER, awaited: false });
        self.asked += 1;
        if let Some(scope) = self.scopes.get_mut(place.scope).filter(|_| place.scope != ROOT) {
            scope.asked.push(id);
        }
        out.push(of(CMD_ASKED, self.flow_at(place)), id as i32, NONE, slot as i32);
    }

    /// The request that an attempt awaits as its next: one that an earlier attempt has made stands, with its answer.
    pub(super) fn handle_ask(&mut self, by: InvocationId, at: u32, slot: Slot, out: &mut Output<'_>) -> Result<(), CoreError> {
        let until = self.timers.take_until().unwrap_or(NEVER);
        let aborted = self.is_aborted(by)?;
        self.hold(slot)?;
        if aborted {
            self.release(slot, out);
            return Ok(());
        }
        let requests = &mut self.waits(by)?.requests;
        let (begun, count) = (requests.get(at as usize).copied(), requests.len());
        if let Some(id) = begun {
            self.release(slot, out);
            self.ask_again(id, at, out);
            return Ok(());
        }
        if count != at as usize {
            return Err(CoreError::internal(format!("invocation {by} has not asked {at} times")));
        }
        let place = Place { scope: ROOT, branch: 0 };
        let id = self.requests.insert(Request { slot, place, by, state: Asking::Pending, until, awaited: true });
        let waits = self.waits(by)?;
        waits.requests.push(id);
        if until != NEVER {
            self.timers.add(until, Timer::Request(id));
        }
        self.begin_awaiting(by);
        self.commit += 1;
        out.push(of(CMD_ASKED, self.running(by)?.flow), id as i32, by as i32, slot as i32);
        Ok(())
    }

    fn ask_again(&mut self, id: RequestId, at: u32, out: &mut Output<'_>) {
        let Some(request) = self.requests.get_mut(id) else { return };
        let (by, slot) = (request.by, request.slot as i32);
        match request.state {
            Asking::Answered => out.push(CMD_ANSWERED, by as i32, at as i32, slot),
            Asking::Expired => out.push(CMD_EXPIRED, by as i32, at as i32, slot),
            Asking::Pending => {
                let awaited = std::mem::replace(&mut request.awaited, true);
                let flow = self.invocations.get(by).map_or(RUN, |invocation| invocation.flow);
                out.push(of(CMD_ASKED, flow), id as i32, by as i32, slot);
                if !awaited {
                    self.begin_awaiting(by);
                }
            }
        }
    }

    fn begin_awaiting(&mut self, by: InvocationId) {
        if let Some(waits) = self.invocations.get_mut(by).and_then(|invocation| invocation.waits.as_mut()) {
            waits.awaited += 1;
            self.asking += u32::from(waits.awaited == 1);
        }
    }

    fn end_awaiting(&mut self, id: RequestId) {
        let Some(request) = self.requests.get_mut(id) else { return };
        if !std::mem::replace(&mut request.awaited, false) {
            return;
        }
        if let Some(waits) = self.invocations.get_mut(request.by).and_then(|invocation| invocation.waits.as_mut()) {
            waits.awaited -= 1;
            self.asking -= u32::from(waits.awaited == 0);
        }
    }

    /// The answer to a pending request: an event, or what the step that awaits it is given.
    pub(super) fn handle_respond(&mut self, id: RequestId, ty: TypeId, slot: Slot, out: &mut Output<'_>) -> Result<(), CoreError> {
        let Some(request) = self.requests.get(id).filter(|request| request.state == Asking::Pending) else {
            return Err(CoreError::internal(format!("the request {id} is not pending")));
        };
        let (asked, place, by, until) = (request.slot, request.place, request.by, request.until);
        self.hold(slot)?;
        self.keep_keys(slot);
        self.commit += 1;
        if by == NOBODY {
            self.requests.remove(id);
            self.asked -= 1;
            if let Some(scope) = self.scopes.get_mut(place.scope) {
                scope.asked.retain(|other| *other != id);
            }
            self.enqueue(ty, slot, NOBODY, place);
            self.leave(place.scope);
            self.release(asked, out);
            return Ok(());
        }
        self.timers.remove(until, Timer::Request(id));
        let at = self.place_of_request(by, id);
        self.end_awaiting(id);
        if let Some(request) = self.requests.get_mut(id) {
            request.slot = slot;
            request.state = Asking::Answered;
        }
        out.push(CMD_ANSWERED, by as i32, at, slot as i32);
        self.release(asked, out);
        Ok(())
    }

    fn place_of_request(&self, by: InvocationId, id: RequestId) -> i32 {
        let waits = self.invocations.get(by).and_then(|invocation| invocation.waits.as_ref());
        waits.and_then(|waits| waits.requests.iter().position(|other| *other == id)).map_or(NONE, |at| at as i32)
    }

    pub(super) fn expire(&mut self, id: RequestId, out: &mut Output<'_>) {
        self.end_awaiting(id);
        let Some(request) = self.requests.get_mut(id) else { return };
        request.state = Asking::Expired;
        let (by, slot) = (request.by, request.slot);
        out.push(CMD_EXPIRED, by as i32, self.place_of_request(by, id), slot as i32);
    }

    /// Nobody needs an answer any more.
    pub(super) fn withdraw_request(&mut self, id: RequestId, out: &mut Output<'_>) {
        let Some(request) = self.requests.remove(id) else { return };
        if request.state == Asking::Pending {
            self.asked -= u32::from(request.by == NOBODY);
            self.timers.remove(request.until, Timer::Request(id));
            out.push(CMD_WITHDRAWN, request.slot as i32, NONE, NONE);
        }
        self.release(request.slot, out);
    }

    /// An attempt is over: nobody waits now for what the invocation has waited for. Of one that is tried again it stays.
    pub(super) fn stop_waiting(&mut self, id: InvocationId, waits: &mut Waits) {
        for (at, until) in (0..).zip(&waits.sleeps).filter(|(_, until)| **until != 0) {
            self.timers.remove(*until, Timer::Sleep(id, at));
        }
        self.asking -= u32::from(waits.awaited > 0);
        waits.awaited = 0;
        for request in &waits.requests {
            if let Some(request) = self.requests.get_mut(*request) {
                request.awaited = false;
            }
        }
    }

    /// The invocation is over, and this is what it has waited for.
    pub(super) fn drop_waits(&mut self, id: InvocationId, mut waits: Waits, out: &mut Output<'_>) {
        self.stop_waiting(id, &mut waits);
        self.timers.remove(waits.again, Timer::Retry(id));
        for request in waits.requests {
            self.withdraw_request(request, out);
        }
    }

    /// What waits in a run that was stored and that the host has to know of: pending requests, and those that are tried again.
    pub(super) fn tell_waits(&self, out: &mut Output<'_>) {
        for (id, request) in self.requests.iter().filter(|(_, request)| request.state == Asking::Pending) {
            let by = if request.by == NOBODY { NONE } else { request.by as i32 };
            let flow = self.invocations.get(request.by).map_or_else(|| self.flow_at(request.place), |invocation| invocation.flow);
            out.push(of(CMD_ASKED, flow), id as i32, by, request.slot as i32);
        }
        for (id, invocation) in self.invocations.iter().filter(|(_, invocation)| invocation.state == State::Delayed) {
            out.push(of(CMD_DELAYED, invocation.flow), id as i32, invocation.step as i32, invocation.failures as i32);
        }
    }

    pub(super) fn is_aborted(&self, id: InvocationId) -> Result<bool, CoreError> {
        Ok(self.running(id)?.state == State::Aborted)
    }
}
