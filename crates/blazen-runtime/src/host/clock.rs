//! What time it is to a run.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Where a workflow's runs have their time from. Deadlines are by the wall clock, so that they hold over a restart.
///
/// ```
/// use blazen_runtime::host::Clock;
/// assert!(Clock::system().now() > 1_700_000_000_000);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Clock(Option<(u64, Instant)>);

impl Clock {
    /// The system's clock, the default.
    pub fn system() -> Self {
        Self(None)
    }
    /// The system's clock as it is now, and from there on tokio's: for tests that pause it.
    pub fn tokio() -> Self {
        Self(Some((wall(), Instant::now())))
    }
    /// Milliseconds since 1970.
    pub fn now(&self) -> u64 {
        self.0.map_or_else(wall, |(wall, from)| wall + u64::try_from(from.elapsed().as_millis()).unwrap_or(u64::MAX / 2))
    }
}

fn wall() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX / 2))
}
