//! The text form: `{ "snapshot": header, "checksum": hex, "entries": { key: value } }`, an entry a line. White space between
//! tokens does not count; bytes are base64.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{BYTES, Snapshot, Value, binary, check, damaged, header};
use crate::error::CoreError;

pub fn to_text(snapshot: &Snapshot<'_>) -> String {
    let size: usize = snapshot
        .entries
        .iter()
        .map(|(key, value)| match value {
            Value::Json(text) => key.len() + text.len() + 8,
            Value::Bytes(bytes) => key.len() + bytes.len() / 3 * 4 + 16,
        })
        .sum();
    let mut out = String::with_capacity(snapshot.header_text.len() + size + 64);
    out.push_str("{\"snapshot\":");
    out.push_str(snapshot.header_text);
    out.push_str(&format!(",\n\"checksum\":\"{:016x}\",\n\"entries\":{{", snapshot.checksum));
    for (at, (key, value)) in snapshot.entries.iter().enumerate() {
        out.push_str(if at == 0 { "\n" } else { ",\n" });
        quote(&mut out, key);
        out.push(':');
        match value {
            Value::Json(text) => out.push_str(text),
            Value::Bytes(bytes) => {
                out.push('"');
                STANDARD.encode_string(bytes, &mut out);
                out.push('"');
            }
        }
    }
    out.push_str("\n}}");
    out
}

fn quote(out: &mut String, text: &str) {
    if text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&serde_json::to_string(text).unwrap_or_default());
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text<'a> {
    #[serde(borrow)]
    snapshot: &'a RawValue,
    checksum: &'a str,
    #[serde(borrow)]
    entries: Entries<'a>,
}

struct Entries<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Entries<'de>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("entries by key")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some((Key(key), value)) = map.next_entry()? {
                    entries.push((key, value));
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// A key that is borrowed unless it has escapes.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// The binary form of a text, whose sum is checked.
pub fn from_text(text: &str) -> Result<Vec<u8>, CoreError> {
    let text = compact(text);
    let parsed: Text<'_> = serde_json::from_str(&text).map_err(|error| damaged(format!("its text cannot be read: {error}")))?;
    let header_text = parsed.snapshot.get();
    header(header_text)?;
    let checksum = u64::from_str_radix(parsed.checksum, 16).map_err(|_| damaged("its checksum is no number"))?;
    let mut blobs = Vec::new();
    for (key, value) in &parsed.entries.0 {
        if key.starts_with(BYTES) {
            let encoded: &str = serde_json::from_str(value.get()).map_err(|_| damaged(format!("the entry \"{key}\" is no text")))?;
            blobs.push(STANDARD.decode(encoded).map_err(|_| damaged(format!("the entry \"{key}\" is no base64")))?);
        }
    }
    let mut blobs_in_order = blobs.iter();
    let entries: Vec<(&str, Value<'_>)> = parsed
        .entries
        .0
        .iter()
        .map(|(key, value)| {
            let bytes = if key.starts_with(BYTES) { blobs_in_order.next() } else { None };
            (key.as_ref(), bytes.map_or(Value::Json(value.get()), |bytes| Value::Bytes(bytes)))
        })
        .collect();
    check(header_text, &entries, checksum)?;
    Ok(binary::write(header_text, &entries))
}

/// The text without white space between its tokens.
fn compact(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut quoted = false;
    let mut from = 0;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if quoted => at += 1,
            b'"' => quoted = !quoted,
            b' ' | b'\n' | b'\r' | b'\t' if !quoted => {
                out.extend_from_slice(&bytes[from..at]);
                from = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    out.extend_from_slice(bytes.get(from..).unwrap_or_default());
    // Only ASCII was taken out.
    String::from_utf8(out).unwrap_or_default()
}
