//! A run from the entries of a snapshot, whose bytes nobody vouches for: all numbers are checked, and what the writer left
//! out is counted anew. Either the whole run stands, or none of it.

mod children;
mod invocations;
mod scopes;
mod waits;

use std::collections::BTreeMap;
use std::rc::Rc;

use super::collect::{Given, Result as Collected};
use super::entries::{CollectEntry, Entry as _, EventEntry, GivenEntry, JoinEntry, QueueEntry, RunEntry, place_of};
use super::flow::{Flow, FlowId, RUN};
use super::join::Waiting;
use super::layout::Layout;
use super::scope::State as ScopeState;
use super::{NOBODY, Place, Queued, ROOT, Run, Slot, What};
use crate::error::CoreError;
use crate::plan::{Accept, FAILED, Plan, REQUEST, StepId, TypeId};
use crate::snapshot::{Snapshot, damaged, number, refused};

/// Numbers that stand for places in memory: larger ones are a mistake, and would cost what they name.
pub const MOST: u64 = 1 << 22;
const MOST_SLOTS: u64 = 1 << 24;
/// Numbers of join keys and of ids that were sent: a bit each.
const MOST_IDS: u32 = 1 << 26;
/// Counts that go on growing from what the snapshot says, in 32 bits.
const MOST_OF_ALL: u32 = 1 << 30;

type Restored<T> = Result<T, CoreError>;

/// The type of each event in a snapshot.
pub struct EventTypes {
    pub names: Vec<String>,
    /// Places among the names; NOBODY: nothing is there.
    by_slot: Vec<u32>,
}

impl EventTypes {
    pub fn read(snapshot: &Snapshot<'_>) -> Restored<Self> {
        let mut types = Self { names: Vec::new(), by_slot: Vec::new() };
        let mut known = BTreeMap::new();
        for event in snapshot.numbered("event") {
            let (slot, text) = event?;
            let read = EventEntry::read(&format!("event/{slot}"), text)?;
            if slot >= MOST_SLOTS {
                return Err(damaged(format!("{slot} is no slot of an event")));
            }
            let name = known.get(&*read.ty).copied().unwrap_or_else(|| {
                types.names.push(read.ty.to_string());
                known.insert(read.ty.to_string(), types.names.len() as u32 - 1);
                types.names.len() as u32 - 1
            });
            types.by_slot.resize(slot as usize, NOBODY);
            types.by_slot.push(name);
        }
        Ok(types)
    }

    /// The number that a plan has for each of the names.
    fn known_to(&self, plan: &Plan) -> Vec<TypeId> {
        let unknown = plan.types.len();
        self.names.iter().map(|name| plan.types.iter().position(|ty| ty == name).unwrap_or(unknown) as TypeId).collect()
    }

    /// By slot: the type's place among the names.
    pub fn of(&self, slot: Slot) -> Option<usize> {
        self.by_slot.get(slot as usize).filter(|name| **name != NOBODY).map(|name| *name as usize)
    }
}

/// What the entries say, before it is put together.
struct Reading<'a> {
    snapshot: &'a Snapshot<'a>,
    layout: &'a Layout,
    types: &'a EventTypes,
    /// By flow, as the layout has them: the number that its plan has for each of the types' names.
    known: Vec<Vec<TypeId>>,
    queue_end: u64,
    run: Run,
}

impl Run {
    /// The run of a snapshot that fits the plans (see `compatible`).
    pub fn restore(plans: Vec<Rc<Plan>>, snapshot: &Snapshot<'_>, layout: &Layout, types: &EventTypes) -> Restored<Box<Self>> {
        // Nothing is dispatched before the host has told the keys of queued events, in as many exchanges as it takes.
        let run = Self { durable: u64::MAX, restored: true, paused: true, ..Self::default() };
        let known = plans.iter().map(|plan| types.known_to(plan)).collect();
        let mut reading = Reading { snapshot, layout, types, known, queue_end: 0, run };
        reading.counters()?;
        reading.events();
        reading.flows(plans)?;
        reading.scopes()?;
        reading.requests()?;
        reading.invocations()?;
        reading.children()?;
        reading.asked()?;
        reading.queue()?;
        reading.joins()?;
        reading.collects()?;
        reading.ids()?;
        reading.count_scopes()?;
        reading.outside()?;
        Ok(Box::new(reading.run))
    }
}

