//! What went wrong, in words: the host reads it after a negative answer or a Fail.

use crate::generated::{ERR_DEFINITION, ERR_INTERNAL};
use crate::json::{Object, string};

#[derive(Debug, Clone)]
pub struct CoreError {
    pub number: i32,
    pub message: String,
    pub step: Option<String>,
    pub ty: Option<String>,
    pub lacking: Vec<String>,
    /// How often a step that failed was tried.
    pub attempts: u32,
}

impl CoreError {
    pub fn new(number: i32, message: impl Into<String>) -> Self {
        Self { number, message: message.into(), step: None, ty: None, lacking: Vec::new(), attempts: 0 }
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
        let mut out = Vec::new();
        let mut object = Object::new(&mut out);
        // Each has a number that the host knows.
        object.number("code", self.number.unsigned_abs().into());
        object.text("message", &self.message);
        if let Some(step) = &self.step {
            object.text("step", step);
        }
        if let Some(ty) = &self.ty {
            object.text("type", ty);
        }
        if !self.lacking.is_empty() {
            object.texts("lacking", &self.lacking);
        }
        object.count("attempts", self.attempts.into());
        object.end();
        string(out)
    }
}
