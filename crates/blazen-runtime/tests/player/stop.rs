//! Stops a run after a turn, and goes on with it.

use blazen_runtime::host::{Error, Pause, Status};

use super::{Call, Mode, Player, Shared, definition, settle};

impl Player<'_> {
    /// Pauses the run, and goes on with it.
    pub(super) async fn stop(&mut self) -> Result<(), String> {
        let told = |error: Error| format!("{}: {error}", error.code());
        let status = self.handler().status();
        let before = self.told.clone();
        self.told = Shared::default();
        self.workflow = definition::build(&self.vector["definition"], &self.told, self.clock).map_err(told)?;
        let handler = if self.mode == Mode::Left {
            self.handler().leave().await.map_err(told)?;
            self.stores.swap(0, 1);
            let recovered = self.workflow.recover_run(&self.stores[0], self.handler().run_id()).await.map_err(told)?;
            recovered.ok_or("there is nothing to recover")?
        } else {
            let bytes = self.handler().pause(Pause::Now).await.map_err(told)?;
            let handler = self.workflow.resume(&bytes).map_err(told)?;
            // What is called again has not begun, so that it counts as before.
            if handler.snapshot().map_err(told)? != bytes {
                return Err("a snapshot at once after the resume differs".to_owned());
            }
            handler
        };
        settle().await;
        let dropped = self.running.values().all(|call| call.settle.as_ref().is_some_and(|settle| settle.is_closed()));
        if self.handler().status() == Status::Running || !dropped || !before.lock().unwrap().calls.is_empty() {
            return Err("a run that was stopped goes on".to_owned());
        }
        self.handler = Some(handler);
        settle().await;
        let calls = std::mem::take(&mut self.told.lock().unwrap().calls);
        let mut before: Vec<(String, Call)> = std::mem::take(&mut self.running).into_iter().collect();
        let seq = |call: &Call| call.ctx.invocation_id().rsplit('/').next().unwrap().parse::<u64>().unwrap();
        before.sort_by_key(|(_, call)| seq(call));
        if calls.iter().map(|call| (&call.step, seq(call))).ne(before.iter().map(|(_, call)| (&call.step, seq(call)))) {
            return Err(format!("{} steps were called again instead of {}, or others", calls.len(), before.len()));
        }
        for (mut call, (invocation, old)) in calls.into_iter().zip(before) {
            if call.got != old.got || call.ctx.attempt() != old.ctx.attempt() + 1 {
                return Err(format!("step \"{}\" was called with {:?}, attempt {}", call.step, call.got, call.ctx.attempt()));
            }
            self.attempts.insert(call.ctx.invocation_id(), call.ctx.attempt());
            for wait in &old.waits {
                self.wait(&call.ctx, wait.clone(), self.over.clone());
                settle().await;
            }
            (call.staged, call.fan, call.waits) = (old.staged, old.fan, old.waits);
            self.running.insert(invocation, call);
        }
        if self.handler().status() != status {
            return Err(format!("it is {:?} and was {status:?}", self.handler().status()));
        }
        Ok(())
    }
}
