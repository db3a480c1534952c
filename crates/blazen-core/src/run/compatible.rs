//! Whether a snapshot fits a plan: what waits in it must find its steps, by name. What nothing waits for may have changed.

use std::collections::{HashMap, HashSet};

use super::Slot;
use super::restore::{EventEntry, entry};
use super::save::{CollectEntry, InvocationEntry, JoinEntry, QueueEntry, ScopeEntry};
use crate::error::CoreError;
use crate::plan::{Described, Kind, Plan};
use crate::snapshot::{Snapshot, refused};

/// Whether what waits in the snapshot has its steps in the plan, by name (7.5).
pub fn compatible(plan: &Plan, snapshot: &Snapshot<'_>) -> Result<(), CoreError> {
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
    let old: HashMap<&str, &Described> = header.steps.iter().map(|step| (step.name.as_str(), step)).collect();
    let check = |name: &str, waits: &str| -> Result<(), CoreError> {
        let Some(new) = plan.step(name) else {
            return Err(refused(format!("{waits} the step \"{name}\", which the workflow no longer has")));
        };
        let new = &plan.steps[new as usize].described;
        let Some(old) = old.get(name) else { return Ok(()) };
        let same_types = header.migrated || new.kind == Kind::Any || sorted(&new.types) == sorted(&old.types);
        if new.kind != old.kind || new.keyed != old.keyed || new.of != old.of || !same_types {
            return Err(refused(format!(
                "{waits} the step \"{name}\", which accepts something else now: {} instead of {}",
                tell(new),
                tell(old)
            )));
        }
        Ok(())
    };
    let mut types: HashMap<u64, String> = HashMap::new();
    for event in snapshot.numbered("event") {
        let (slot, text) = event?;
        types.insert(slot, entry::<EventEntry<'_>>(&format!("event/{slot}"), text)?.ty.into_owned());
    }
    let takes = |name: &str, slot: Slot| -> Result<(), CoreError> {
        // Without its event it is damaged, which is told later.
        let Some(ty) = types.get(&u64::from(slot)) else { return Ok(()) };
        let new = plan.step(name).map(|id| &plan.steps[id as usize].described);
        if new.is_some_and(|new| new.types.iter().any(|other| other == ty)) {
            return Ok(());
        }
        Err(refused(format!("an event \"{ty}\" waits for the step \"{name}\", which does not accept that type any more")))
    };
    let mut checked = HashSet::new();
    for queued in snapshot.numbered("queue") {
        let (at, text) = queued?;
        let read: QueueEntry<'_> = entry(&format!("queue/{at}"), text)?;
        let Some(slot) = read.event else { continue };
        let Some(ty) = types.get(&u64::from(slot)) else { continue };
        if !checked.insert(ty.as_str()) {
            continue;
        }
        for step in header.steps.iter().filter(|step| step.types.contains(ty)) {
            check(&step.name, &format!("an event \"{ty}\" in the queue waits for"))?;
            takes(&step.name, slot)?;
        }
    }
    for invocation in snapshot.numbered("invocation") {
        let (id, text) = invocation?;
        let read: InvocationEntry<'_> = entry(&format!("invocation/{id}"), text)?;
        check(&read.step, "unsettled work waits for")?;
        if let Some(slot) = read.event {
            takes(&read.step, slot)?;
        }
    }
    for waiting in snapshot.numbered("join") {
        let (arrival, text) = waiting?;
        let read: JoinEntry<'_> = entry(&format!("join/{arrival}"), text)?;
        check(&read.step, "a set that is not complete waits for")?;
        takes(&read.step, read.event)?;
    }
    for result in snapshot.numbered("collect") {
        let (arrival, text) = result?;
        let read: CollectEntry<'_> = entry(&format!("collect/{arrival}"), text)?;
        check(&read.step, "what was collected waits for")?;
        takes(&read.step, read.event)?;
    }
    for scope in snapshot.numbered("scope") {
        let (id, text) = scope?;
        let read: ScopeEntry<'_> = entry(&format!("scope/{id}"), text)?;
        check(&read.step, "an open fan-out belongs to")?;
        for collect in header.steps.iter().filter(|step| step.of.as_deref() == Some(&*read.step)) {
            check(&collect.name, "an open fan-out is to be collected by")?;
        }
    }
    Ok(())
}

fn sorted(types: &[String]) -> Vec<&String> {
    let mut types: Vec<&String> = types.iter().collect();
    types.sort();
    types
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
