//! Whether a snapshot fits a plan: what waits in it must find its steps, by name. What nothing waits for may have changed.

use std::collections::BTreeMap;

use super::Slot;
use super::entries::{CollectEntry, Entry, InvocationEntry, JoinEntry, QueueEntry, ScopeEntry};
use super::restore::EventTypes;
use crate::error::CoreError;
use crate::plan::{Described, Kind, Plan};
use crate::snapshot::{Snapshot, refused};

/// Whether what waits in the snapshot has its steps in the plan, by name (7.5).
pub fn compatible(plan: &Plan, snapshot: &Snapshot<'_>, types: &EventTypes) -> Result<(), CoreError> {
    let header = &snapshot.header;
    if header.workflow != plan.name {
        return Err(refused(format!("it is of the workflow \"{}\", and this one is \"{}\"", header.workflow, plan.name)));
    }
    if header.version > plan.version {
        return Err(refused(format!("its workflow has version {}, which is newer than {}, this one's", header.version, plan.version)));
    }
    if header.version < plan.version {
        return Err(refused(format!(
            "its workflow has version {}, and this one {}: give \"migrate\" an entry for it",
            header.version, plan.version
        )));
    }
    let mut old = BTreeMap::new();
    for (at, step) in header.steps.iter().enumerate() {
        old.insert(step.name.clone(), at as u32);
    }
    let check = |name: &str, waits: &str| -> Result<(), CoreError> {
        let Some(new) = plan.step(name) else {
            return Err(refused(format!("{waits} the step \"{name}\", which the workflow no longer has")));
        };
        let new = &plan.steps[new as usize].described;
        let Some(old) = old.get(name).map(|at| &header.steps[*at as usize]) else { return Ok(()) };
        let same_types = header.migrated || new.kind == Kind::Any || same(&new.types, &old.types);
        if new.kind != old.kind || new.keyed != old.keyed || new.of != old.of || !same_types {
            return Err(refused(format!(
                "{waits} the step \"{name}\", which accepts something else now: {} instead of {}",
                tell(new),
                tell(old)
            )));
        }
        Ok(())
    };
    let takes = |name: &str, slot: Slot| -> Result<(), CoreError> {
        // Without its event it is damaged, which is told later.
        let Some(ty) = types.of(slot).map(|ty| &types.names[ty]) else { return Ok(()) };
        let new = plan.step(name).map(|id| &plan.steps[id as usize].described);
        if new.is_some_and(|new| new.types.iter().any(|other| other == ty)) {
            return Ok(());
        }
        Err(refused(format!("an event \"{ty}\" waits for the step \"{name}\", which does not accept that type any more")))
    };
    let mut checked = vec![false; types.names.len()];
    for queued in snapshot.numbered("queue") {
        let (at, text) = queued?;
        let read = QueueEntry::read(&format!("queue/{at}"), text)?;
        let Some(slot) = read.event else { continue };
        let Some(at) = types.of(slot).filter(|ty| !checked[*ty]) else { continue };
        checked[at] = true;
        let ty = &types.names[at];
        for step in header.steps.iter().filter(|step| step.types.contains(ty)) {
            check(&step.name, &format!("an event \"{ty}\" in the queue waits for"))?;
            takes(&step.name, slot)?;
        }
    }
    for invocation in snapshot.numbered("invocation") {
        let (id, text) = invocation?;
        let read = InvocationEntry::read(&format!("invocation/{id}"), text)?;
        check(&read.step, "unsettled work waits for")?;
        if let Some(slot) = read.event {
            takes(&read.step, slot)?;
        }
    }
    for waiting in snapshot.numbered("join") {
        let (arrival, text) = waiting?;
        let read = JoinEntry::read(&format!("join/{arrival}"), text)?;
        check(&read.step, "a set that is not complete waits for")?;
        takes(&read.step, read.event)?;
    }
    for result in snapshot.numbered("collect") {
        let (arrival, text) = result?;
        let read = CollectEntry::read(&format!("collect/{arrival}"), text)?;
        check(&read.step, "what was collected waits for")?;
        takes(&read.step, read.event)?;
    }
    for scope in snapshot.numbered("scope") {
        let (id, text) = scope?;
        let read = ScopeEntry::read(&format!("scope/{id}"), text)?;
        check(&read.step, "an open fan-out belongs to")?;
        for collect in header.steps.iter().filter(|step| step.of.as_deref() == Some(&*read.step)) {
            check(&collect.name, "an open fan-out is to be collected by")?;
        }
    }
    Ok(())
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
