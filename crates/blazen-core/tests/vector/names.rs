//! The plans of a vector, and which of them flows, invocations, payloads and requests are of, as far as lines have told.

use std::collections::{HashMap, VecDeque};

use blazen_core::*;
use serde_json::{Value, json};

use super::NONE;

/// A definition with its types as numbers, as the facade would give it.
pub struct Plan {
    pub name: String,
    pub types: HashMap<String, i32>,
    pub steps: Vec<String>,
    pub definition: Value,
}

/// A flow: the run itself is 0, child runs are others.
struct Flow {
    plan: usize,
    /// The invocation that opened it.
    by: i32,
}

pub struct Names {
    /// The vector's own, then those of child runs.
    pub plans: Vec<Plan>,
    /// By plan: its id in the core.
    ids: Vec<i32>,
    flows: HashMap<i32, Flow>,
    /// The flow that commands are about.
    pub told: i32,
    /// By invocation, payload and request: the flow.
    invocations: HashMap<i32, i32>,
    slots: HashMap<i32, i32>,
    requests: HashMap<i32, i32>,
    /// Child lines whose flow the core has not told yet.
    opening: VecDeque<Flow>,
    /// The run has ended.
    pub over: bool,
}

impl Names {
    pub fn of(definition: &Value) -> Self {
        let children = definition["children"].as_array().into_iter().flatten();
        let plans: Vec<Plan> = [definition].into_iter().chain(children).map(Plan::of).collect();
        Self {
            ids: Vec::new(),
            plans,
            flows: HashMap::from([(0, Flow { plan: 0, by: NONE })]),
            told: 0,
            invocations: HashMap::new(),
            slots: HashMap::new(),
            requests: HashMap::new(),
            opening: VecDeque::new(),
            over: false,
        }
    }

    /// The id of the vector's own plan, or the negative number of an error.
    pub fn compile(&mut self, core: &mut Core) -> i32 {
        self.ids = self.plans.iter().map(|plan| core.compile(&plan.definition.to_string())).collect();
        // A core that goes on with a stored run tells the flow anew.
        self.told = 0;
        self.ids.iter().copied().find(|id| *id < 0).unwrap_or(self.ids[0])
    }

    /// The plans of the child runs of a snapshot, as `restore` takes them.
    pub fn children(&self, core: &mut Core, bytes: &[u8]) -> Vec<u32> {
        let document: Value = serde_json::from_str(&core.document(bytes).unwrap()).unwrap();
        let plan = |row: &Value| {
            let name = &document["header"]["children"][row["workflow"].as_u64().unwrap() as usize]["workflow"];
            let at = self.plans.iter().position(|plan| *name == plan.name).unwrap();
            assert_eq!(at, self.flows[&(row["id"].as_i64().unwrap() as i32)].plan, "{row}");
            self.ids[at] as u32
        };
        document["flows"].as_array().into_iter().flatten().map(plan).collect()
    }

    fn plan_of(&self, flow: i32) -> &Plan {
        &self.plans[self.flows.get(&flow).map_or(0, |flow| flow.plan)]
    }

    pub fn step(&self, step: i32) -> &str {
        self.plan_of(self.told).steps.get(step as usize).map_or("-", String::as_str)
    }

    pub fn flow_of(&self, invocation: i32) -> i32 {
        self.invocations.get(&invocation).copied().unwrap_or(0)
    }

    /// Child runs that an invocation has opened.
    pub fn opened_by(&self, invocation: i32) -> Vec<i32> {
        self.flows.iter().filter(|(_, flow)| flow.by == invocation).map(|(id, _)| *id).collect()
    }

    /// Nobody speaks of it any more: another may have its number.
    pub fn forget(&mut self, flow: i32) {
        self.flows.remove(&flow);
    }

    /// What a command says of flows.
    pub fn hear(&mut self, [tag, a, b, c]: [i32; 4]) {
        match tag {
            CMD_OPENED => {
                let flow = self.opening.pop_front().expect("a Child before it");
                self.flows.insert(a, flow);
                // Another may have had the number.
                self.told = if self.told == a { NONE } else { self.told };
            }
            CMD_INVOKE => {
                self.invocations.insert(a, self.told);
            }
            CMD_ASKED => {
                self.requests.insert(a, self.told);
                self.slots.insert(c, self.told);
                assert!(b == NONE || self.flow_of(b) == self.told, "the request {a} is of another flow");
            }
            CMD_FINISH => self.over = true,
            CMD_FAIL => self.over = self.told == 0,
            _ => {}
        }
    }

    pub fn encode(&mut self, lines: &[String]) -> Vec<[i32; 4]> {
        self.opening.clear();
        (0..lines.len()).map(|at| self.frame(&lines[at], lines[at + 1..].iter().find(|line| !line.starts_with("Key ")))).collect()
    }

