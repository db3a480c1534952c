//! A workflow compiled: names as small integers, and for each type who accepts it.

use std::borrow::Cow;
use std::collections::BTreeMap;

pub use crate::definition::Retry;
use crate::definition::{Accepts, Definition, Rest, StepDefinition, Unhandled};
use crate::error::CoreError;
use crate::json::{Fields, Object, Wrong};

pub const STOP: u32 = 1;
const ENGINE: &str = "blazen::";
pub const REQUEST: &str = "blazen::InputRequestEvent";
pub const FAILED: &str = "blazen::StepFailedEvent";

pub type TypeId = u32;
pub type StepId = u32;

pub struct Plan {
    pub name: String,
    pub version: u64,
    pub types: Vec<String>,
    /// The type of the event that begins a run.
    pub start: TypeId,
    pub steps: Vec<Step>,
    /// By type: the steps that accept it, in registration order.
    pub accepting: Vec<Vec<StepId>>,
    only: Vec<Option<StepId>>,
    pub external: Vec<TypeId>,
    pub unhandled: Unhandled,
    /// The limit of each pool.
    pub limits: Vec<u32>,
    /// The collects over the whole run, in registration order.
    pub whole: Vec<StepId>,
    pub keyed: bool,
    /// The type of events that ask.
    pub request: Option<TypeId>,
    /// The type of events that tell of a failed step, if a step accepts it.
    pub failed: Option<TypeId>,
    ids: BTreeMap<String, StepId>,
}

pub struct Step {
    pub name: String,
    pub accepts: Accept,
    pub pool: Option<u32>,
    /// The collects that name this step in `of`: its fan-outs are scopes if there are any.
    pub collects: Vec<StepId>,
    pub retry: Option<Retry>,
    pub described: Described,
}

/// What a step accepts, by names: what a snapshot says of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Described {
    pub name: String,
    pub kind: Kind,
    pub types: Vec<String>,
    pub keyed: bool,
    pub of: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Any,
    All,
    Collect,
}

const KINDS: [(Kind, &str); 3] = [(Kind::Any, "any"), (Kind::All, "all"), (Kind::Collect, "collect")];

impl Described {
    pub fn read(text: &str) -> Result<Self, Wrong> {
        let mut fields = Fields::read(text)?;
        let kind = fields.text("kind")?;
        let kind = KINDS.iter().find(|(_, name)| *name == kind).ok_or_else(|| format!("there is no kind \"{kind}\""))?.0;
        let described = Self {
            name: fields.text("name")?.into_owned(),
            kind,
            types: fields.texts("types")?.into_iter().map(Cow::into_owned).collect(),
            keyed: fields.flag("keyed")?,
            of: fields.maybe_text("of")?.map(Cow::into_owned),
        };
        fields.end()?;
        Ok(described)
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        let mut object = Object::new(out);
        object.text("name", &self.name);
        if let Some((_, kind)) = KINDS.iter().find(|(kind, _)| *kind == self.kind) {
            object.text("kind", kind);
        }
        object.texts("types", &self.types);
        if self.keyed {
            object.raw("keyed", "true");
        }
        if let Some(of) = &self.of {
            object.text("of", of);
        }
        object.end();
    }
}

pub enum Accept {
    Any,
    Join(Join),
    Collect(Collect),
}

pub struct Join {
    /// The distinct types of a set, each with how many it takes.
    pub ports: Vec<(TypeId, usize)>,
    /// The ports in the order in which the step gets the set.
    pub order: Vec<usize>,
    pub keyed: bool,
}

