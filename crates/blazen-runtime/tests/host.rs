//! What steps and handlers of the Rust host see: failure and time, questions, state, the end of a run.
#![cfg(feature = "host")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test fails by panicking.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use blazen_runtime::host::{Accepts, Builder, Clock, Event, Handler, Outputs, Pause, Question, Retry, Status, StepFailure, Workflow};
use serde_json::{Value, json};
use tokio::time::Instant;

fn workflow(name: &str) -> Builder {
    Workflow::new(name).clock(Clock::tokio())
}

/// Tells when it is dropped.
struct Dropped(Arc<AtomicUsize>);
impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_that_fails_is_tried_again_as_its_policy_says() {
    let from = Instant::now();
    let times = Arc::new(Mutex::new(Vec::new()));
    let noted = times.clone();
    let accepts = Accepts::any(&["StartEvent"]).retry(Retry::times(3).first(Duration::from_secs(1)));
    let failing = workflow("failing")
        .step("work", accepts, move |_, ctx| {
            noted.lock().unwrap().push((ctx.attempt(), from.elapsed().as_secs()));
            async move { Err("x".parse::<u32>().unwrap_err().into()) }
        })
        .build()
        .unwrap();
    let error = failing.run(Value::Null).await.unwrap_err();
    assert_eq!((error.code(), error.step(), error.attempts()), ("STEP_FAILED", Some("work"), 3));
    assert_eq!(error.to_string(), "Workflow \"failing\": step \"work\" failed: invalid digit found in string");
    assert!(std::error::Error::source(&error).is_some_and(|source| source.is::<std::num::ParseIntError>()));
    assert_eq!(*times.lock().unwrap(), [(1, 0), (2, 1), (3, 3)]);
}

