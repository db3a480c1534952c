//! Sorting, of one type: each further one would add some kilobytes to the WASM module.

/// Sorts by the number, then by the id.
pub fn sort(pairs: &mut [(u64, u32)]) {
    pairs.sort_unstable();
}
