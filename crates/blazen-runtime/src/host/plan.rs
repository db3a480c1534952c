//! A workflow that the core has compiled: types and steps as small integers.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::{Value, json};

use super::accepts::{Accepts, Kind, Retry};
use super::clock::Clock;
use super::context::Context;
use super::error::{Error, StepFailure};
use super::event::{Event, Outputs, REQUEST, START, STOP};
use super::machine::Machine;

type Running = Pin<Box<dyn Future<Output = Result<Outputs, StepFailure>> + Send>>;
pub type Function = Arc<dyn Fn(Vec<Event>, Context) -> Running + Send + Sync>;

pub struct Plan {
    pub name: String,
    pub version: u64,
    pub clock: Clock,
    pub verify: bool,
    pub machine: Machine,
    pub id: i32,
    pub steps: Vec<Step>,
    types: HashMap<String, i32>,
    pub external: HashSet<String>,
    /// Types that some step accepts.
    pub accepted: HashSet<String>,
    /// By type: the steps that join it by key.
    keyed: HashMap<String, Vec<usize>>,
}

pub struct Step {
    pub name: String,
    pub accepts: Accepts,
    pub function: Function,
}

/// What a workflow's author has said.
pub struct Definition {
    pub name: String,
    pub version: u64,
    pub ignore_unhandled: bool,
    pub external: Vec<String>,
    pub steps: Vec<Step>,
    pub clock: Clock,
    pub verify: bool,
}

/// Numbers of types, in the order in which they are met.
struct Types(Vec<String>, HashMap<String, i32>);

impl Types {
    fn of(&mut self, name: &str) -> i32 {
        if let Some(id) = self.1.get(name) {
            return *id;
        }
        let id = self.0.len() as i32;
        self.0.push(name.to_owned());
        self.1.insert(name.to_owned(), id);
        id
    }
    fn all(&mut self, names: &[String]) -> Vec<i32> {
        names.iter().map(|name| self.of(name)).collect()
    }
    fn once(&mut self, names: &[String]) -> Vec<i32> {
        let mut seen = BTreeSet::new();
        self.all(names).into_iter().filter(|id| seen.insert(*id)).collect()
    }
}

impl Plan {
    pub fn compile(definition: Definition) -> Result<Self, Error> {
        let Definition { name, version, ignore_unhandled, external, steps, clock, verify } = definition;
        let mut types = Types(Vec::new(), HashMap::new());
        for built_in in [START, STOP, REQUEST] {
            types.of(built_in);
        }
        if external.iter().any(|name| name == REQUEST) {
            return Err(refused(&name, "\"external\" names InputRequestEvent, but only steps ask: name the type of the answer"));
        }
        let outside = types.all(&external);
        let accepted: Vec<Value> = steps.iter().map(|step| accepts(&step.accepts, &mut types)).collect();
        let described =
            steps.iter().zip(accepted).map(|(step, accepts)| described(&name, step, accepts, &mut types)).collect::<Result<Vec<_>, _>>()?;
        let definition = json!({
            "name": name,
            "version": version,
            "unhandled": if ignore_unhandled { "ignore" } else { "error" },
            "types": types.0,
            "external": outside,
            "steps": described,
        })
        .to_string();
        let machine = Machine::new()?;
        let compiled = machine.call(move |core| {
            let id = core.compile(&definition);
            (id >= 0).then_some(id)
        });
        let id = compiled.map_err(|message| refused(&name, &message))?;
        let mut keyed: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, step) in steps.iter().enumerate().filter(|(_, step)| matches!(step.accepts.kind, Kind::All { by: Some(_) })) {
            for name in step.accepts.types.iter().collect::<BTreeSet<_>>() {
                keyed.entry(name.clone()).or_default().push(at);
            }
        }
        let accepted = steps.iter().flat_map(|step| step.accepts.types.iter().cloned()).collect();
        let external = external.into_iter().collect();
        Ok(Self { name, version, clock, verify, machine, id, steps, types: types.1, external, accepted, keyed })
    }

    /// The number of a type; one more than the last for a type that the plan does not know.
    pub fn type_id(&self, name: &str) -> i32 {
        self.types.get(name).copied().unwrap_or(self.types.len() as i32)
    }
    /// The steps that join events of a type by key.
    pub fn joined_by_key(&self, name: &str) -> &[usize] {
        self.keyed.get(name).map_or(&[], Vec::as_slice)
    }
    pub fn step_name(&self, id: i32) -> Option<&str> {
        self.steps.get(usize::try_from(id).ok()?).map(|step| step.name.as_str())
    }
    /// For messages.
    pub fn title(&self) -> String {
        format!("Workflow \"{}\"", self.name)
    }
}

fn refused(name: &str, why: &str) -> Error {
    Error::definition(format!("Workflow \"{name}\": {why}"))
}

fn accepts(accepts: &Accepts, types: &mut Types) -> Value {
    match &accepts.kind {
        Kind::Any => json!({ "kind": "any", "types": types.once(&accepts.types) }),
        Kind::All { by } => json!({ "kind": "all", "types": types.all(&accepts.types), "keyed": by.is_some() }),
        Kind::Collect { of, count, first, ignore_rest } => {
            let mut all = json!({ "kind": "collect", "types": types.once(&accepts.types) });
            let rest = ignore_rest.then_some("ignore");
            for (key, value) in [("of", json!(of)), ("count", json!(count)), ("first", json!(first)), ("rest", json!(rest))] {
                if !value.is_null() {
                    all[key] = value;
                }
            }
            all
        }
    }
}

fn described(workflow: &str, step: &Step, accepts: Value, types: &mut Types) -> Result<Value, Error> {
    let Step { name, accepts: of, .. } = step;
    let wrong = |why: &str| Err(refused(workflow, &format!("step \"{name}\": {why}")).of_step(Some(name)));
    if let Some(why) = of.wrong {
        return wrong(why);
    }
    if of.types.is_empty() {
        return wrong("it accepts no type: name one at least");
    }
    let mut described = json!({ "name": name, "accepts": accepts });
    if let Kind::Collect { of, count, first, ignore_rest } = &of.kind {
        match (of, count, first) {
            (_, Some(_), Some(_)) => return wrong("\"count\" and \"first\" do not go together"),
            (None, _, Some(_)) => return wrong("\"first\" needs \"of\", the step that fans out"),
            (_, Some(0), _) | (_, _, Some(0)) => return wrong("a number of results is at least 1"),
            (_, _, None) if *ignore_rest => return wrong("\"ignore_rest\" goes with \"first\""),
            _ => {}
        }
    }
    if let Some(limit) = of.limit {
        if limit == 0 || limit >= 1 << 30 {
            return wrong("a limit is at least 1 call, and below 2^30");
        }
        described["limit"] = json!(limit);
    }
    if let Some(pool) = &of.pool {
        described["pool"] = json!(pool);
    }
    if let Some(emits) = &of.emits {
        described["emits"] = json!(types.all(emits));
    }
    if let Some(retry) = &of.retry {
        let Retry { attempts, exponential, initial, max, jitter } = *retry;
        if attempts == 0 || attempts >= 1 << 30 || !(0.0..=1.0).contains(&jitter) {
            return wrong("a retry has at least one attempt, fewer than 2^30, and a jitter from 0 to 1");
        }
        let ms = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).min((1 << 53) - 1);
        described["retry"] = json!({
            "attempts": attempts, "exponential": exponential, "initial": ms(initial), "max": ms(max), "jitter": (jitter * 1e6) as u32,
        });
    }
    Ok(described)
}
