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
}

pub struct Workflow {
    pub steps: Vec<Step>,
    pub external: bool,
}

pub const START: i32 = 0;
pub const STOP: i32 = 1;
/// Types of events beside those two.
pub const TYPES: usize = 4;
pub const POOL: usize = 2;

impl Workflow {
    /// `cancels`: with collects that end their fan-out, and StopEvents.
    pub fn random(tape: &mut Tape, cancels: bool) -> Self {
        let count = 4 + tape.below(8);
        let mut steps = vec![Step { kind: Kind::Any, types: vec![START], limit: None, pooled: false }];
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
            steps.push(Step { kind, types, limit, pooled: limit == Some(POOL) && tape.below(2) == 0 });
        }
        Self { steps, external: tape.below(3) == 0 }
    }

    pub fn definition(&self) -> String {
        let types: Vec<String> = ["blazen::StartEvent", "blazen::StopEvent"]
            .map(String::from)
            .into_iter()
            .chain((0..TYPES).map(|id| format!("T{id}")))
            .collect();
        let steps: Vec<Value> = self.steps.iter().enumerate().map(|(id, step)| step.definition(id)).collect();
        let external: &[i32] = if self.external { &[2] } else { &[] };
        json!({ "name": "random", "version": 1, "unhandled": "ignore", "types": types, "external": external, "steps": steps }).to_string()
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
        if self.pooled {
            made["pool"] = "shared".into();
        }
        made
    }
}
