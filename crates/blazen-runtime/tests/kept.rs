//! Runs of the Rust host in a store: written before they go on, and gone on with by another owner.
#![cfg(feature = "host")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test fails by panicking.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use blazen_runtime::host::{Accepts, Event, Handler, Outputs, Question, Retry, RunStore, Status, StepFailure, Workflow};
use serde_json::{Value, json};

/// A file of its own, gone at the end.
struct File(PathBuf);

impl File {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("blazen-kept-{}-{}.db", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst));
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{end}", self.0.display()));
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

/// A run as the store has it, asked behind the host's back.
fn stored(file: &Path, run_id: &str) -> Value {
    let (reply, answer) = channel();
    let store = blazen_runtime::Store::new(file);
    store.request(json!({ "op": "read", "runId": run_id }).to_string(), Vec::new(), Box::new(move |answer| reply.send(answer).unwrap()));
    serde_json::from_str(&answer.recv().unwrap().unwrap().0).unwrap()
}

async fn until(what: impl Fn() -> bool) {
    for _ in 0..5000 {
        if what() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("it did not happen");
}

/// Three steps, the second of which goes on when it may. Tells of its calls.
fn three(calls: &Arc<Mutex<Vec<String>>>, goes_on: bool) -> Workflow {
    let told = |step: &'static str| {
        let calls = calls.clone();
        move |attempt: u32| calls.lock().unwrap().push(format!("{step} {attempt}"))
    };
    let (first, second, third) = (told("first"), told("second"), told("third"));
    Workflow::new("three")
        .step("first", &["StartEvent"], move |event, ctx| {
            first(ctx.attempt());
            async move {
                ctx.state().set("name", event["name"].as_str().unwrap_or_default().as_bytes())?;
                ctx.state().set("gone", vec![1])?;
                Ok(Event::new("Next", Value::Null).into())
            }
        })
        .step("second", &["Next"], move |_, ctx| {
            second(ctx.attempt());
            async move {
                ctx.state().delete("gone")?;
                if !goes_on {
                    ctx.commit()?;
                    std::future::pending::<()>().await;
                }
                Ok(Event::new("Last", Value::Null).into())
            }
        })
        .step("third", &["Last"], move |_, ctx| {
            third(ctx.attempt());
            async move {
                let name = ctx.state().get("name").unwrap();
                Ok(Event::stop(json!([String::from_utf8_lossy(&name), ctx.state().keys()])).into())
            }
        })
        .verify()
        .build()
        .unwrap()
}

#[test]
fn a_run_of_a_process_that_was_killed_is_gone_on_with() {
    let file = File::new();
    let calls = Arc::new(Mutex::new(Vec::new()));
    let lease = Duration::from_millis(300);
    let killed = runtime();
    killed.block_on(async {
        let store = RunStore::open(&file.0).lease(lease);
        let handler = three(&calls, false).start_in(&store, json!({ "name": "Ada" }), Some("order-17")).await.unwrap();
        until(|| stored(&file.0, "order-17")["sequence"] == 2).await;
        assert_eq!(handler.status(), Status::Running);
        // Its lease is renewed for as long as it lives.
        tokio::time::sleep(lease * 2).await;
        let other = RunStore::open(&file.0);
        assert!(three(&calls, true).recover(&other, 10).await.unwrap().is_empty());
    });
    drop(killed);
    assert_eq!(*calls.lock().unwrap(), ["first 1", "second 1"]);
    runtime().block_on(async {
        tokio::time::sleep(lease * 2).await;
        let store = RunStore::open(&file.0);
        let mut recovered = three(&calls, true).recover(&store, 10).await.unwrap();
        assert_eq!((recovered.len(), recovered[0].run_id.as_str()), (1, "order-17"));
        let result = recovered.pop().unwrap().handler.unwrap().result().await.unwrap();
        assert_eq!(result, json!(["Ada", ["name"]]));
    });
    let told = calls.lock().unwrap().clone();
    assert_eq!((told.len(), told[2].starts_with("second "), told[3].as_str()), (4, true, "third 1"));
    let stored = stored(&file.0, "order-17");
    assert_eq!((&stored["status"], &stored["lengths"]), (&json!("completed"), &json!([])));
}

