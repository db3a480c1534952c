//! The workflow of a vector's definition.

use std::collections::BTreeMap;

use blazen_runtime::host::{Accepts, Clock, Error, Retry, Workflow};
use serde_json::Value;

use super::{Shared, lines, step};

fn texts(value: &Value) -> Vec<String> {
    if let Some(one) = value.as_str() { vec![one.to_owned()] } else { lines(value) }
}

/// The types of a step's `accepts`, whatever its kind.
fn types(accepts: &Value) -> Vec<String> {
    let list = accepts.get("all").or_else(|| accepts.get("collect")).unwrap_or(accepts);
    texts(list)
}

fn refs(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

pub fn build(definition: &Value, told: &Shared, clock: Clock) -> Result<Workflow, Error> {
    let mut builder = Workflow::new(definition["name"].as_str().unwrap()).clock(clock).verify();
    if definition["unhandled"] == "ignore" {
        builder = builder.ignore_unhandled();
    }
    builder = builder.external(&refs(&lines(&definition["external"])));
    for of in definition["steps"].as_array().unwrap() {
        let name = of["name"].as_str().unwrap().to_owned();
        let (accepts, gathers) = accepts(of, &name);
        let (told, called) = (told.clone(), name.clone());
        builder = if gathers {
            builder.gather(&name, accepts, move |events, ctx| step(told.clone(), called.clone(), events, ctx))
        } else {
            builder.step(&name, accepts, move |event, ctx| step(told.clone(), called.clone(), vec![event], ctx))
        };
    }
    builder.build()
}

fn accepts(of: &Value, name: &str) -> (Accepts, bool) {
    let said = &of["accepts"];
    let types = types(said);
    let number = |value: &Value| value.as_u64().map(|number| u32::try_from(number).unwrap());
    let (mut accepts, gathers) = if said.get("all").is_some() {
        let (all, name) = (Accepts::all(&refs(&types)), name.to_owned());
        let keyed = said["by"] == true;
        (if keyed { all.by(move |event| event["keys"][&name].clone()) } else { all }, true)
    } else if said.get("collect").is_some() {
        let mut collect = Accepts::collect(&refs(&types));
        collect = said["of"].as_str().map_or(collect.clone(), |of| collect.of(of));
        collect = number(&said["count"]).map_or(collect.clone(), |count| collect.count(count));
        collect = number(&said["first"]).map_or(collect.clone(), |first| collect.first(first));
        (if said["rest"] == "ignore" { collect.ignore_rest() } else { collect }, true)
    } else {
        (Accepts::any(&refs(&types)), false)
    };
    if let Some(limit) = number(&of["limit"]) {
        accepts = match of["pool"].as_str() {
            Some(pool) => accepts.pool(pool, limit),
            None => accepts.limit(limit),
        };
    }
    if let Some(emits) = of.get("emits") {
        accepts = accepts.emits(&refs(&lines(emits)));
    }
    if let Some(retry) = of.get("retry") {
        let ms = |field: &str| std::time::Duration::from_millis(retry[field].as_u64().unwrap());
        let policy = Retry::times(number(&retry["attempts"]).unwrap()).first(ms("initial")).longest(ms("max"));
        accepts = accepts.retry(if retry["exponential"] == true { policy } else { policy.fixed() });
    }
    (accepts, gathers)
}

/// The definition is refused, and for the right reason.
pub fn refused(error: &Value, got: Option<Error>) -> Result<(), String> {
    let Some(got) = got else { return Err("the definition was not refused".to_owned()) };
    let right = error["code"] == got.code() && got.to_string().contains(error["message"].as_str().unwrap());
    if right { Ok(()) } else { Err(format!("{error} expected, got {}: {got}", got.code())) }
}

/// By slot of a question that a step returns: the type of its answer; of one that is never answered any that a step takes.
pub fn answers(vector: &Value) -> BTreeMap<String, String> {
    let all = || vector["play"].as_array().into_iter().flatten();
    let ins: Vec<String> = all().flat_map(|turn| lines(&turn["in"])).collect();
    let outs: Vec<String> = all().flat_map(|turn| lines(&turn["out"])).collect();
    let words = |line: &String| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let steps = vector["definition"]["steps"].as_array().into_iter().flatten();
    let some = steps.flat_map(|step| types(&step["accepts"])).find(|kind| kind != "StartEvent").unwrap_or_default();
    let emitted = ins.iter().map(words).filter(|words| words[0] == "Emit" && words[2] == "InputRequestEvent");
    let asked = |slot: &str| outs.iter().map(words).find(|words| words[0] == "Asked" && words[2] == "-" && words[3] == slot);
    let answer =
        |request: &str| ins.iter().map(words).find(|words| words[0] == "Respond" && words[1] == request).map(|words| words[2].clone());
    emitted
        .map(|words| {
            let slot = words[3].clone();
            let kind = asked(&slot).and_then(|asked| answer(&asked[1])).unwrap_or_else(|| some.clone());
            (slot, kind)
        })
        .collect()
}
