//! What a server needs beside the machine: runs in SQLite, written by a thread of their own, and a host for steps written in Rust
//! (the feature `host`, which is on unless it is switched off).
#![forbid(unsafe_code)]

#[cfg(feature = "host")]
pub mod host;

mod claim;
mod database;
mod failure;
mod request;
mod schema;
mod sqlite;
mod store;

pub use failure::Failure;
#[doc(hidden)]
pub use schema::Settings;
pub use store::{Answer, Store};