pub struct Collect {
    /// The step whose fan-outs it collects; none: the whole run.
    pub of: Option<StepId>,
    pub when: When,
    /// Its place among the collects of `of`, or among those over the whole run.
    pub place: usize,
    pub types: Vec<TypeId>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum When {
    End,
    Every(usize),
    First(usize, Rest),
}

impl Plan {
    pub fn compile(text: &str) -> Result<Self, CoreError> {
        let mut definition =
            Definition::read(text).map_err(|error| CoreError::internal(format!("the definition cannot be read: {error}")))?;
        let count = definition.types.len();
        let known = |id: &u32| (*id as usize) < count;
        let all_known = known(&definition.start)
            && definition.external.iter().all(known)
            && definition.steps.iter().all(|step| step.accepts.types().iter().all(known) && step.emits.iter().flatten().all(known));
        if count < 2 || !all_known {
            return Err(CoreError::internal("the definition names a type id that it does not list"));
        }
        let mut ids = BTreeMap::new();
        for (id, step) in definition.steps.iter().enumerate() {
            if ids.insert(step.name.clone(), id as StepId).is_some() {
                return Err(CoreError::step(&step.name, format!("two steps are named \"{}\". Names of steps are unique.", step.name)));
            }
        }
        let mut plan = Self {
            name: definition.name.clone(),
            version: definition.version,
            start: definition.start,
            steps: Vec::with_capacity(definition.steps.len()),
            accepting: vec![Vec::new(); count],
            only: vec![None; count],
            external: definition.external.clone(),
            unhandled: definition.unhandled,
            limits: Vec::new(),
            whole: Vec::new(),
            keyed: false,
            request: None,
            failed: None,
            types: Vec::new(),
            ids,
        };
        let mut pools = BTreeMap::new();
        let mut collects: Vec<Vec<StepId>> = vec![Vec::new(); definition.steps.len()];
        for (id, step) in definition.steps.iter_mut().enumerate() {
            let id = id as StepId;
            let retry = step.retry.take();
            let pool = plan.pool(step.name.as_str(), step.pool.as_deref(), step.limit, &mut pools)?;
            let accepts = match &step.accepts {
                Accepts::Any { .. } => Accept::Any,
                Accepts::All { types, keyed } => {
                    plan.keyed |= keyed;
                    Accept::Join(join(types, *keyed))
                }
                Accepts::Collect { types, of, count, first, rest } => {
                    let when = match (count, first) {
                        (None, None) => When::End,
                        (Some(count), None) if *count > 0 => When::Every(*count as usize),
                        (None, Some(first)) if *first > 0 && of.is_some() => When::First(*first as usize, rest.unwrap_or(Rest::Cancel)),
                        _ => {
                            return Err(CoreError::step(
                                &step.name,
                                format!("step \"{}\": a collect has \"count\", or \"first\" with \"of\", from 1 up.", step.name),
                            ));
                        }
                    };
                    let of = match of {
                        None => None,
                        Some(of) => Some(*plan.ids.get(of.as_str()).ok_or_else(|| {
                            CoreError::step(
                                &step.name,
                                format!("step \"{}\" collects \"of\" \"{of}\", but there is no step of that name.", step.name),
                            )
                        })?),
                    };
                    let list = match of {
                        None => &mut plan.whole,
                        Some(of) => &mut collects[of as usize],
                    };
                    list.push(id);
                    let place = list.len() - 1;
                    Accept::Collect(Collect { of, when, place, types: types.clone() })
                }
            };
            for ty in step.accepts.types() {
                // A step may name a type twice; it is added once.
                let accepting = &mut plan.accepting[*ty as usize];
                if accepting.last() != Some(&id) {
                    accepting.push(id);
                }
            }
            let described = describe(step, &definition.types);
            plan.steps.push(Step { name: step.name.clone(), accepts, pool, collects: Vec::new(), retry, described });
        }
        for (step, collects) in plan.steps.iter_mut().zip(collects) {
            step.collects = collects;
        }
        if plan.accepting[plan.start as usize].is_empty() {
            return Err(CoreError::definition("no step accepts StartEvent, so a run has nothing to begin with. Add a step that does."));
        }
        check_paths(&definition)?;
        for (only, accepting) in plan.only.iter_mut().zip(&plan.accepting) {
            let &[step] = &accepting[..] else { continue };
            *only = matches!(plan.steps[step as usize].accepts, Accept::Any).then_some(step);
        }
        // The first StopEvent ends the run (3.4): no step gets one.
        plan.only[STOP as usize] = None;
        let engine = |name: &str| definition.types.iter().position(|ty| ty == name).map(|id| id as TypeId);
        plan.request = engine(REQUEST);
        plan.failed = engine(FAILED).filter(|ty| !plan.accepting[*ty as usize].is_empty());
        // Routing these means more than a call.
        for ty in [plan.request, plan.failed].into_iter().flatten() {
            plan.only[ty as usize] = None;
        }
        plan.types = definition.types;
        Ok(plan)
    }

    fn pool(
        &mut self,
        step: &str,
        pool: Option<&str>,
        limit: Option<u32>,
        pools: &mut BTreeMap<String, u32>,
    ) -> Result<Option<u32>, CoreError> {
        let Some(limit) = limit else { return Ok(None) };
        if limit == 0 {
            return Err(CoreError::step(step, format!("step \"{step}\": a limit is from 1 up.")));
        }
        if let Some(name) = pool {
            if let Some(&id) = pools.get(name) {
                let other = self.limits[id as usize];
                if other != limit {
                    return Err(CoreError::step(
                        step,
                        format!("pool \"{name}\" has two limits, {other} and {limit} (step \"{step}\"). Give it one."),
                    ));
                }
                return Ok(Some(id));
            }
            pools.insert(name.to_owned(), self.limits.len() as u32);
        }
        self.limits.push(limit);
        Ok(Some(self.limits.len() as u32 - 1))
    }

    /// The step that alone accepts a type, and takes its events one by one.
    #[inline]
    pub fn only(&self, ty: TypeId) -> Option<StepId> {
        self.only.get(ty as usize).copied().flatten()
    }

    pub fn described(&self) -> Vec<Described> {
        self.steps.iter().map(|step| step.described.clone()).collect()
    }

