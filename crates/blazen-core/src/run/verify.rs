//! Two runs compared, member by member: so a run that went through a snapshot shows what the snapshot has lost.

use super::collect::{Gathered, Given};
use super::request::Request;
use super::scope::{Scope, in_order};
use super::settle::{Invocation, State};
use super::{Flow, NOBODY, Run, What};
use crate::bits::Bits;
use crate::plan::StepId;

/// What differs, in the words of `docs/format.md`.
type Difference = Option<&'static str>;

macro_rules! differs {
    ($($name:literal: $a:expr, $b:expr;)*) => {
        $(if ($a) != ($b) {
            return Some($name);
        })*
    };
}

impl Run {
    /// The first member in which a run that was restored from this one's snapshot differs from it.
    pub fn difference(&self, restored: &Self, unbegun: &Bits) -> Difference {
        // All fields are named, so that a new one is not forgotten. Those without a name below do not outlive an exchange,
        // are counted from the start of a process, or are told by the host again (the keys of queued events).
        let Self {
            flows,
            scopes,
            queue,
            invocations,
            requests,
            timers: _,
            slots,
            staged: _,
            keys: _,
            next_keys: _,
            next_id: _,
            commit: _,
            durable: _,
            next_seq,
            called: _,
            next_opened,
            next_arrival,
            queue_head,
            restored: _,
            paused: _,
            outside,
            live,
            lined,
            asking: _,
            within,
            asked,
            failures: _,
            changes: _,
            observed: _,
            over: _,
            more: _,
            failure: _,
            spill: _,
        } = self;
        differs! {
            "invocation": invocations.len(), restored.invocations.len();
            "run": (next_seq, next_opened, next_arrival, queue_head), (&restored.next_seq, &restored.next_opened, &restored.next_arrival, &restored.queue_head);
            "queue": queue.len(), restored.queue.len();
            "scope": scopes.len(), restored.scopes.len();
            "flow": (flows.len(), outside, within), (restored.flows.len(), &restored.outside, &restored.within);
            "invocation": (live, lined), (&restored.live, &restored.lined);
            "request": (requests.len(), asked), (restored.requests.len(), &restored.asked);
        }
        let entry = |what: What| match what {
            What::Event { ty, slot, from } => (ty, slot, from),
            What::Close => (u32::MAX, u32::MAX, u32::MAX),
            What::Nothing => (u32::MAX, u32::MAX, 0),
        };
        for (a, b) in queue.iter().zip(&restored.queue) {
            differs! { "queue": (entry(a.what), a.place), (entry(b.what), b.place); }
        }
        let invocation = invocations.iter().zip(restored.invocations.iter()).find_map(|((id, a), (other, b))| {
            differs! { "invocation": id, other; }
            invocation(a, b, u32::from(unbegun.contains(id)))
        });
        let request = requests.iter().zip(restored.requests.iter()).find_map(|((id, a), (other, b))| {
            differs! { "request": id, other; }
            request(a, b)
        });
        let flow = flows.iter().zip(restored.flows.iter()).find_map(|((id, a), (other, b))| {
            differs! { "flow": id, other; }
            flow(a, b)
        });
        let scope = scopes.iter().zip(restored.scopes.iter()).find_map(|((id, a), (other, b))| {
            differs! { "scope": id, other; }
            scope(a, b)
        });
        let held = |slots: &[u32]| slots.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1);
        let (mine, its) = (&slots[..held(slots)], &restored.slots[..held(&restored.slots)]);
        invocation.or(request).or(flow).or(scope).or_else(|| (mine != its).then_some("event"))
    }
}

