//! Runs that are kept in a store: begun, written, claimed by another process and gone on with.

use std::sync::{Arc, Weak};

use blazen_core::{IN_DURABLE, IN_PAUSE, IN_START};
use serde_json::{Value, json};

use super::checkpoints::{self, Checkpoints, Next};
use super::error::Error;
use super::handler::Handler;
use super::machine::NONE;
use super::plan::Plan;
use super::restore;
use super::run::{Run, start_event};
use super::run_store::{RunStore, Stored};

/// A run that was claimed: its handler, or why it cannot be gone on with. It is let go then, for others.
#[derive(Debug)]
pub struct Recovered {
    /// The run's id.
    pub run_id: String,
    /// What goes on with it.
    pub handler: Result<Handler, Error>,
}

pub async fn start(plan: &Arc<Plan>, store: &RunStore, input: Value, run_id: Option<&str>) -> Result<Arc<Run>, Error> {
    let event = start_event(plan, input)?;
    let run = Run::new(plan, run_id.map(str::to_owned))?;
    let (at, base) = {
        let mut state = run.lock();
        state.checkpoints = Some(Checkpoints::new(store.clone(), 1, 0));
        let slot = state.put(event);
        // It is there, and nothing of it has begun.
        let frames = vec![[IN_START, plan.id, slot, NONE], [IN_DURABLE, 0, NONE, NONE], [IN_PAUSE, 1, NONE, NONE]];
        run.exchange(&mut state, frames);
        let base = checkpoints::base(&run, &mut state).map_err(Error::internal)?;
        (plan.clock.now(), base)
    };
    let head = json!({ "status": "running", "requests": [], "inbox": 0, "stream": 0, "at": at });
    let new = json!({ "runId": run.id, "workflow": plan.name, "version": plan.version, "head": head });
    if !store.create(new, base).await? {
        return known(&run, store).await.map(|()| run);
    }
    let mut state = run.lock();
    if let Some(checkpoints) = &mut state.checkpoints {
        checkpoints.created();
        checkpoints.at = at;
    }
    keep(&run, store, 1);
    let durable = state.checkpoints.as_ref().map_or(0, |checkpoints| checkpoints.durable);
    run.exchange(&mut state, vec![[IN_DURABLE, durable, NONE, NONE], [IN_PAUSE, 0, NONE, NONE]]);
    drop(state);
    Ok(run)
}

/// The store has a run of this id: one that is over gives what it gave.
async fn known(run: &Run, store: &RunStore) -> Result<(), Error> {
    let stored = store.read(&run.id).await?;
    let (name, id) = (&run.plan.name, &run.id);
    match stored {
        Some(stored) if stored.is_over() && stored.workflow == *name => {
            let mut state = run.lock();
            state.checkpoints = None;
            run.end(&mut state, checkpoints::stored_outcome(&stored.status, stored.outcome.as_deref()));
            Ok(())
        }
        stored => {
            let other = stored.filter(|stored| stored.workflow != *name);
            let whose = other.map_or_else(String::new, |stored| format!(" of the workflow \"{}\"", stored.workflow));
            let why = format!("{}: the store has a run {id}{whose} already. Recover it, or choose another id.", run.plan.title());
            Err(Error::new("RUN_EXISTS", why))
        }
    }
}

pub async fn recover(plan: &Arc<Plan>, store: &RunStore, limit: u32, run_id: Option<&str>) -> Result<Vec<Recovered>, Error> {
    let mut recovered = Vec::new();
    for stored in store.claim(&plan.name, limit, run_id).await? {
        let (run_id, epoch) = (stored.run_id.clone(), stored.epoch);
        let handler = go_on_with(plan, store, stored).map(Handler::new);
        if handler.is_err() {
            // One who cannot be told will find its lease over.
            drop(store.release(&run_id, epoch).await);
        }
        recovered.push(Recovered { run_id, handler });
    }
    Ok(recovered)
}

