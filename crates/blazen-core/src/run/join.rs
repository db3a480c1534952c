//! Joins: a first-in first-out line for each type of a set, per key where there is one.

use std::collections::{BTreeMap, VecDeque};

use super::changes::Arrived;
use super::flow::{Flow, FlowId};
use super::settle::Input;
use super::{Place, Run, Slot};
use crate::error::CoreError;
use crate::frame::{NONE, Output};
use crate::generated::ERR_STEP;
use crate::plan::{Accept, StepId, TypeId};

#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Its number among all that have come to a join or collect.
    pub arrival: u64,
    pub slot: Slot,
    pub place: Place,
}

/// The lines of a join, by key; one that has none uses key 0.
#[derive(Default)]
pub struct JoinState {
    pub sets: BTreeMap<i32, Vec<VecDeque<Waiting>>>,
}

impl Run {
    /// Takes an event to a join; the run fails where the event has no key.
    pub(super) fn join(&mut self, flow: FlowId, step: StepId, ty: TypeId, slot: Slot, place: Place, out: &mut Output<'_>) {
        let plan = self.flows[flow].plan.clone();
        let Accept::Join(join) = &plan.steps[step as usize].accepts else { return };
        let mut key = 0;
        if join.keyed {
            let found = self.keys.get(slot).iter().find(|(of, ..)| *of == step);
            let &(_, given, error) = found.unwrap_or(&(step, NONE, NONE));
            if given == NONE {
                self.keys.take_error(slot, step);
                if self.hold(error as u32).is_err() {
                    self.fail(flow, CoreError::new(ERR_STEP, "an event for a join by key has none"), step, NONE, out);
                } else {
                    self.fail_step(step, place, &[slot], 1, error as u32, out);
                }
                if !self.over {
                    self.release(slot, out);
                }
                return;
            }
            key = given;
        }
        let Some(port) = join.ports.iter().position(|(of, _)| *of == ty) else { return };
        self.hold_scope(place.scope);
        let arrival = self.arrive();
        let sets = &mut Flow::of_step(&mut self.flows[flow].joins, step).sets;
        let lines = sets.entry(key).or_insert_with(|| vec![VecDeque::new(); join.ports.len()]);
        let waiting = Waiting { arrival, slot, place };
        lines[port].push_back(waiting);
        let complete = join.ports.iter().zip(&*lines).all(|((_, takes), line)| line.len() >= *takes);
        if !complete {
            return self.mark_arrived(Arrived::joined(flow, step, key, &waiting));
        }
        let members: Vec<Waiting> = join.order.iter().filter_map(|&port| lines[port].pop_front()).collect();
        if lines.iter().all(VecDeque::is_empty) {
            sets.remove(&key);
        }
        self.mark_arrived(Arrived::joined(flow, step, key, &waiting));
        members.iter().for_each(|member| self.mark_joined(member.arrival, key));
        let places: Vec<Place> = members.iter().map(|member| member.place).collect();
        let common = self.common(&places, place);
        self.invoke(flow, step, common, Input::Set(members.iter().map(|member| member.slot).collect()), out);
        for place in places {
            self.unhold_scope(place.scope);
        }
    }
}
