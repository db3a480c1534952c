//! A thread that owns the database: what is asked while it writes goes in one transaction, with one fsync, when it is done.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, absolute};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use crate::database::{Asked, Database};
use crate::failure::Failure;
use crate::schema::Settings;

/// JSON, and bytes that belong to it.
pub type Answer = Result<(String, Vec<u8>), Failure>;
type Reply = Box<dyn FnOnce(Answer) + Send>;

/// Requests that go in one transaction at most.
const BATCH: usize = 10_000;

/// Runs in a SQLite database, which several processes may share. Dropped, it does what it was asked before, then closes.
pub struct Store {
    jobs: Sender<Job>,
}

impl Store {
    /// Opens the file with the first request; that and each later one tells why it cannot be opened.
    pub fn new(path: &Path) -> Self {
        Self::with(path, Settings::default())
    }

    /// With settings that tests need.
    #[doc(hidden)]
    pub fn with(path: &Path, settings: Settings) -> Self {
        // As it is meant now, wherever the process goes; and an absolute path is none of SQLite's special names.
        let path = absolute(path).unwrap_or_else(|_| path.to_owned());
        let mut database = Database::new(path, settings);
        Self::serving(move |batch| database.answer(batch))
    }

    fn serving(answer: impl FnMut(&[Asked]) -> Vec<Answer> + Send + 'static) -> Self {
        let (jobs, received) = channel();
        let spawned = thread::Builder::new().name("blazen-store".to_owned()).spawn(move || serve(&received, answer));
        // Without a thread nothing receives, and every request is answered by its being dropped.
        drop(spawned);
        Self { jobs }
    }

    /// Asks in JSON (`request.rs`); the answer is durable when `reply` is called, by the store's thread.
    pub fn request(&self, request: String, blob: Vec<u8>, reply: Reply) {
        // What cannot be sent is dropped.
        let _ = self.jobs.send(Job { request, blob, waiting: Waiting(Some(reply)) });
    }
}

struct Job {
    request: String,
    blob: Vec<u8>,
    waiting: Waiting,
}

/// Somebody who waits for an answer, and gets one: when this is dropped at the latest.
struct Waiting(Option<Reply>);

impl Waiting {
    fn settle(&mut self, answer: Answer) {
        if let Some(reply) = self.0.take() {
            // What one does with its answer is no reason for others to get none.
            let _ = catch_unwind(AssertUnwindSafe(|| reply(answer)));
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.settle(Err(Failure::new("other", "the store's thread has failed: what was asked of it may be done, or not")));
    }
}

fn serve(jobs: &Receiver<Job>, mut answer: impl FnMut(&[Asked]) -> Vec<Answer>) {
    while let Ok(first) = jobs.recv() {
        let (mut asked, mut waiting) = (Vec::new(), Vec::new());
        let mut next = Some(first);
        while let Some(job) = next {
            asked.push(Asked::new(&job.request, job.blob));
            waiting.push(job.waiting);
            next = if asked.len() < BATCH { jobs.try_recv().ok() } else { None };
        }
        // Those whom a panic has left without an answer get theirs when they are dropped.
        let answers = catch_unwind(AssertUnwindSafe(|| answer(&asked))).unwrap_or_default();
        waiting.iter_mut().zip(answers).for_each(|(waiting, answer)| waiting.settle(answer));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    fn ask(store: &Store, request: &str) -> Receiver<Answer> {
        let (sender, answer) = channel();
        store.request(request.to_owned(), Vec::new(), Box::new(move |answer| sender.send(answer).unwrap()));
        answer
    }

    #[test]
    fn a_panic_settles_what_was_asked_and_the_next_requests_are_served() {
        let mut panics = 1;
        let store = Store::serving(move |batch| {
            if panics > 0 {
                panics -= 1;
                panic!("a bug");
            }
            batch.iter().map(|_| Ok(("done".to_owned(), Vec::new()))).collect()
        });
        assert_eq!(ask(&store, "1").recv().unwrap().unwrap_err().kind, "other");
        assert_eq!(ask(&store, "2").recv().unwrap().unwrap().0, "done");
    }

    #[test]
    fn a_reply_that_panics_leaves_the_others_theirs() {
        let store = Store::serving(|batch| batch.iter().map(|_| Ok(("done".to_owned(), Vec::new()))).collect());
        store.request(String::new(), Vec::new(), Box::new(|_| panic!("a bug")));
        assert_eq!(ask(&store, "2").recv().unwrap().unwrap().0, "done");
    }

    #[test]
    fn without_a_thread_each_request_is_answered() {
        let (jobs, received) = channel();
        drop(received);
        assert_eq!(ask(&Store { jobs }, "1").recv().unwrap().unwrap_err().kind, "other");
    }
}
