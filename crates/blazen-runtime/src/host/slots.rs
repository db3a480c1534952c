//! The payloads of a run, which the core knows by number.

use super::error::StepFailure;
use super::event::Event;
use super::machine::NONE;

pub enum Payload {
    Event(Event),
    /// What a step has failed with, on its way to the end of the run or to a step that takes failures.
    Failure(StepFailure),
}

#[derive(Default)]
pub struct Slots {
    slots: Vec<Option<Payload>>,
    free: Vec<i32>,
}

impl Slots {
    pub fn put(&mut self, payload: Payload) -> i32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() as i32 - 1
        });
        self.replace(slot, payload);
        slot
    }
    pub fn replace(&mut self, slot: i32, payload: Payload) {
        if let Some(place) = self.at(slot) {
            *place = Some(payload);
        }
    }
    /// The places of a stored run.
    pub fn fill(&mut self, events: Vec<(usize, Event)>) {
        self.slots = (0..events.iter().map(|(slot, _)| slot + 1).max().unwrap_or(0)).map(|_| None).collect();
        for (slot, event) in events {
            self.slots[slot] = Some(Payload::Event(event));
        }
        self.free = (0..self.slots.len()).rev().filter(|slot| self.slots[*slot].is_none()).map(|slot| slot as i32).collect();
    }
    pub fn release(&mut self, slot: i32) {
        if self.at(slot).and_then(Option::take).is_some() {
            self.free.push(slot);
        }
    }
    pub fn event(&self, slot: i32) -> Option<&Event> {
        match self.payload(slot) {
            Some(Payload::Event(event)) => Some(event),
            _ => None,
        }
    }
    pub fn failure(&self, slot: i32) -> Option<&StepFailure> {
        match self.payload(slot) {
            Some(Payload::Failure(failure)) => Some(failure),
            _ => None,
        }
    }
    fn payload(&self, slot: i32) -> Option<&Payload> {
        if slot == NONE { None } else { self.slots.get(slot as usize)?.as_ref() }
    }
    fn at(&mut self, slot: i32) -> Option<&mut Option<Payload>> {
        self.slots.get_mut(usize::try_from(slot).ok()?)
    }
    /// All events, by slot.
    pub fn events(&self) -> impl Iterator<Item = (usize, &Event)> {
        self.slots.iter().enumerate().filter_map(|(slot, payload)| match payload {
            Some(Payload::Event(event)) => Some((slot, event)),
            _ => None,
        })
    }
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}