    /// Whether a snapshot tells the same of both.
    pub fn same(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
            || (self.name == other.name
                && self.version == other.version
                && self.steps.len() == other.steps.len()
                && self.steps.iter().zip(&other.steps).all(|(one, two)| one.described == two.described))
    }

    pub fn step(&self, name: &str) -> Option<StepId> {
        self.ids.get(name).copied()
    }

    pub fn accepting(&self, ty: TypeId) -> &[StepId] {
        self.accepting.get(ty as usize).map_or(&[], Vec::as_slice)
    }
}

fn describe(step: &StepDefinition, names: &[String]) -> Described {
    let (kind, keyed, of) = match &step.accepts {
        Accepts::Any { .. } => (Kind::Any, false, None),
        Accepts::All { keyed, .. } => (Kind::All, *keyed, None),
        Accepts::Collect { of, .. } => (Kind::Collect, false, of.clone()),
    };
    let types = step.accepts.types().iter().map(|ty| names[*ty as usize].clone()).collect();
    Described { name: step.name.clone(), kind, types, keyed, of }
}

fn join(types: &[TypeId], keyed: bool) -> Join {
    let mut ports: Vec<(TypeId, usize)> = Vec::new();
    let order = types
        .iter()
        .map(|ty| match ports.iter().position(|(port, _)| port == ty) {
            Some(at) => {
                ports[at].1 += 1;
                at
            }
            None => {
                ports.push((*ty, 1));
                ports.len() - 1
            }
        })
        .collect();
    Join { ports, order, keyed }
}

/// Where every step says what it emits, an event that cannot come and a run that cannot end are seen beforehand.
fn check_paths(definition: &Definition) -> Result<(), CoreError> {
    let mut emits = Vec::with_capacity(definition.steps.len());
    for step in &definition.steps {
        let Some(types) = &step.emits else { return Ok(()) };
        emits.push(types);
    }
    // The answer of a request may be of any type.
    let request = definition.types.iter().position(|ty| ty == REQUEST);
    if emits.iter().any(|types| types.iter().any(|ty| Some(*ty as usize) == request)) {
        return Ok(());
    }
    let own = |ty: u32| definition.types[ty as usize].starts_with(ENGINE) && ty != STOP;
    let mut emitted = vec![false; definition.types.len()];
    emits.iter().flat_map(|types| types.iter()).chain(&definition.external).for_each(|ty| emitted[*ty as usize] = true);
    for step in &definition.steps {
        if let Some(ty) = step.accepts.types().iter().find(|ty| !own(**ty) && !emitted[**ty as usize]) {
            let name = &definition.types[*ty as usize];
            return Err(CoreError::step(
                &step.name,
                format!("step \"{}\" accepts \"{name}\", which no step emits. Emit it, or name it in \"external\".", step.name),
            ));
        }
    }
    if reaches_stop(definition, &emits, own) {
        return Ok(());
    }
    Err(CoreError::definition(
        "no path leads from StartEvent to StopEvent: by their \"emits\" the steps that run never emit one. A run could not end.",
    ))
}

/// Follows the events from those that come by themselves; each step and type is visited once.
fn reaches_stop(definition: &Definition, emits: &[&Vec<TypeId>], own: impl Fn(TypeId) -> bool) -> bool {
    let mut takers: Vec<Vec<usize>> = vec![Vec::new(); definition.types.len()];
    // How many types a step still waits for; a collect runs without any.
    let mut lacks = Vec::with_capacity(emits.len());
    let mut runs = Vec::new();
    for (id, step) in definition.steps.iter().enumerate() {
        let mut distinct = 0;
        for ty in step.accepts.types() {
            // A step may name a type twice; it takes it once.
            let takers = &mut takers[*ty as usize];
            if takers.last() != Some(&id) {
                takers.push(id);
                distinct += 1;
            }
        }
        lacks.push(match step.accepts {
            Accepts::All { .. } => distinct,
            Accepts::Any { .. } => 1,
            Accepts::Collect { .. } => 0,
        });
        if lacks[id] == 0 {
            runs.push(id);
        }
    }
    let mut reached: Vec<bool> = (0..definition.types.len() as u32).map(own).collect();
    definition.external.iter().for_each(|ty| reached[*ty as usize] = true);
    let mut arrived: Vec<usize> = (0..reached.len()).filter(|ty| reached[*ty]).collect();
    loop {
        while let Some(ty) = arrived.pop() {
            for &id in &takers[ty] {
                if lacks[id] > 0 {
                    lacks[id] -= 1;
                    if lacks[id] == 0 {
                        runs.push(id);
                    }
                }
            }
        }
        let Some(id) = runs.pop() else { return reached[STOP as usize] };
        for &ty in emits[id] {
            if !std::mem::replace(&mut reached[ty as usize], true) {
                arrived.push(ty as usize);
            }
        }
    }
}
