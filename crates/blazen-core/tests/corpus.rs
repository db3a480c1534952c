//! What the fuzz target does, without its tools: every file of its corpus, and random bytes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test fails by panicking.

mod hostile;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

#[test]
fn every_file_of_the_corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/snapshot");
    let mut files: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    let gone_on = files.iter().filter(|file| hostile::fuzz(&std::fs::read(file).unwrap())).count();
    assert!(gone_on > 0, "no file makes a run");
}

/// The nightly run asks for more.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").map_or(2000, |number| number.parse().expect("PROPTEST_CASES is a number"))
}

static GONE_ON: AtomicUsize = AtomicUsize::new(0);

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    /// A stored run with a few things changed and the checksum repaired is refused or goes on; nothing panics.
    #[test]
    fn a_changed_snapshot(mut bytes in prop::collection::vec(any::<u8>(), 10..400)) {
        bytes[0] = 2;
        GONE_ON.fetch_add(usize::from(hostile::fuzz(&bytes)), Ordering::Relaxed);
    }

    #[test]
    fn a_snapshot_of_small_numbers(mut bytes in prop::collection::vec(any::<u8>(), 10..200)) {
        bytes[0] = 1;
        hostile::fuzz(&bytes);
    }

    #[test]
    fn arbitrary_bytes(mut bytes in prop::collection::vec(any::<u8>(), 1..200)) {
        bytes[0] = 0;
        hostile::fuzz(&bytes);
    }
}
