//! Snapshots that the TypeScript side has written (test/snapshots): the host goes on with them, or says what it does not do.
#![cfg(feature = "host")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test fails by panicking.

use std::path::Path;

use blazen_core::Core;
use blazen_runtime::host::{Accepts, Clock, Error, Workflow};
use serde_json::Value;

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

/// A workflow of the steps that a snapshot's header tells of. None of them settles.
fn workflow(header: &Value) -> Result<Workflow, Error> {
    let mut builder =
        Workflow::new(header["workflow"].as_str().unwrap()).version(header["version"].as_u64().unwrap()).clock(Clock::tokio());
    for step in header["steps"].as_array().unwrap() {
        let (name, types) = (step["name"].as_str().unwrap(), texts(&step["types"]));
        builder = match step["kind"].as_str().unwrap() {
            "any" => builder.step(name, Accepts::any(&types), |_, _| std::future::pending()),
            "all" if step["keyed"] == true => {
                builder.gather(name, Accepts::all(&types).by(|event| event["key"].clone()), |_, _| std::future::pending())
            }
            "all" => builder.gather(name, Accepts::all(&types), |_, _| std::future::pending()),
            _ => {
                let collect = Accepts::collect(&types);
                let collect = step["of"].as_str().map_or(collect.clone(), |of| collect.of(of));
                builder.gather(name, collect, |_, _| std::future::pending())
            }
        };
    }
    builder.build()
}

/// The text form as JSON, without its checksum; null for one with lone surrogates, which no Rust string holds.
fn content(source: &[u8]) -> Value {
    let mut core = Core::new();
    let bytes = core.parse(source).unwrap();
    let mut content: Value = serde_json::from_str(&core.text(&bytes).unwrap()).unwrap_or_default();
    if !content.is_null() {
        content["checksum"] = Value::Null;
    }
    content
}

/// Those that have nothing to do at once come back as they were.
const SAME: [&str; 7] = ["attempts", "done-collect", "fan-outs", "gathered", "plain", "session-dropped", "sleeping"];

#[tokio::test(start_paused = true)]
async fn snapshots_of_the_typescript_side_are_gone_on_with_or_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test/snapshots");
    let mut files: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json" || extension == "bin"));
    let mut same = Vec::new();
    for path in files {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let source = std::fs::read(&path).unwrap();
        let before = content(&source);
        let header = before.get("snapshot").cloned().unwrap_or_else(any);
        // A pipeline begins with an event of its own.
        let Ok(workflow) = workflow(&header) else { continue };
        match workflow.resume(&source) {
            Ok(handler) if handler.snapshot().is_ok_and(|snapshot| content(&snapshot) == before) => same.push(name),
            Ok(_) => assert!(!SAME.contains(&name.as_str()), "{name} comes back otherwise"),
            Err(error) => assert_eq!(error.code(), "SNAPSHOT", "{name}: {error}"),
        }
    }
    same.sort();
    assert_eq!(SAME.iter().filter(|name| !same.iter().any(|same| same == *name)).collect::<Vec<_>>(), Vec::<&&str>::new());
}

/// The header of no snapshot.
fn any() -> Value {
    serde_json::json!({ "workflow": "any", "version": 1, "steps": [{ "name": "any", "kind": "any", "types": ["StartEvent"] }] })
}

/// What the host does not do is refused by its name, before anything of the run is there.
#[tokio::test(start_paused = true)]
async fn what_is_left_out_is_refused_by_its_name() {
    for (name, why) in [
        ("children", "it has child runs"),
        ("once", "is a result of ctx.once"),
        ("session", "is an entry of the session"),
        ("generator", "the step \"fan\" is a generator"),
        ("pool", "the entry \"state/order\" of the state is no Uint8Array"),
        ("requests", "the event \"blazen::InputRequestEvent\" has a value of the kind \"bigint\", which is no JSON"),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../test/snapshots/{name}.json"));
        let source = std::fs::read(path).unwrap();
        let error = workflow(&content(&source)["snapshot"]).unwrap().resume(&source).unwrap_err();
        assert!(error.code() == "SNAPSHOT" && error.to_string().contains(why), "{error}");
    }
}
