//! A run as bytes: a header, and entries by key in order. Two forms of one content: JSON text that a person can read, and
//! a binary form in which bytes lie raw. The layout is in `docs/format.md`.

mod binary;
mod builder;
mod host;
mod key;
mod text;

use std::hash::Hasher;

use serde::{Deserialize, Serialize};
use twox_hash::XxHash64;

use crate::error::CoreError;
use crate::generated::ERR_SNAPSHOT;
use crate::plan::Described;

pub use binary::{is_binary, read};
pub use builder::Builder;
pub use host::{document, upgrade};
pub use key::number;
pub use text::{from_text, to_text};

/// Raised when a reader of this format could misread what a writer of the next one has written.
pub const FORMAT: u32 = 1;
/// What this build can read beside the format itself; a snapshot lists what it needs of it.
const FEATURES: &[&str] = &[];
/// How keys of raw bytes begin; all other entries hold JSON.
const BYTES: &str = "bytes/";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Header {
    pub format: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    pub workflow: String,
    pub version: u64,
    pub run_id: String,
    /// Of the plan: a hash of `steps`.
    pub fingerprint: String,
    pub steps: Vec<Described>,
    /// Keys of session entries that were left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped_session: Vec<String>,
    /// Its events have been upgraded since: they count, and not what the steps once accepted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub migrated: bool,
}

#[derive(Clone, Copy)]
pub enum Value<'a> {
    Json(&'a str),
    Bytes(&'a [u8]),
}

/// A snapshot that has been read and whose checksum is right; what the entries say is not checked yet.
pub struct Snapshot<'a> {
    pub header: Header,
    header_text: &'a str,
    pub entries: Vec<(&'a str, Value<'a>)>,
    checksum: u64,
}

impl<'a> Snapshot<'a> {
    /// The numbers and values of the entries `<section>/<number>`.
    pub fn numbered(&self, section: &'static str) -> impl Iterator<Item = Result<(u64, &'a str), CoreError>> {
        self.section(section).map(move |(rest, value)| {
            let number = key::number(rest).ok_or_else(|| damaged(format!("the entry \"{section}/{rest}\" has no number")))?;
            Ok((number, value))
        })
    }

    /// What follows the section's name in the keys, and the values.
    pub fn section(&self, section: &'static str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.entries.iter().filter_map(move |&(key, value)| {
            let rest = key.strip_prefix(section)?.strip_prefix('/')?;
            let Value::Json(value) = value else { return None };
            Some((rest, value))
        })
    }

    pub fn get(&self, key: &str) -> Option<&'a str> {
        let at = self.entries.binary_search_by(|(other, _)| key::order(other, key)).ok()?;
        if let Value::Json(value) = self.entries[at].1 { Some(value) } else { None }
    }
}

fn header(text: &str) -> Result<Header, CoreError> {
    #[derive(Deserialize)]
    struct Needs {
        format: u64,
        #[serde(default)]
        features: Vec<String>,
    }
    let needs: Needs = serde_json::from_str(text).map_err(|error| damaged(format!("its header cannot be read: {error}")))?;
    if needs.format != u64::from(FORMAT) {
        let newer = if needs.format > u64::from(FORMAT) {
            "newer than this version of blazen, which reads"
        } else {
            "not one that this version of blazen reads:"
        };
        return Err(refused(format!("its format {} is {newer} format {FORMAT}", needs.format)));
    }
    if let Some(unknown) = needs.features.iter().find(|feature| !FEATURES.contains(&feature.as_str())) {
        return Err(refused(format!("it needs the feature \"{unknown}\", which is newer than this version of blazen")));
    }
    serde_json::from_str(text).map_err(|error| damaged(format!("its header cannot be read: {error}")))
}

/// The hash of one part. The checksum is the sum of those of all parts, so that a change of one entry changes it by as
/// much, whatever the rest.
fn hash(key: &str, value: Value<'_>) -> u64 {
    let (kind, bytes) = match value {
        Value::Json(text) => (0, text.as_bytes()),
        Value::Bytes(bytes) => (1, bytes),
    };
    let mut hasher = XxHash64::with_seed(0);
    hasher.write(key.as_bytes());
    hasher.write(&[kind]);
    hasher.write(bytes);
    hasher.finish()
}

pub fn fingerprint(steps: &[Described]) -> String {
    let text = serde_json::to_string(steps).unwrap_or_default();
    format!("{:016x}", XxHash64::oneshot(0, text.as_bytes()))
}

/// Whether the sum is right and the keys are in order, each once and with a value of its kind.
fn check(header_text: &str, entries: &[(&str, Value<'_>)], checksum: u64) -> Result<(), CoreError> {
    let mut sum = hash("", Value::Json(header_text));
    let mut last: Option<&str> = None;
    for &(key, value) in entries {
        sum = sum.wrapping_add(hash(key, value));
        if let Some(last) = last
            && key::order(last, key).is_ge()
        {
            return Err(damaged(format!("the entry \"{key}\" is not in its place, or there twice")));
        }
        last = Some(key);
        if matches!(value, Value::Bytes(_)) != key.starts_with(BYTES) {
            return Err(damaged(format!("the entry \"{key}\" is of another kind than its name says")));
        }
    }
    if sum == checksum {
        return Ok(());
    }
    Err(damaged(format!("its checksum is {sum:016x} and should be {checksum:016x}")))
}

pub fn refused(message: impl Into<String>) -> CoreError {
    CoreError::new(ERR_SNAPSHOT, message)
}

pub fn damaged(message: impl std::fmt::Display) -> CoreError {
    refused(format!("it is damaged: {message}"))
}