fn go_on_with(plan: &Arc<Plan>, store: &RunStore, stored: Stored) -> Result<Arc<Run>, Error> {
    let mut checkpoints = Checkpoints::new(store.clone(), stored.epoch, stored.sequence);
    checkpoints.at = stored.at as u64;
    checkpoints.inbox = stored.inbox;
    checkpoints.stream = stored.stream;
    let lengths = stored.lengths().to_vec();
    let merged = plan.machine.call(move |core| core.merge(&stored.bytes, &lengths));
    let bytes = merged.map_err(|why| Error::new("STORE", format!("The checkpoints of run {} cannot be used: {why}.", stored.run_id)))?;
    let epoch = stored.epoch;
    let run = restore::resume(plan, &bytes, Some(checkpoints))?;
    keep(&run, store, epoch);
    Ok(run)
}

/// Writes what the run does, and renews its lease, for as long as it goes on.
fn keep(run: &Arc<Run>, store: &RunStore, epoch: i64) {
    let (writer, renewer) = (Arc::downgrade(run), Arc::downgrade(run));
    let due = run.due.clone();
    let (id, store) = (run.id.clone(), store.clone());
    let lease = store.lease;
    let renewing = store.clone();
    let renews = run.runtime.spawn(async move {
        loop {
            tokio::time::sleep(lease / 3).await;
            let Some(run) = renewer.upgrade() else { return };
            // A store that fails is told of by the next commit.
            if renewing.renew(&run.id, epoch).await.is_ok_and(|kept| !kept) {
                run.abandon(&mut run.lock(), fenced(&run, "its lease was over"));
            }
        }
    });
    run.runtime.spawn(async move {
        loop {
            due.notified().await;
            if !write(&writer).await {
                break;
            }
        }
        renews.abort();
        // One that nobody holds any more is not over: others may go on with it.
        drop(store.release(&id, epoch).await);
    });
}

/// Writes until there is nothing to write; false: nothing more will be.
async fn write(run: &Weak<Run>) -> bool {
    loop {
        let Some(run) = run.upgrade() else { return false };
        let (next, store) = {
            let mut state = run.lock();
            let next = checkpoints::next(&run, &mut state);
            let Some(checkpoints) = &state.checkpoints else { return false };
            (next, checkpoints.store.clone())
        };
        match next {
            Next::Nothing => return true,
            Next::LetGo(commit) => durable(&run, commit),
            Next::Write { commit, head, bytes } => {
                let written = store.append(head, bytes).await;
                if !settle(&run, written) {
                    return false;
                }
                durable(&run, commit);
            }
            Next::End { head, outcome } => {
                let commit = run.lock().checkpoints.as_ref().map(|checkpoints| checkpoints.commit(&run, "head", &head));
                let told = match store.append(commit.unwrap_or_default(), Vec::new()).await {
                    Ok(result) if result == "stored" => outcome,
                    Ok(result) => Err(fenced(&run, why(&result))),
                    Err(error) => Err(error),
                };
                run.tell(told);
                return false;
            }
            Next::Leave(epoch) => {
                run.stop(&mut run.lock());
                let let_go = store.release(&run.id, epoch).await;
                run.tell(Err(let_go.err().unwrap_or_else(|| fenced(&run, "it was let go, for others to go on with"))));
                return false;
            }
            Next::Over => return false,
        }
    }
}

/// A commit is written, or the run does not go on here.
fn settle(run: &Arc<Run>, written: Result<String, Error>) -> bool {
    let mut state = run.lock();
    let error = match written {
        Ok(result) if result == "stored" => {
            if let Some(checkpoints) = &mut state.checkpoints {
                checkpoints.sequence += 1;
            }
            return true;
        }
        Ok(result) => fenced(run, why(&result)),
        Err(error) => error,
    };
    run.abandon(&mut state, error);
    false
}

/// The core may dispatch what came with a commit.
fn durable(run: &Arc<Run>, commit: i32) {
    let mut state = run.lock();
    let Some(checkpoints) = &mut state.checkpoints else { return };
    let further = commit > checkpoints.durable && !checkpoints.last;
    checkpoints.durable = commit;
    if further && !state.over {
        run.exchange(&mut state, vec![[IN_DURABLE, commit, NONE, NONE]]);
    }
}

fn why(result: &str) -> &'static str {
    if result == "fenced" { "another owner has claimed it" } else { "the store does not have it any more" }
}

fn fenced(run: &Run, why: &str) -> Error {
    Error::new(
        "FENCED",
        format!(
            "{}: run {} is not this process' any more: {why}. What it did since its last commit does not count.",
            run.plan.title(),
            run.id
        ),
    )
}
