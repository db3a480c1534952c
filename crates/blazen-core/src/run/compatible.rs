//! Whether a snapshot fits a plan: what waits in it must find its steps, by name. What nothing waits for may have changed.

use std::rc::Rc;

use super::Slot;
use super::entries::{CollectEntry, Entry, InvocationEntry, JoinEntry, QueueEntry, ScopeEntry};
use super::layout::Layout;
use super::restore::EventTypes;
use crate::error::CoreError;
use crate::plan::{Described, Kind, Plan};
use crate::snapshot::{Snapshot, damaged, refused};

/// Whether what waits in the snapshot has its steps in the plans, by name (7.5). `plans` are those of the run itself and of each
/// child run, as `layout` has them.
pub fn compatible(plans: &[Rc<Plan>], snapshot: &Snapshot<'_>, layout: &Layout, types: &EventTypes) -> Result<(), CoreError> {
    let header = &snapshot.header;
    let Some(own) = plans.first() else { return Ok(()) };
    if header.workflow != own.name {
        return Err(refused(format!("it is of the workflow \"{}\", and this one is \"{}\"", header.workflow, own.name)));
    }
    if header.version > own.version {
        return Err(refused(format!("its workflow has version {}, which is newer than {}, this one's", header.version, own.version)));
    }
    if header.version < own.version {
        return Err(refused(format!(
            "its workflow has version {}, and this one {}: give \"migrate\" an entry for it",
            header.version, own.version
        )));
    }
    let mut flows = vec![Fits { plan: own, steps: &header.steps, migrated: header.migrated, types }];
    for ((id, flow), plan) in layout.flows.iter().zip(&plans[1..]) {
        let child = header.children.get(flow.workflow as usize);
        let child = child.ok_or_else(|| damaged(format!("the entry \"flow/{id}\" is of a workflow that the header does not tell of")))?;
        if child.workflow != plan.name || child.version != plan.version {
            return Err(refused(format!(
                "a child run is of the workflow \"{}\", version {}, and there is \"{}\", version {}, in its place now: let it finish first, or keep both",
                child.workflow, child.version, plan.name, plan.version
            )));
        }
        flows.push(Fits { plan, steps: &child.steps, migrated: false, types });
    }
    let of = |place| &flows[layout.position(layout.flow_at(place)).unwrap_or(0)];
    let mut checked: Vec<Vec<bool>> = flows.iter().map(|_| Vec::new()).collect();
    for queued in snapshot.numbered("queue") {
        let (at, text) = queued?;
        let read = QueueEntry::read(&format!("queue/{at}"), text)?;
        let Some(slot) = read.event else { continue };
        let checked = &mut checked[layout.position(layout.flow_at(read.place)).unwrap_or(0)];
        checked.resize(types.names.len(), false);
        let Some(at) = types.of(slot).filter(|ty| !checked[*ty]) else { continue };
        checked[at] = true;
        of(read.place).queued(&types.names[at], slot)?;
    }
    for invocation in snapshot.numbered("invocation") {
        let (id, text) = invocation?;
        let read = InvocationEntry::read(&format!("invocation/{id}"), text)?;
        let flow = of(read.place);
        flow.check(&read.step, "unsettled work waits for")?;
        if let Some(slot) = read.event {
            flow.takes(&read.step, slot)?;
        }
    }
    for waiting in snapshot.numbered("join") {
        let (arrival, text) = waiting?;
        let read = JoinEntry::read(&format!("join/{arrival}"), text)?;
        let flow = of(read.place);
        flow.check(&read.step, "a set that is not complete waits for")?;
        flow.takes(&read.step, read.event)?;
    }
    for result in snapshot.numbered("collect") {
        let (arrival, text) = result?;
        let read = CollectEntry::read(&format!("collect/{arrival}"), text)?;
        let flow = of(read.place);
        flow.check(&read.step, "what was collected waits for")?;
        flow.takes(&read.step, read.event)?;
    }
    for scope in snapshot.numbered("scope") {
        let (id, text) = scope?;
        let read = ScopeEntry::read(&format!("scope/{id}"), text)?;
        let flow = of(read.place);
        flow.check(&read.step, "an open fan-out belongs to")?;
        for collect in flow.steps.iter().filter(|step| step.of.as_deref() == Some(&*read.step)) {
            flow.check(&collect.name, "an open fan-out is to be collected by")?;
        }
    }
    Ok(())
}

/// A plan, and what a snapshot says of the one before it.
struct Fits<'a> {
    plan: &'a Plan,
    steps: &'a [Described],
    migrated: bool,
    types: &'a EventTypes,
}

impl Fits<'_> {
    fn check(&self, name: &str, waits: &str) -> Result<(), CoreError> {
        let Some(new) = self.plan.step(name) else {
            return Err(refused(format!("{waits} the step \"{name}\", which the workflow no longer has")));
        };
        let new = &self.plan.steps[new as usize].described;
        let Some(old) = self.steps.iter().find(|step| step.name == name) else { return Ok(()) };
        let same_types = self.migrated || new.kind == Kind::Any || same(&new.types, &old.types);
        if new.kind != old.kind || new.keyed != old.keyed || new.of != old.of || !same_types {
            return Err(refused(format!(
                "{waits} the step \"{name}\", which accepts something else now: {} instead of {}",
                tell(new),
                tell(old)
            )));
        }
        Ok(())
    }

    fn takes(&self, name: &str, slot: Slot) -> Result<(), CoreError> {
        // Without its event it is damaged, which is told later.
        let Some(ty) = self.types.of(slot).map(|ty| &self.types.names[ty]) else { return Ok(()) };
        let new = self.plan.step(name).map(|id| &self.plan.steps[id as usize].described);
        if new.is_some_and(|new| new.types.iter().any(|other| other == ty)) {
            return Ok(());
        }
        Err(refused(format!("an event \"{ty}\" waits for the step \"{name}\", which does not accept that type any more")))
    }

    fn queued(&self, ty: &String, slot: Slot) -> Result<(), CoreError> {
        for step in self.steps.iter().filter(|step| step.types.contains(ty)) {
            self.check(&step.name, &format!("an event \"{ty}\" in the queue waits for"))?;
            self.takes(&step.name, slot)?;
        }
        Ok(())
    }
}

/// In any order.
fn same(new: &[String], old: &[String]) -> bool {
    let count = |types: &[String], ty: &String| types.iter().filter(|other| *other == ty).count();
    new.len() == old.len() && new.iter().all(|ty| count(new, ty) == count(old, ty))
}

fn tell(step: &Described) -> String {
    let kind = match step.kind {
        Kind::Any => "",
        Kind::All => "all of ",
        Kind::Collect => "a collection of ",
    };
    let of = step.of.as_ref().map(|of| format!(" of \"{of}\"")).unwrap_or_default();
    let key = if step.keyed { " by key" } else { "" };
    format!("{kind}{}{of}{key}", step.types.iter().map(|ty| format!("\"{ty}\"")).collect::<Vec<_>>().join(", "))
}
