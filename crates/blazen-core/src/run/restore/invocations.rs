//! The invocations of a run, in the order of their numbers, and their places in pools and lines.

use super::{MOST, MOST_OF_ALL, Reading, Restored, fits, wrong};
use crate::plan::Accept;
use crate::run::entries::{Entry as _, InvocationEntry};
use crate::run::scope::State as ScopeState;
use crate::run::settle::{Input, Invocation, State};
use crate::run::timer::NEVER;
use crate::run::{NOBODY, ROOT};
use crate::snapshot::damaged;
use crate::sort::sort;

impl Reading<'_> {
    pub(super) fn invocations(&mut self) -> Restored<()> {
        let mut found = Vec::new();
        let mut order = Vec::new();
        let mut lines = Vec::new();
        for invocation in self.snapshot.numbered("invocation") {
            let (id, text) = invocation?;
            let key = format!("invocation/{id}");
            let read = InvocationEntry::read(&key, text)?;
            let flow = self.layout.flow_at(read.place);
            let plan = self.plan(flow);
            let step = self.step(&key, flow, &read.step)?;
            let pooled = plan.steps[step as usize].pool.is_some();
            // It only stood in the line of a pool that has gone since.
            if read.state == State::Withdrawn && !pooled {
                continue;
            }
            self.run.flows[flow].invocations += 1;
            self.run.flows[flow].latest = id as u32;
            if id >= MOST
                || read.seq >= self.run.next_seq
                || read.attempts > MOST_OF_ALL
                || read.yields > MOST_OF_ALL
                || read.failures > MOST_OF_ALL
            {
                return Err(wrong(&key, "has a number that cannot be"));
            }
            let id = id as u32;
            let single = matches!(plan.steps[step as usize].accepts, Accept::Any);
            let input = match (read.event, read.events, read.state) {
                (None, None, State::Withdrawn) => Input::Set(Vec::new()),
                (Some(slot), None, state) if single && state != State::Withdrawn => {
                    self.hold_event(&key, slot)?;
                    Input::One(slot)
                }
                (None, Some(slots), state) if !single && state != State::Withdrawn => {
                    for slot in &slots {
                        self.hold_event(&key, *slot)?;
                    }
                    Input::Set(slots)
                }
                _ => return Err(wrong(&key, "has not the events that its step takes")),
            };
            let place = self.place(&key, read.place)?;
            let open = self.run.scopes.get(place.scope).is_some_and(|scope| scope.state == ScopeState::Open);
            let matters = matches!(read.state, State::Running | State::Waiting | State::Delayed);
            if (!open && matters) || (place != self.run.flows[flow].root() && !matters) {
                return Err(wrong(&key, "is where no invocation can be"));
            }
            self.run.live += u32::from(matters);
            // A pool may have gone since: nothing keeps the invocation waiting then.
            let state = if read.state == State::Waiting && !pooled { State::Running } else { read.state };
            let again = read.until.filter(|until| *until <= NEVER);
            if again.is_some() != (state == State::Delayed) || !(matters || read.sleeps.is_empty() && read.requests.is_empty()) {
                return Err(wrong(&key, "waits for what it cannot"));
            }
            if read.fan.is_some() && !matters {
                return Err(wrong(&key, "feeds a fan-out and does not run"));
            }
            let fan = self.fan(&key, read.fan, id, step, place)?;
            let waits = self.waits(&key, id, read.sleeps, read.requests, again)?;
            if let Some(line) = read.line.filter(|_| pooled && matches!(read.state, State::Waiting | State::Withdrawn)) {
                lines.push((u64::from(line), id));
            }
            order.push((read.seq, id));
            found.push((
                id,
                Invocation {
                    seq: read.seq,
                    step,
                    flow,
                    place,
                    input,
                    state,
                    fan,
                    attempts: read.attempts,
                    yields: read.yields,
                    failures: read.failures,
                    waits,
                    children: NOBODY,
                    within: 0,
                    previous: NOBODY,
                    next: NOBODY,
                },
            ));
        }
        fits(self.run.invocations.restore(found))?;
        sort(&mut order);
        if order.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(damaged("two invocations have one number"));
        }
        for (_, id) in order {
            self.line_up(id);
        }
        if !lines.is_empty() {
            self.reorder(lines);
        }
        Ok(())
    }

    /// Puts an invocation into its pool's line and its scope's list, where it was.
    fn line_up(&mut self, id: u32) {
        let run = &mut self.run;
        let Some(invocation) = run.invocations.get(id) else { return };
        let Invocation { flow, step, state, place, .. } = *invocation;
        let flow = &mut run.flows[flow];
        if let Some(pool) = flow.plan.steps[step as usize].pool {
            let pool = &mut flow.pools[pool as usize];
            match state {
                State::Waiting | State::Withdrawn => {
                    pool.backlog.push_back(id);
                    run.lined += u32::from(state == State::Waiting);
                }
                State::Running | State::Aborted => pool.running += 1,
                State::Delayed => {}
            }
        }
        if place.scope != ROOT && !matches!(state, State::Aborted | State::Withdrawn) {
            run.enter(place.scope, id);
        }
    }
}
