//! The store of runs, as a host speaks to it: `crate::Store` takes and gives JSON.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::error::Error;
use super::random;
use crate::Store;

/// Runs in a SQLite file, which several processes may share. Copies are one store, and one owner of runs.
///
/// ```no_run
/// # async fn example(workflow: blazen_runtime::host::Workflow) -> Result<(), blazen_runtime::host::Error> {
/// use blazen_runtime::host::RunStore;
/// use serde_json::json;
///
/// let store = RunStore::open("runs.db");
/// let handler = workflow.start_in(&store, json!({}), Some("order-17")).await?;
/// # let _ = handler; Ok(()) }
/// ```
#[derive(Clone)]
pub struct RunStore {
    store: Arc<Store>,
    /// This process' name, as owner of runs.
    owner: Arc<str>,
    pub(super) lease: Duration,
}

/// A run as the store has it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stored {
    pub run_id: String,
    pub workflow: String,
    pub status: String,
    pub inbox: i64,
    pub stream: i64,
    /// When its head was so, in ms since 1970.
    pub at: f64,
    pub outcome: Option<String>,
    pub epoch: i64,
    pub sequence: i64,
    lengths: Vec<u32>,
    /// Its base and deltas.
    #[serde(skip)]
    pub bytes: Vec<u8>,
}

impl Stored {
    pub fn lengths(&self) -> &[u32] {
        &self.lengths
    }
    pub fn is_over(&self) -> bool {
        ["completed", "failed", "cancelled"].contains(&self.status.as_str())
    }
}

impl RunStore {
    /// Opens the file with the first request, and makes it if it is not there. Its folder must be.
    pub fn open(path: impl AsRef<Path>) -> Self {
        let owner = random::id().into();
        Self { store: Arc::new(Store::new(path.as_ref())), owner, lease: Duration::from_secs(30) }
    }
    /// After how long others may claim a run of which its owner is not heard; 30 s unless it is given, 100 ms at least.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease.max(Duration::from_millis(100));
        self
    }

    async fn ask(&self, request: Value, blob: Vec<u8>) -> Result<(Value, Vec<u8>), Error> {
        let (reply, answer) = oneshot::channel();
        // One who does not wait any more needs no answer.
        self.store.request(request.to_string(), blob, Box::new(move |answer| drop(reply.send(answer))));
        let failed = |why: &str| Error::new("STORE", format!("The store failed: {why}. The run stops where it was committed."));
        let (json, bytes) = answer.await.map_err(|_| failed("its thread is gone"))?.map_err(|failure| failed(&failure.message))?;
        Ok((serde_json::from_str(&json).map_err(|error| failed(&error.to_string()))?, bytes))
    }
    fn lease_ms(&self) -> u64 {
        u64::try_from(self.lease.as_millis()).unwrap_or(u64::MAX)
    }

    /// False: there is one with this id.
    pub(super) async fn create(&self, mut run: Value, base: Vec<u8>) -> Result<bool, Error> {
        run["owner"] = json!({ "name": &*self.owner, "leaseMs": self.lease_ms() });
        Ok(self.ask(json!({ "op": "create", "run": run }), base).await?.0 == json!(true))
    }
    /// "stored", "fenced" or "unknown".
    pub(super) async fn append(&self, mut commit: Value, bytes: Vec<u8>) -> Result<String, Error> {
        commit["length"] = bytes.len().into();
        let (results, _) = self.ask(json!({ "op": "append", "commits": [commit] }), bytes).await?;
        Ok(results[0].as_str().unwrap_or("unknown").to_owned())
    }
    pub(super) async fn claim(&self, workflow: &str, limit: u32, run_id: Option<&str>) -> Result<Vec<Stored>, Error> {
        let claim = json!({ "workflow": workflow, "owner": &*self.owner, "leaseMs": self.lease_ms(), "limit": limit, "runId": run_id });
        let (runs, bytes) = self.ask(json!({ "op": "claim", "claim": claim }), Vec::new()).await?;
        let mut rest = bytes.as_slice();
        let mut claimed = Vec::new();
        for run in runs.as_array().into_iter().flatten() {
            let mut run = read(run)?;
            let length = run.lengths.iter().map(|length| *length as usize).sum();
            let (own, after) = rest.split_at_checked(length).ok_or_else(|| Error::internal("the store gave too few bytes"))?;
            rest = after;
            run.bytes = own.to_vec();
            claimed.push(run);
        }
        Ok(claimed)
    }
    pub(super) async fn read(&self, run_id: &str) -> Result<Option<Stored>, Error> {
        let (run, _) = self.ask(json!({ "op": "read", "runId": run_id }), Vec::new()).await?;
        if run.is_null() { Ok(None) } else { read(&run).map(Some) }
    }
    /// Whether the run is still the owner's.
    pub(super) async fn renew(&self, run_id: &str, epoch: i64) -> Result<bool, Error> {
        let runs = json!([{ "runId": run_id, "epoch": epoch }]);
        let (kept, _) = self.ask(json!({ "op": "renew", "runs": runs, "leaseMs": self.lease_ms() }), Vec::new()).await?;
        Ok(kept[0] == json!(true))
    }
    /// Others may claim it at once.
    pub(super) async fn release(&self, run_id: &str, epoch: i64) -> Result<(), Error> {
        let runs = json!([{ "runId": run_id, "epoch": epoch }]);
        self.ask(json!({ "op": "release", "runs": runs }), Vec::new()).await.map(drop)
    }
}

fn read(run: &Value) -> Result<Stored, Error> {
    Stored::deserialize(run).map_err(|error| Error::internal(format!("the store gave what is no run: {error}")))
}
