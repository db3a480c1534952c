//! The definition of a workflow as the host writes it.

use serde::Deserialize;

#[derive(Deserialize)]
pub struct Definition {
    #[serde(default)]
    pub name: String,
    #[serde(default = "one")]
    pub version: u64,
    pub unhandled: Unhandled,
    pub types: Vec<String>,
    #[serde(default)]
    pub external: Vec<u32>,
    pub steps: Vec<StepDefinition>,
}

fn one() -> u64 {
    1
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Unhandled {
    Error,
    Ignore,
    Stream,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepDefinition {
    pub name: String,
    pub accepts: Accepts,
    pub pool: Option<String>,
    pub limit: Option<u32>,
    pub emits: Option<Vec<u32>>,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Accepts {
    Any {
        types: Vec<u32>,
    },
    All {
        types: Vec<u32>,
        #[serde(default)]
        keyed: bool,
    },
    Collect {
        types: Vec<u32>,
        of: Option<String>,
        count: Option<u32>,
        first: Option<u32>,
        rest: Option<Rest>,
    },
}

impl Accepts {
    pub fn types(&self) -> &[u32] {
        match self {
            Self::Any { types } | Self::All { types, .. } | Self::Collect { types, .. } => types,
        }
    }
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Rest {
    Cancel,
    Ignore,
}
