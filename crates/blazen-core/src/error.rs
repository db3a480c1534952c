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
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub ty: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lacking: Vec<String>,
}

impl CoreError {
    pub fn new(number: i32, message: impl Into<String>) -> Self {
        Self { number, message: message.into(), step: None, ty: None, lacking: Vec::new() }
    }

    pub fn definition(message: impl Into<String>) -> Self {
        Self::new(ERR_DEFINITION, message)
    }

    pub fn step(step: &str, message: impl Into<String>) -> Self {
        Self { step: Some(step.to_owned()), ..Self::definition(message) }
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ERR_INTERNAL, message)
    }

    pub fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
