//! A core on a thread of its own. A core is not `Send`; a run must be, for tokio may move it from thread to thread. A call waits
//! for its answer without giving up its thread, so that nothing happens between the two.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use blazen_core::{BUFFER_WORDS, CMD_FAIL, CMD_FINISH, Core, IN_ID, IN_KEY, IN_RANDOM, IN_TICK, IN_UNTIL};

use super::error::{Error, panic_message};

pub const NONE: i32 = -1;
pub type Frame = [i32; 4];

/// The layout of the buffer: `docs/internal/boundary.md`.
const HEADER: usize = 16;
/// Frames handed over at a time; the rest of the buffer is for those that belong together.
const ROOM: usize = 4000;

type Job = Box<dyn FnOnce(&mut Engine) + Send>;

pub struct Machine {
    jobs: Sender<Job>,
}

struct Engine {
    core: Core,
    buffer: Vec<i32>,
}

/// What the core says to a run.
pub struct Answer {
    pub handle: i32,
    pub commands: Vec<Frame>,
    /// The number of the run's latest commit.
    pub commit: i32,
    /// JSON: why the run fails, where it does.
    pub failure: Option<String>,
}

impl Machine {
    pub fn new() -> Result<Self, Error> {
        let (jobs, received) = channel();
        thread::Builder::new()
            .name("blazen-core".to_owned())
            .spawn(move || serve(&received))
            .map_err(|error| Error::internal(format!("the core's thread cannot be started: {error}")))?;
        Ok(Self { jobs })
    }

    /// Hands frames to a run, and fetches all that the core answers. An error is its message, and the run is lost.
    pub fn exchange(&self, handle: i32, frames: Vec<Frame>) -> Result<Answer, String> {
        self.ask(move |engine| {
            let exchanged = catch_unwind(AssertUnwindSafe(|| engine.exchange(handle, &frames)));
            exchanged.unwrap_or_else(|panic| {
                let message = format!("the core panicked: {}", panic_message(&*panic));
                engine.core.poison(handle, &message);
                Err(message)
            })
        })
        .unwrap_or_else(Err)
    }

    /// Any other call; None: the error is what the core says of it.
    pub fn call<T: Send + 'static>(&self, call: impl FnOnce(&mut Core) -> Option<T> + Send + 'static) -> Result<T, String> {
        let called = self.ask(move |engine| {
            catch_unwind(AssertUnwindSafe(|| call(&mut engine.core).ok_or_else(|| said(engine.core.last_error()))))
                .unwrap_or_else(|panic| Err(format!("the core panicked: {}", panic_message(&*panic))))
        });
        called.unwrap_or_else(Err)
    }

    fn ask<T: Send + 'static>(&self, work: impl FnOnce(&mut Engine) -> T + Send + 'static) -> Result<T, String> {
        let (reply, answer) = channel();
        let job: Job = Box::new(move |engine| drop(reply.send(work(engine))));
        let gone = |_| "the core's thread is gone".to_owned();
        self.jobs.send(job).map_err(|_| gone(()))?;
        answer.recv().map_err(|_| gone(()))
    }
}

fn serve(jobs: &Receiver<Job>) {
    let mut engine = Engine { core: Core::new(), buffer: vec![0; BUFFER_WORDS] };
    while let Ok(job) = jobs.recv() {
        job(&mut engine);
    }
}

impl Engine {
    fn exchange(&mut self, handle: i32, frames: &[Frame]) -> Result<Answer, String> {
        let mut answer = Answer { handle, commands: Vec::new(), commit: 0, failure: None };
        let mut rest = frames;
        loop {
            let (now, later) = rest.split_at(together(rest));
            rest = later;
            self.buffer[0] = answer.handle;
            self.buffer[1] = now.len() as i32;
            self.buffer[HEADER..HEADER + 4 * now.len()].copy_from_slice(now.as_flattened());
            self.core.exchange(&mut self.buffer);
            let Ok(count) = usize::try_from(self.buffer[1]) else { return Err(said(self.core.last_error())) };
            answer.handle = self.buffer[0];
            answer.commit = self.buffer[3];
            let commands: &[Frame] = self.buffer[HEADER..HEADER + 4 * count].as_chunks().0;
            if commands.iter().any(|[tag, ..]| *tag == CMD_FAIL) {
                answer.failure = Some(self.core.last_error().to_owned());
            }
            if commands.iter().any(|[tag, ..]| [CMD_FAIL, CMD_FINISH].contains(tag)) {
                rest = &[];
            }
            answer.commands.extend(commands);
            if rest.is_empty() && self.buffer[2] == 0 {
                return Ok(answer);
            }
        }
    }
}

/// How many of the frames go in one exchange: a frame goes with those that say more about it.
fn together(frames: &[Frame]) -> usize {
    if frames.len() <= ROOM {
        return frames.len();
    }
    let says_more = |frame: &Frame| [IN_KEY, IN_ID, IN_UNTIL, IN_TICK, IN_RANDOM].contains(&frame[0]);
    (1..=ROOM).rev().find(|at| !says_more(&frames[at - 1])).unwrap_or(ROOM)
}

/// The message of the core's last error.
fn said(last_error: &str) -> String {
    let error: serde_json::Value = serde_json::from_str(last_error).unwrap_or_default();
    error["message"].as_str().unwrap_or("the core gave no reason").to_owned()
}
