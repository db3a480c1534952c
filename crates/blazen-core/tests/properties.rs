//! What holds for every workflow and every order of settlements.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test fails by panicking.

mod host;
mod tagged;
mod tape;
mod workflow;

use std::collections::BTreeMap;

use blazen_core::*;
use host::{Book, Frame, Host};
use proptest::prelude::*;
use tape::Tape;
use workflow::{Kind, Step, Workflow};

fn tape() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 100..800)
}

/// How often each property is tried; the nightly run asks for more.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").map_or(1000, |number| number.parse().expect("PROPTEST_CASES is a number"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    /// `Host` checks each command by itself: ids, held payloads, pools, and that a run with nothing running has ended or waits.
    #[test]
    fn a_run_keeps_its_books(bytes in tape()) {
        let mut tape = Tape::new(&bytes);
        let workflow = Workflow::random(&mut tape, true);
        Host::play(&workflow, &mut tape);
    }

    #[test]
    fn every_event_reaches_each_step_once(bytes in tape()) {
        let mut tape = Tape::new(&bytes);
        let workflow = Workflow::random(&mut tape, false);
        let host = Host::play(&workflow, &mut tape);
        each_step_once(&host)?;
    }

    /// Nothing routed is lost, and nothing committed runs twice.
    #[test]
    fn a_stored_run_goes_on_elsewhere(bytes in tape()) {
        let mut tape = Tape::new(&bytes);
        let workflow = Workflow::random(&mut tape, true);
        let host = Host::play_with(&workflow, &mut tape, true);
        each_step_once(&host)?;
    }

    #[test]
    fn the_same_inputs_give_the_same_commands(bytes in tape()) {
        let mut tape = Tape::new(&bytes);
        let workflow = Workflow::random(&mut tape, true);
        let host = Host::play(&workflow, &mut tape);
        let together: Vec<Frame> = host.log.iter().flat_map(|(_, commands)| commands.clone()).collect();
        prop_assert_eq!(&replay(&workflow, host.log.iter().map(|(frames, _)| frames.clone())), &together);
        // That a run waits is told with each exchange.
        let quiet = |commands: &[Frame]| commands.iter().filter(|[tag, ..]| *tag != CMD_WAITING).copied().collect::<Vec<_>>();
        let alone = host.log.iter().flat_map(|(frames, _)| frames.iter().map(|frame| vec![*frame]).collect::<Vec<_>>());
        prop_assert_eq!(quiet(&replay(&workflow, alone)), quiet(&together));
    }

    #[test]
    fn bad_frames_are_refused(frames in prop::collection::vec(prop::array::uniform4(word()), 1..60), start in any::<bool>()) {
        let workflow = Workflow::random(&mut Tape::new(&[200; 64]), true);
        let mut core = Core::new();
        let plan = core.compile(&workflow.definition());
        let mut buffer = vec![0; BUFFER_WORDS];
        let mut run = -1;
        if start {
            buffer[0] = -1;
            host::exchange(&mut core, &mut buffer, &mut run, &[[IN_START, plan, 0, -1]]).unwrap();
        }
        for frames in frames.chunks(7) {
            let frames: Vec<Frame> = frames.iter().copied().filter(|frame| frame[0] != IN_PANIC).collect();
            if host::exchange(&mut core, &mut buffer, &mut run, &frames).is_err() {
                prop_assert!(core.last_error().contains("\"code\":900"));
            }
        }
        // Others are none the worse.
        let mut other = -1;
        prop_assert!(!host::exchange(&mut core, &mut buffer, &mut other, &[[IN_START, plan, 0, -1]]).unwrap().is_empty());
    }
}

/// Each event has reached each step that accepts it once, in all flows that have come to their end by themselves.
fn each_step_once(host: &Host<'_>) -> Result<(), TestCaseError> {
    let cancels = |step: &Step| matches!(step.kind, Kind::Of { first: Some(_), .. });
    for (at, book) in (0..).zip(&host.books) {
        if book.exhausted && !book.workflow.steps.iter().any(cancels) {
            each_step_of(host, at, book)?;
        }
    }
    Ok(())
}

fn each_step_of(host: &Host<'_>, at: usize, book: &Book<'_>) -> Result<(), TestCaseError> {
    let workflow = book.workflow;
    let events: BTreeMap<i32, i32> = host.events.iter().filter(|(_, (_, of))| *of == at).map(|(slot, (ty, _))| (*slot, *ty)).collect();
    for (id, step) in workflow.steps.iter().enumerate() {
        let mut given = BTreeMap::<i32, usize>::new();
        for (_, input) in book.calls.iter().filter(|(step, _)| *step == id as i32) {
            input.iter().for_each(|slot| *given.entry(*slot).or_default() += 1);
        }
        for (slot, ty) in &events {
            let expected = step.types.contains(ty);
            let times = given.get(slot).copied().unwrap_or(0);
            match step.kind {
                Kind::Any => prop_assert_eq!(times, usize::from(expected), "step {} and event {}", id, slot),
                Kind::Whole { .. } => prop_assert_eq!(times, usize::from(expected), "collect {} and event {}", id, slot),
                Kind::All | Kind::Of { .. } => {
                    prop_assert!(times <= usize::from(expected), "step {} got event {} {} times", id, slot, times)
                }
            }
        }
        if let Kind::Of { opener, every: None, first: None } = step.kind {
            let runs = book.calls.iter().filter(|(step, _)| *step == id as i32).count();
            let opened = book.fans.iter().filter(|step| **step == opener).count();
            prop_assert_eq!(runs, opened, "collect {} of {}", id, opener);
        }
        if let Kind::All = step.kind {
            for ty in &step.types {
                let of_type = |slot: &&i32| events[*slot] == *ty;
                let taken: Vec<i32> = book
                    .calls
                    .iter()
                    .filter(|(step, _)| *step == id as i32)
                    .flat_map(|(_, input)| input.iter().filter(of_type))
                    .copied()
                    .collect();
                let arrived: Vec<i32> = book.routed.iter().filter(of_type).copied().take(taken.len()).collect();
                prop_assert_eq!(taken, arrived, "join {} is first in first out", id);
            }
        }
    }
    // What is held at the end waits in a join.
    for slot in host.held.keys().filter(|slot| events.contains_key(slot)) {
        let ty = events.get(slot);
        prop_assert!(
            workflow.steps.iter().any(|step| step.kind == Kind::All && ty.is_some_and(|ty| step.types.contains(ty))),
            "payload {} is lost",
            slot
        );
    }
    Ok(())
}

fn word() -> impl Strategy<Value = i32> {
    prop_oneof![8 => 0..24i32, 2 => -3..200i32, 1 => any::<i32>()]
}

fn replay(workflow: &Workflow, inputs: impl Iterator<Item = Vec<Frame>>) -> Vec<Frame> {
    let mut core = host::compiled(workflow);
    let mut buffer = vec![0; BUFFER_WORDS];
    let mut run = -1;
    inputs.flat_map(|frames| host::exchange(&mut core, &mut buffer, &mut run, &frames).unwrap()).collect()
}
