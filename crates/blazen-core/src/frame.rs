//! The shared buffer: a header and frames of four words.

use std::collections::VecDeque;

pub const HEADER: usize = 16;
pub const WORDS: usize = 4;
pub const ROOM: usize = 4096;
/// The length of the buffer in 32-bit words.
pub const BUFFER_WORDS: usize = HEADER + WORDS * ROOM;
pub const NONE: i32 = -1;

/// Routing pauses after so many commands, so that control from the host is never starved.
const ENOUGH: usize = 1024;

pub type Frame = [i32; WORDS];

/// Commands on their way out: into the buffer while there is room, else to the run's own list.
pub struct Output<'a> {
    words: &'a mut [i32],
    count: usize,
    spill: &'a mut VecDeque<Frame>,
}

impl<'a> Output<'a> {
    pub fn new(words: &'a mut [i32], spill: &'a mut VecDeque<Frame>) -> Self {
        let mut output = Self { words, count: 0, spill };
        while output.count < ROOM {
            let Some(frame) = output.spill.pop_front() else { break };
            output.write(frame);
        }
        output
    }

    #[inline]
    pub fn push(&mut self, tag: i32, a: i32, b: i32, c: i32) {
        if self.count < ROOM && self.spill.is_empty() {
            self.write([tag, a, b, c]);
        } else {
            self.spill.push_back([tag, a, b, c]);
        }
    }

    #[inline]
    fn write(&mut self, frame: Frame) {
        let at = HEADER + self.count * WORDS;
        self.words[at..at + WORDS].copy_from_slice(&frame);
        self.count += 1;
    }

    #[inline]
    pub fn enough(&self) -> bool {
        self.count >= ENOUGH
    }

    pub fn count(&self) -> usize {
        self.count
    }

    pub fn spilled(&self) -> bool {
        !self.spill.is_empty()
    }
}