impl Reading<'_> {
    fn counters(&mut self) -> Restored<()> {
        let text = self.snapshot.get("run").ok_or_else(|| damaged("the entry \"run\" is missing"))?;
        let RunEntry { invocations, scopes, arrivals, queue } = RunEntry::read("run", text)?;
        // They only ever grow: a run never comes near the ends of what they can count.
        let most = 1 << 53;
        if [invocations, scopes, arrivals, queue.0, queue.1].iter().any(|count| *count > most) {
            return Err(damaged("a counter of the entry \"run\" is too large"));
        }
        self.run.next_seq = invocations;
        self.run.next_opened = scopes;
        self.run.next_arrival = arrivals;
        self.run.queue_head = queue.0;
        self.queue_end = queue.1;
        Ok(())
    }

    fn plan(&self, flow: FlowId) -> Rc<Plan> {
        self.run.flows[flow].plan.clone()
    }

    fn step(&self, key: &str, flow: FlowId, name: &str) -> Restored<StepId> {
        self.run.flows[flow]
            .plan
            .step(name)
            .ok_or_else(|| damaged(format!("the entry \"{key}\" names a step \"{name}\" that there is not")))
    }

    fn events(&mut self) {
        // Held by nobody so far; `hold_event` counts.
        self.run.slots.resize(self.types.by_slot.len(), 0);
        for (slot, name) in (0..).zip(&self.types.by_slot) {
            if self.types.names.get(*name as usize).is_some_and(|name| name == FAILED) {
                self.run.failures.insert(slot);
            }
        }
    }

    fn hold_event(&mut self, key: &str, slot: Slot) -> Restored<()> {
        let _ = self.types.of(slot).ok_or_else(|| damaged(format!("the entry \"{key}\" names the event {slot} that there is not")))?;
        self.run.slots[slot as usize] += 1;
        Ok(())
    }

    /// The number of an event's type in a flow's plan, which it may not know.
    fn type_in(&self, flow: FlowId, slot: Slot) -> TypeId {
        let known = self.layout.position(flow).and_then(|at| self.known.get(at));
        known.zip(self.types.of(slot)).and_then(|(known, name)| known.get(name).copied()).unwrap_or(TypeId::MAX)
    }

    fn is_request(&self, slot: Slot) -> bool {
        self.types.of(slot).is_some_and(|name| self.types.names[name] == REQUEST)
    }

    fn place(&self, key: &str, at: Option<Place>) -> Restored<Place> {
        let place = place(at);
        match self.run.scopes.get(place.scope) {
            // The run itself has no branches: what is in none has no place.
            Some(_) if at.is_none() || place.scope != ROOT => Ok(place),
            _ => Err(damaged(format!("the entry \"{key}\" is in the scope {} that there is not", place.scope))),
        }
    }

    fn queue(&mut self) -> Restored<()> {
        for (next, queued) in (self.run.queue_head..).zip(self.snapshot.numbered("queue")) {
            let (at, text) = queued?;
            let key = format!("queue/{at}");
            if at != next {
                return Err(damaged(format!("the entry \"queue/{next}\" is missing")));
            }
            let read = QueueEntry::read(&key, text)?;
            let entry = match (read.event, read.close, read.withdrawn) {
                (Some(slot), None, false) => {
                    self.hold_event(&key, slot)?;
                    let place = self.place(&key, read.place)?;
                    let flow = self.run.flow_at(place);
                    let ty = self.type_in(flow, slot);
                    // Only for a message: the step may be gone.
                    let from = read.from.and_then(|name| self.run.flows[flow].plan.step(&name)).unwrap_or(NOBODY);
                    if place.scope != ROOT
                        && let Some(scope) = self.run.scopes.get_mut(place.scope)
                    {
                        if scope.state == ScopeState::Ended && scope.opener != NOBODY {
                            return Err(wrong(&key, "is in a fan-out that has ended"));
                        }
                        scope.live += 1;
                    }
                    Queued { commit: 0, what: What::Event { ty, slot, from }, place }
                }
                (None, Some(id), false) => {
                    let scope = self.run.scopes.get_mut(id);
                    let scope =
                        scope.filter(|scope| id != ROOT && scope.held == 0 && (scope.opener == NOBODY || scope.state != ScopeState::Open));
                    let scope = scope.ok_or_else(|| wrong(&key, "closes a fan-out that cannot be closed"))?;
                    scope.held = 1;
                    if scope.opener == NOBODY {
                        scope.state = ScopeState::Ended;
                    }
                    Queued { commit: 0, what: What::Close, place: Place { scope: id, branch: 0 } }
                }
                (None, None, true) => Queued { commit: 0, what: What::Nothing, place: place(None) },
                _ => return Err(wrong(&key, "is neither an event nor an end")),
            };
            self.run.queue.push_back(entry);
        }
        let end = self.run.queue_head + self.run.queue.len() as u64;
        if end != self.queue_end {
            return Err(damaged(format!("the entry \"queue/{end}\" is missing")));
        }
        Ok(())
    }

    fn joins(&mut self) -> Restored<()> {
        for waiting in self.snapshot.numbered("join") {
            let (arrival, text) = waiting?;
            let key = format!("join/{arrival}");
            let read = JoinEntry::read(&key, text)?;
            let flow = self.layout.flow_at(read.place);
            let plan = self.plan(flow);
            let step = self.step(&key, flow, &read.step)?;
            self.hold_event(&key, read.event)?;
            let ty = self.type_in(flow, read.event);
            let Accept::Join(join) = &plan.steps[step as usize].accepts else {
                return Err(damaged(format!("the entry \"{key}\" names the step \"{}\", which is no join", read.step)));
            };
            let port = join.ports.iter().position(|(of, _)| *of == ty);
            let port = port.ok_or_else(|| wrong(&key, "is an event that the join does not take"))?;
            if join.keyed != read.key.is_some() || read.key.is_some_and(|key| key > MOST_OF_ALL) || arrival >= self.run.next_arrival {
                return Err(wrong(&key, "has a number that cannot be"));
            }
            if let Some(id) = read.key
                && self.snapshot.get(&format!("key/{id}")).is_none()
            {
                return Err(damaged(format!("the entry \"{key}\" has the key {id} that there is not")));
            }
            let place = self.place(&key, read.place)?;
            self.run.hold_scope(place.scope);
            let sets = &mut Flow::of_step(&mut self.run.flows[flow].joins, step).sets;
            let lines = sets.entry(read.key.unwrap_or(0) as i32).or_insert_with(|| vec![Default::default(); join.ports.len()]);
            lines[port].push_back(Waiting { arrival, slot: read.event, place });
        }
        Ok(())
    }

    fn collects(&mut self) -> Restored<()> {
        for result in self.snapshot.numbered("collect") {
            let (arrival, text) = result?;
            let key = format!("collect/{arrival}");
            let read = CollectEntry::read(&key, text)?;
            let flow = self.layout.flow_at(read.place);
            let plan = self.plan(flow);
            let step = self.step(&key, flow, &read.step)?;
            self.hold_event(&key, read.event)?;
            let whole = read.place == place_of(self.run.flows[flow].root());
            let gathered = match (&plan.steps[step as usize].accepts, read.place) {
                (Accept::Collect(collect), _) if collect.of.is_none() && whole => self.run.flows[flow].whole.get_mut(collect.place),
                (Accept::Collect(collect), Some(Place { scope, .. })) => {
                    let scope = self
                        .run
                        .scopes
                        .get_mut(scope)
                        .filter(|scope| collect.of == Some(scope.opener) && scope.state != ScopeState::Cancelled);
                    scope.and_then(|scope| scope.gathered.get_mut(collect.place))
                }
                _ => None,
            };
            let gathered = gathered.ok_or_else(|| wrong(&key, "is where nothing is collected"))?;
            if arrival >= self.run.next_arrival {
                return Err(wrong(&key, "has a number that cannot be"));
            }
            gathered.results.push(Collected { arrival, branch: read.place.map_or(0, |place| place.branch), slot: read.event });
        }
        for (name, text) in self.snapshot.section("given") {
            self.given(RUN, &format!("given/{name}"), name, text)?;
        }
        for (rest, text) in self.snapshot.section("flow-given") {
            let key = format!("flow-given/{rest}");
            let (flow, name) = self.in_child(&key, rest)?;
            self.given(flow, &key, name, text)?;
        }
        Ok(())
    }

    fn given(&mut self, flow: FlowId, key: &str, name: &str, text: &str) -> Restored<()> {
        let GivenEntry { runs, events } = GivenEntry::read(key, text)?;
        if runs.max(events) > MOST_OF_ALL {
            return Err(wrong(key, "has a number that cannot be"));
        }
        let plan = self.plan(flow);
        // What a step that is gone was given matters to nobody.
        let Some(step) = plan.step(name) else { return Ok(()) };
        let flow = &mut self.run.flows[flow];
        *Flow::of_step(&mut flow.given, step) = Given { runs: runs as usize, results: events as usize };
        if let Accept::Collect(collect) = &plan.steps[step as usize].accepts
            && collect.of.is_none()
            && let Some(whole) = flow.whole.get_mut(collect.place)
        {
            whole.ran = runs > 0;
        }
        Ok(())
    }

    /// The child run that a key is of, and what follows in it.
    fn in_child<'b>(&self, key: &str, rest: &'b str) -> Restored<(FlowId, &'b str)> {
        let (flow, rest) = rest.split_once('/').unwrap_or((rest, ""));
        let flow = number(flow).and_then(|id| u32::try_from(id).ok()).filter(|id| *id != RUN && self.run.flows.get(*id).is_some());
        Ok((flow.ok_or_else(|| wrong(key, "is of a child run that there is not"))?, rest))
    }

    fn ids(&mut self) -> Restored<()> {
        for (rest, _) in self.snapshot.section("key") {
            id_of(&format!("key/{rest}"), rest)?;
        }
        for (rest, _) in self.snapshot.section("sent") {
            self.run.flows[RUN].sent.insert(id_of(&format!("sent/{rest}"), rest)?);
        }
        for (rest, _) in self.snapshot.section("child") {
            let key = format!("child/{rest}");
            let (flow, rest) = self.in_child(&key, rest)?;
            if let Some(id) = rest.strip_prefix("sent/") {
                self.run.flows[flow].sent.insert(id_of(&key, id)?);
            }
        }
        // Its id is one request's.
        let mut asking = self.run.slots.iter().enumerate().filter(|(slot, _)| self.is_request(*slot as Slot));
        if let Some((slot, _)) = asking.find(|(_, count)| **count > 1) {
            return Err(damaged(format!("two things refer to the request \"event/{slot}\"")));
        }
        match self.run.slots.iter().enumerate().find(|(slot, count)| **count == 0 && self.types.of(*slot as Slot).is_some()) {
            Some((slot, _)) => Err(damaged(format!("nothing refers to the entry \"event/{slot}\""))),
            None => Ok(()),
        }
    }
}

/// The host counts on from the largest.
fn id_of(key: &str, id: &str) -> Restored<u32> {
    let id = number(id).and_then(|id| u32::try_from(id).ok()).filter(|id| *id < MOST_IDS);
    id.ok_or_else(|| wrong(key, "has a number that cannot be"))
}

/// A few bytes may name ids that would take gigabytes.
fn fits(there_was_room: bool) -> Restored<()> {
    if there_was_room { Ok(()) } else { Err(refused("it has ids for which there is no memory")) }
}

#[inline(never)]
fn wrong(key: &str, what: &str) -> CoreError {
    damaged(format!("the entry \"{key}\" {what}"))
}

fn place(at: Option<Place>) -> Place {
    at.unwrap_or(Place { scope: ROOT, branch: 0 })
}
