//! A host for steps written in Rust, on tokio: the same core, the same snapshots and the same stores as those of the TypeScript package.
//!
//! A workflow is steps, wired by the types of the events they accept and give. An [`Event`] is the durable name of a type and a payload in JSON.
//!
//! ```
//! use blazen_runtime::host::{Accepts, Error, Event, Workflow};
//! use serde_json::json;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Error> {
//! let crawl = Workflow::new("crawl")
//!     .step("fan", &["StartEvent"], |event, _ctx| async move {
//!         let urls: Vec<String> = serde_json::from_value(event["urls"].clone())?;
//!         Ok(urls.into_iter().map(|url| Event::new("Page", json!({ "url": url }))).collect())
//!     })
//!     .step("score", Accepts::any(&["Page"]).limit(4), |event, _ctx| async move {
//!         let score = event["url"].as_str().map_or(0, str::len);
//!         Ok(Event::new("Scored", json!({ "score": score })).into())
//!     })
//!     .gather("total", Accepts::collect(&["Scored"]).of("fan"), |scores, _ctx| async move {
//!         Ok(Event::stop(scores.iter().filter_map(|scored| scored["score"].as_u64()).sum::<u64>()).into())
//!     })
//!     .build()?;
//! assert_eq!(crawl.run(json!({ "urls": ["/", "/about"] })).await?, 7);
//! # Ok(()) }
//! ```
//!
//! - A step gives nothing, one event, or several ([`Outputs`]): several are a fan-out. What fails is a [`StepFailure`], into which `?` turns any
//!   error; a panic is one too, and ends no more than its run. [`Accepts`] has joins, collects, limits and retries.
//! - A [`Context`] has the run's state (bytes by key, committed with the step), sleeps and questions that outlive the process, and commit points.
//! - A [`Handler`] has the result, answers questions, sends events from outside, cancels, pauses; [`Workflow::resume`] goes on from a snapshot.
//! - A [`RunStore`] keeps runs in a SQLite file: [`Workflow::start_in`], [`Workflow::recover`]. Each commit is written before what it gives is acted
//!   upon, as what has changed since the last one.
//!
//! # How it works
//!
//! Each step is called in a task of its own, on the runtime in which its run was started, so its future must be `Send`; the runtime's time must be
//! enabled. A run is a table behind a lock, which is never held while code of the user's runs: whoever has something to say (a step that settles, a
//! handler, a timer, the store's answer) takes the lock, hands frames to the core and carries out its commands. The core is not `Send`, so each
//! workflow has one on a thread of its own, and a call waits for it: ten to forty microseconds a step, and as long as it takes where a large run is stored.
//!
//! # Where it differs from TypeScript
//!
//! - What is withdrawn (its fan-out is over, the run is cancelled, has ended or was paused) is dropped at its next await, and then gives up its place
//!   in a pool. One that has not begun by then never begins. There is no grace period, and no signal.
//! - [`Handler::pause`] ends the run here; it goes on from its snapshot alone.
//! - Numbers in payloads are those of `serde_json`: whole ones beyond 2^53 are a BigInt to TypeScript, and 1.0 may come back as 1. The order of
//!   an object's keys does not count. Payloads have at most 100 levels.
//!
//! # What it leaves out
//!
//! Child runs and pipelines, generators, streams (also `unhandledEvents: "stream"`) and observers; `ctx.once`, the session and resources; values of
//! the state other than bytes, and values in payloads that are no JSON; schemas: payloads and answers are not checked; timeouts of attempts and runs,
//! for which there is `tokio::time::timeout`; `migrate`. Of stores: strict checkpoints at each commit only; `recover` claims once and is no worker;
//! messages of the inbox are left there. There is no way to ask for any of this here, and a snapshot or stored run that has some of it is refused by
//! [`Workflow::resume`] and [`Workflow::recover`] with an error that names it. A snapshot of this host has nothing that TypeScript could not read.

mod accepts;
mod attempt;
mod checkpoints;
mod clock;
mod commands;
mod context;
mod error;
mod event;
mod handler;
mod machine;
mod numbers;
mod outputs;
mod plan;
mod random;
mod requests;
mod restore;
mod run;
mod run_store;
mod save;
mod slots;
mod stored;
mod tree;
mod workflow;

pub use accepts::{Accepts, Retry};
pub use clock::Clock;
pub use context::{Context, StateView};
pub use error::{Error, StepFailure};
pub use event::{Event, Outputs};
pub use handler::{Handler, Pause};
pub use requests::{PendingInput, Question};
pub use run::Status;
pub use run_store::RunStore;
pub use stored::Recovered;
pub use workflow::{Builder, Workflow};

/// The examples of the guide run with those of this module.
#[cfg(doctest)]
#[doc = include_str!("../../../../docs/rust.md")]
struct Guide;
