//! What went wrong, in words: the host reads it after a negative answer or a Fail.

use serde::Serialize;

use crate::generated::{ERR_DEFINITION, ERR_INTERNAL};

#[derive(Debug, Clone, Serialize)]
pub struct CoreError {
    #[serde(rename = "code")]
    pub number: i32,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lacking: Vec<String>,
}

impl CoreError {
    pub fn definition(message: impl Into<String>) -> Self {
        Self { number: ERR_DEFINITION, message: message.into(), step: None, lacking: Vec::new() }
    }

    pub fn step(step: &str, message: impl Into<String>) -> Self {
        Self { step: Some(step.to_owned()), ..Self::definition(message) }
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self { number: ERR_INTERNAL, ..Self::definition(message) }
    }

    pub fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
