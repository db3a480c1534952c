//! Random workflows, made from a tape of bytes so that a failing one can be shrunk.

use serde_json::{Value, json};

use crate::tape::Tape;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Any,
    All,
    Whole {
        every: Option<usize>,
    },
    /// `first`: how many, and whether the rest is cancelled.
    Of {
        opener: usize,
        every: Option<usize>,
        first: Option<(usize, bool)>,
    },
}

pub struct Step {
    pub kind: Kind,
    pub types: Vec<i32>,
    pub limit: Option<usize>,
    /// Its pool is shared.
    pub pooled: bool,
    /// How often it is tried, without delays.
    pub attempts: usize,
    /// It may open child runs.
    pub opens: bool,
}

pub struct Workflow {
    /// Its plan in a core that has compiled `all` of the outermost.
    pub plan: i32,
    pub steps: Vec<Step>,
    pub external: bool,
    /// Those that its steps may open.
    pub children: Vec<Workflow>,
}

pub const START: i32 = 0;
pub const STOP: i32 = 1;
/// Types of events beside those two.
pub const TYPES: usize = 4;
pub const POOL: usize = 2;
/// Levels of child runs.
const DEEPEST: usize = 2;

impl Workflow {
    /// `cancels`: with collects that end their fan-out, and StopEvents.
    pub fn random(tape: &mut Tape, cancels: bool) -> Self {
        Self::nested(tape, cancels, 0, &mut 0)
    }

    fn nested(tape: &mut Tape, cancels: bool, depth: usize, plans: &mut i32) -> Self {
        let plan = *plans;
        *plans += 1;
        let nests = depth < DEEPEST && tape.below(2) == 0;
        let count = 4 + tape.below(if depth == 0 { 8 } else { 4 });
        let first =
            Step { kind: Kind::Any, types: vec![START], limit: None, pooled: false, attempts: 1, opens: nests && tape.below(2) == 0 };
        let mut steps = vec![first];
        while steps.len() < count {
            let ty = |tape: &mut Tape| 2 + tape.below(TYPES) as i32;
            // The first steps run most, so theirs are the fan-outs that matter.
            let opener = tape.below(steps.len().min(3));
            let (kind, types) = match tape.below(12) {
                0..5 => (Kind::Any, vec![ty(tape)]),
                5 => (Kind::All, vec![ty(tape), ty(tape)]),
                6 => (Kind::Whole { every: [None, Some(1 + tape.below(3))][tape.below(2)] }, vec![ty(tape)]),
                7 => (Kind::Of { opener, every: Some(1 + tape.below(3)), first: None }, vec![ty(tape)]),
                8..10 if cancels => (Kind::Of { opener, every: None, first: Some((1 + tape.below(3), tape.below(3) > 0)) }, vec![ty(tape)]),
                _ => (Kind::Of { opener, every: None, first: None }, vec![ty(tape), ty(tape)]),
            };
            let limit = [None, None, Some(1), Some(2)][tape.below(4)];
            let pooled = limit == Some(POOL) && tape.below(2) == 0;
            let attempts = [1, 1, 2, 3][tape.below(4)];
            steps.push(Step { kind, types, limit, pooled, attempts, opens: nests && tape.below(3) == 0 });
        }
        let external = tape.below(3) == 0;
        let count = if nests { 1 + tape.below(2) } else { 0 };
        let children = (0..count).map(|_| Self::nested(tape, cancels, depth + 1, plans)).collect();
        Self { plan, steps, external, children }
    }

    /// It and those within it, by their plans.
    pub fn all(&self) -> Vec<&Self> {
        [self].into_iter().chain(self.children.iter().flat_map(Self::all)).collect()
    }

    pub fn definition(&self) -> String {
        let types: Vec<String> = ["blazen::StartEvent", "blazen::StopEvent"]
            .map(String::from)
            .into_iter()
            .chain((0..TYPES).map(|id| format!("T{id}")))
            .collect();
        let steps: Vec<Value> = self.steps.iter().enumerate().map(|(id, step)| step.definition(id)).collect();
        let external: &[i32] = if self.external { &[2] } else { &[] };
        json!({ "name": format!("random {}", self.plan), "version": 1, "unhandled": "ignore", "types": types, "external": external, "steps": steps }).to_string()
    }
}

impl Step {
    fn definition(&self, id: usize) -> Value {
        let types = &self.types;
        let accepts = match self.kind {
            Kind::Any => json!({ "kind": "any", "types": types }),
            Kind::All => json!({ "kind": "all", "types": types }),
            Kind::Whole { every } => json!({ "kind": "collect", "types": types, "count": every }),
            Kind::Of { opener, every, first } => {
                let rest = first.map(|(_, cancel)| if cancel { "cancel" } else { "ignore" });
                json!({ "kind": "collect", "types": types, "of": format!("s{opener}"), "count": every, "first": first.map(|(first, _)| first), "rest": rest })
            }
        };
        let mut made = json!({ "name": format!("s{id}"), "accepts": accepts });
        if let Some(limit) = self.limit {
            made["limit"] = limit.into();
        }
        if self.attempts > 1 {
            made["retry"] = json!({ "attempts": self.attempts, "exponential": true, "initial": 0, "max": 0 });
        }
        if self.pooled {
            made["pool"] = "shared".into();
        }
        made
    }
}
