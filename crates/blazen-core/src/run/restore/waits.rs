//! What invocations and branches wait for: requests, sleeps, delays, places in pools.

use super::{MOST, Reading, Restored, fits, wrong};
use crate::bits::Bits;
use crate::run::entries::{Entry as _, RequestEntry};
use crate::run::flow::FlowId;
use crate::run::request::{Asking, Request, Waits};
use crate::run::scope::State as ScopeState;
use crate::run::settle::Invocation;
use crate::run::timer::{NEVER, Time, Timer};
use crate::run::{NOBODY, ROOT};
use crate::snapshot::damaged;
use crate::sort::sort;

impl Reading<'_> {
    pub(super) fn requests(&mut self) -> Restored<()> {
        let mut found = Vec::new();
        for request in self.snapshot.numbered("request") {
            let (id, text) = request?;
            let key = format!("request/{id}");
            let read = RequestEntry::read(&key, text)?;
            let until = read.until.unwrap_or(NEVER);
            self.hold_event(&key, read.event)?;
            if id >= MOST || until > NEVER {
                return Err(wrong(&key, "has a number that cannot be"));
            }
            if (read.state != Asking::Answered && !self.is_request(read.event)) || (read.state == Asking::Expired && read.until.is_none()) {
                return Err(wrong(&key, "is no request"));
            }
            let place = self.place(&key, read.place)?;
            if read.state == Asking::Pending && until != NEVER {
                self.run.timers.add(until, Timer::Request(id as u32));
            }
            found.push((id as u32, Request { slot: read.event, place, by: NOBODY, state: read.state, until, awaited: false }));
        }
        fits(self.run.requests.restore(found))?;
        Ok(())
    }

    /// What an invocation has waited for: each request is one invocation's.
    pub(super) fn waits(
        &mut self,
        key: &str,
        by: u32,
        sleeps: Vec<Time>,
        requests: Vec<u32>,
        again: Option<Time>,
    ) -> Restored<Option<Box<Waits>>> {
        if sleeps.is_empty() && requests.is_empty() && again.is_none() {
            return Ok(None);
        }
        if sleeps.iter().any(|until| *until > NEVER) {
            return Err(wrong(key, "has a number that cannot be"));
        }
        for id in &requests {
            match self.run.requests.get_mut(*id) {
                Some(request) if request.by == NOBODY && request.place.scope == ROOT => request.by = by,
                _ => return Err(damaged(format!("the entry \"{key}\" names the request {id} that is not its own"))),
            }
        }
        if let Some(again) = again {
            self.run.timers.add(again, Timer::Retry(by));
        }
        Ok(Some(Box::new(Waits { sleeps, requests, awaited: 0, again: again.unwrap_or(0) })))
    }

    /// Requests that are nobody's wait in their branches.
    pub(super) fn asked(&mut self) -> Restored<()> {
        for (id, request) in self.run.requests.iter().filter(|(_, request)| request.by == NOBODY) {
            let scope = self.run.scopes.get_mut(request.place.scope).filter(|scope| scope.state == ScopeState::Open);
            let (Some(scope), Asking::Pending, NEVER) = (scope, request.state, request.until) else {
                return Err(damaged(format!("the entry \"request/{id}\" waits for nothing")));
            };
            self.run.asked += 1;
            if request.place.scope != ROOT {
                scope.live += 1;
                scope.asked.push(id);
            }
        }
        Ok(())
    }

    /// Those of whom it is said where they stand in line, in that order. Pools may be others than they were: the rest comes first.
    pub(super) fn reorder(&mut self, mut lines: Vec<(u64, u32)>) {
        sort(&mut lines);
        let mut placed = Bits::default();
        for (_, id) in &lines {
            placed.insert(*id);
        }
        let flows: Vec<FlowId> = self.run.flows.iter().map(|(id, _)| id).collect();
        for flow in flows {
            for pool in &mut self.run.flows[flow].pools {
                pool.backlog.retain(|id| !placed.contains(*id));
            }
        }
        for (_, id) in lines {
            let Some(&Invocation { flow, step, .. }) = self.run.invocations.get(id) else { continue };
            let flow = &mut self.run.flows[flow];
            if let Some(pool) = flow.plan.steps[step as usize].pool {
                flow.pools[pool as usize].backlog.push_back(id);
            }
        }
    }
}