#[tokio::test(start_paused = true)]
async fn what_is_permanent_is_not_tried_again_and_a_failure_is_routed() {
    let routed = workflow("routed")
        .step("work", Accepts::any(&["StartEvent"]).retry(Retry::times(9)), |_, _| async { Err(StepFailure::permanent("declined")) })
        .step("failed", &["StepFailedEvent"], |event, _| async move { Ok(Event::stop(event.payload().clone()).into()) })
        .build()
        .unwrap();
    let told = routed.run(json!({ "n": 1 })).await.unwrap();
    let event = json!({ "type": "blazen::StartEvent", "payload": { "n": 1 } });
    assert_eq!(told, json!({ "step": "work", "attempts": 1, "error": { "name": "Error", "message": "declined" }, "event": event }));
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_the_steps_failure() {
    let inside = workflow("inside").step("work", &["StartEvent"], |_, _| async { panic!("boom {}", 1) }).build().unwrap();
    let before = workflow("before")
        .step("work", &["StartEvent"], |event, _| {
            assert!(event["n"].is_null(), "there is an n");
            async { Ok(Outputs::None) }
        })
        .build()
        .unwrap();
    assert!(inside.run(Value::Null).await.unwrap_err().to_string().ends_with("step \"work\" failed: it panicked: boom 1"));
    assert!(before.run(json!({ "n": 1 })).await.unwrap_err().to_string().ends_with("it panicked: there is an n"));
    let keyed = workflow("keyed")
        .step("start", &["StartEvent"], |_, _| async { Ok(Event::new("A", Value::Null).into()) })
        .gather("join", Accepts::all(&["A", "A"]).by(|_| panic!("no key")), |_, _| async { Ok(Outputs::None) })
        .build()
        .unwrap();
    let error = keyed.run(Value::Null).await.unwrap_err();
    assert_eq!((error.code(), error.step()), ("STEP_FAILED", Some("join")));
    assert!(error.to_string().contains("panicked: no key"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn sleeps_take_their_time() {
    let sleeping = workflow("sleeping")
        .step("work", &["StartEvent"], |_, ctx| async move {
            ctx.sleep(Duration::from_secs(3600)).await?;
            ctx.sleep(Duration::ZERO).await?;
            Ok(Event::stop("awake").into())
        })
        .build()
        .unwrap();
    let from = Instant::now();
    assert_eq!(sleeping.run(Value::Null).await.unwrap(), "awake");
    assert_eq!(from.elapsed().as_secs(), 3600);
}

#[tokio::test(start_paused = true)]
async fn cancelling_drops_the_steps() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let held = dropped.clone();
    let work = workflow("work")
        .step("fan", &["StartEvent"], |_, _| async { Ok((0..3).map(|n| Event::new("Work", json!({ "n": n }))).collect()) })
        .step("work", &["Work"], move |event, ctx| {
            let held = Dropped(held.clone());
            async move {
                let _held = held;
                match event["n"].as_u64() {
                    Some(0) => ctx.sleep(Duration::from_secs(1)).await?,
                    Some(1) => drop(ctx.ask(Question::new("?")).await?),
                    _ => std::future::pending().await,
                }
                Ok(Outputs::None)
            }
        })
        .build()
        .unwrap();
    let handler = work.start(Value::Null).unwrap();
    settle().await;
    assert_eq!((handler.status(), dropped.load(Ordering::SeqCst)), (Status::Running, 0));
    handler.cancel();
    handler.cancel();
    settle().await;
    assert_eq!((handler.status(), dropped.load(Ordering::SeqCst)), (Status::Cancelled, 3));
    assert_eq!(handler.result().await.unwrap_err().code(), "CANCELLED");
    let over = [handler.send(Event::new("X", Value::Null)), handler.respond("x", json!(1)), handler.snapshot().map(drop)];
    let codes: Vec<_> = over.into_iter().map(|over| over.unwrap_err().code()).collect();
    assert_eq!(codes, ["UNHANDLED_EVENT", "UNKNOWN_REQUEST", "RUN_OVER"]);
}

#[tokio::test(start_paused = true)]
async fn a_step_waits_for_an_answer() {
    let asking = workflow("asking")
        .step("ask", &["StartEvent"], |_, ctx| async move {
            let first = ctx.ask(Question::new("Pay?").metadata(json!({ "sum": 12 }))).await?;
            let late = ctx.ask(Question::new("Sure?").timeout(Duration::from_secs(60))).await.unwrap_err();
            let wrong = ctx.ask(Question::new("Sure?").id("mine")).await.unwrap_err();
            Ok(Event::stop(json!([first, late.code(), wrong.code()])).into())
        })
        .build()
        .unwrap();
    let handler = asking.start(Value::Null).unwrap();
    settle().await;
    assert_eq!(handler.status(), Status::Waiting);
    let pending = handler.pending();
    assert_eq!((pending.len(), pending[0].prompt.as_str(), &pending[0].metadata), (1, "Pay?", &Some(json!({ "sum": 12 }))));
    let id = &pending[0].id;
    assert_eq!(*id, format!("{}/0/0", handler.run_id()));
    handler.respond(id, json!({ "yes": true, "by": 1.0 })).unwrap();
    handler.respond(id, serde_json::from_str(r#"{ "by": 1, "yes": true }"#).unwrap()).unwrap();
    assert_eq!(handler.respond(id, json!(false)).unwrap_err().code(), "ALREADY_ANSWERED");
    assert_eq!(handler.respond("other", json!(1)).unwrap_err().code(), "UNKNOWN_REQUEST");
    assert_eq!(handler.result().await.unwrap(), json!([{ "yes": true, "by": 1.0 }, "TIMEOUT", "DEFINITION"]));
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_routed() {
    let build = |answer: &'static str| {
        workflow("asking")
            .step("ask", &["StartEvent"], move |_, _| async move { Ok(Event::from(Question::new("Pay?").id("pay").answer(answer)).into()) })
            .step("paid", &["Paid", "InputResponseEvent"], |event, _| async move { Ok(Event::stop(event.payload().clone()).into()) })
            .build()
            .unwrap()
    };
    let answered = |answer| async move {
        let handler = build(answer).start(Value::Null).unwrap();
        settle().await;
        let refused = handler.respond("pay", json!({ "type": "x" })).map_err(|error| error.code());
        assert_eq!(refused, if answer == "Paid" { Err("INVALID_RESPONSE") } else { Ok(()) });
        if refused.is_err() {
            handler.respond("pay", json!({ "sum": 1 })).unwrap();
        }
        handler.result().await.unwrap()
    };
    assert_eq!(answered("Paid").await, json!({ "sum": 1 }));
    assert_eq!(answered("InputResponseEvent").await["request"], json!({ "id": "pay", "prompt": "Pay?" }));
    let error = build("Other").run(Value::Null).await.unwrap_err();
    assert_eq!(error.code(), "UNHANDLED_EVENT");
    assert!(error.to_string().contains("no step accepts \"Other\", the answer of the request \"Pay?\""), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_request_has_an_id_of_its_own() {
    let twice = workflow("twice")
        .step("ask", &["StartEvent"], |_, _| async { Ok((0..2).map(|_| Question::new("?").id("same").into()).collect()) })
        .step("heard", &["InputResponseEvent"], |_, _| async { Ok(Outputs::None) })
        .build()
        .unwrap();
    assert!(twice.run(Value::Null).await.unwrap_err().to_string().contains("the request id \"same\" is used already in this run"));
}

#[tokio::test(start_paused = true)]
async fn state_is_committed_with_the_step() {
    let seen = |ctx: &blazen_runtime::host::Context| ctx.state().get("n").map_or(0, |bytes| bytes[0]);
    let counting =
        workflow("counting")
            .step("first", Accepts::any(&["StartEvent"]).retry(Retry::times(2)), move |_, ctx| async move {
                assert_eq!(seen(&ctx), 0, "nothing of a failed attempt remains");
                ctx.state().set("n", vec![1])?;
                ctx.state().set("gone", vec![])?;
                assert_eq!((seen(&ctx), ctx.state().keys()), (1, vec!["gone".to_owned(), "n".to_owned()]));
                ctx.state().delete("gone")?;
                assert_eq!(ctx.state().get("gone"), None);
                if ctx.attempt() == 1 {
                    return Err(StepFailure::new("again"));
                }
                Ok(Event::new("Next", Value::Null).into())
            })
            .step("second", Accepts::any(&["Next"]).retry(Retry::times(2)), move |_, ctx| async move {
                if ctx.attempt() == 1 {
                    assert_eq!((seen(&ctx), ctx.state().keys()), (1, vec!["n".to_owned()]));
                    ctx.state().set("n", vec![2])?;
                    ctx.send_once(Event::new("Sent", json!({ "n": 2 })), "once")?;
                    ctx.state().set("n", vec![3])?;
                    return Err(StepFailure::new("again"));
                }
                assert_eq!(seen(&ctx), 2, "a commit point stays");
                ctx.state().set("n", vec![4])?;
                ctx.send_once(Event::new("Sent", json!({ "n": 4 })), "once")?;
                assert_eq!(seen(&ctx), 2, "what an id the run knows would commit is dropped");
                ctx.state().set("n", vec![5])?;
                ctx.commit()?;
                Ok(Outputs::None)
            })
            .gather("end", Accepts::collect(&["Sent"]), move |events, ctx| async move {
                Ok(Event::stop(json!([events.len(), seen(&ctx)])).into())
            })
            .build()
            .unwrap();
    assert_eq!(counting.run(Value::Null).await.unwrap(), json!([1, 5]));
}

#[tokio::test(start_paused = true)]
async fn a_context_is_dead_when_its_attempt_is_over() {
    let kept = Arc::new(Mutex::new(None));
    let keeping = kept.clone();
    let two = workflow("two")
        .step("first", &["StartEvent"], move |_, ctx| {
            *keeping.lock().unwrap() = Some(ctx);
            async { Ok(Event::new("Next", Value::Null).into()) }
        })
        .step("second", &["Next"], |_, ctx| async move {
            ctx.sleep(Duration::from_secs(1)).await?;
            Ok(Event::stop(1).into())
        })
        .build()
        .unwrap();
    let handler = two.start(Value::Null).unwrap();
    settle().await;
    let ctx = kept.lock().unwrap().take().unwrap();
    let refused = [
        ctx.send(Event::new("Next", Value::Null)),
        ctx.commit(),
        ctx.state().set("n", vec![1]),
        ctx.sleep(Duration::ZERO).await,
        ctx.ask(Question::new("?")).await.map(drop),
    ];
    assert!(refused.into_iter().all(|refused| refused.unwrap_err().code() == "CANCELLED"));
    assert_eq!((ctx.state().get("n"), ctx.attempt(), ctx.step()), (None, 1, "first"));
    assert_eq!(handler.result().await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn events_come_from_outside() {
    let paid = workflow("paid")
        .external(&["Paid"])
        .step("start", &["StartEvent"], |_, _| async { Ok(Outputs::None) })
        .gather("end", Accepts::all(&["Paid", "Paid"]), |events, _| async move { Ok(Event::stop(events[0]["n"].clone()).into()) })
        .build()
        .unwrap();
    let handler = paid.start(Value::Null).unwrap();
    settle().await;
    assert_eq!(handler.status(), Status::Waiting);
    let event = |n| Event::new("Paid", json!({ "n": n }));
    assert_eq!(handler.send(Event::new("Other", Value::Null)).unwrap_err().code(), "UNHANDLED_EVENT");
    assert_eq!(handler.send(Event::new("Paid", json!({ "type": 1 }))).unwrap_err().code(), "EVENT_VALIDATION");
    handler.send_once(event(1), "a").unwrap();
    handler.send_once(event(2), "a").unwrap();
    settle().await;
    assert_eq!(handler.status(), Status::Waiting);
    handler.send(event(3)).unwrap();
    assert_eq!(handler.result().await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_step_emits_what_it_may() {
    let emits = Accepts::any(&["StartEvent"]).emits(&["StopEvent"]).retry(Retry::times(5));
    let sent = workflow("sent")
        .step("work", emits.clone(), |_, ctx| async move {
            // Caught or not.
            assert_eq!(ctx.send(Event::new("Other", Value::Null)).unwrap_err().code(), "STEP_RETURN");
            Ok(Event::stop(1).into())
        })
        .build()
        .unwrap();
    let returned = workflow("returned").step("work", emits, |_, _| async { Ok(Event::new("Other", Value::Null).into()) }).build().unwrap();
    for workflow in [sent, returned] {
        let error = workflow.run(Value::Null).await.unwrap_err();
        assert_eq!((error.code(), error.step()), ("STEP_RETURN", Some("work")));
        assert!(error.to_string().contains("it emitted \"Other\", which is not among its \"emits\""), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn payloads_are_such_as_every_host_can_read() {
    let given = |payload: Value| {
        let one = workflow("one").step("work", &["StartEvent"], move |_, _| {
            let payload = payload.clone();
            async move { Ok(Event::new("StopEvent", payload).into()) }
        });
        async move { one.build().unwrap().run(Value::Null).await.map_err(|error| error.to_string()) }
    };
    let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
    assert!(given(json!({ "type": "x" })).await.unwrap_err().contains("has a field \"type\""));
    assert!(given(json!({ "result": deep })).await.unwrap_err().contains("more than 100 levels"));
    assert_eq!(given(json!({ "result": 2 })).await, Ok(json!(2)));
    let echo = workflow("echo").step("work", &["StartEvent"], |event, _| async move { Ok(Event::stop(event["data"].clone()).into()) });
    let echo = echo.build().unwrap();
    assert_eq!(echo.run(json!([1])).await.unwrap(), json!([1]));
    assert_eq!(echo.start(json!({ "type": 1 })).unwrap_err().code(), "DEFINITION");
}

#[test]
fn definitions_are_checked() {
    let why = |builder: Builder| builder.build().unwrap_err().to_string();
    let none = |accepts: Accepts| Workflow::new("w").step("s", accepts, |_, _| async { Ok(Outputs::None) });
    let gathers = |accepts: Accepts| Workflow::new("w").gather("s", accepts, |_, _| async { Ok(Outputs::None) });
    assert!(why(none(Accepts::all(&["A"]))).contains("step \"s\": a join or collect is added by `gather`"));
    assert!(why(gathers(Accepts::any(&["A"]))).contains("`gather` takes"));
    assert!(why(none(Accepts::any(&["A"]).first(1))).contains("go with Accepts::collect"));
    assert!(why(none(Accepts::any(&["A"]).by(|_| json!(1)))).contains("\"by\" goes with Accepts::all"));
    assert!(why(none(Accepts::any(&[]))).contains("it accepts no type"));
    assert!(why(none(Accepts::any(&["StartEvent"]).limit(0))).contains("at least 1 call"));
    assert!(why(none(Accepts::any(&["StartEvent"]).retry(Retry::times(0)))).contains("at least one attempt"));
    assert!(why(gathers(Accepts::collect(&["A"]).first(1))).contains("\"first\" needs \"of\""));
    assert!(why(gathers(Accepts::collect(&["A"]).count(1).first(1))).contains("do not go together"));
    let unbound = none(Accepts::any(&["StartEvent"])).build().unwrap();
    assert!(unbound.start(Value::Null).unwrap_err().to_string().contains("within a tokio runtime"));
}

fn slow(dropped: &Arc<AtomicUsize>) -> Workflow {
    let held = dropped.clone();
    workflow("slow")
        .step("first", &["StartEvent"], move |_, ctx| {
            let held = Dropped(held.clone());
            async move {
                let _held = held;
                ctx.state().set("n", vec![7])?;
                // A sleep of tokio's, during which the attempt runs.
                tokio::time::sleep(Duration::from_secs(5)).await;
                Ok(Event::new("Next", Value::Null).into())
            }
        })
        .step("second", &["Next"], |_, ctx| async move {
            ctx.sleep(Duration::from_secs(60)).await?;
            Ok(Event::stop(ctx.state().get("n").map_or(0, |bytes| bytes[0])).into())
        })
        .build()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_pause_lets_steps_settle_and_the_rest_of_a_sleep_remains() {
    let dropped = Arc::default();
    let (from, workflow) = (Instant::now(), slow(&dropped));
    let handler = workflow.start(Value::Null).unwrap();
    let other = handler.clone();
    let bytes = handler.pause(Pause::Drain).await.unwrap();
    assert_eq!((from.elapsed().as_secs(), other.status()), (5, Status::Paused));
    assert_eq!(other.result().await.unwrap_err().code(), "PAUSED");
    assert_eq!(other.pause(Pause::Now).await.unwrap_err().code(), "RUN_OVER");
    let resumed = workflow.resume(&bytes).unwrap();
    settle().await;
    let sleeping = resumed.pause(Pause::Drain).await.unwrap();
    tokio::time::advance(Duration::from_secs(20)).await;
    let from = Instant::now();
    assert_eq!(workflow.resume(&sleeping).unwrap().result().await.unwrap(), 7);
    assert_eq!((from.elapsed().as_secs(), dropped.load(Ordering::SeqCst)), (40, 1));
}

#[tokio::test(start_paused = true)]
async fn a_pause_at_once_runs_steps_again_and_one_that_is_given_up_leaves_the_run_alone() {
    let dropped = Arc::default();
    let workflow = slow(&dropped);
    let handler = workflow.start(Value::Null).unwrap();
    settle().await;
    let given_up = tokio::time::timeout(Duration::from_secs(1), handler.pause(Pause::Drain)).await;
    assert!(given_up.is_err());
    tokio::time::advance(Duration::from_secs(2)).await;
    let bytes = handler.pause(Pause::Now).await.unwrap();
    settle().await;
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
    let from = Instant::now();
    assert_eq!(workflow.resume(&bytes).unwrap().result().await.unwrap(), 7);
    assert_eq!((from.elapsed().as_secs(), dropped.load(Ordering::SeqCst)), (65, 2));
    let handler = workflow.start(Value::Null).unwrap();
    settle().await;
    assert!(tokio::time::timeout(Duration::from_secs(1), handler.pause(Pause::Drain)).await.is_err());
    assert_eq!(handler.result().await.unwrap(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_run_goes_on_without_its_handler_and_one_that_nobody_can_reach_is_freed() {
    let ended = Arc::new(AtomicUsize::new(0));
    let (counted, held) = (ended.clone(), Arc::new(AtomicUsize::new(0)));
    let kept = held.clone();
    let sleeping = workflow("sleeping")
        .external(&["Never"])
        .step("first", &["StartEvent"], |_, ctx| async move {
            ctx.sleep(Duration::from_secs(1)).await?;
            Ok(Event::new("Next", Value::Null).into())
        })
        .step("second", &["Next"], move |_, _| {
            counted.fetch_add(1, Ordering::SeqCst);
            let held = Dropped(kept.clone());
            async move {
                let _held = held;
                Ok(Outputs::None)
            }
        })
        .step("never", &["Never"], |_, _| async { Ok(Outputs::None) })
        .build()
        .unwrap();
    drop(sleeping.start(Value::Null).unwrap());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!((ended.load(Ordering::SeqCst), held.load(Ordering::SeqCst)), (1, 1));
}

/// Runs are `Send`: many go on at once on several threads.
#[test]
fn many_runs_on_several_threads() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_time().build().unwrap();
    let sums = Workflow::new("sums")
        .step("fan", &["StartEvent"], |_, _| async { Ok((0..20).map(|n| Event::new("Unit", json!({ "n": n }))).collect()) })
        .step("work", Accepts::any(&["Unit"]).limit(4).retry(Retry::times(3).first(Duration::ZERO)), |event, ctx| async move {
            ctx.sleep(Duration::from_millis(1)).await?;
            tokio::task::yield_now().await;
            if ctx.attempt() == 1 && event["n"] == 3 {
                return Err(StepFailure::new("once more"));
            }
            Ok(Event::new("Done", event.payload().clone()).into())
        })
        .gather("sum", Accepts::collect(&["Done"]).of("fan"), |done, _| async move {
            Ok(Event::stop(done.iter().filter_map(|done| done["n"].as_u64()).sum::<u64>()).into())
        })
        .gather("first", Accepts::collect(&["Never"]).of("fan").first(1), |_, _| async { Ok(Outputs::None) })
        .build()
        .unwrap();
    runtime.block_on(async {
        let runs: Vec<_> = (0..100)
            .map(|n| {
                let sums = sums.clone();
                tokio::spawn(async move {
                    let handler: Handler = sums.start(Value::Null).unwrap();
                    if n % 10 == 9 {
                        handler.cancel();
                    }
                    handler.result().await.map_err(|error| error.code())
                })
            })
            .collect();
        for (n, run) in runs.into_iter().enumerate() {
            assert_eq!(run.await.unwrap(), if n % 10 == 9 { Err("CANCELLED") } else { Ok(json!(190)) });
        }
    });
}