fn invocation(a: &Invocation, b: &Invocation, unbegun: u32) -> Difference {
    let Invocation { seq, step, flow, place, input, state, fan, attempts, yields, failures, waits, children, within, previous, next } = a;
    differs! {
        "attempts": attempts.saturating_sub(unbegun), b.attempts;
        "yields": *yields, b.yields;
        "failures": *failures, b.failures;
        "until": a.again(), b.again();
        "sleeps": waits.as_ref().map(|waits| &waits.sleeps), b.waits.as_ref().map(|waits| &waits.sleeps);
        "requests": waits.as_ref().map(|waits| &waits.requests), b.waits.as_ref().map(|waits| &waits.requests);
        "fan": *fan, b.fan;
        "flow": (*children, *within), (b.children, b.within);
        "invocation": (*seq, *step, *flow, *place, *state), (b.seq, b.step, b.flow, b.place, b.state);
        "invocation": (*previous, *next), (b.previous, b.next);
        "invocation": if *state == State::Withdrawn { Vec::new() } else { input.slots() }, b.input.slots();
    }
    None
}

fn request(a: &Request, b: &Request) -> Difference {
    // Whether the present attempt awaits it ends with the attempt.
    let Request { slot, place, by, state, until, awaited: _ } = a;
    differs! {
        "until": *until, b.until;
        "request": (*slot, *place, *by, *state), (b.slot, b.place, b.by, b.state);
    }
    None
}

fn scope(a: &Scope, b: &Scope) -> Difference {
    let Scope {
        flow,
        opener,
        place,
        depth,
        opened,
        next_branch,
        live,
        held,
        state,
        generator,
        invocations,
        children,
        asked,
        previous,
        next,
        gathered: all,
    } = a;
    differs! {
        "branches": *next_branch, b.next_branch;
        "fan": *generator, b.generator;
        "scope": (*flow, *opener, *place, *depth, *opened, *state), (b.flow, b.opener, b.place, b.depth, b.opened, b.state);
        "scope": (*live, *held), (b.live, b.held);
        "request": in_order(asked), in_order(&b.asked);
        "scope": (*invocations, *children), (b.invocations, b.children);
    }
    // Neighbours of a scope that has left its parent's list mean nothing.
    if b.previous != NOBODY || b.next != NOBODY {
        differs! { "scope": (*previous, *next), (b.previous, b.next); }
    }
    all.iter().zip(&b.gathered).find_map(|(a, b)| gathered(a, b))
}

fn gathered(a: &Gathered, b: &Gathered) -> Difference {
    // Whether it ran counts for collects over the whole of a flow alone.
    let Gathered { results, done, ran: _ } = a;
    differs! {
        "done": *done, b.done;
        "collect": results, &b.results;
    }
    None
}

fn flow(a: &Flow, b: &Flow) -> Difference {
    let Flow { plan: _, root, by, sibling, branch, over, outside, invocations, latest: _, scopes, pools, joins, whole, given, sent } = a;
    differs! {
        "branch": *branch, b.branch;
        "flow": (*by, *sibling, *over, *outside, *invocations, *scopes), (b.by, b.sibling, b.over, b.outside, b.invocations, b.scopes);
        "flow": (*over || *root == b.root), true;
    }
    let (own_sent, own_given) = if *by == NOBODY { ("sent", "given") } else { ("child", "flow-given") };
    if sent.len() != b.sent.len() || *sent != b.sent {
        return Some(own_sent);
    }
    for (a, b) in pools.iter().zip(&b.pools) {
        differs! {
            "invocation": a.running, b.running;
            "line": a.backlog, b.backlog;
        }
    }
    let lines = |flow: &Flow| {
        let sets = (0..)
            .zip(&flow.joins)
            .flat_map(|(step, state): (StepId, _)| state.sets.iter().map(move |(key, lines)| (step, *key, lines.clone())));
        sets.filter(|(.., lines)| lines.iter().any(|line| !line.is_empty())).collect::<Vec<_>>()
    };
    if lines(a) != lines(b) {
        return Some("join");
    }
    let _ = joins;
    for (a, b) in whole.iter().zip(&b.whole) {
        let difference = gathered(a, b).or_else(|| (a.ran != b.ran).then_some(own_given));
        if difference.is_some() {
            return difference;
        }
    }
    let counts = |given: &[Given]| {
        (0..)
            .zip(given)
            .map(|(step, given): (StepId, _)| (step, given.runs, given.results))
            .filter(|(_, runs, _)| *runs > 0)
            .collect::<Vec<_>>()
    };
    (counts(given) != counts(&b.given)).then_some(own_given)
}
