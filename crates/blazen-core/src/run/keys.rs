//! Join keys of events that stand in the queue.

use super::Slot;
use crate::frame::NONE;
use crate::plan::StepId;

/// For a keyed join that takes the event: its key, or NONE and the slot of the error if `by` failed.
pub type Key = (StepId, i32, i32);

#[derive(Default)]
pub struct Keys {
    by_slot: Vec<Vec<Key>>,
    held: usize,
}

impl Keys {
    pub fn is_empty(&self) -> bool {
        self.held == 0
    }

    pub fn get(&self, slot: Slot) -> &[Key] {
        self.by_slot.get(slot as usize).map_or(&[], Vec::as_slice)
    }

    /// `slot` is one that the run holds.
    pub fn insert(&mut self, slot: Slot, keys: Vec<Key>) {
        let at = slot as usize;
        if self.by_slot.len() <= at {
            self.by_slot.resize_with(at + 1, Vec::new);
        }
        if std::mem::replace(&mut self.by_slot[at], keys).is_empty() {
            self.held += 1;
        }
    }

    /// The error in place of a key is somebody else's now.
    pub fn take_error(&mut self, slot: Slot, step: StepId) {
        for key in self.by_slot.get_mut(slot as usize).into_iter().flatten().filter(|(of, ..)| *of == step) {
            key.2 = NONE;
        }
    }

    pub fn remove(&mut self, slot: Slot) -> Vec<Key> {
        let keys = self.by_slot.get_mut(slot as usize).map(std::mem::take).unwrap_or_default();
        self.held -= usize::from(!keys.is_empty());
        keys
    }

    pub fn clear(&mut self) {
        self.by_slot.clear();
        self.held = 0;
    }
}
