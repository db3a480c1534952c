//! What a step takes, and how it is called.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::event::{Event, full_name};

pub(super) type KeyOf = Arc<dyn Fn(&Event) -> Value + Send + Sync>;

/// What a step accepts, and its options. A list of types alone is `Accepts::any`.
///
/// ```
/// use std::time::Duration;
/// use blazen_runtime::host::{Accepts, Retry};
///
/// let work = Accepts::any(&["Page"]).limit(4).retry(Retry::times(3).first(Duration::from_secs(1)));
/// let both = Accepts::all(&["Paid", "Shipped"]).by(|event| event["order"].clone());
/// let fastest = Accepts::collect(&["Result"]).of("fan").first(1);
/// # let _ = (work, both, fastest);
/// ```
#[derive(Clone)]
pub struct Accepts {
    pub(super) types: Vec<String>,
    pub(super) kind: Kind,
    pub(super) limit: Option<u32>,
    pub(super) pool: Option<String>,
    pub(super) retry: Option<Retry>,
    pub(super) emits: Option<Vec<String>>,
    /// What was said that does not go with the kind.
    pub(super) wrong: Option<&'static str>,
}

#[derive(Clone)]
pub(super) enum Kind {
    Any,
    All { by: Option<KeyOf> },
    Collect { of: Option<String>, count: Option<u32>, first: Option<u32>, ignore_rest: bool },
}

impl Accepts {
    fn new(types: &[&str], kind: Kind) -> Self {
        let types = types.iter().map(|kind| full_name(kind).to_owned()).collect();
        Self { types, kind, limit: None, pool: None, retry: None, emits: None, wrong: None }
    }

    /// Each event of any of the types: the step is called once for it.
    pub fn any(types: &[&str]) -> Self {
        Self::new(types, Kind::Any)
    }
    /// A join: the step is called with each complete set of events, first-in first-out for each type. A type may be there twice.
    pub fn all(types: &[&str]) -> Self {
        Self::new(types, Kind::All { by: None })
    }
    /// A collect: the step is called with all events of the types, over the whole run, or over each fan-out of the step `of`.
    pub fn collect(types: &[&str]) -> Self {
        Self::new(types, Kind::Collect { of: None, count: None, first: None, ignore_rest: false })
    }

    /// Of a join: sets are of events with one key, a string or a number. What panics or gives anything else fails the step for good.
    #[must_use]
    pub fn by(mut self, key: impl Fn(&Event) -> Value + Send + Sync + 'static) -> Self {
        match &mut self.kind {
            Kind::All { by } => *by = Some(Arc::new(key)),
            _ => self.wrong = Some("\"by\" goes with Accepts::all"),
        }
        self
    }
    /// Of a collect: it runs once for each fan-out that this step has opened.
    #[must_use]
    pub fn of(self, step: &str) -> Self {
        self.collecting(|of, _, _, _| *of = Some(step.to_owned()))
    }
    /// Of a collect: it runs for every `n` results as they come, and at the end with the rest.
    #[must_use]
    pub fn count(self, n: u32) -> Self {
        self.collecting(|_, count, _, _| *count = Some(n))
    }
    /// Of a collect: it runs with the first `n` results of the fan-out, and what is left of the fan-out is cancelled.
    #[must_use]
    pub fn first(self, n: u32) -> Self {
        self.collecting(|_, _, first, _| *first = Some(n))
    }
    /// Of a collect with `first`: the rest goes on, and its results are dropped.
    #[must_use]
    pub fn ignore_rest(self) -> Self {
        self.collecting(|_, _, _, ignore| *ignore = true)
    }
    fn collecting(mut self, set: impl FnOnce(&mut Option<String>, &mut Option<u32>, &mut Option<u32>, &mut bool)) -> Self {
        match &mut self.kind {
            Kind::Collect { of, count, first, ignore_rest } => set(of, count, first, ignore_rest),
            _ => self.wrong = Some("\"of\", \"count\", \"first\" and \"ignore_rest\" go with Accepts::collect"),
        }
        self
    }

    /// How many calls of the step go on at one time within a run.
    #[must_use]
    pub fn limit(mut self, calls: u32) -> Self {
        self.limit = Some(calls);
        self
    }
    /// A limit that all steps share which name the pool.
    #[must_use]
    pub fn pool(mut self, name: &str, calls: u32) -> Self {
        self.pool = Some(name.to_owned());
        self.limit(calls)
    }
    /// A step that has failed is tried again.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = Some(retry);
        self
    }
    /// The types that the step may emit in any way: another fails the run.
    #[must_use]
    pub fn emits(mut self, types: &[&str]) -> Self {
        self.emits = Some(types.iter().map(|kind| full_name(kind).to_owned()).collect());
        self
    }

    pub(super) fn gathers(&self) -> bool {
        !matches!(self.kind, Kind::Any)
    }
}

impl<const N: usize> From<&[&str; N]> for Accepts {
    fn from(types: &[&str; N]) -> Self {
        Self::any(types)
    }
}
impl From<&[&str]> for Accepts {
    fn from(types: &[&str]) -> Self {
        Self::any(types)
    }
}

/// How often a step is tried, and how long it waits before: the first delay, doubled each time, up to the longest.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    pub(super) attempts: u32,
    pub(super) exponential: bool,
    pub(super) initial: Duration,
    pub(super) max: Duration,
    pub(super) jitter: f64,
}

impl Retry {
    /// So many attempts in all, with delays from 100 ms to 30 s.
    pub fn times(attempts: u32) -> Self {
        Self { attempts, exponential: true, initial: Duration::from_millis(100), max: Duration::from_secs(30), jitter: 0.0 }
    }
    /// The delay before the second attempt, in whole milliseconds.
    #[must_use]
    pub fn first(mut self, delay: Duration) -> Self {
        self.initial = delay;
        self
    }
    /// No delay is longer.
    #[must_use]
    pub fn longest(mut self, delay: Duration) -> Self {
        self.max = delay;
        self
    }
    /// All delays are as the first.
    #[must_use]
    pub fn fixed(mut self) -> Self {
        self.exponential = false;
        self
    }
    /// Delays are shorter by a random part of them, at most this one: from 0 to 1.
    #[must_use]
    pub fn jitter(mut self, part: f64) -> Self {
        self.jitter = part;
        self
    }
}
