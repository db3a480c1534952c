//! The SQLite store: requests go to its thread, and each answer settles a promise.

use std::path::Path;

use blazen_runtime::Store;
use napi::Env;
use napi::bindgen_prelude::*;
use napi_derive::napi;

/// What was asked for, or why not.
#[napi(object)]
pub struct StoreAnswer {
    /// The kind of failure, of which `text` tells.
    pub failure: Option<String>,
    /// JSON.
    pub text: String,
    pub bytes: Buffer,
}

/// Runs in a file.
#[napi]
pub struct SqliteRuns {
    store: Option<Store>,
}

#[napi]
impl SqliteRuns {
    /// Opens the file with the first request.
    #[napi(constructor)]
    #[allow(clippy::new_without_default, reason = "a constructor of JavaScript")]
    pub fn new(path: String) -> Self {
        Self { store: Some(Store::new(Path::new(&path))) }
    }

    /// Asks in JSON, with bytes beside it; settles when the answer is durable.
    #[napi(ts_return_type = "Promise<StoreAnswer>")]
    pub fn request<'env>(&self, env: &'env Env, text: String, bytes: &[u8]) -> Result<Object<'env>> {
        let (deferred, promise) = env.create_deferred()?;
        let reply = move |answer: blazen_runtime::Answer| {
            deferred.resolve(move |_| {
                Ok(match answer {
                    Ok((text, bytes)) => StoreAnswer { failure: None, text, bytes: bytes.into() },
                    Err(failure) => StoreAnswer { failure: Some(failure.kind.to_owned()), text: failure.message, bytes: Vec::new().into() },
                })
            });
        };
        match &self.store {
            Some(store) => store.request(text, bytes.to_vec(), Box::new(reply)),
            None => reply(Err(blazen_runtime::Failure::new("closed", "the store has been closed"))),
        }
        Ok(promise)
    }

    /// What was asked for before is done first.
    #[napi]
    pub fn close(&mut self) {
        self.store = None;
    }
}
