//! All plans and runs of one thread, and the exchange of frames with them.

use std::rc::Rc;

use crate::error::CoreError;
use crate::frame::{BUFFER_WORDS, Frame, HEADER, NONE, Output, ROOM, WORDS};
use crate::generated::{ERR_INTERNAL, IN_CLOSE, IN_PANIC, IN_START};
use crate::plan::Plan;
use crate::run::Run;
use crate::slab::Slab;

/// Finished runs kept for their memory: a run that starts allocates nothing while there are any.
const SPARE: usize = 64;

#[derive(Default)]
pub struct Core {
    plans: Slab<Rc<Plan>>,
    runs: Slab<Box<Run>>,
    #[allow(clippy::vec_box, reason = "they move to the slab and back, by their pointers")]
    spare: Vec<Box<Run>>,
    frames: Vec<Frame>,
    last_error: String,
}

impl Core {
    pub fn new() -> Self {
        Self::default()
    }

    /// A plan's id, or the negative number of an error that `last_error` tells.
    pub fn compile(&mut self, definition: &str) -> i32 {
        match Plan::compile(definition) {
            Ok(plan) => self.plans.insert(Rc::new(plan)) as i32,
            Err(error) => self.fail(&error),
        }
    }

    /// Forgets a plan; its runs keep it until they end.
    pub fn drop_plan(&mut self, plan: i32) {
        self.plans.remove(plan as u32);
    }

    /// JSON of the last failure: `{ code, message, step?, type?, lacking? }`.
    pub fn last_error(&self) -> &str {
        &self.last_error
    }

    /// How many runs are live.
    pub fn runs(&self) -> usize {
        self.runs.len()
    }

    /// Ends a run whose state a panic has left in doubt.
    pub fn poison(&mut self, run: i32, message: &str) {
        self.runs.remove(run as u32);
        self.fail(&CoreError::internal(message));
    }

    /// Takes the input frames in the buffer and leaves commands there.
    pub fn exchange(&mut self, buffer: &mut [i32]) {
        if buffer.len() < BUFFER_WORDS {
            self.fail(&CoreError::internal(format!("the buffer has {} words instead of {BUFFER_WORDS}", buffer.len())));
            if let Some(count) = buffer.get_mut(1) {
                *count = -ERR_INTERNAL;
            }
            return;
        }
        let (count, more) = match self.answer(buffer) {
            Ok(answer) => answer,
            Err(error) => {
                // What it did so far cannot be told to the host any more: the run is lost.
                self.free(buffer[0]);
                (self.fail(&error), false)
            }
        };
        buffer[1] = count;
        buffer[2] = i32::from(more);
    }

    fn answer(&mut self, buffer: &mut [i32]) -> Result<(i32, bool), CoreError> {
        let count = buffer[1];
        if count == 2
            && let Some(count) = self.runs.get_mut(buffer[0] as u32).and_then(|run| run.hop(buffer))
        {
            return Ok((count, false));
        }
        if !(0..=ROOM as i32).contains(&count) {
            return Err(CoreError::internal(format!("{count} frames do not fit the buffer")));
        }
        // Commands are written where the input frames stand.
        let words = &buffer[HEADER..HEADER + count as usize * WORDS];
        self.frames.clear();
        self.frames.extend_from_slice(words.as_chunks().0);
        let mut first = 0;
        if buffer[0] == NONE {
            buffer[0] = self.start()?;
            first = 1;
        }
        let handle = buffer[0];
        let Some(run) = self.runs.get_mut(handle as u32) else {
            return Err(CoreError::internal(format!("there is no run {handle}")));
        };
        let mut spill = std::mem::take(&mut run.spill);
        let mut output = Output::new(buffer, &mut spill);
        let mut closed = false;
        for frame in &self.frames[first..] {
            match frame[0] {
                IN_CLOSE => closed = true,
                IN_PANIC => panic_on_purpose(),
                _ => run.handle(frame, &mut output)?,
            }
            if run.over || closed {
                break;
            }
        }
        if !closed && !run.over {
            run.route(&mut output);
        }
        let count = output.count() as i32;
        let more = output.spilled() || (run.more && !run.over);
        run.spill = spill;
        if run.over
            && let Some(error) = run.failure.take()
        {
            self.last_error = error.json();
        }
        // A run that is over stays until its last commands have been fetched.
        if closed || (run.over && !more) {
            self.free(handle);
        }
        Ok((count, more && !closed))
    }

    fn start(&mut self) -> Result<i32, CoreError> {
        let Some([IN_START, plan, slot, _]) = self.frames.first().copied() else {
            return Err(CoreError::internal("the header names no run, and the first frame is no Start"));
        };
        let Some(plan) = self.plans.get(plan as u32) else {
            return Err(CoreError::internal(format!("there is no plan {plan}")));
        };
        let mut run = self.spare.pop().unwrap_or_default();
        run.begin(plan.clone(), slot as u32)?;
        Ok(self.runs.insert(run) as i32)
    }

    fn free(&mut self, handle: i32) {
        let Some(mut run) = self.runs.remove(handle as u32) else { return };
        if self.spare.len() < SPARE && run.small() {
            run.reset();
            self.spare.push(run);
        }
    }

    fn fail(&mut self, error: &CoreError) -> i32 {
        self.last_error = error.json();
        -if error.number > 0 { error.number } else { ERR_INTERNAL }
    }
}

/// So that tests can show that a panic ends one run and not the process.
#[allow(clippy::panic, reason = "the Panic frame asks for it")]
fn panic_on_purpose() {
    panic!("panic frame");
}
