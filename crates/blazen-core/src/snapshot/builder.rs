//! Entries on their way into a snapshot: all their bytes in one place, and where each stands.

use std::io::Write;

use super::{Header, Value, binary, checksum, key};
use crate::json::{Object, string};
use crate::run::Entry;

#[derive(Default)]
pub struct Builder {
    text: Vec<u8>,
    bytes: Vec<u8>,
    index: Vec<Item>,
    omit: String,
}

struct Item {
    key: usize,
    value: usize,
    end: usize,
    /// Where its bytes stand, for one that is not JSON.
    bytes: Option<(usize, usize)>,
}

impl Builder {
    /// One that leaves a member out, so that a test can show that it would be missed.
    pub fn omitting(member: String) -> Self {
        Self { omit: member, ..Self::default() }
    }

    pub fn keeps(&self, member: &str) -> bool {
        self.omit.is_empty() || self.omit != member.split('/').next().unwrap_or_default()
    }

    /// Adds `<section>/<number>`.
    pub fn numbered<'a>(&mut self, section: &str, number: u64, entry: &impl Entry<'a>) {
        if self.keeps(section) {
            let key = self.text.len();
            let _ = write!(self.text, "{section}/{number}");
            self.entry(key, entry);
        }
    }

    pub fn named<'a>(&mut self, name: &str, entry: &impl Entry<'a>) {
        if self.keeps(name) {
            let key = self.text.len();
            self.text.extend_from_slice(name.as_bytes());
            self.entry(key, entry);
        }
    }

    fn entry<'a>(&mut self, key: usize, entry: &impl Entry<'a>) {
        let value = self.text.len();
        let mut object = Object::new(&mut self.text);
        entry.write(&mut object);
        object.end();
        self.index.push(Item { key, value, end: self.text.len(), bytes: None });
    }

    pub fn raw(&mut self, name: &str, json: &str) {
        if !self.keeps(name) {
            return;
        }
        let key = self.text.len();
        self.text.extend_from_slice(name.as_bytes());
        self.raw_json(key, json);
    }

    /// Adds JSON that the host has written.
    pub fn raw_numbered(&mut self, section: &str, number: u64, json: &str) {
        if !self.keeps(section) {
            return;
        }
        let key = self.text.len();
        let _ = write!(self.text, "{section}/{number}");
        self.raw_json(key, json);
    }

    fn raw_json(&mut self, key: usize, json: &str) {
        let value = self.text.len();
        self.text.extend_from_slice(json.as_bytes());
        self.index.push(Item { key, value, end: self.text.len(), bytes: None });
    }

    pub fn bytes(&mut self, name: &str, bytes: &[u8]) {
        if !self.keeps(name) {
            return;
        }
        let key = self.text.len();
        self.text.extend_from_slice(name.as_bytes());
        let value = self.text.len();
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.index.push(Item { key, value, end: value, bytes: Some((start, self.bytes.len())) });
    }

    /// The snapshot in its binary form.
    pub fn finish(self, header: &Header) -> Vec<u8> {
        let Self { text, bytes, index, .. } = self;
        let text = string(text);
        let mut entries: Vec<(&str, Value<'_>)> = index
            .iter()
            .map(|item| {
                let value = match item.bytes {
                    Some((start, end)) => Value::Bytes(&bytes[start..end]),
                    None => Value::Json(&text[item.value..item.end]),
                };
                (&text[item.key..item.value], value)
            })
            .collect();
        entries.sort_unstable_by(|(a, _), (b, _)| key::order(a, b));
        let header = header.write();
        let sum = checksum(&header, &entries);
        binary::write(&header, &entries, sum)
    }
}
