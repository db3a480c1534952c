//! The queue: each event in its turn to every step that accepts it.

use super::settle::Input;
use super::{Entry, NOBODY, Place, ROOT, Run, Slot, What};
use crate::definition::Unhandled;
use crate::frame::{NONE, Output};
use crate::generated::*;
use crate::plan::{Accept, STOP, StepId, TypeId};

impl Run {
    /// Dispatches until the queue is empty, the durable mark is reached, or the host has enough to do.
    pub(crate) fn route(&mut self, out: &mut Output<'_>) {
        self.more = false;
        while !self.over {
            if out.enough() {
                self.more = true;
                return;
            }
            let Some(&Entry { commit, what, place }) = self.queue.front() else {
                if self.live > 0 || !self.settle_quiet(out) {
                    return;
                }
                continue;
            };
            if commit > self.durable {
                return;
            }
            self.queue.pop_front();
            match what {
                What::Close => self.close(place.scope, out),
                What::Event { ty, slot, from } => self.route_event(ty, slot, from, place, out),
            }
        }
    }

    fn route_event(&mut self, ty: TypeId, slot: Slot, from: StepId, place: Place, out: &mut Output<'_>) {
        let root = place.scope == ROOT;
        if !root && self.is_cancelled(place.scope) {
            self.release(slot, out);
            return self.leave(place.scope);
        }
        if ty == STOP {
            return self.end(out, CMD_FINISH, slot as i32, NONE, NONE);
        }
        let flow = self.scopes.get(place.scope).map_or(0, |scope| scope.flow);
        let plan = self.flows[flow].plan.clone();
        // The queue holds the event once; so does each step that takes it.
        let mut taken = 0;
        for &step in plan.accepting(ty) {
            // A collect before may have cancelled the event's fan-out.
            if !root && taken > 0 && self.is_cancelled(place.scope) {
                break;
            }
            match &plan.steps[step as usize].accepts {
                Accept::Any => {
                    self.retain(slot, 1);
                    self.invoke(flow, step, place, Input::One(slot), out);
                }
                Accept::Join(_) => {
                    self.retain(slot, 1);
                    if !self.join(flow, step, ty, slot, place, out) {
                        return;
                    }
                }
                Accept::Collect(_) => {
                    if !self.gather(flow, step, slot, place, out) {
                        continue;
                    }
                }
            }
            taken += 1;
        }
        if taken == 0 {
            match plan.unhandled {
                Unhandled::Error => {
                    let from = if from == NOBODY { NONE } else { from as i32 };
                    return self.end(out, CMD_FAIL, ERR_UNHANDLED_EVENT, from, slot as i32);
                }
                Unhandled::Stream => out.push(CMD_PUBLISH, slot as i32, NONE, NONE),
                Unhandled::Ignore => {}
            }
        }
        self.release(slot, out);
        self.leave(place.scope);
    }

    /// Nothing is queued or running. False if that is all there is to do for now.
    fn settle_quiet(&mut self, out: &mut Output<'_>) -> bool {
        if self.collect_whole(0, out) {
            return true;
        }
        if self.flows[0].plan.external.is_empty() {
            self.failure = Some(self.stalled());
            self.end(out, CMD_FAIL, ERR_STALLED, NONE, NONE);
        } else if !self.idle {
            self.idle = true;
            out.push(CMD_WAITING, NONE, NONE, NONE);
        }
        false
    }
}
