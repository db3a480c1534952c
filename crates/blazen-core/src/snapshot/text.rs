//! The text form: `{ "snapshot": header, "checksum": hex, "entries": { key: value } }`, an entry a line. White space between
//! tokens does not count; bytes are base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{BYTES, Snapshot, Value, binary, check, damaged, header};
use crate::error::CoreError;
use crate::json::{self, Fields, Wrong, string, write_text};

pub fn to_text(snapshot: &Snapshot<'_>) -> String {
    write(snapshot, b"\n")
}

/// `line` stands between entries.
fn write(snapshot: &Snapshot<'_>, line: &[u8]) -> String {
    let size: usize = snapshot
        .entries
        .iter()
        .map(|(key, value)| match value {
            Value::Json(text) => key.len() + text.len() + 8,
            Value::Bytes(bytes) => key.len() + bytes.len() / 3 * 4 + 16,
        })
        .sum();
    let mut out = Vec::with_capacity(snapshot.header_text.len() + size + 64);
    out.extend_from_slice(b"{\"snapshot\":");
    out.extend_from_slice(snapshot.header_text.as_bytes());
    out.push(b',');
    out.extend_from_slice(line);
    out.extend_from_slice(format!("\"checksum\":\"{:016x}\",", snapshot.checksum).as_bytes());
    out.extend_from_slice(line);
    out.extend_from_slice(b"\"entries\":{");
    for (at, (key, value)) in snapshot.entries.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(line);
        write_text(&mut out, key);
        out.push(b':');
        match value {
            Value::Json(text) => out.extend_from_slice(text.as_bytes()),
            Value::Bytes(bytes) => write_text(&mut out, &STANDARD.encode(bytes)),
        }
    }
    out.extend_from_slice(line);
    out.extend_from_slice(b"}}");
    string(out)
}

/// The binary form of a text, whose sum is checked.
pub fn from_text(text: &str) -> Result<Vec<u8>, CoreError> {
    let text = compact(text);
    let unreadable = |wrong: Wrong| damaged(format!("its text cannot be read: {wrong}"));
    let mut fields = Fields::read(&text).map_err(unreadable)?;
    let header_text = fields.required("snapshot").map_err(unreadable)?;
    header(header_text)?;
    let checksum = fields.text("checksum").map_err(unreadable)?;
    let checksum = u64::from_str_radix(&checksum, 16).map_err(|_| damaged("its checksum is no number"))?;
    let texts = fields.required("entries").and_then(Fields::read).map_err(unreadable)?.into_entries();
    fields.end().map_err(unreadable)?;
    let mut blobs = Vec::new();
    for (key, value) in texts.iter().filter(|(key, _)| key.starts_with(BYTES)) {
        let encoded = json::text(key, value).map_err(unreadable)?;
        blobs.push(STANDARD.decode(&*encoded).map_err(|_| damaged(format!("the entry \"{key}\" is no base64")))?);
    }
    let mut blobs_in_order = blobs.iter();
    let entries: Vec<(&str, Value<'_>)> = texts
        .iter()
        .map(|(key, value)| {
            let bytes = if key.starts_with(BYTES) { blobs_in_order.next() } else { None };
            (key.as_ref(), bytes.map_or(Value::Json(value), |bytes| Value::Bytes(bytes)))
        })
        .collect();
    check(header_text, &entries, checksum)?;
    let bytes = binary::write(header_text, &entries);
    // The sum is of what keys and bytes say; they might be written in other words.
    if write(&binary::read(&bytes)?, b"") == text { Ok(bytes) } else { Err(damaged("it is not written as it was")) }
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
