//! Deltas: what a run has changed since its last checkpoint, and a base with deltas made one snapshot again.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;

use super::binary::check_json;
use super::{Snapshot, Value, binary, check, checksum, damaged, header, key};
use crate::error::CoreError;
use crate::json::{Fields, Object, Wrong, string};

/// What stands before a delta's entries, which are set after the keys in `removed` are gone.
pub struct DeltaHeader {
    /// From 1 after each base.
    pub number: u32,
    pub removed: Vec<String>,
    /// The snapshot's, where it is another than before.
    pub header: Option<String>,
}

impl DeltaHeader {
    pub fn write(&self) -> String {
        let mut out = Vec::new();
        let mut object = Object::new(&mut out);
        object.number("delta", u64::from(self.number));
        if !self.removed.is_empty() {
            object.texts("removed", &self.removed);
        }
        if let Some(header) = &self.header {
            object.raw("header", header);
        }
        object.end();
        string(out)
    }
}

struct Delta<'a> {
    number: u64,
    removed: Vec<Cow<'a, str>>,
    header: Option<&'a str>,
    entries: Vec<(&'a str, Value<'a>)>,
}

fn read_delta(bytes: &[u8]) -> Result<Delta<'_>, CoreError> {
    let (text, entries, sum) = binary::parts(bytes, binary::DELTA)?;
    check(text, &entries, sum)?;
    check_json(&entries)?;
    let unreadable = |wrong: Wrong| damaged(format!("the header of a delta cannot be read: {wrong}"));
    let mut fields = Fields::read(text).map_err(unreadable)?;
    let number = fields.number("delta").map_err(unreadable)?;
    let removed = fields.texts("removed").map_err(unreadable)?;
    let header = fields.raw("header");
    fields.end().map_err(unreadable)?;
    Ok(Delta { number, removed, header, entries })
}

/// A key in the order of a snapshot's entries.
#[derive(PartialEq, Eq)]
struct Key<'a>(Cow<'a, str>);

impl PartialOrd for Key<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        key::order(&self.0, &other.0)
    }
}

type Entries<'a> = BTreeMap<Key<'a>, Value<'a>>;

/// The snapshot that a base and the deltas after it make, in its binary form. `lengths` are theirs, in their order.
pub fn merge(parts: &[u8], lengths: &[u32]) -> Result<Vec<u8>, CoreError> {
    let mut rest = parts;
    let mut pieces = Vec::with_capacity(lengths.len());
    for length in lengths {
        let (piece, after) = rest.split_at_checked(*length as usize).ok_or_else(|| CoreError::internal("the host gave too few bytes"))?;
        pieces.push(piece);
        rest = after;
    }
    let Some((base, deltas)) = pieces.split_first() else { return Err(CoreError::internal("there is no base")) };
    let Snapshot { header_text, entries, .. } = super::read(base)?;
    let deltas = deltas.iter().map(|delta| read_delta(delta)).collect::<Result<Vec<_>, _>>()?;
    let mut text = header_text;
    let mut merged: Entries<'_> = entries.into_iter().map(|(key, value)| (Key(key.into()), value)).collect();
    for (number, delta) in (1..).zip(&deltas) {
        if delta.number != number {
            return Err(damaged(format!("delta {} stands in the place of delta {number}", delta.number)));
        }
        for key in &delta.removed {
            remove(&mut merged, key.clone());
        }
        for (key, _) in delta.entries.iter().filter(|(key, _)| !key.starts_with(super::BYTES)) {
            remove_bytes(&mut merged, key);
        }
        merged.extend(delta.entries.iter().map(|&(key, value)| (Key(key.into()), value)));
        text = delta.header.unwrap_or(text);
    }
    header(text)?;
    let entries: Vec<(&str, Value<'_>)> = merged.iter().map(|(Key(key), value)| (&**key, *value)).collect();
    Ok(binary::write(text, &entries, checksum(text, &entries)))
}

/// Removes an entry with its bytes; a key that ends with a slash stands for all that begin with it.
fn remove<'a>(entries: &mut Entries<'a>, key: Cow<'a, str>) {
    if key.ends_with('/') {
        remove_all(entries, &format!("{}{key}", super::BYTES));
        remove_all(entries, &key);
    } else {
        remove_bytes(entries, &key);
        entries.remove(&Key(key));
    }
}

/// Removes the bytes of an entry: they go where it goes.
fn remove_bytes(entries: &mut Entries<'_>, key: &str) {
    let bytes = |number: u32| Key(format!("{}{key}/{number}", super::BYTES).into());
    (0..).take_while(|number| entries.remove(&bytes(*number)).is_some()).for_each(drop);
}

fn remove_all(entries: &mut Entries<'_>, prefix: &str) {
    while let Some(key) = first_after(entries, prefix.trim_end_matches('/')).filter(|key| key.starts_with(prefix)) {
        entries.remove(&Key(key));
    }
}

/// The first key behind a name.
fn first_after<'a>(entries: &Entries<'a>, name: &str) -> Option<Cow<'a, str>> {
    let after = (Bound::Excluded(Key(name.to_owned().into())), Bound::Unbounded);
    entries.range(after).next().map(|(Key(key), _)| key.clone())
}
