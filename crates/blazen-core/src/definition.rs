//! The definition of a workflow as the host writes it.

use std::borrow::Cow;

use crate::json::{Fields, Wrong};

pub struct Definition {
    pub name: String,
    pub version: u64,
    pub unhandled: Unhandled,
    pub types: Vec<String>,
    /// The type of the event that begins a run.
    pub start: u32,
    pub external: Vec<u32>,
    pub steps: Vec<StepDefinition>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Unhandled {
    Error,
    Ignore,
    Stream,
}

pub struct StepDefinition {
    pub name: String,
    pub accepts: Accepts,
    pub pool: Option<String>,
    pub limit: Option<u32>,
    pub emits: Option<Vec<u32>>,
    pub retry: Option<Retry>,
}

/// How often a step is tried, and how long it is waited before (2.3).
pub struct Retry {
    pub attempts: u32,
    pub exponential: bool,
    /// Milliseconds: of the first delay, and the most of any.
    pub initial: u64,
    pub max: u64,
    /// Millionths of the delay by which it may be shorter.
    pub jitter: u32,
}

pub enum Accepts {
    Any { types: Vec<u32> },
    All { types: Vec<u32>, keyed: bool },
    Collect { types: Vec<u32>, of: Option<String>, count: Option<u32>, first: Option<u32>, rest: Option<Rest> },
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    Cancel,
    Ignore,
}

impl Definition {
    pub fn read(text: &str) -> Result<Self, Wrong> {
        let mut fields = Fields::read(text)?;
        let unhandled = match &*fields.text("unhandled")? {
            "error" => Unhandled::Error,
            "ignore" => Unhandled::Ignore,
            "stream" => Unhandled::Stream,
            other => return Err(format!("\"unhandled\" is \"{other}\"")),
        };
        Ok(Self {
            name: fields.maybe_text("name")?.map_or_else(String::new, Cow::into_owned),
            version: fields.maybe_number("version")?.unwrap_or(1),
            unhandled,
            types: fields.texts("types")?.into_iter().map(Cow::into_owned).collect(),
            start: fields.maybe_small("start")?.unwrap_or(0),
            external: fields.smalls("external")?,
            steps: fields.list("steps")?.into_iter().map(StepDefinition::read).collect::<Result<_, _>>()?,
        })
    }
}

impl StepDefinition {
    fn read(text: &str) -> Result<Self, Wrong> {
        let mut fields = Fields::read(text)?;
        let step = Self {
            name: fields.text("name")?.into_owned(),
            accepts: Accepts::read(fields.required("accepts")?)?,
            pool: fields.maybe_text("pool")?.map(Cow::into_owned),
            limit: fields.maybe_small("limit")?,
            emits: fields.has("emits").then(|| fields.smalls("emits")).transpose()?,
            retry: fields.raw("retry").map(Retry::read).transpose()?,
        };
        fields.end()?;
        Ok(step)
    }
}

impl Retry {
    fn read(text: &str) -> Result<Self, Wrong> {
        let mut fields = Fields::read(text)?;
        let retry = Self {
            attempts: fields.small("attempts")?,
            exponential: fields.flag("exponential")?,
            initial: fields.number("initial")?,
            max: fields.number("max")?,
            jitter: fields.maybe_small("jitter")?.unwrap_or(0),
        };
        fields.end()?;
        if retry.jitter > 1_000_000 { Err("\"jitter\" is more than the whole".to_owned()) } else { Ok(retry) }
    }
}

impl Accepts {
    fn read(text: &str) -> Result<Self, Wrong> {
        let mut fields = Fields::read(text)?;
        let types = fields.smalls("types")?;
        match &*fields.text("kind")? {
            "any" => Ok(Self::Any { types }),
            "all" => Ok(Self::All { types, keyed: fields.flag("keyed")? }),
            "collect" => Ok(Self::Collect {
                types,
                of: fields.maybe_text("of")?.map(Cow::into_owned),
                count: fields.maybe_small("count")?,
                first: fields.maybe_small("first")?,
                rest: fields.maybe_text("rest")?.map(|rest| if rest == "ignore" { Rest::Ignore } else { Rest::Cancel }),
            }),
            other => Err(format!("there is no kind \"{other}\"")),
        }
    }

    pub fn types(&self) -> &[u32] {
        match self {
            Self::Any { types } | Self::All { types, .. } | Self::Collect { types, .. } => types,
        }
    }
}
