//! The order of entries: part by part between slashes, numbers by their size and before names.

use std::cmp::Ordering;

pub fn order(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    // The part in which they differ.
    let from = a[..same].iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    let part = |key: &'_ [u8]| key[from..].iter().position(|byte| *byte == b'/').map_or(key.len(), |length| from + length);
    let (left, right) = (&a[from..part(a)], &b[from..part(b)]);
    match (is_number(left), is_number(right)) {
        // One goes on where the other ends.
        _ if left == right => a.len().cmp(&b.len()),
        (true, true) => left.len().cmp(&right.len()).then_with(|| left.cmp(right)),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => left.cmp(right),
    }
}

fn is_number(part: &[u8]) -> bool {
    !part.is_empty() && part.iter().all(u8::is_ascii_digit) && (part.len() == 1 || part[0] != b'0')
}

pub fn number(part: &str) -> Option<u64> {
    if is_number(part.as_bytes()) { part.parse().ok() } else { None }
}
