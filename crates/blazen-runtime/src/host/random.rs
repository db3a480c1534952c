//! What is random: names of runs and questions, and delays of retries. None of it has to be secret.

use std::hash::{BuildHasher, RandomState};

pub fn bits() -> u64 {
    // Its keys are the system's, other ones each time; that spares a library.
    RandomState::new().hash_one(0)
}

/// A UUID of version 4.
pub fn id() -> String {
    let (high, low) = (bits(), bits());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        ((low >> 48) & 0x3fff) | 0x8000,
        low & 0xffff_ffff_ffff
    )
}
