//! Workflows: what their authors write.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use serde_json::Value;

use super::accepts::Accepts;
use super::clock::Clock;
use super::context::Context;
use super::error::{Error, StepFailure};
use super::event::{Event, Outputs, full_name};
use super::handler::Handler;
use super::plan::{Definition, Function, Plan, Step};
use super::restore;
use super::run::Run;
use super::run_store::RunStore;
use super::stored::{self, Recovered};

/// A workflow that is being written; `build` makes it one that runs.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use blazen_runtime::host::{Event, Workflow};
/// use serde_json::json;
///
/// let workflow = Workflow::new("hello")
///     .step("greet", &["StartEvent"], |event, _ctx| async move {
///         Ok(Event::stop(format!("Hello, {}!", event["name"].as_str().unwrap_or("you"))).into())
///     })
///     .build()?;
/// assert_eq!(workflow.run(json!({ "name": "Ada" })).await?, "Hello, Ada!");
/// # Ok(()) }
/// ```
#[must_use]
pub struct Builder {
    definition: Definition,
    wrong: Option<Error>,
}

impl Builder {
    fn new(name: &str) -> Self {
        let name = name.to_owned();
        let definition = Definition {
            name,
            version: 1,
            ignore_unhandled: false,
            external: Vec::new(),
            steps: Vec::new(),
            clock: Clock::system(),
            verify: false,
        };
        Self { definition, wrong: None }
    }

    /// The version of the definition, 1 unless it is given. A run of an older one is not gone on with: there is no `migrate`.
    pub fn version(mut self, version: u64) -> Self {
        self.definition.version = version;
        self
    }
    /// Types of events that may come from outside, by `Handler::send`.
    pub fn external(mut self, types: &[&str]) -> Self {
        self.definition.external.extend(types.iter().map(|kind| full_name(kind).to_owned()));
        self
    }
    /// Events that no step accepts are dropped; without this they fail the run.
    pub fn ignore_unhandled(mut self) -> Self {
        self.definition.ignore_unhandled = true;
        self
    }
    /// Where runs have their time from.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.definition.clock = clock;
        self
    }
    /// Each checkpoint of a run in a store is compared with the run, which fails where one would lose something: for tests.
    pub fn verify(mut self) -> Self {
        self.definition.verify = true;
        self
    }

    /// Adds a step that is called with one event: a list of types, or `Accepts::any`.
    pub fn step<F, R>(self, name: &str, accepts: impl Into<Accepts>, function: F) -> Self
    where
        F: Fn(Event, Context) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Outputs, StepFailure>> + Send + 'static,
    {
        let function: Function = Arc::new(move |mut events, ctx| match events.pop() {
            Some(event) => Box::pin(function(event, ctx)),
            None => Box::pin(async { Err(StepFailure::bad_return("the core gave no event")) }),
        });
        self.add(name, accepts.into(), false, function)
    }
    /// Adds a step that is called with several events: `Accepts::all` or `Accepts::collect`.
    pub fn gather<F, R>(self, name: &str, accepts: Accepts, function: F) -> Self
    where
        F: Fn(Vec<Event>, Context) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Outputs, StepFailure>> + Send + 'static,
    {
        self.add(name, accepts, true, Arc::new(move |events, ctx| Box::pin(function(events, ctx))))
    }
    fn add(mut self, name: &str, accepts: Accepts, gathers: bool, function: Function) -> Self {
        if accepts.gathers() != gathers {
            let way = if gathers { "`gather` takes Accepts::all or Accepts::collect" } else { "a join or collect is added by `gather`" };
            let error = Error::definition(format!("Workflow \"{}\": step \"{name}\": {way}", self.definition.name));
            self.wrong.get_or_insert(error.of_step(Some(name)));
        }
        self.definition.steps.push(Step { name: name.to_owned(), accepts, function });
        self
    }

    /// Checks the whole, and makes it a workflow that runs.
    ///
    /// # Errors
    /// `DEFINITION`, which names what is wrong with it.
    pub fn build(self) -> Result<Workflow, Error> {
        match self.wrong {
            Some(error) => Err(error),
            None => Ok(Workflow { plan: Arc::new(Plan::compile(self.definition)?) }),
        }
    }
}

/// A workflow that runs, on the tokio runtime in which a run is started, whose time must be enabled. Copies are one workflow.
#[derive(Clone)]
pub struct Workflow {
    pub(super) plan: Arc<Plan>,
}

impl fmt::Debug for Workflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.plan.title())
    }
}

impl Workflow {
    /// Begins the definition of a workflow. The name is durable: runs that are stored are found by it.
    #[allow(clippy::new_ret_no_self, reason = "what is written first is the definition")]
    pub fn new(name: &str) -> Builder {
        Builder::new(name)
    }

    /// Runs it, and gives the result of its StopEvent. `input` is the payload of the StartEvent.
    ///
    /// # Errors
    /// How the run has failed: `STEP_FAILED`, `STALLED`, `UNHANDLED_EVENT` and so on.
    pub async fn run(&self, input: Value) -> Result<Value, Error> {
        self.start(input)?.result().await
    }

    /// Starts a run. It goes on whether its handler is kept or not.
    ///
    /// # Errors
    /// `DEFINITION` outside of a tokio runtime, or for an input that is no payload.
    pub fn start(&self, input: Value) -> Result<Handler, Error> {
        Run::start(&self.plan, input, None).map(Handler::new)
    }
    /// The same under an id of the caller's, which no other run should have.
    ///
    /// # Errors
    /// Those of `start`, and `DEFINITION` for an id that is empty.
    pub fn start_as(&self, run_id: &str, input: Value) -> Result<Handler, Error> {
        Run::start(&self.plan, input, Some(run_id)).map(Handler::new)
    }

    /// Starts a run that is kept in a store: no output of a step is acted upon before it is on disk. A run that the store has, of
    /// this workflow and over, gives what it gave.
    ///
    /// # Errors
    /// `RUN_EXISTS` for an id that the store has, `STORE` where it fails, and those of `start`.
    pub async fn start_in(&self, store: &RunStore, input: Value, run_id: Option<&str>) -> Result<Handler, Error> {
        stored::start(&self.plan, store, input, run_id).await.map(Handler::new)
    }

    /// Goes on with a run from a snapshot, in any of its forms.
    ///
    /// # Errors
    /// `SNAPSHOT` for one that is damaged, does not fit this workflow, or has what this host does not do.
    pub fn resume(&self, snapshot: &[u8]) -> Result<Handler, Error> {
        restore::resume(&self.plan, snapshot, None).map(Handler::new)
    }

    /// Claims runs of this workflow that nobody goes on with, at most so many, and goes on with them: those that are running, or due.
    ///
    /// # Errors
    /// `STORE` where the store fails. Runs that cannot be gone on with are told of one by one, and let go.
    pub async fn recover(&self, store: &RunStore, limit: u32) -> Result<Vec<Recovered>, Error> {
        stored::recover(&self.plan, store, limit, None).await
    }

    /// The same for one run, also where it waits for an answer. None: the store has none to go on with, or it is another's.
    ///
    /// # Errors
    /// `STORE` where the store fails, `SNAPSHOT` where the run cannot be gone on with.
    pub async fn recover_run(&self, store: &RunStore, run_id: &str) -> Result<Option<Handler>, Error> {
        let recovered = stored::recover(&self.plan, store, 1, Some(run_id)).await?;
        recovered.into_iter().next().map(|recovered| recovered.handler).transpose()
    }
}
