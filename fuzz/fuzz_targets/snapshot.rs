//! Snapshots from bytes: read as they are, put together from small numbers, or stored by a run and changed since.
#![no_main]

#[path = "../../crates/blazen-core/tests/hostile/mod.rs"]
mod hostile;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    hostile::fuzz(bytes);
});
