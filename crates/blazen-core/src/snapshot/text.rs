//! The text form: `{ "snapshot": header, "checksum": hex, "entries": { key: value } }`, an entry a line. White space between
//! tokens does not count; bytes are base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{BYTES, Snapshot, Value, binary, check, damaged, header};
use crate::error::CoreError;
use crate::json::{self, Fields, Nested, Wrong, nested, string, write_text};

pub fn to_text(snapshot: &Snapshot<'_>) -> String {
    write(snapshot.header_text, snapshot.checksum, &snapshot.entries, b"\n")
}

/// `line` stands between entries.
fn write(header: &str, checksum: u64, entries: &[(&str, Value<'_>)], line: &[u8]) -> String {
    let size: usize = entries
        .iter()
        .map(|(key, value)| match value {
            Value::Json(text) => key.len() + text.len() + 8,
            Value::Bytes(bytes) => key.len() + bytes.len() / 3 * 4 + 16,
        })
        .sum();
    let mut out = Vec::with_capacity(header.len() + size + 64);
    out.extend_from_slice(b"{\"snapshot\":");
    out.extend_from_slice(header.as_bytes());
    out.push(b',');
    out.extend_from_slice(line);
    out.extend_from_slice(format!("\"checksum\":\"{checksum:016x}\",").as_bytes());
    out.extend_from_slice(line);
    out.extend_from_slice(b"\"entries\":{");
    for (at, (key, value)) in entries.iter().enumerate() {
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
    let parts = |text| nested(text, "entries").ok_or_else(|| damaged("its text cannot be read"));
    let first = parts(text)?;
    if !first.spaced {
        return from_parts(first, text);
    }
    drop(first);
    let compact = compact(text);
    from_parts(parts(&compact)?, text)
}

fn from_parts(Nested { outer, inner, .. }: Nested<'_>, source: &str) -> Result<Vec<u8>, CoreError> {
    let unreadable = |wrong: Wrong| damaged(format!("its text cannot be read: {wrong}"));
    let mut fields = Fields::of(outer);
    let header_text = fields.required("snapshot").map_err(unreadable)?;
    header(header_text)?;
    let checksum = fields.text("checksum").map_err(unreadable)?;
    let checksum = u64::from_str_radix(&checksum, 16).map_err(|_| damaged("its checksum is no number"))?;
    fields.end().map_err(unreadable)?;
    let mut blobs = Vec::new();
    for (key, value) in inner.iter().filter(|(key, _)| key.starts_with(BYTES)) {
        let encoded = json::text(key, value).map_err(unreadable)?;
        blobs.push(STANDARD.decode(&*encoded).map_err(|_| damaged(format!("the entry \"{key}\" is no base64")))?);
    }
    let mut blobs_in_order = blobs.iter();
    let entries: Vec<(&str, Value<'_>)> = inner
        .iter()
        .map(|(key, value)| {
            let bytes = if key.starts_with(BYTES) { blobs_in_order.next() } else { None };
            (key.as_ref(), bytes.map_or(Value::Json(value), |bytes| Value::Bytes(bytes)))
        })
        .collect();
    check(header_text, &entries, checksum)?;
    // The sum is of what keys and bytes say; they might be written in other words.
    let as_written = |line: &[u8]| write(header_text, checksum, &entries, line);
    if as_written(b"\n") != source && as_written(b"") != compact(source) {
        return Err(damaged("it is not written as it was"));
    }
    Ok(binary::write(header_text, &entries, checksum))
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
