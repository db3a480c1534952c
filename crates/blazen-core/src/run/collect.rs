//! Gathering: of a fan-out, or over the whole run.

use super::settle::Input;
use super::{Place, ROOT, Run, ScopeId, Slot};
use crate::definition::Rest;
use crate::frame::Output;
use crate::plan::{Accept, StepId, When};

/// What a collect has gathered and not yet been given.
#[derive(Default)]
pub struct Gathered {
    /// In order of arrival, each with its branch.
    results: Vec<(u32, Slot)>,
    /// It has run with what it was to have: further results are dropped.
    done: bool,
    ran: bool,
}

impl Gathered {
    fn take(&mut self) -> Vec<(u32, Slot)> {
        self.ran = true;
        std::mem::take(&mut self.results)
    }

    pub fn len(&self) -> usize {
        self.results.len()
    }
}

fn slots(results: Vec<(u32, Slot)>) -> Input {
    Input::Set(results.into_iter().map(|(_, slot)| slot).collect())
}

impl Run {
    /// Takes an event to a collect. False if it is for no fan-out that the collect gathers.
    pub(super) fn gather(&mut self, flow: usize, step: StepId, slot: Slot, place: Place, out: &mut Output<'_>) -> bool {
        let plan = self.flows[flow].plan.clone();
        let Accept::Collect(collect) = &plan.steps[step as usize].accepts else { return false };
        let Some(of) = collect.of else {
            let gathered = &mut self.flows[flow].whole[collect.place];
            gathered.results.push((0, slot));
            let full = (collect.when == When::Every(gathered.results.len())).then(|| slots(gathered.take()));
            self.retain(slot, 1);
            if let Some(input) = full {
                self.invoke(flow, step, Place { scope: ROOT, branch: 0 }, input, out);
            }
            return true;
        };
        let Some(inner) = self.enclosing(place, of) else { return false };
        let Some(scope) = self.scopes.get_mut(inner.scope) else { return false };
        let outer = scope.place;
        let gathered = &mut scope.gathered[collect.place];
        if gathered.done {
            return true;
        }
        gathered.results.push((inner.branch, slot));
        let count = gathered.results.len();
        let full = match collect.when {
            When::Every(every) => count == every,
            When::First(first, _) => count == first,
            When::End => false,
        };
        let input = full.then(|| slots(gathered.take()));
        gathered.done = full && matches!(collect.when, When::First(..));
        self.retain(slot, 1);
        match input {
            Some(input) if matches!(collect.when, When::First(_, Rest::Cancel)) => {
                let withdrawn = self.withdraw(inner.scope, out);
                self.invoke(flow, step, outer, input, out);
                self.finish_cancel(withdrawn, out);
            }
            Some(input) => self.invoke(flow, step, outer, input, out),
            None => {}
        }
        true
    }

    /// A fan-out is over: its collects get what they have not had yet.
    pub(super) fn run_collects(&mut self, id: ScopeId, out: &mut Output<'_>) {
        let Some(scope) = self.scopes.get_mut(id) else { return };
        let (flow, opener, outer) = (scope.flow, scope.opener, scope.place);
        let mut all = std::mem::take(&mut scope.gathered);
        let plan = self.flows[flow].plan.clone();
        for (&step, gathered) in plan.steps[opener as usize].collects.iter().zip(&mut all) {
            let Accept::Collect(collect) = &plan.steps[step as usize].accepts else { continue };
            let due = match collect.when {
                When::End => true,
                When::Every(_) => gathered.len() > 0,
                When::First(..) => !gathered.done,
            };
            if !due {
                continue;
            }
            let mut results = gathered.take();
            if collect.when == When::End && !results.is_sorted_by_key(|(branch, _)| *branch) {
                results.sort_by_key(|(branch, _)| *branch);
            }
            self.invoke(flow, step, outer, slots(results), out);
        }
    }

    /// A fan-out within one that was cancelled: nobody gets what it gathered.
    pub(super) fn drop_gathered(&mut self, id: ScopeId, out: &mut Output<'_>) {
        let Some(scope) = self.scopes.get_mut(id) else { return };
        for gathered in std::mem::take(&mut scope.gathered) {
            for (_, slot) in gathered.results {
                self.release(slot, out);
            }
        }
    }

    /// Nothing is left to do: the collects over the whole run get what they have. False if none has anything.
    pub(super) fn collect_whole(&mut self, flow: usize, out: &mut Output<'_>) -> bool {
        let plan = self.flows[flow].plan.clone();
        let root = Place { scope: ROOT, branch: 0 };
        let mut any = false;
        for (at, &step) in plan.whole.iter().enumerate() {
            let gathered = &mut self.flows[flow].whole[at];
            if gathered.len() > 0 {
                let input = slots(gathered.take());
                self.invoke(flow, step, root, input, out);
                any = true;
            }
        }
        if any {
            return true;
        }
        let plain = |step: &StepId| matches!(&plan.steps[*step as usize].accepts, Accept::Collect(collect) if collect.when == When::End);
        let mut only = plan.whole.iter().enumerate().filter(|(_, step)| plain(step));
        let (Some((at, &step)), None) = (only.next(), only.next()) else { return false };
        let gathered = &mut self.flows[flow].whole[at];
        if gathered.ran {
            return false;
        }
        let input = slots(gathered.take());
        self.invoke(flow, step, root, input, out);
        true
    }
}
