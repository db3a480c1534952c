//! Runs of the Rust host whose steps are dropped at any moment, on several threads.
#![cfg(feature = "host")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test fails by panicking.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use blazen_runtime::host::{Accepts, Error, Event, Handler, Outputs, Pause, Question, Retry, StepFailure, Workflow};
use serde_json::{Value, json};

/// Counts the steps that have begun and are not over.
struct Going(Arc<AtomicUsize>);

impl Going {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count.clone())
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Rounds of a fan-out of which the first result counts: the rest is withdrawn while it works, sleeps, asks, waits for its place, or to be
/// tried again. The place of what was withdrawn is free for the next round.
fn rounds(going: &Arc<AtomicUsize>) -> Workflow {
    let going = going.clone();
    let work = Accepts::any(&["Work"]).limit(5).retry(Retry::times(50).first(Duration::from_millis(3)).fixed());
    Workflow::new("rounds")
        .step("fan", &["StartEvent", "Round"], |event, _| async move {
            let round = event["round"].as_u64().unwrap_or(0);
            Ok((0..8).map(|n| Event::new("Work", json!({ "n": n, "round": round }))).collect())
        })
        .step("work", work, move |event, ctx| {
            let going = Going::new(&going);
            async move {
                let _going = going;
                ctx.state().set("n", event["n"].to_string().into_bytes())?;
                match event["n"].as_u64() {
                    Some(0) => ctx.sleep(Duration::from_secs(3600)).await?,
                    Some(1) => drop(ctx.ask(Question::new("?")).await?),
                    Some(2) => std::future::pending().await,
                    Some(3) => return Err(StepFailure::new("again")),
                    Some(4) => loop {
                        tokio::task::yield_now().await;
                        ctx.send(Event::new("Noise", Value::Null))?;
                    },
                    _ => tokio::time::sleep(Duration::from_micros(500)).await,
                }
                Ok(Event::new("Done", event.payload().clone()).into())
            }
        })
        .step("noise", &["Noise"], |_, _| async { Ok(Outputs::None) })
        .gather("first", Accepts::collect(&["Done"]).of("fan").first(1), |done, _| async move {
            let round = done[0]["round"].as_u64().unwrap_or(0) + 1;
            Ok(if round == 10 { Event::stop(round).into() } else { Event::new("Round", json!({ "round": round })).into() })
        })
        .build()
        .unwrap()
}

#[test]
fn the_rest_of_a_fan_out_is_dropped_and_its_places_are_free() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_time().build().unwrap();
    let going = Arc::new(AtomicUsize::new(0));
    let workflow = rounds(&going);
    runtime.block_on(async {
        let runs: Vec<_> = (0..40).map(|_| tokio::spawn(result(workflow.start(Value::Null).unwrap()))).collect();
        for run in runs {
            let result = tokio::time::timeout(Duration::from_secs(60), run).await.expect("it hangs").unwrap();
            assert_eq!(result.unwrap(), 10);
        }
        gone(&going).await;
    });
}

#[test]
fn runs_are_paused_resumed_and_cancelled_at_any_moment() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_time().build().unwrap();
    let going = Arc::new(AtomicUsize::new(0));
    let workflow = rounds(&going);
    runtime.block_on(async {
        let mut runs = Vec::new();
        for n in 0..40_u64 {
            let workflow = workflow.clone();
            runs.push(tokio::spawn(async move {
                let mut handler = workflow.start(Value::Null).unwrap();
                for stop in 1..20 {
                    tokio::time::sleep(Duration::from_micros(200 * ((n * 7 + stop * 3) % 13))).await;
                    match handler.pause(Pause::Now).await {
                        Ok(bytes) => handler = workflow.resume(&bytes).unwrap(),
                        Err(error) => assert_eq!(error.code(), "RUN_OVER"),
                    }
                }
                if n % 4 == 0 {
                    handler.cancel();
                }
                handler.result().await
            }));
        }
        for run in runs {
            match tokio::time::timeout(Duration::from_secs(60), run).await.expect("it hangs").unwrap() {
                Ok(rounds) => assert_eq!(rounds, 10),
                Err(error) => assert_eq!(error.code(), "CANCELLED"),
            }
        }
        gone(&going).await;
    });
}

async fn result(handler: Handler) -> Result<Value, Error> {
    handler.result().await
}

/// Steps that were withdrawn do not go on.
async fn gone(going: &AtomicUsize) {
    for _ in 0..5000 {
        if going.load(Ordering::SeqCst) == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("{} steps go on", going.load(Ordering::SeqCst));
}
