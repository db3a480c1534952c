//! What a server needs beside the machine: runs in SQLite, written by a thread of their own.
#![forbid(unsafe_code)]

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
