//! The binary form: magic, checksum, the header's text, and each entry with its lengths before it. Numbers are
//! little-endian.

use super::{Snapshot, Value, check, damaged, header};
use crate::error::CoreError;
use crate::json::is_json;

pub const SNAPSHOT: &[u8; 8] = b"BLAZEN\0\x01";
pub const DELTA: &[u8; 8] = b"BLAZEN\x01\x01";
/// In the word of a key's length: the value is bytes and not JSON.
const BYTES: u32 = 1 << 31;

pub fn is_binary(bytes: &[u8]) -> bool {
    bytes.starts_with(&SNAPSHOT[..7])
}

/// All before the entries.
pub fn begin(magic: &[u8; 8], header: &str, checksum: u64, count: usize, size: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(24 + header.len() + size);
    out.extend_from_slice(magic);
    out.extend_from_slice(&checksum.to_le_bytes());
    word(&mut out, header.len() as u32);
    word(&mut out, count as u32);
    out.extend_from_slice(header.as_bytes());
    out
}

pub fn write(header: &str, entries: &[(&str, Value<'_>)], checksum: u64) -> Vec<u8> {
    let size = entries.iter().map(|(key, value)| LENGTHS + key.len() + slice(*value).len()).sum();
    let mut out = begin(SNAPSHOT, header, checksum, entries.len(), size);
    for &(key, value) in entries {
        let bytes = matches!(value, Value::Bytes(_));
        entry(&mut out, bytes, |out| out.extend_from_slice(key.as_bytes()), |out| out.extend_from_slice(slice(value)));
    }
    out
}

/// An entry's two lengths.
const LENGTHS: usize = 8;

/// Adds an entry, and gives its key and value as they stand.
pub fn entry(out: &mut Vec<u8>, bytes: bool, key: impl FnOnce(&mut Vec<u8>), value: impl FnOnce(&mut Vec<u8>)) -> (&str, Value<'_>) {
    let start = out.len();
    out.extend_from_slice(&[0; LENGTHS]);
    key(out);
    let middle = out.len();
    value(out);
    let key_length = (middle - start - LENGTHS) as u32 | if bytes { BYTES } else { 0 };
    let value_length = (out.len() - middle) as u32;
    out[start..start + 4].copy_from_slice(&key_length.to_le_bytes());
    out[start + 4..start + LENGTHS].copy_from_slice(&value_length.to_le_bytes());
    let key = std::str::from_utf8(&out[start + LENGTHS..middle]).unwrap_or_default();
    let value = if bytes { Value::Bytes(&out[middle..]) } else { Value::Json(std::str::from_utf8(&out[middle..]).unwrap_or_default()) };
    (key, value)
}

fn length_at(bytes: &[u8], at: usize) -> usize {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    (u32::from_le_bytes(word) & !BYTES) as usize
}

/// The key of an entry that `entry` has written there.
pub fn key_at(bytes: &[u8], start: usize) -> &str {
    let from = start + LENGTHS;
    std::str::from_utf8(&bytes[from..from + length_at(bytes, start)]).unwrap_or_default()
}

pub fn entry_at(bytes: &[u8], start: usize) -> &[u8] {
    &bytes[start..start + LENGTHS + length_at(bytes, start) + length_at(bytes, start + 4)]
}

fn word(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn slice(value: Value<'_>) -> &[u8] {
    match value {
        Value::Json(text) => text.as_bytes(),
        Value::Bytes(bytes) => bytes,
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], CoreError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(|| damaged("it is cut short"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u32, CoreError> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn text(&mut self, length: usize) -> Result<&'a str, CoreError> {
        std::str::from_utf8(self.take(length)?).map_err(|_| damaged("a text in it is not UTF-8"))
    }
}

/// Reads the binary form, and checks its sum and that its values are JSON.
pub fn read(bytes: &[u8]) -> Result<Snapshot<'_>, CoreError> {
    let snapshot = read_known(bytes)?;
    check(snapshot.header_text, &snapshot.entries, snapshot.checksum)?;
    check_json(&snapshot.entries)?;
    Ok(snapshot)
}

pub fn check_json(entries: &[(&str, Value<'_>)]) -> Result<(), CoreError> {
    for (key, value) in entries {
        if let Value::Json(text) = value
            && !is_json(text)
        {
            return Err(damaged(format!("the entry \"{key}\" is no JSON")));
        }
    }
    Ok(())
}

/// Reads what this core has written or read before.
pub fn read_known(bytes: &[u8]) -> Result<Snapshot<'_>, CoreError> {
    let (header_text, entries, checksum) = parts(bytes, SNAPSHOT)?;
    let header = header(header_text)?;
    Ok(Snapshot { header, header_text, entries, checksum })
}

/// The header's text, the entries, and what the checksum should be.
#[allow(clippy::type_complexity, reason = "it is taken apart at once")]
pub fn parts<'a>(bytes: &'a [u8], magic: &[u8; 8]) -> Result<(&'a str, Vec<(&'a str, Value<'a>)>, u64), CoreError> {
    let mut reader = Reader { rest: bytes };
    if reader.take(8)? != magic {
        return Err(super::refused("its binary form is newer than this version of blazen"));
    }
    let mut checksum = [0; 8];
    checksum.copy_from_slice(reader.take(8)?);
    let checksum = u64::from_le_bytes(checksum);
    let length = reader.number()? as usize;
    let count = reader.number()? as usize;
    let header_text = reader.text(length)?;
    // An entry has eight bytes at least: a false count reserves no more than what there is.
    let mut entries = Vec::with_capacity(count.min(reader.rest.len() / 8));
    for _ in 0..count {
        let key = reader.number()?;
        let length = reader.number()? as usize;
        let name = reader.text((key & !BYTES) as usize)?;
        let value = if key & BYTES == 0 { Value::Json(reader.text(length)?) } else { Value::Bytes(reader.take(length)?) };
        entries.push((name, value));
    }
    if !reader.rest.is_empty() {
        return Err(damaged("something follows its end"));
    }
    Ok((header_text, entries, checksum))
}
