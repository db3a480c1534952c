//! Gathering: of a fan-out, or over the whole run.

use super::changes::Arrived;
use super::flow::{Flow, FlowId};
use super::settle::Input;
use super::{Place, ROOT, Run, ScopeId, Slot};
use crate::definition::Rest;
use crate::frame::Output;
use crate::plan::{Accept, StepId, When};
use crate::sort::sort;

/// What a collect has gathered and not yet been given.
#[derive(Default)]
pub struct Gathered {
    /// In order of arrival, each with its branch.
    pub results: Vec<Result>,
    /// It has run with what it was to have: further results are dropped.
    pub done: bool,
    pub ran: bool,
}

impl Gathered {
    fn take(&mut self) -> Vec<Result> {
        self.ran = true;
        std::mem::take(&mut self.results)
    }

    pub fn len(&self) -> usize {
        self.results.len()
    }
}

/// What a collect has been given so far.
#[derive(Default)]
pub struct Given {
    pub runs: usize,
    pub results: usize,
}

/// What became of an event at a collect.
pub enum Gather {
    /// It is in no fan-out that the collect gathers.
    Elsewhere,
    Taken,
    /// With it the collect has enough, and ends the fan-out.
    Ends(Ending),
}

pub struct Ending {
    step: StepId,
    scope: ScopeId,
    results: Vec<Result>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Result {
    /// Its number among all that have come to a join or collect.
    pub arrival: u64,
    pub branch: u32,
    pub slot: Slot,
}

impl Run {
    #[inline]
    pub(super) fn gather(&mut self, flow: FlowId, step: StepId, slot: Slot, place: Place, out: &mut Output<'_>) -> Gather {
        let plan = self.flows[flow].plan.clone();
        let Accept::Collect(collect) = &plan.steps[step as usize].accepts else { return Gather::Elsewhere };
        let Some(of) = collect.of else {
            let arrival = self.arrive();
            let gathered = &mut self.flows[flow].whole[collect.place];
            gathered.results.push(Result { arrival, branch: 0, slot });
            let full = (collect.when == When::Every(gathered.results.len())).then(|| gathered.take());
            self.retain(slot, 1);
            self.mark_arrived(Arrived::collected(flow, step, self.flows[flow].root(), arrival, slot));
            if let Some(results) = full {
                self.give(flow, step, self.flows[flow].root(), results, out);
            }
            return Gather::Taken;
        };
        let Some(inner) = self.enclosing(place, of) else { return Gather::Elsewhere };
        let arrival = self.next_arrival;
        let Some(scope) = self.scopes.get_mut(inner.scope) else { return Gather::Elsewhere };
        let outer = scope.place;
        let gathered = &mut scope.gathered[collect.place];
        if gathered.done {
            return Gather::Taken;
        }
        self.next_arrival += 1;
        gathered.results.push(Result { arrival, branch: inner.branch, slot });
        let count = gathered.results.len();
        let full = match collect.when {
            When::Every(every) => count == every,
            When::First(first, _) => count == first,
            When::End => false,
        };
        let results = full.then(|| gathered.take());
        gathered.done = full && matches!(collect.when, When::First(..));
        self.retain(slot, 1);
        self.mark_arrived(Arrived::collected(flow, step, inner, arrival, slot));
        match results {
            Some(results) if matches!(collect.when, When::First(_, Rest::Cancel)) => {
                return Gather::Ends(Ending { step, scope: inner.scope, results });
            }
            Some(results) => self.give(flow, step, outer, results, out),
            None => {}
        }
        Gather::Taken
    }

    /// A collect has enough, and its flow has failed by the same event.
    pub(super) fn drop_ending(&mut self, Ending { results, .. }: &Ending, out: &mut Output<'_>) {
        results.iter().for_each(|result| self.drop_result(*result, out));
    }

    /// A collect has enough: its fan-out is withdrawn, then it runs.
    pub(super) fn end_fan_out(&mut self, flow: FlowId, Ending { step, scope, results }: Ending, out: &mut Output<'_>) {
        let Some(outer) = self.scopes.get(scope).map(|scope| scope.place) else { return };
        // The same event may have ended one around it.
        if outer.scope != ROOT && self.is_cancelled(outer.scope) {
            return results.into_iter().for_each(|result| self.drop_result(result, out));
        }
        let withdrawn = if self.is_cancelled(scope) { Vec::new() } else { self.withdraw(scope, out) };
        self.give(flow, step, outer, results, out);
        self.finish_cancel(withdrawn, out);
    }

    /// Runs a collect with what it has gathered.
    #[inline]
    fn give(&mut self, flow: FlowId, step: StepId, place: Place, results: Vec<Result>, out: &mut Output<'_>) {
        let given = Flow::of_step(&mut self.flows[flow].given, step);
        given.runs += 1;
        given.results += results.len();
        self.mark_given(flow, step);
        results.iter().for_each(|result| self.mark_collected(result.arrival));
        self.invoke(flow, step, place, Input::Set(results.into_iter().map(|result| result.slot).collect()), out);
    }

    /// A fan-out is over: its collects get what they have not had yet.
    #[inline]
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
            if collect.when == When::End && !results.is_sorted_by_key(|result| result.branch) {
                let mut order: Vec<(u64, u32)> =
                    (0..).zip(&results).map(|(at, result)| (u64::from(result.branch) << 32 | u64::from(at), at)).collect();
                sort(&mut order);
                results = order.into_iter().map(|(_, at)| results[at as usize]).collect();
            }
            self.give(flow, step, outer, results, out);
        }
    }

    /// A fan-out within one that was cancelled: nobody gets what it gathered.
    pub(super) fn drop_gathered(&mut self, id: ScopeId, out: &mut Output<'_>) {
        let Some(scope) = self.scopes.get_mut(id) else { return };
        for gathered in std::mem::take(&mut scope.gathered) {
            for result in gathered.results {
                self.drop_result(result, out);
            }
        }
    }

    /// Nobody gets what was gathered.
    pub(super) fn drop_result(&mut self, Result { arrival, slot, .. }: Result, out: &mut Output<'_>) {
        self.mark_collected(arrival);
        self.release(slot, out);
    }

    /// Nothing is left to do: the collects over the whole run get what they have. False if none has anything.
    pub(super) fn collect_whole(&mut self, flow: FlowId, out: &mut Output<'_>) -> bool {
        let plan = self.flows[flow].plan.clone();
        let root = self.flows[flow].root();
        let mut any = false;
        for (at, &step) in plan.whole.iter().enumerate() {
            let gathered = &mut self.flows[flow].whole[at];
            if gathered.len() > 0 {
                let results = gathered.take();
                self.give(flow, step, root, results, out);
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
        let results = gathered.take();
        self.give(flow, step, root, results, out);
        true
    }
}
