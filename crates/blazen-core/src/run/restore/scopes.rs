//! The scopes of a run, and how they lie in each other.

use super::{MOST, MOST_OF_ALL, Reading, Restored, fits, place, wrong};
use crate::bits::Bits;
use crate::plan::StepId;
use crate::run::collect::Gathered;
use crate::run::entries::{Entry as _, ScopeEntry};
use crate::run::flow::RUN;
use crate::run::scope::{Scope, State as ScopeState};
use crate::run::{NOBODY, Place, ROOT, ScopeId, What};
use crate::snapshot::damaged;
use crate::sort::sort;

impl Reading<'_> {
    pub(super) fn scopes(&mut self) -> Restored<()> {
        let mut scopes = vec![(ROOT, Scope::root(RUN))];
        scopes.extend(self.roots());
        for scope in self.snapshot.numbered("scope") {
            let (id, text) = scope?;
            let key = format!("scope/{id}");
            let read = ScopeEntry::read(&key, text)?;
            let flow = self.layout.flow_at(read.place);
            let plan = self.plan(flow);
            let opener = self.step(&key, flow, &read.step)?;
            self.run.flows[flow].scopes += 1;
            if read.place.is_some_and(|place| place.scope == ROOT)
                || id == 0
                || id >= MOST
                || read.opened == 0
                || read.opened > self.run.next_opened
                || read.branches > MOST_OF_ALL
            {
                return Err(wrong(&key, "has a number that cannot be"));
            }
            let collects = &plan.steps[opener as usize].collects;
            let done = |step: &StepId| read.done.iter().any(|name| *name == plan.steps[*step as usize].name);
            let gathered = collects.iter().map(|step| Gathered { done: done(step), ..Gathered::default() }).collect();
            scopes.push((
                id as ScopeId,
                Scope {
                    opener,
                    opened: read.opened,
                    place: place(read.place),
                    next_branch: read.branches,
                    state: read.state,
                    gathered,
                    ..Scope::root(flow)
                },
            ));
        }
        let mut order: Vec<(u64, ScopeId)> =
            scopes.iter().filter(|(_, scope)| scope.opener != NOBODY).map(|(id, scope)| (scope.opened, *id)).collect();
        let mut by_id: Vec<(u64, u32)> = (0..).zip(&scopes).map(|(at, (id, _))| (u64::from(*id), at)).collect();
        sort(&mut by_id);
        let mut found: Vec<Option<(ScopeId, Scope)>> = scopes.into_iter().map(Some).collect();
        let scopes = by_id.into_iter().filter_map(|(_, at)| found[at as usize].take()).collect();
        fits(self.run.scopes.restore(scopes))?;
        // A parent was opened before its children: so there is no circle.
        sort(&mut order);
        for (opened, id) in order {
            let around = self.run.scopes.get(id).map_or(ROOT, |scope| scope.place.scope);
            let parent = self.run.scopes.get(around).filter(|parent| parent.opened < opened);
            let depth = parent.ok_or_else(|| damaged(format!("the entry \"scope/{id}\" is in no scope that was there before it")))?.depth;
            if let Some(scope) = self.run.scopes.get_mut(id) {
                scope.depth = depth + 1;
            }
        }
        Ok(())
    }

    /// The fan-out that an invocation has opened and still feeds.
    pub(super) fn fan(&mut self, key: &str, fan: Option<ScopeId>, id: u32, step: StepId, at: Place) -> Restored<ScopeId> {
        let Some(fan) = fan else { return Ok(NOBODY) };
        match self.run.scopes.get_mut(fan) {
            Some(scope) if scope.opener == step && scope.place == at && scope.generator == NOBODY && scope.state == ScopeState::Open => {
                scope.generator = id;
                scope.live += 1;
                Ok(fan)
            }
            _ => Err(damaged(format!("the entry \"{key}\" names the fan-out {fan} that is not its own"))),
        }
    }

    /// Lists the children of each scope and counts what lives in it and what keeps its record.
    pub(super) fn count_scopes(&mut self) -> Restored<()> {
        let mut order: Vec<(u64, ScopeId)> = self.run.scopes.iter().map(|(id, scope)| (scope.opened, id)).collect();
        sort(&mut order);
        if order.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(damaged("two fan-outs have one number"));
        }
        let mut closing = Bits::default();
        for entry in self.run.queue.iter().filter(|entry| matches!(entry.what, What::Close)) {
            closing.insert(entry.place.scope);
        }
        for &(_, id) in &order {
            if self.run.scopes.get(id).is_none_or(|scope| scope.opener == NOBODY) {
                continue;
            }
            let Some((around, state)) = self.run.scopes.get(id).map(|scope| (scope.place.scope, scope.state)) else { continue };
            let detached = state == ScopeState::Cancelled || (state == ScopeState::Ended && !closing.contains(id));
            let parent_state = self.run.scopes.get(around).map(|parent| parent.state);
            if detached {
                if self.run.scopes.get(around).is_some_and(|parent| parent.opener != NOBODY) {
                    self.run.hold_scope(around);
                }
                continue;
            }
            if parent_state != Some(ScopeState::Open) {
                return Err(damaged(format!("the fan-out {id} goes on in one that is over")));
            }
            let next = self.run.scopes.get(around).map_or(NOBODY, |parent| parent.children);
            if let Some(sibling) = self.run.scopes.get_mut(next) {
                sibling.previous = id;
            }
            if let Some(scope) = self.run.scopes.get_mut(id) {
                scope.next = next;
            }
            if let Some(parent) = self.run.scopes.get_mut(around) {
                parent.children = id;
                parent.live += u32::from(around != ROOT);
            }
        }
        for (id, scope) in self.run.scopes.iter().filter(|(_, scope)| scope.opener != NOBODY) {
            let sound = match scope.state {
                ScopeState::Open => scope.live > 0,
                ScopeState::Ended => scope.live == 0 && scope.held > 0,
                ScopeState::Cancelled => scope.live > 0 || scope.held > 0,
            };
            if !sound {
                return Err(damaged(format!("the fan-out {id} is over, or should be")));
            }
        }
        Ok(())
    }
}
