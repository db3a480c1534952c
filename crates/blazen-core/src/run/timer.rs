//! Time: what is due when. The host says how late it is; the core says when it wants to hear again.

use std::collections::BTreeSet;

use super::request::RequestId;
use super::{InvocationId, Run};
use crate::error::CoreError;
use crate::frame::{NONE, Output};
use crate::generated::*;

/// Milliseconds since 1970.
pub type Time = u64;
/// No later time fits two words of a frame.
pub const NEVER: Time = (1 << 53) - 1;
const WORD: u32 = 30;

/// What happens at a time. Of two that are due together the smaller comes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// The delay of an invocation that is tried again.
    Retry(InvocationId),
    /// The invocation's sleep of this number.
    Sleep(InvocationId, u32),
    /// A request that waits no longer.
    Request(RequestId),
}

/// When what is due, what time it is, and what was said of the next frame. Most runs never ask for the time: they have no part of it.
#[derive(Default)]
pub struct Timers(Option<Box<Parts>>);

#[derive(Default)]
struct Parts {
    now: Time,
    due: BTreeSet<(Time, Timer)>,
    /// What the host was told last.
    alarm: Option<Time>,
    until: Option<Time>,
    random: Option<u32>,
}

impl Timers {
    fn parts(&mut self) -> &mut Parts {
        self.0.get_or_insert_default()
    }

    pub fn now(&self) -> Time {
        self.0.as_ref().map_or(0, |parts| parts.now)
    }

    /// It never becomes earlier.
    pub fn tick(&mut self, now: Time) {
        let parts = self.parts();
        parts.now = parts.now.max(now);
    }

    /// The deadline of the next frame.
    pub fn set_until(&mut self, until: Time) {
        self.parts().until = Some(until);
    }

    pub fn take_until(&mut self) -> Option<Time> {
        self.0.as_mut()?.until.take()
    }

    /// For the jitter of the next frame.
    pub fn set_random(&mut self, random: u32) {
        self.parts().random = Some(random);
    }

    pub fn take_random(&mut self) -> Option<u32> {
        self.0.as_mut()?.random.take()
    }

    /// Nothing was said of a frame that has not come.
    pub fn is_settled(&self) -> bool {
        self.0.as_ref().is_none_or(|parts| parts.until.is_none() && parts.random.is_none())
    }

    pub fn add(&mut self, at: Time, timer: Timer) {
        self.parts().due.insert((at, timer));
    }

    pub fn remove(&mut self, at: Time, timer: Timer) {
        if let Some(parts) = &mut self.0 {
            parts.due.remove(&(at, timer));
        }
    }

    fn next_due(&mut self) -> Option<Timer> {
        let parts = self.0.as_mut()?;
        let (at, _) = parts.due.first()?;
        if *at > parts.now {
            return None;
        }
        parts.due.pop_first().map(|(_, timer)| timer)
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(|parts| parts.due.is_empty())
    }

    pub fn clear(&mut self) {
        self.0 = None;
    }
}

/// A time that a frame carries in two words.
pub fn time(high: i32, low: i32) -> Result<Time, CoreError> {
    let time = u64::try_from(high).ok().zip(u64::try_from(low).ok()).map(|(high, low)| (high << WORD) + low);
    time.filter(|time| *time <= NEVER).ok_or_else(|| CoreError::internal(format!("{high} and {low} are no time")))
}

impl Run {
    /// Lets happen what is due.
    pub(super) fn fire(&mut self, out: &mut Output<'_>) {
        while let Some(timer) = self.timers.next_due() {
            match timer {
                Timer::Retry(id) => self.try_again(id, out),
                Timer::Sleep(id, at) => self.wake(id, at, out),
                Timer::Request(id) => self.expire(id, out),
            }
        }
    }

    /// Tells the host when to tick next, if that has changed.
    #[inline]
    pub(crate) fn set_alarm(&mut self, out: &mut Output<'_>) {
        if self.paused || self.over {
            return;
        }
        let Some(parts) = &mut self.timers.0 else { return };
        let next = parts.due.first().map(|(at, _)| *at);
        if next == parts.alarm {
            return;
        }
        parts.alarm = next;
        match next {
            Some(at) => out.push(CMD_ALARM, (at >> WORD) as i32, (at & ((1 << WORD) - 1)) as i32, NONE),
            None => out.push(CMD_ALARM, NONE, NONE, NONE),
        }
    }

    /// The sleep that an attempt begins as its next (5.4): one that an earlier attempt has begun keeps its deadline.
    pub(super) fn handle_sleep(&mut self, id: InvocationId, at: u32, out: &mut Output<'_>) -> Result<(), CoreError> {
        let until = self.timers.take_until().ok_or_else(|| CoreError::internal("no Until stands before the frame"))?;
        if self.is_aborted(id)? {
            return Ok(());
        }
        let now = self.timers.now();
        let waits = self.waits(id)?;
        let new = waits.sleeps.len() == at as usize;
        if new {
            waits.sleeps.push(until);
        }
        let Some(begun) = waits.sleeps.get_mut(at as usize) else {
            return Err(CoreError::internal(format!("invocation {id} has not slept {at} times")));
        };
        if *begun <= now {
            *begun = 0;
            out.push(CMD_WOKEN, id as i32, at as i32, NONE);
        } else {
            let until = *begun;
            self.timers.add(until, Timer::Sleep(id, at));
            self.commit += u64::from(new);
        }
        Ok(())
    }

    fn wake(&mut self, id: InvocationId, at: u32, out: &mut Output<'_>) {
        let waits = self.invocations.get_mut(id).and_then(|invocation| invocation.waits.as_mut());
        if let Some(begun) = waits.and_then(|waits| waits.sleeps.get_mut(at as usize)) {
            *begun = 0;
            out.push(CMD_WOKEN, id as i32, at as i32, NONE);
        }
    }
}