#[test]
fn nothing_is_acted_upon_before_it_is_on_disk() {
    let file = File::new();
    let path = file.0.clone();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = seen.clone();
    let chain = Workflow::new("chain")
        .step("fan", &["StartEvent"], |_, _| async { Ok((0..3).map(|n| Event::new("Unit", json!({ "n": n }))).collect()) })
        .step("work", &["Unit"], move |event, ctx| {
            noted.lock().unwrap().push(stored(&path, ctx.run_id())["sequence"].as_i64().unwrap());
            async move { Ok(Event::new("Done", event.payload().clone()).into()) }
        })
        .gather("end", Accepts::collect(&["Done"]).of("fan"), |done, _| async move { Ok(Event::stop(done.len()).into()) })
        .verify()
        .build()
        .unwrap();
    runtime().block_on(async {
        let store = RunStore::open(&file.0);
        assert_eq!(chain.start_in(&store, Value::Null, None).await.unwrap().result().await.unwrap(), 3);
    });
    let seen = seen.lock().unwrap();
    assert!(seen.len() == 3 && seen.iter().all(|sequence| *sequence >= 1), "{seen:?}");
}

#[test]
fn a_run_is_there_once_and_its_end_is_known() {
    let file = File::new();
    let one = |fails: bool| {
        Workflow::new("one")
            .step("work", &["StartEvent"], move |event, _| async move {
                if fails { Err(StepFailure::new("declined")) } else { Ok(Event::stop(event["n"].clone()).into()) }
            })
            .build()
            .unwrap()
    };
    runtime().block_on(async {
        let store = RunStore::open(&file.0);
        let (works, fails) = (one(false), one(true));
        let result = |workflow: &Workflow, id: &'static str, n| {
            let (workflow, store) = (workflow.clone(), store.clone());
            async move { workflow.start_in(&store, json!({ "n": n }), Some(id)).await?.result().await }
        };
        assert_eq!(result(&works, "a", 1).await.unwrap(), 1);
        assert_eq!(result(&works, "a", 2).await.unwrap(), 1);
        let [first, again] = [result(&fails, "b", 1).await, result(&works, "b", 1).await].map(Result::unwrap_err);
        assert_eq!((first.code(), first.to_string()), (again.code(), again.to_string()));
        assert_eq!(works.start_in(&store, Value::Null, Some("")).await.unwrap_err().code(), "DEFINITION");
        let other = Workflow::new("other").step("work", &["StartEvent"], |_, _| std::future::pending()).build().unwrap();
        let handler = other.start_in(&store, Value::Null, Some("c")).await.unwrap();
        assert_eq!(other.start_in(&store, Value::Null, Some("c")).await.unwrap_err().code(), "RUN_EXISTS");
        let error = works.start_in(&store, Value::Null, Some("c")).await.unwrap_err();
        assert!(error.to_string().contains("of the workflow \"other\""), "{error}");
        handler.cancel();
        assert_eq!(handler.result().await.unwrap_err().code(), "CANCELLED");
        assert_eq!(stored(&file.0, "c")["status"], "cancelled");
        assert_eq!(result(&other, "c", 1).await.unwrap_err().code(), "CANCELLED");
    });
}

