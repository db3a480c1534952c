//! How runs fail, and how steps do.

use std::fmt;
use std::sync::Arc;

use serde_json::{Value, json};

type Source = Arc<dyn std::error::Error + Send + Sync>;

/// Why a workflow, a run or a call was refused or has failed. The message names the thing, and what to do.
///
/// ```
/// use blazen_runtime::host::Workflow;
///
/// let error = Workflow::new("empty").build().unwrap_err();
/// assert_eq!(error.code(), "DEFINITION");
/// ```
#[derive(Clone, Debug)]
pub struct Error(Box<Details>);

#[derive(Clone, Debug)]
struct Details {
    code: &'static str,
    message: String,
    step: Option<String>,
    attempts: u32,
    lacking: Vec<String>,
    source: Option<Source>,
}

impl Error {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Details { code, message: message.into(), step: None, attempts: 0, lacking: Vec::new(), source: None }))
    }
    pub(super) fn definition(message: impl Into<String>) -> Self {
        Self::new("DEFINITION", message)
    }
    pub(super) fn snapshot(message: impl fmt::Display) -> Self {
        Self::new("SNAPSHOT", format!("The snapshot cannot be used: {message}."))
    }
    pub(super) fn internal(message: impl fmt::Display) -> Self {
        Self::new("INTERNAL", format!("{message}. This is a fault of the engine: please report it."))
    }
    pub(super) fn cancelled(message: impl Into<String>) -> Self {
        Self::new("CANCELLED", message)
    }
    pub(super) fn of_step(mut self, step: Option<&str>) -> Self {
        self.0.step = step.map(str::to_owned);
        self
    }
    pub(super) fn lacks(mut self, lacking: Vec<String>) -> Self {
        self.0.lacking = lacking;
        self
    }
    pub(super) fn caused(mut self, attempts: u32, failure: &StepFailure) -> Self {
        self.0.attempts = attempts;
        self.0.source.clone_from(&failure.source);
        self
    }

    /// A stable name of the kind of failure, the same as in TypeScript (`docs/errors.md`), and `PAUSED` for a run that was paused here.
    pub fn code(&self) -> &'static str {
        self.0.code
    }
    /// The step it happened in, where there is one.
    pub fn step(&self) -> Option<&str> {
        self.0.step.as_deref()
    }
    /// How often the step was tried that has failed the run; 0 where none has.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }
    /// What each join and collect of a stalled run still lacks, a line each.
    pub fn lacking(&self) -> &[String] {
        &self.0.lacking
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|source| &**source as &(dyn std::error::Error + 'static))
    }
}

/// What a step gives that has failed. Any error becomes one by `?`; a panic of the step is one too.
///
/// ```
/// use blazen_runtime::host::StepFailure;
///
/// fn parsed(text: &str) -> Result<u32, StepFailure> {
///     if text.is_empty() {
///         return Err(StepFailure::permanent("there is nothing to read"));
///     }
///     Ok(text.parse()?)
/// }
/// assert_eq!(parsed("").unwrap_err().message(), "there is nothing to read");
/// assert_eq!(parsed("x").unwrap_err().message(), "invalid digit found in string");
/// ```
#[derive(Clone, Debug)]
pub struct StepFailure {
    message: String,
    pub(super) kind: FailureKind,
    source: Option<Source>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailureKind {
    /// Tried again, where the step's policy says so.
    Plain,
    /// Not worth another attempt.
    Permanent,
    /// The step gave what no step may give: the run fails.
    BadReturn,
}

impl StepFailure {
    /// One that is tried again by the step's policy.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), kind: FailureKind::Plain, source: None }
    }
    /// One that is not worth another attempt.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self { kind: FailureKind::Permanent, ..Self::new(message) }
    }
    pub(super) fn bad_return(message: impl Into<String>) -> Self {
        Self { kind: FailureKind::BadReturn, ..Self::new(message) }
    }
    pub(super) fn panicked(panic: &(dyn std::any::Any + Send)) -> Self {
        Self::new(format!("it panicked: {}", panic_message(panic)))
    }

    /// What has gone wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// As the `error` of a StepFailedEvent has it.
    pub(super) fn json(&self) -> Value {
        json!({ "name": "Error", "message": self.message })
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for StepFailure {
    fn from(error: E) -> Self {
        Self { message: error.to_string(), kind: FailureKind::Plain, source: Some(Arc::new(error)) }
    }
}

pub(super) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}
