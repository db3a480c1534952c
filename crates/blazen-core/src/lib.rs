//! The machine behind blazen. It has no I/O, clock, thread or randomness: a host hands it input frames, it answers with
//! commands, and the same inputs give the same commands everywhere.
//!
//! The driving contract: `compile` a definition once; write frames and a header into the shared buffer and call
//! `exchange`; carry out the commands it left there; while the header says `more`, call again without frames. After
//! Finish or Fail the run's handle is free. The layout is in `docs/internal/boundary.md`.
#![forbid(unsafe_code)]

mod bits;
mod core;
mod definition;
mod error;
mod frame;
mod generated;
mod json;
mod plan;
mod run;
mod slab;
mod snapshot;
mod sort;

pub use crate::core::Core;
pub use crate::frame::BUFFER_WORDS;
pub use crate::generated::*;
pub use crate::snapshot::digest;