    /// `next`: the line that follows, which says of which flow a key is.
    fn frame(&mut self, line: &str, next: Option<&String>) -> [i32; 4] {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| match words.get(at) {
            None | Some(&"-") => NONE,
            Some(word) => word.parse().unwrap_or_else(|_| panic!("no number in \"{line}\" at {at}")),
        };
        let time = |at: usize| words[at].parse::<i64>().unwrap();
        let (high, low) = (|at| (time(at) >> 30) as i32, |at| (time(at) & 0x3fff_ffff) as i32);
        let flow = self.flow(if words[0] == "Key" { next.map_or(line, String::as_str) } else { line });
        let plan = self.plan_of(flow);
        let ty = |at: usize| plan.types.get(&full(words[at])).copied().unwrap_or(plan.types.len() as i32);
        let step_of = |plan: &Plan, name: &str| plan.steps.iter().position(|step| step == name).map(|step| step as i32);
        let step = |name: &str| step_of(plan, name).or_else(|| self.plans.iter().find_map(|plan| step_of(plan, name))).unwrap();
        let outcome = |word: &str| ["ok", "failed", "bad", "final"].iter().position(|outcome| *outcome == word).unwrap() as i32;
        let frame = match words[0] {
            "Start" => [IN_START, self.ids[0], number(1), NONE],
            "Emit" => [IN_EMIT, number(1), ty(2), number(3)],
            "Send" => [IN_SEND, number(1), ty(2), number(3)],
            "Fan" => [IN_FAN, number(1), NONE, NONE],
            "Yield" => [IN_COMMIT, number(1), 1, NONE],
            "Settle" => [IN_SETTLE, number(1), outcome(words[2]), number(3)],
            "Id" => [IN_ID, number(1), NONE, NONE],
            "External" => [IN_EXTERNAL, ty(1), number(2), number(3)],
            "Key" => [IN_KEY, step(words[1]), number(2), number(3)],
            "Pause" => [IN_PAUSE, number(1), NONE, NONE],
            "Keyed" => [IN_KEYED, number(1), NONE, NONE],
            "Tick" => [IN_TICK, high(1), low(1), NONE],
            "Until" => [IN_UNTIL, high(1), low(1), NONE],
            "Sleep" => [IN_SLEEP, number(1), number(2), NONE],
            "Ask" => [IN_ASK, number(1), number(2), number(3)],
            "Respond" => [IN_RESPOND, number(1), ty(2), number(3)],
            "Random" => [IN_RANDOM, number(1), NONE, NONE],
            "Observe" => [IN_OBSERVE, number(1), NONE, NONE],
            "Cancel" => [IN_CANCEL, NONE, NONE, NONE],
            "CancelChild" => [IN_CANCEL, number(1), NONE, NONE],
            "Child" => {
                let at = self.plans.iter().position(|plan| plan.name == words[2]).unwrap_or_else(|| panic!("no plan for \"{line}\""));
                self.opening.push_back(Flow { plan: at, by: number(1) });
                [IN_CHILD, number(1), self.ids[at], number(3)]
            }
            _ => panic!("unknown line \"{line}\""),
        };
        match words[0] {
            "Emit" | "Send" | "Respond" => {
                self.slots.insert(frame[3], flow);
            }
            "External" => {
                self.slots.insert(frame[2], flow);
            }
            _ => {}
        }
        frame
    }

    /// The flow that an input line is about.
    fn flow(&self, line: &str) -> i32 {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words.get(at).and_then(|word| word.parse().ok()).unwrap_or(NONE);
        match words[0] {
            "Emit" | "Send" => self.flow_of(number(1)),
            "External" => number(3).max(0),
            "Respond" => self.requests.get(&number(1)).copied().unwrap_or(0),
            "Keyed" => self.slots.get(&number(1)).copied().unwrap_or(0),
            _ => 0,
        }
    }
}

impl Plan {
    fn of(definition: &Value) -> Self {
        let mut types = Types::default();
        types.id("StartEvent");
        types.id("StopEvent");
        types.id("InputRequestEvent");
        let external: Vec<i32> =
            definition["external"].as_array().into_iter().flatten().map(|name| types.id(name.as_str().unwrap())).collect();
        let mut steps = Vec::new();
        for step in definition["steps"].as_array().unwrap() {
            let mut made = step.clone();
            made["accepts"] = accepts(&step["accepts"], &mut types);
            if let Some(emits) = step.get("emits") {
                made["emits"] = types.ids(emits).into();
            }
            steps.push(made);
        }
        let unhandled = definition.get("unhandled").cloned().unwrap_or_else(|| "error".into());
        let names = steps.iter().map(|step| step["name"].as_str().unwrap().to_owned()).collect();
        let name = definition["name"].as_str().unwrap().to_owned();
        let definition =
            json!({ "name": name, "version": 1, "unhandled": unhandled, "types": types.names, "external": external, "steps": steps });
        Self { name, types: types.ids, steps: names, definition }
    }
}

/// Types in the order of their first appearance.
#[derive(Default)]
struct Types {
    names: Vec<String>,
    ids: HashMap<String, i32>,
}

impl Types {
    fn id(&mut self, name: &str) -> i32 {
        let name = full(name);
        *self.ids.entry(name.clone()).or_insert_with(|| {
            self.names.push(name);
            self.names.len() as i32 - 1
        })
    }

    fn ids(&mut self, names: &Value) -> Vec<i32> {
        names.as_array().unwrap().iter().map(|name| self.id(name.as_str().unwrap())).collect()
    }
}

/// The short names of the engine's own events stand for the full ones; `?` marks a type that no definition has.
pub fn full(name: &str) -> String {
    match name {
        "StartEvent" | "StopEvent" | "InputRequestEvent" | "InputResponseEvent" | "StepFailedEvent" => format!("blazen::{name}"),
        _ => name.trim_start_matches('?').to_owned(),
    }
}

fn accepts(given: &Value, types: &mut Types) -> Value {
    if let Some(name) = given.as_str() {
        return json!({ "kind": "any", "types": [types.id(name)] });
    }
    if given.is_array() {
        return json!({ "kind": "any", "types": types.ids(given) });
    }
    if let Some(all) = given.get("all") {
        return json!({ "kind": "all", "types": types.ids(all), "keyed": given["by"] == true });
    }
    let mut made = given.clone();
    let ids = types.ids(&given["collect"]);
    let fields = made.as_object_mut().unwrap();
    fields.remove("collect");
    fields.insert("kind".to_owned(), "collect".into());
    fields.insert("types".to_owned(), ids.into());
    made
}
