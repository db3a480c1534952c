//! Choices made by bytes, so that a failing case can be shrunk.
#![allow(dead_code)] // Each user takes a part.

pub struct Tape<'a> {
    bytes: &'a [u8],
}

impl<'a> Tape<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// A number below `n`; 0 at the end of the tape.
    pub fn below(&mut self, n: usize) -> usize {
        let Some((&first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        first as usize % n
    }

    pub fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }

    pub fn over(&self) -> bool {
        self.bytes.is_empty()
    }
}
