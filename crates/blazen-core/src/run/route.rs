//! The queue: each event in its turn to every step that accepts it.

use super::collect::Gather;
use super::flow::{FlowId, RUN, of};
use super::settle::Input;
use super::{NOBODY, Place, Queued, ROOT, Run, Slot, What};
use crate::definition::Unhandled;
use crate::error::CoreError;
use crate::frame::{NONE, Output};
use crate::generated::*;
use crate::plan::{Accept, STOP, StepId, TypeId};

impl Run {
    /// Dispatches until the queue is empty, the durable mark is reached, or the host has enough to do.
    #[inline]
    pub(crate) fn route(&mut self, out: &mut Output<'_>) {
        self.more = false;
        if self.paused {
            return;
        }
        if self.restored {
            self.call_again(out);
        }
        if !self.timers.is_empty() {
            self.fire(out);
        }
        while !self.over {
            if out.enough() {
                self.more = true;
                return;
            }
            // Each failure is told of on its own.
            if self.failure.is_some() {
                self.more = true;
                return;
            }
            let Some(&Queued { commit, what, place }) = self.queue.front() else {
                if self.live > 0 || self.asked > 0 {
                    return self.wait_for_answers(out);
                }
                if self.commit > self.durable {
                    return;
                }
                if !self.settle_quiet(out) {
                    return;
                }
                continue;
            };
            if commit > self.durable {
                return;
            }
            self.queue.pop_front();
            self.queue_head += 1;
            match what {
                What::Close => self.close(place.scope, out),
                What::Event { ty, slot, from } => self.route_event(ty, slot, from, place, out),
                What::Nothing => {}
            }
        }
    }

    #[inline]
    fn route_event(&mut self, ty: TypeId, slot: Slot, from: StepId, place: Place, out: &mut Output<'_>) {
        let mut flow = RUN;
        if place.scope != ROOT {
            if self.is_cancelled(place.scope) {
                self.release(slot, out);
                return self.leave(place.scope);
            }
            flow = self.flow_at(place);
        }
        if self.observed {
            out.push(of(CMD_ROUTED, flow), slot as i32, NONE, NONE);
        }
        // One plain step: it takes over what the queue holds.
        if let Some(step) = self.flows[flow].plan.only(ty) {
            self.invoke(flow, step, place, Input::One(slot), out);
            return self.leave(place.scope);
        }
        if ty == STOP && flow != RUN {
            if let Some(scope) = self.scopes.get_mut(place.scope) {
                scope.live -= 1;
            }
            return self.finish_child(flow, slot, out);
        }
        if ty == STOP {
            out.push(CMD_FINISH, slot as i32, NONE, NONE);
            self.over = true;
            return;
        }
        self.route_to_several(flow, ty, slot, from, place, out);
    }

    #[inline]
    fn route_to_several(&mut self, flow: FlowId, ty: TypeId, slot: Slot, from: StepId, place: Place, out: &mut Output<'_>) {
        let plan = self.flows[flow].plan.clone();
        if plan.request == Some(ty) {
            // What the queue held goes over to the request: the payload, and a life in its branch.
            return self.ask(slot, place, out);
        }
        if plan.failed == Some(ty) {
            self.failures.insert(slot);
        }
        // The queue holds the event once; so does each step that takes it.
        let mut taken = false;
        // Collects that have enough by it. They end their fan-outs when all others have it too.
        let mut ending = Vec::new();
        for &step in plan.accepting(ty) {
            taken |= match &plan.steps[step as usize].accepts {
                // It would be aborted before it begins.
                Accept::Any if !ending.is_empty() => true,
                Accept::Any => {
                    self.retain(slot, 1);
                    self.invoke(flow, step, place, Input::One(slot), out);
                    true
                }
                Accept::Join(_) => {
                    self.retain(slot, 1);
                    self.join(flow, step, ty, slot, place, out);
                    if self.has_ended(flow) {
                        if !self.over {
                            ending.iter().for_each(|end| self.drop_ending(end, out));
                            self.release(slot, out);
                        }
                        return;
                    }
                    true
                }
                Accept::Collect(_) => match self.gather(flow, step, slot, place, out) {
                    Gather::Elsewhere => false,
                    Gather::Taken => true,
                    Gather::Ends(end) => {
                        ending.push(end);
                        true
                    }
                },
            };
        }
        for end in ending {
            self.end_fan_out(flow, end, out);
        }
        if !taken {
            match plan.unhandled {
                Unhandled::Error => return self.unhandled(flow, ty, slot, from, out),
                Unhandled::Stream => {
                    out.push(of(CMD_PUBLISH, flow), slot as i32, NONE, NONE);
                }
                Unhandled::Ignore => {}
            }
        }
        self.release(slot, out);
        self.leave(place.scope);
    }

    fn unhandled(&mut self, flow: FlowId, ty: TypeId, slot: Slot, from: StepId, out: &mut Output<'_>) {
        let plan = self.flows[flow].plan.clone();
        let name = plan.types.get(ty as usize);
        let what = name.map_or_else(|| "an event of a type that the plan does not know".to_owned(), |name| format!("the event \"{name}\""));
        let error = CoreError { ty: name.cloned(), ..CoreError::new(ERR_UNHANDLED_EVENT, format!("no step accepts {what}")) };
        self.fail(flow, error, from, slot as i32, out);
    }

    /// Nothing is queued or running. False if that is all there is to do for now.
    #[inline]
    fn settle_quiet(&mut self, out: &mut Output<'_>) -> bool {
        if self.collect_whole(RUN, out) {
            return true;
        }
        if self.flows[RUN].plan.external.is_empty() {
            self.fail(RUN, self.stalled(RUN), NOBODY, NONE, out);
        } else {
            out.push(CMD_WAITING, NONE, NONE, NONE);
            self.rest();
        }
        false
    }

    /// Nothing is queued. The run waits if all that goes on in it waits for answers or for child runs that only wait, or for the places of
    /// what does.
    #[inline]
    fn wait_for_answers(&mut self, out: &mut Output<'_>) {
        if self.asked + self.asking + self.outside > 0 && self.live - self.lined == self.asking + self.within {
            out.push(CMD_WAITING, NONE, NONE, NONE);
            self.rest();
        }
    }
}
