//! A run as bytes: a header, and entries by key in order. Two forms of one content: JSON text that a person can read, and
//! a binary form in which bytes lie raw. The layout is in `docs/format.md`.

mod binary;
mod builder;
mod delta;
mod host;
mod key;
mod text;

use std::borrow::Cow;
use std::hash::Hasher;

use twox_hash::XxHash64;

use crate::error::CoreError;
use crate::generated::ERR_SNAPSHOT;
use crate::json::{Fields, Object, Wrong, list, string, write_list};
use crate::plan::{Described, Plan};

pub use binary::{DELTA, is_binary, read, read_known};
pub use builder::Builder;
pub use delta::{DeltaHeader, merge};
pub use host::{document, upgrade};
pub use key::number;
pub use text::{from_text, to_text};

/// Raised when a reader of this format could misread what a writer of the next one has written.
pub const FORMAT: u32 = 1;
/// What this build can read beside the format itself; a snapshot lists what it needs of it.
const FEATURES: &[&str] = &[CHILDREN, WAITS];
/// Child runs.
pub const CHILDREN: &str = "children";
/// Requests, and invocations that sleep, ask or are tried again.
pub const WAITS: &str = "waits";
/// How keys of raw bytes begin; all other entries hold JSON.
const BYTES: &str = "bytes/";
const BYTES_SECTION: &str = "bytes";

pub struct Header {
    pub features: Vec<String>,
    pub workflow: String,
    pub version: u64,
    pub run_id: String,
    pub steps: Vec<Described>,
    /// The workflows that child runs are of.
    pub children: Vec<Child>,
    /// Keys of session entries that were left out.
    pub dropped_session: Vec<String>,
    /// Its events have been upgraded since: they count, and not what the steps once accepted.
    pub migrated: bool,
}

/// A workflow of which a child run is.
pub struct Child {
    pub workflow: String,
    pub version: u64,
    pub steps: Vec<Described>,
}

impl Child {
    pub fn of(plan: &Plan) -> Self {
        Self { workflow: plan.name.clone(), version: plan.version, steps: plan.described() }
    }

    fn read(text: &str) -> Result<Self, Wrong> {
        let mut fields = Fields::read(text)?;
        let child =
            Self { workflow: fields.text("workflow")?.into_owned(), version: fields.number("version")?, steps: steps(&mut fields)? };
        fields.end()?;
        Ok(child)
    }

    fn write(&self, out: &mut Vec<u8>) {
        let mut object = Object::new(out);
        object.text("workflow", &self.workflow);
        object.number("version", self.version);
        object.raw("steps", &describe(&self.steps));
        object.end();
    }
}

fn steps(fields: &mut Fields<'_>) -> Result<Vec<Described>, Wrong> {
    list("steps", fields.required("steps")?)?.into_iter().map(Described::read).collect()
}

impl Header {
    pub fn write(&self) -> String {
        let mut out = Vec::new();
        let mut object = Object::new(&mut out);
        object.number("format", u64::from(FORMAT));
        if !self.features.is_empty() {
            object.texts("features", &self.features);
        }
        object.text("workflow", &self.workflow);
        object.number("version", self.version);
        object.text("runId", &self.run_id);
        let steps = describe(&self.steps);
        object.text("fingerprint", &digest(steps.as_bytes()));
        object.raw("steps", &steps);
        if !self.children.is_empty() {
            let mut children = Vec::new();
            write_list(&mut children, &self.children, |out, child| child.write(out));
            object.raw("children", &string(children));
        }
        if !self.dropped_session.is_empty() {
            object.texts("droppedSession", &self.dropped_session);
        }
        if self.migrated {
            object.raw("migrated", "true");
        }
        object.end();
        string(out)
    }
}

fn describe(steps: &[Described]) -> String {
    let mut out = Vec::new();
    write_list(&mut out, steps, |out, step| step.write(out));
    string(out)
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
    let unreadable = |wrong: Wrong| damaged(format!("its header cannot be read: {wrong}"));
    let mut fields = Fields::read(text).map_err(unreadable)?;
    let format = fields.number("format").map_err(unreadable)?;
    if format != u64::from(FORMAT) {
        let newer = if format > u64::from(FORMAT) {
            "newer than this version of blazen, which reads"
        } else {
            "not one that this version of blazen reads:"
        };
        return Err(refused(format!("its format {format} is {newer} format {FORMAT}")));
    }
    let features = fields.texts("features").map_err(unreadable)?;
    if let Some(unknown) = features.iter().find(|feature| !FEATURES.contains(&&***feature)) {
        return Err(refused(format!("it needs the feature \"{unknown}\", which is newer than this version of blazen")));
    }
    rest_of_header(fields, features).map_err(unreadable)
}

fn rest_of_header(mut fields: Fields<'_>, features: Vec<Cow<'_, str>>) -> Result<Header, Wrong> {
    let owned = |texts: Vec<Cow<'_, str>>| texts.into_iter().map(Cow::into_owned).collect();
    // Of the plan: a hash of `steps`, which say it all.
    fields.text("fingerprint")?;
    let header = Header {
        features: owned(features),
        workflow: fields.text("workflow")?.into_owned(),
        version: fields.number("version")?,
        run_id: fields.text("runId")?.into_owned(),
        steps: steps(&mut fields)?,
        children: fields.list("children")?.into_iter().map(Child::read).collect::<Result<_, _>>()?,
        dropped_session: owned(fields.texts("droppedSession")?),
        migrated: fields.flag("migrated")?,
    };
    fields.end()?;
    Ok(header)
}

/// A hash in 16 hexadecimal digits.
pub fn digest(bytes: &[u8]) -> String {
    format!("{:016x}", XxHash64::oneshot(0, bytes))
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

fn checksum(header_text: &str, entries: &[(&str, Value<'_>)]) -> u64 {
    entries.iter().fold(hash("", Value::Json(header_text)), |sum, &(key, value)| sum.wrapping_add(hash(key, value)))
}

/// Whether the sum is right and the keys are in order, each once and with a value of its kind.
fn check(header_text: &str, entries: &[(&str, Value<'_>)], sum: u64) -> Result<(), CoreError> {
    for (key, value) in entries {
        if matches!(value, Value::Bytes(_)) != key.starts_with(BYTES) {
            return Err(damaged(format!("the entry \"{key}\" is of another kind than its name says")));
        }
    }
    for pair in entries.windows(2) {
        let [(last, _), (key, _)] = pair else { continue };
        if key::order(last, key).is_ge() {
            return Err(damaged(format!("the entry \"{key}\" is not in its place, or there twice")));
        }
    }
    let found = checksum(header_text, entries);
    if found == sum { Ok(()) } else { Err(damaged(format!("its checksum is {found:016x} and should be {sum:016x}"))) }
}

pub fn refused(message: impl Into<String>) -> CoreError {
    CoreError::new(ERR_SNAPSHOT, message)
}

pub fn damaged(message: impl std::fmt::Display) -> CoreError {
    refused(format!("it is damaged: {message}"))
}
