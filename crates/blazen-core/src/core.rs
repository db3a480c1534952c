//! All plans and runs of one thread, and the exchange of frames with them.

use std::rc::Rc;

use crate::bits::Bits;
use crate::error::CoreError;
use crate::frame::{BUFFER_WORDS, Frame, HEADER, NONE, Output, ROOM, WORDS};
use crate::generated::{ERR_INTERNAL, IN_CHILD, IN_CLOSE, IN_PANIC, IN_START};
use crate::plan::Plan;
use crate::run::{EventTypes, Layout, Run, compatible};
use crate::slab::Slab;
use crate::snapshot;

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
    #[inline(never)]
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

    /// A run in a snapshot's binary form; None: `last_error` tells why not. The run goes on either way. `document` is JSON in
    /// UTF-8, which hosts encode faster than their bindings do.
    #[inline(never)]
    pub fn save(&mut self, run: i32, document: &[u8], blob: &[u8]) -> Option<Vec<u8>> {
        let saved = match self.runs.get_mut(run as u32) {
            Some(run) => utf8(document).and_then(|document| run.save(document, blob)),
            None => Err(CoreError::internal(format!("there is no run {run}"))),
        };
        self.told(saved)
    }

    /// What has changed in a run since its last checkpoint, for `delta`: JSON (`docs/internal/boundary.md`).
    #[inline(never)]
    pub fn changed(&mut self, run: i32) -> Option<String> {
        let changed = self.runs.get(run as u32).and_then(|run| run.changed());
        self.told(changed.ok_or_else(|| CoreError::internal(format!("there is no run {run} with a base"))))
    }

    /// The changes of a run since its last base or delta. `document` and `blob` are as those of `save`, of what has changed.
    #[inline(never)]
    pub fn delta(&mut self, run: i32, document: &[u8], blob: &[u8]) -> Option<Vec<u8>> {
        let delta = match self.runs.get_mut(run as u32) {
            Some(run) => utf8(document).and_then(|document| run.delta(document, blob)),
            None => Err(CoreError::internal(format!("there is no run {run}"))),
        };
        self.told(delta)
    }

    /// The snapshot that a base and the deltas after it make; `lengths` are theirs.
    #[inline(never)]
    pub fn merge(&mut self, parts: &[u8], lengths: &[u32]) -> Option<Vec<u8>> {
        let merged = snapshot::merge(parts, lengths);
        self.told(merged)
    }

    /// The binary form of a snapshot in any form, its checksum and header being right.
    #[inline(never)]
    pub fn parse(&mut self, source: &[u8]) -> Option<Vec<u8>> {
        let parsed = if snapshot::is_binary(source) {
            snapshot::read(source).map(|_| source.to_owned())
        } else {
            match std::str::from_utf8(source) {
                Ok(text) => snapshot::from_text(text),
                Err(_) => Err(snapshot::damaged("it is neither the binary form nor UTF-8")),
            }
        };
        self.told(parsed)
    }

    /// The text form of a snapshot in its binary form.
    #[inline(never)]
    pub fn text(&mut self, bytes: &[u8]) -> Option<String> {
        let text = snapshot::read_known(bytes).map(|snapshot| snapshot::to_text(&snapshot));
        self.told(text)
    }

    /// JSON of what the host keeps of a snapshot (`docs/internal/boundary.md`).
    #[inline(never)]
    pub fn document(&mut self, bytes: &[u8]) -> Option<String> {
        let document = snapshot::read_known(bytes).and_then(|snapshot| snapshot::document(&snapshot, bytes));
        self.told(document)
    }

    /// A snapshot with the events, entries and step names that the host's upgrade gives.
    #[inline(never)]
    pub fn upgrade(&mut self, bytes: &[u8], upgrade: &[u8], blob: &[u8]) -> Option<Vec<u8>> {
        let upgraded = snapshot::read_known(bytes).and_then(|snapshot| snapshot::upgrade(snapshot, utf8(upgrade)?, blob));
        self.told(upgraded)
    }

    /// The handle of a run that goes on from a snapshot with the first exchange, or the negative number of an error. `children` are
    /// the plans of its child runs, in the order of `document`.
    #[inline(never)]
    pub fn restore(&mut self, plan: i32, bytes: &[u8], children: &[u32]) -> i32 {
        let children = children.iter().map(|plan| self.plan(*plan)).collect::<Result<Vec<_>, _>>();
        match children.and_then(|children| self.restored(plan, bytes, children)) {
            Ok(run) => self.runs.insert(run) as i32,
            Err(error) => self.fail(&error),
        }
    }

    fn restored(&self, plan: i32, bytes: &[u8], children: Vec<Rc<Plan>>) -> Result<Box<Run>, CoreError> {
        let mut plans = vec![self.plan(plan as u32)?];
        plans.extend(children);
        let snapshot = snapshot::read_known(bytes)?;
        let types = EventTypes::read(&snapshot)?;
        let layout = Layout::read(&snapshot)?;
        if plans.len() != 1 + layout.flows.len() {
            let (given, wanted) = (plans.len() - 1, layout.flows.len());
            return Err(CoreError::internal(format!("the host gave {given} plans for {wanted} entries of the section \"flow\"")));
        }
        compatible(&plans, &snapshot, &layout, &types)?;
        Run::restore(plans, &snapshot, &layout, &types)
    }

    fn plan(&self, id: u32) -> Result<Rc<Plan>, CoreError> {
        self.plans.get(id).cloned().ok_or_else(|| CoreError::internal(format!("there is no plan {}", id as i32)))
    }

    /// The member of a run that its snapshot has lost; empty: none. None: `last_error` tells why it cannot be restored.
    #[inline(never)]
    pub fn verify(&mut self, plan: i32, run: i32, bytes: &[u8], unbegun: &[u32]) -> Option<String> {
        let children = self.runs.get(run as u32).map(|run| run.child_plans()).unwrap_or_default();
        let difference = match (self.restored(plan, bytes, children), self.runs.get(run as u32)) {
            (Ok(restored), Some(run)) => Ok(run.difference(&restored, &Bits::of(unbegun)).unwrap_or_default().to_owned()),
            (Err(error), _) => Err(error),
            (_, None) => Err(CoreError::internal(format!("there is no run {run}"))),
        };
        self.told(difference)
    }

    fn told<T>(&mut self, outcome: Result<T, CoreError>) -> Option<T> {
        match outcome {
            Ok(value) => Some(value),
            Err(error) => {
                self.fail(&error);
                None
            }
        }
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
    #[inline]
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

    #[inline]
    fn answer(&mut self, buffer: &mut [i32]) -> Result<(i32, bool), CoreError> {
        let count = buffer[1];
        if count == 2
            && let Some(count) = self.runs.get_mut(buffer[0] as u32).and_then(|run| run.hop(buffer))
        {
            return Ok((count, false));
        }
        if count == 1
            && let &mut [IN_CHILD, _, plan, _] = &mut buffer[HEADER..HEADER + WORDS]
            && let (Some(run), Some(plan)) = (self.runs.get_mut(buffer[0] as u32), self.plans.get(plan as u32))
            && let Some(count) = run.open_hop(plan, buffer)
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
                IN_CHILD => {
                    let [_, by, plan, slot] = *frame;
                    let plan = self.plans.get(plan as u32).ok_or_else(|| CoreError::internal(format!("there is no plan {plan}")))?;
                    run.handle_child(by as u32, plan.clone(), slot as u32, &mut output)?;
                }
                _ => run.handle(frame, &mut output)?,
            }
            if run.over || closed {
                break;
            }
        }
        if !closed && !run.over {
            run.route(&mut output);
            run.set_alarm(&mut output);
        }
        let commit = run.latest_commit();
        let count = output.count() as i32;
        let more = output.spilled() || (run.more && !run.over);
        run.spill = spill;
        if let Some(error) = run.failure.take() {
            self.last_error = error.json();
        }
        // A run that is over stays until its last commands have been fetched.
        if closed || (run.over && !more) {
            self.free(handle);
        }
        buffer[3] = commit;
        Ok((count, more && !closed))
    }

    #[inline]
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

    #[inline]
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

fn utf8(text: &[u8]) -> Result<&str, CoreError> {
    std::str::from_utf8(text).map_err(|_| CoreError::internal("the host's text is not UTF-8"))
}

/// So that tests can show that a panic ends one run and not the process.
#[allow(clippy::panic, reason = "the Panic frame asks for it")]
fn panic_on_purpose() {
    panic!("panic frame");
}
