//! Which child runs a snapshot holds, and which of them each of its scopes belongs to.

use super::entries::{Entry as _, FlowEntry, InvocationEntry, RequestEntry, ScopeEntry, place};
use super::flow::{FlowId, RUN};
use super::restore::MOST;
use super::{NOBODY, Place, ROOT};
use crate::error::CoreError;
use crate::json::{Fields, Object, string, write_list};
use crate::snapshot::{Snapshot, damaged};
use crate::sort::sort;

pub struct Layout {
    /// By their ids, in order.
    pub flows: Vec<(FlowId, FlowEntry)>,
    /// By scope; NOBODY: there is none.
    scopes: Vec<FlowId>,
}

impl Layout {
    pub fn read(snapshot: &Snapshot<'_>) -> Result<Self, CoreError> {
        let mut layout = Self { flows: Vec::new(), scopes: vec![RUN] };
        for flow in snapshot.numbered("flow") {
            let (id, text) = flow?;
            let key = format!("flow/{id}");
            let read = FlowEntry::read(&key, text)?;
            if id == 0 || id >= MOST || read.scope.is_some_and(|scope| scope == ROOT || u64::from(scope) >= MOST) {
                return Err(damaged(format!("the entry \"{key}\" has a number that cannot be")));
            }
            if let Some(scope) = read.scope
                && !layout.put(scope, id as FlowId)
            {
                return Err(damaged(format!("the entry \"{key}\" names the scope {scope} that is another's")));
            }
            layout.flows.push((id as FlowId, read));
        }
        // A fan-out is opened before those in it.
        let mut scopes = Vec::new();
        let mut around = Vec::new();
        for scope in snapshot.numbered("scope") {
            let (id, text) = scope?;
            let key = format!("scope/{id}");
            let read = ScopeEntry::read(&key, text)?;
            if id == 0 || id >= MOST {
                return Err(damaged(format!("the entry \"{key}\" has a number that cannot be")));
            }
            scopes.push((read.opened, around.len() as u32));
            around.push((id as u32, read.place));
        }
        sort(&mut scopes);
        for (_, at) in scopes {
            let (id, place) = around[at as usize];
            if !layout.put(id, layout.flow_at(place)) {
                return Err(damaged(format!("two entries are of the scope {id}")));
            }
        }
        Ok(layout)
    }

    /// False if the scope is another's.
    fn put(&mut self, scope: u32, flow: FlowId) -> bool {
        let at = scope as usize;
        if self.scopes.len() <= at {
            self.scopes.resize(at + 1, NOBODY);
        }
        std::mem::replace(&mut self.scopes[at], flow) == NOBODY
    }

    /// The flow of what is at a place; of one that cannot be, which is told of later, that of the run itself.
    pub fn flow_at(&self, place: Option<Place>) -> FlowId {
        let flow = place.and_then(|place| self.scopes.get(place.scope as usize).copied());
        flow.filter(|flow| *flow != NOBODY).unwrap_or(RUN)
    }

    /// Where a flow stands among all, the run itself first.
    pub fn position(&self, flow: FlowId) -> Option<usize> {
        if flow == RUN {
            return Some(0);
        }
        self.flows.binary_search_by_key(&flow, |(id, _)| *id).ok().map(|at| at + 1)
    }

    /// For each child run what the host wants to know: its id; of the invocation that opened it the flow, id, number and step; the
    /// branch, whether it is over, and which of the header's workflows it is of.
    pub fn json(&self, snapshot: &Snapshot<'_>) -> Result<String, CoreError> {
        let mut out = Vec::new();
        let mut rows = Vec::new();
        for (id, flow) in &self.flows {
            let key = format!("invocation/{}", flow.by);
            let text = snapshot.get(&key).ok_or_else(|| damaged(format!("the entry \"{key}\" is missing")))?;
            let by = InvocationEntry::read(&key, text)?;
            let mut row = Vec::new();
            let mut object = Object::new(&mut row);
            object.number("id", u64::from(*id));
            object.number("flow", u64::from(self.flow_at(by.place)));
            object.number("invocation", u64::from(flow.by));
            object.number("seq", by.seq);
            object.text("step", &by.step);
            object.number("branch", u64::from(flow.branch));
            object.raw("over", if flow.scope.is_none() { "true" } else { "false" });
            object.number("workflow", u64::from(flow.workflow));
            object.end();
            rows.push(row);
        }
        write_list(&mut out, &rows, |out, row| out.extend_from_slice(row));
        Ok(string(out))
    }

    /// The slots of the events that child runs hold, each with the child run.
    pub fn inner_events(&self, snapshot: &Snapshot<'_>) -> Result<Vec<(u32, FlowId)>, CoreError> {
        let mut slots = Vec::new();
        if self.flows.is_empty() {
            return Ok(slots);
        }
        for section in ["queue", "invocation", "join", "collect", "request"] {
            for entry in snapshot.numbered(section) {
                let (_, text) = entry?;
                let wrong = |wrong| damaged(format!("an entry of the section \"{section}\" cannot be read: {wrong}"));
                let mut fields = Fields::read(text).map_err(wrong)?;
                let at = place(&mut fields).map_err(wrong)?;
                let flow = self.flow_at(at);
                if flow == RUN {
                    continue;
                }
                slots.extend(fields.maybe_small("event").map_err(wrong)?.map(|slot| (slot, flow)));
                slots.extend(fields.smalls("events").map_err(wrong)?.into_iter().map(|slot| (slot, flow)));
            }
        }
        // What a step within a child run awaits has no place.
        for invocation in snapshot.numbered("invocation") {
            let (id, text) = invocation?;
            let read = InvocationEntry::read(&format!("invocation/{id}"), text)?;
            let flow = self.flow_at(read.place);
            if flow == RUN {
                continue;
            }
            for request in read.requests {
                let key = format!("request/{request}");
                let Some(text) = snapshot.get(&key) else { continue };
                slots.push((RequestEntry::read(&key, text)?.event, flow));
            }
        }
        Ok(slots)
    }
}
