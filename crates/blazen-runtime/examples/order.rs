//! An order whose items are priced side by side and which a person agrees to; kept in a file, so that the process may end at any time.
//!
//!     cargo run -p blazen-runtime --example order            # begins the order, which asks: then the process ends
//!     cargo run -p blazen-runtime --example order -- yes     # another process, whenever: answers, and the order is paid
//!
//! The file is `blazen-order.db` in the system's folder for temporary files; without it the order begins anew.

use std::time::Duration;

use blazen_runtime::host::{Accepts, Error, Event, Question, Retry, RunStore, Status, Workflow};
use serde_json::{Value, json};

/// Names the run: another start of the same order gives what the first one gave.
const ORDER: &str = "order-17";

fn orders() -> Result<Workflow, Error> {
    let price = Accepts::any(&["Item"]).limit(2).retry(Retry::times(3).first(Duration::from_millis(50)));
    Workflow::new("orders")
        .step("split", &["StartEvent"], |event, _ctx| async move {
            let items: Vec<String> = serde_json::from_value(event["items"].clone())?;
            Ok(items.into_iter().map(|name| Event::new("Item", json!({ "name": name }))).collect())
        })
        .step("price", price, |event, ctx| async move {
            println!("  pricing {} (attempt {})", event["name"], ctx.attempt());
            // A service that is down at first: the attempt fails, and is made again.
            if event["name"] == "milk" && ctx.attempt() == 1 {
                return Err(std::io::Error::other("the service is down").into());
            }
            let cents = event["name"].as_str().map_or(0, |name| 100 * name.len());
            Ok(Event::new("Priced", json!({ "cents": cents })).into())
        })
        .gather("total", Accepts::collect(&["Priced"]).of("split"), |priced, ctx| async move {
            let cents: u64 = priced.iter().filter_map(|priced| priced["cents"].as_u64()).sum();
            // Bytes that outlive the process, in whatever encoding the program likes.
            ctx.state().set("cents", cents.to_le_bytes())?;
            Ok(Event::from(Question::new(format!("Pay {cents} cents?")).id("pay").answer("Decided")).into())
        })
        .step("pay", &["Decided"], |event, ctx| async move {
            let cents = ctx.state().get("cents").and_then(|bytes| Some(u64::from_le_bytes((*bytes).try_into().ok()?)));
            let paid = if event["yes"] == true { cents } else { None };
            Ok(Event::stop(json!({ "paid": paid })).into())
        })
        .build()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let path = std::env::temp_dir().join("blazen-order.db");
    let store = RunStore::open(&path);
    let workflow = orders()?;
    let handler = match workflow.recover_run(&store, ORDER).await? {
        Some(handler) => handler,
        None => workflow.start_in(&store, json!({ "items": ["tea", "milk", "sugar"] }), Some(ORDER)).await?,
    };
    if handler.until_waiting().await == Status::Waiting {
        for question in handler.pending() {
            println!("{}: {}", question.id, question.prompt);
        }
        match std::env::args().nth(1) {
            Some(answer) => handler.respond("pay", json!({ "yes": answer == "yes" }))?,
            None => {
                println!("answer with: cargo run -p blazen-runtime --example order -- yes");
                return handler.leave().await;
            }
        }
    }
    let result: Value = handler.result().await?;
    println!("{ORDER} is over: {result} (in {})", path.display());
    Ok(())
}
