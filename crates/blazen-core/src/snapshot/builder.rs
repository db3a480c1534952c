//! Entries on their way into a snapshot, section by section as the binary form has them.

use super::{Header, Value, binary, hash, key};
use crate::json::{Object, write_number};
use crate::run::Entry;

#[derive(Default)]
pub struct Builder {
    /// By name. Most are written in the order of their keys, and need no sorting.
    sections: Vec<Section>,
    /// The one that was added to last.
    current: usize,
    sum: u64,
    omit: String,
}

struct Section {
    name: String,
    bytes: Vec<u8>,
    /// Where each entry begins.
    starts: Vec<usize>,
    sorted: bool,
    /// The number in the last key.
    last: u64,
}

impl Builder {
    /// One that leaves a member out, so that a test can show that it would be missed.
    pub fn omitting(member: String) -> Self {
        Self { omit: member, ..Self::default() }
    }

    pub fn keeps(&self, member: &str) -> bool {
        self.omit.is_empty() || self.omit != first(member)
    }

    /// Adds `<section>/<number>`.
    pub fn numbered<'a>(&mut self, section: &str, number: u64, entry: &impl Entry<'a>) {
        self.add(section, Some(number), |out| numbered_key(out, section, number), |out| write_entry(out, entry));
    }

    pub fn named<'a>(&mut self, name: &str, entry: &impl Entry<'a>) {
        self.add(name, None, |out| out.extend_from_slice(name.as_bytes()), |out| write_entry(out, entry));
    }

    /// Adds JSON that the host has written.
    pub fn raw(&mut self, name: &str, json: &str) {
        self.add(name, None, |out| out.extend_from_slice(name.as_bytes()), |out| out.extend_from_slice(json.as_bytes()));
    }

    pub fn event(&mut self, slot: u32, ty: &str, payload: &str) {
        self.add(
            "event",
            Some(u64::from(slot)),
            |out| numbered_key(out, "event", u64::from(slot)),
            |out| {
                let mut object = Object::new(out);
                object.raw("type", ty);
                object.raw("payload", payload);
                object.end();
            },
        );
    }

    pub fn bytes(&mut self, name: &str, bytes: &[u8]) {
        self.add(name, None, |out| out.extend_from_slice(name.as_bytes()), |out| out.extend_from_slice(bytes));
    }

    /// `number` is the key's, if it is all that follows the section's name.
    fn add(&mut self, name: &str, number: Option<u64>, key: impl FnOnce(&mut Vec<u8>), value: impl FnOnce(&mut Vec<u8>)) {
        if !self.keeps(name) {
            return;
        }
        let name = first(name);
        if self.sections.get(self.current).is_none_or(|section| section.name != name) {
            self.current = self.section(name);
        }
        let section = &mut self.sections[self.current];
        section.sorted &= section.starts.is_empty() || number.is_some_and(|number| number > section.last);
        section.last = number.unwrap_or(u64::MAX);
        let start = section.bytes.len();
        section.starts.push(start);
        let read = binary::entry(&mut section.bytes, name == super::BYTES_SECTION, key, value);
        self.sum = self.sum.wrapping_add(hash(read.0, read.1));
    }

    fn section(&mut self, name: &str) -> usize {
        let found = self.sections.binary_search_by(|section| key::order(&section.name, name));
        found.unwrap_or_else(|at| {
            let section = Section { name: name.to_owned(), bytes: Vec::new(), starts: Vec::new(), sorted: true, last: 0 };
            self.sections.insert(at, section);
            at
        })
    }

    /// Makes room for so many bytes in so many entries.
    pub fn reserve(&mut self, section: &str, bytes: usize, entries: usize) {
        let at = self.section(section);
        // Two lengths, the key's digits, and what is around the value.
        self.sections[at].bytes.reserve(bytes + entries * (section.len() + 64));
        self.sections[at].starts.reserve(entries);
    }

    /// The snapshot in its binary form.
    pub fn finish(self, header: &Header) -> Vec<u8> {
        self.finish_with(&header.write(), binary::SNAPSHOT)
    }

    /// The same under another header.
    pub fn finish_with(self, header: &str, magic: &[u8; 8]) -> Vec<u8> {
        let sum = self.sum.wrapping_add(hash("", Value::Json(header)));
        let size = self.sections.iter().map(|section| section.bytes.len()).sum();
        let count = self.sections.iter().map(|section| section.starts.len()).sum();
        let mut out = binary::begin(magic, header, sum, count, size);
        for mut section in self.sections {
            if section.sorted {
                out.extend_from_slice(&section.bytes);
                continue;
            }
            let bytes = &section.bytes;
            section.starts.sort_unstable_by(|a, b| key::order(binary::key_at(bytes, *a), binary::key_at(bytes, *b)));
            for start in section.starts {
                out.extend_from_slice(binary::entry_at(bytes, start));
            }
        }
        out
    }
}

fn numbered_key(out: &mut Vec<u8>, section: &str, number: u64) {
    out.extend_from_slice(section.as_bytes());
    out.push(b'/');
    write_number(out, number);
}

fn first(name: &str) -> &str {
    name.split('/').next().unwrap_or_default()
}

fn write_entry<'a>(out: &mut Vec<u8>, entry: &impl Entry<'a>) {
    let mut object = Object::new(out);
    entry.write(&mut object);
    object.end();
}
