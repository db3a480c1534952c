//! A run of the Rust host that TypeScript goes on with (`test/e2e/rust-host.test.ts`): its snapshot stays as it is in test/snapshots/host.
#![cfg(feature = "host")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test fails by panicking.

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use blazen_core::Core;
use blazen_runtime::host::{Accepts, Event, Outputs, Question, StepFailure, Workflow};
use serde_json::{Value, json};

/// The steps have come as far as the snapshot tells, and wait. The same workflow is in the TypeScript test.
fn order() -> Workflow {
    Workflow::new("order")
        .version(2)
        .external(&["Note"])
        .step("split", &["StartEvent"], |event, ctx| async move {
            ctx.state().set("photo/1", vec![1, 2, 255])?;
            ctx.state().set("empty", vec![])?;
            ctx.send_once(
                Event::new("Side", json!({ "large": 1_u64 << 60, "price": { "$": "cash", "of": -0.0 }, "half": 0.5 })),
                "side-1",
            )?;
            Ok(["a", "b"].into_iter().map(|name| Event::new("Item", json!({ "name": name, "order": event["order"] }))).collect())
        })
        .step("side", &["Side"], |_, ctx| async move {
            ctx.ask(Question::new("Sure?")).await?;
            let really = ctx.ask(Question::new("Really?").metadata(json!([1, null]))).await?;
            Ok(Event::stop(really).into())
        })
        .step("item", &["Item"], |event, _| async move {
            if event["name"] == "b" {
                return Err(StepFailure::permanent("sold out"));
            }
            Ok(Event::new("Part", event.payload().clone()).into())
        })
        .step("failed", &["StepFailedEvent"], |_, ctx| async move {
            ctx.sleep_until(UNIX_EPOCH + Duration::from_secs(4_102_444_800)).await?;
            Ok(Outputs::None)
        })
        .gather("both", Accepts::all(&["Part", "Note"]).by(|event| event["order"].clone()), |_, _| async { Ok(Event::stop(1).into()) })
        .build()
        .unwrap()
}

#[tokio::test]
async fn a_snapshot_that_typescript_goes_on_with() {
    let handler = order().start_as("rust", json!({ "order": "order 17" })).unwrap();
    for (prompt, answer) in [("Sure?", Some(json!({ "yes": true, "by": [1.0, 1e21] }))), ("Really?", None)] {
        while handler.pending().first().is_none_or(|pending| pending.prompt != prompt) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        if let Some(answer) = answer {
            handler.respond(&handler.pending()[0].id, answer).unwrap();
        }
    }
    let (bytes, text) = loop {
        let bytes = handler.snapshot().unwrap();
        let mut core = Core::new();
        let parsed = core.parse(&bytes).unwrap();
        let text = core.text(&parsed).unwrap();
        if text.contains("4102444800000") {
            break (bytes, text);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    };
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test/snapshots/host/order.json");
    if std::env::var_os("BLAZEN_GOLDEN").is_some() {
        std::fs::write(&golden, &text).unwrap();
    }
    let content = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(content(&text), content(&std::fs::read_to_string(golden).unwrap()));
    let resumed = order().resume(&bytes).unwrap();
    assert_eq!(resumed.snapshot().unwrap(), bytes);
    resumed.respond(&resumed.pending()[0].id, json!("really")).unwrap();
    assert_eq!(resumed.result().await.unwrap(), "really");
}