#[test]
fn an_owner_that_lost_its_lease_is_fenced() {
    let file = File::new();
    let dropped = Arc::new(AtomicUsize::new(0));
    struct Dropped(Arc<AtomicUsize>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let held = dropped.clone();
    let waits = Workflow::new("waits")
        .external(&["Go"])
        .step("start", &["StartEvent"], |_, _| async { Ok(Outputs::None) })
        .step("work", &["Go"], move |event, ctx| {
            let held = Dropped(held.clone());
            async move {
                let _held = held;
                ctx.state().set("n", vec![1])?;
                ctx.commit()?;
                tokio::time::sleep(Duration::from_millis(50)).await;
                Ok(Event::stop(event["n"].clone()).into())
            }
        })
        .verify()
        .build()
        .unwrap();
    runtime().block_on(async {
        let store = RunStore::open(&file.0).lease(Duration::from_secs(3600));
        let handler = waits.start_in(&store, Value::Null, Some("run")).await.unwrap();
        until(|| stored(&file.0, "run")["status"] == "waiting").await;
        let other = RunStore::open(&file.0);
        assert!(waits.recover_run(&other, "run").await.unwrap().is_none(), "it is the first one's");
        // As if its lease were over.
        let connection = rusqlite::Connection::open(&file.0).unwrap();
        connection.execute("UPDATE runs SET lease_end = 0", []).unwrap();
        let claimed = waits.recover_run(&other, "run").await.unwrap().unwrap();
        handler.send(Event::new("Go", json!({ "n": 1 }))).unwrap();
        assert_eq!(handler.result().await.unwrap_err().code(), "FENCED");
        claimed.send(Event::new("Go", json!({ "n": 2 }))).unwrap();
        assert_eq!(claimed.result().await.unwrap(), 2);
        // What was sent to the one that was fenced was never acted upon.
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_run_that_waits_is_answered_by_another_process() {
    let file = File::new();
    let asks = Workflow::new("asks")
        .step("ask", &["StartEvent"], |_, _| async { Ok(Event::from(Question::new("Pay?").id("pay").answer("Decided")).into()) })
        .step("decided", Accepts::any(&["Decided"]).retry(Retry::times(2).first(Duration::from_millis(20))), |event, ctx| async move {
            if ctx.attempt() == 1 {
                return Err(StepFailure::new("once more"));
            }
            let sure = ctx.ask(Question::new("Sure?")).await?;
            Ok(Event::stop(json!([event["yes"], sure])).into())
        })
        .verify()
        .build()
        .unwrap();
    let leave = |handler: Handler| async move {
        assert_eq!(handler.pause(blazen_runtime::host::Pause::Now).await.unwrap_err().code(), "DEFINITION");
        handler.leave().await.unwrap();
        assert_eq!(handler.result().await.unwrap_err().code(), "FENCED");
    };
    runtime().block_on(async {
        let store = RunStore::open(&file.0);
        let handler = asks.start_in(&store, Value::Null, Some("run")).await.unwrap();
        until(|| handler.status() == Status::Waiting).await;
        leave(handler).await;
        assert_eq!(stored(&file.0, "run")["requests"], json!(["pay"]));
    });
    runtime().block_on(async {
        let store = RunStore::open(&file.0);
        assert!(asks.recover(&store, 10).await.unwrap().is_empty(), "nothing of it is due");
        let handler = asks.recover_run(&store, "run").await.unwrap().unwrap();
        handler.respond("pay", json!({ "yes": true })).unwrap();
        until(|| !handler.pending().is_empty()).await;
        leave(handler).await;
    });
    runtime().block_on(async {
        let store = RunStore::open(&file.0);
        let handler = asks.recover_run(&store, "run").await.unwrap().unwrap();
        let id = handler.pending()[0].id.clone();
        handler.respond("pay", json!({ "yes": true })).unwrap();
        assert_eq!(handler.respond("pay", json!({ "yes": false })).unwrap_err().code(), "ALREADY_ANSWERED");
        handler.respond(&id, json!("very")).unwrap();
        assert_eq!(handler.result().await.unwrap(), json!([true, "very"]));
    });
}

#[test]
fn a_store_that_fails_fails_the_start_and_the_run() {
    let file = File::new();
    runtime().block_on(async {
        let nowhere = RunStore::open(file.0.join("nowhere/runs.db"));
        let workflow = three(&Arc::default(), true);
        assert_eq!(workflow.start_in(&nowhere, Value::Null, None).await.unwrap_err().code(), "STORE");
        assert_eq!(workflow.recover(&nowhere, 1).await.unwrap_err().code(), "STORE");
        let store = RunStore::open(&file.0);
        let waits = Workflow::new("waits")
            .external(&["Go"])
            .step("work", &["StartEvent", "Go"], |_, _| async { Ok(Outputs::None) })
            .build()
            .unwrap();
        let handler = waits.start_in(&store, Value::Null, Some("run")).await.unwrap();
        until(|| stored(&file.0, "run")["status"] == "waiting").await;
        rusqlite::Connection::open(&file.0).unwrap().execute_batch("DROP TABLE pieces").unwrap();
        handler.send(Event::new("Go", Value::Null)).unwrap();
        assert_eq!(handler.result().await.unwrap_err().code(), "STORE");
    });
}

#[test]
fn a_run_that_does_not_fit_is_let_go() {
    let file = File::new();
    runtime().block_on(async {
        let store = RunStore::open(&file.0);
        let build = |step: &str| Workflow::new("w").step(step, &["StartEvent"], |_, _| std::future::pending()).build().unwrap();
        let handler = build("old").start_in(&store, Value::Null, Some("run")).await.unwrap();
        until(|| handler.status() == Status::Running).await;
        handler.leave().await.unwrap();
        let recovered = build("new").recover(&store, 10).await.unwrap();
        assert_eq!(recovered[0].handler.as_ref().unwrap_err().code(), "SNAPSHOT");
        assert_eq!(build("new").recover_run(&store, "run").await.unwrap_err().code(), "SNAPSHOT");
        assert!(build("old").recover(&store, 10).await.unwrap()[0].handler.is_ok());
    });
}

/// Processes that are killed after some milliseconds each, until one has come to the end.
#[test]
fn a_run_comes_to_its_end_however_often_it_is_killed() {
    let file = File::new();
    let began = Arc::new(AtomicUsize::new(0));
    let (mut kills, mut result) = (0, None);
    while result.is_none() {
        let began = began.clone();
        let sums = Workflow::new("sums")
            .step("fan", &["StartEvent"], |_, ctx| async move {
                ctx.state().set("fan", vec![1])?;
                Ok((0..20).map(|n| Event::new("Unit", json!({ "n": n }))).collect())
            })
            .step("work", Accepts::any(&["Unit"]).limit(3), move |event, ctx| {
                began.fetch_add(1, Ordering::SeqCst);
                async move {
                    ctx.sleep(Duration::from_millis(1)).await?;
                    ctx.state().set(&format!("unit {}", event["n"]), vec![1])?;
                    ctx.send_once(Event::new("Note", Value::Null), &format!("note {}", event["n"]))?;
                    Ok(Event::new("Done", event.payload().clone()).into())
                }
            })
            .step("note", &["Note"], |_, _| async { Ok(Outputs::None) })
            .gather("sum", Accepts::collect(&["Done"]).of("fan"), |done, ctx| async move {
                let sum: u64 = done.iter().filter_map(|done| done["n"].as_u64()).sum();
                Ok(Event::stop(json!([sum, ctx.state().keys().len()])).into())
            })
            .verify()
            .build()
            .unwrap();
        let life = Duration::from_millis(3 + kills * 7 % 11 + kills / 10);
        let killed = runtime();
        result = killed.block_on(async {
            let store = RunStore::open(&file.0).lease(Duration::from_secs(3600));
            tokio::time::timeout(life, async {
                let handler = match sums.recover_run(&store, "run").await.unwrap() {
                    Some(handler) => Ok(handler),
                    None => sums.start_in(&store, Value::Null, Some("run")).await,
                };
                // What a killed process has asked for may be done after its end: the run is its own then, for this life.
                let Ok(handler) = handler.inspect_err(|error| assert_eq!(error.code(), "RUN_EXISTS")) else {
                    return std::future::pending().await;
                };
                handler.result().await.unwrap()
            })
            .await
            .ok()
        });
        drop(killed);
        kills += 1;
        assert!(kills < 2000, "it does not come to its end");
        // Its lease would hold for long.
        let connection = rusqlite::Connection::open(&file.0).unwrap();
        connection.busy_timeout(Duration::from_secs(10)).unwrap();
        // There may be no table yet.
        let _ = connection.execute("UPDATE runs SET lease_end = 0", []);
    }
    println!("{kills} lives, {} calls", began.load(Ordering::SeqCst));
    assert_eq!(result, Some(json!([190, 21])));
    assert!(kills > 3, "{kills} lives");
}
