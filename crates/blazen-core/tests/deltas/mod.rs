//! Checkpoints: a base and the deltas after it are the snapshot, byte for byte, after every frame of every vector.
use std::collections::BTreeSet;

use blazen_core::Core;

use crate::player::Player;
use crate::vector::{all, lines};

/// A base with the deltas after it.
struct Checkpoints {
    parts: Vec<Vec<u8>>,
}

impl Checkpoints {
    fn merged(&self, core: &mut Core) -> Vec<u8> {
        let lengths: Vec<u32> = self.parts.iter().map(|part| part.len() as u32).collect();
        core.merge(&self.parts.concat(), &lengths).unwrap_or_else(|| panic!("{}", core.last_error()))
    }
}

fn text(core: &mut Core, bytes: &[u8]) -> String {
    core.text(bytes).unwrap().replace("\",\"", "\",\n\"").replace("},\"", "},\n\"")
}

/// Plays every vector with a checkpoint after every `every`th exchange; paused: each turn is taken in, and dispatched by
/// another exchange.
fn play(every: usize, paused: bool) -> usize {
    let mut deltas = 0;
    for (name, vector) in all().iter().filter(|(_, vector)| vector.get("error").is_none()) {
        let mut player = Player::new(&vector["definition"]);
        let mut checkpoints: Option<Checkpoints> = None;
        let mut exchanges = Vec::new();
        for turn in vector["play"].as_array().unwrap() {
            let mut frames = lines(&turn["in"]);
            if paused {
                let begins = usize::from(frames[0].starts_with("Start"));
                frames.insert(begins, "Pause 1".to_owned());
                exchanges.extend([frames, vec!["Pause 0".to_owned()]]);
            } else {
                exchanges.push(frames);
            }
        }
        for (at, frames) in exchanges.iter().enumerate() {
            player.give(frames);
            if player.over {
                break;
            }
            if (at + 1) % every != 0 {
                continue;
            }
            let Some(stored) = &mut checkpoints else {
                checkpoints = player.base().map(|base| Checkpoints { parts: vec![base] });
                continue;
            };
            let delta = player.delta().unwrap_or_else(|| panic!("{name}, {at}: {}", player.core.last_error()));
            stored.parts.push(delta);
            deltas += 1;
            let whole = player.save().unwrap();
            let merged = stored.merged(&mut player.core);
            if merged != whole {
                assert_eq!(text(&mut player.core, &merged), text(&mut player.core, &whole), "{name}, exchange {at}, {frames:?}");
            }
            assert_eq!(merged, whole, "{name}, exchange {at}");
        }
    }
    deltas
}

#[test]
fn a_base_and_its_deltas_are_the_snapshot() {
    assert!(play(1, false) > 300);
    assert!(play(1, true) > 300);
}

#[test]
fn what_comes_and_goes_between_two_checkpoints_is_in_neither() {
    assert!(play(2, false) > 150);
    assert!(play(3, true) > 100);
}

/// Where nothing has changed, nothing is said; and what did not change is not said again.
#[test]
fn a_delta_has_what_changed_and_no_more() {
    let mut sections = BTreeSet::new();
    for (_, vector) in all().iter().filter(|(_, vector)| vector.get("error").is_none()) {
        let mut player = Player::new(&vector["definition"]);
        for turn in vector["play"].as_array().unwrap() {
            player.give(&lines(&turn["in"]));
            if player.over {
                break;
            }
            let Some(base) = player.base() else { continue };
            let nothing = player.delta().unwrap();
            assert!(nothing.len() < 130, "{} bytes", nothing.len());
            assert_eq!(Checkpoints { parts: vec![base.clone(), nothing] }.merged(&mut player.core), base);
            sections.extend(text(&mut player.core, &base).lines().map(|line| line.split(['/', '"']).nth(1).unwrap_or("").to_owned()));
        }
    }
    assert!(sections.contains("join") && sections.contains("flow"), "{sections:?}");
}

#[test]
fn what_is_no_chain_of_deltas_is_refused() {
    let (_, vector) = all().into_iter().find(|(_, vector)| vector.get("error").is_none()).unwrap();
    let mut player = Player::new(&vector["definition"]);
    player.give(&lines(&vector["play"][0]["in"]));
    assert_eq!(player.delta(), None, "no base");
    let base = player.base().unwrap();
    let one = player.delta().unwrap();
    let two = player.delta().unwrap();
    let mut refused = |parts: &[&[u8]], part: &str| {
        let lengths: Vec<u32> = parts.iter().map(|part| part.len() as u32).collect();
        assert_eq!(player.core.merge(&parts.concat(), &lengths), None, "{part}");
        assert!(player.core.last_error().contains(part), "{}", player.core.last_error());
    };
    refused(&[], "no base");
    refused(&[&one], "binary form");
    refused(&[&base, &two], "delta 2 stands in the place of delta 1");
    refused(&[&base, &one, &one], "delta 1 stands in the place of delta 2");
    refused(&[&base, &one[..one.len() - 1]], "cut short");
    for at in 8..one.len() {
        let mut torn = one.clone();
        torn[at] ^= 1;
        refused(&[&base, &torn], "damaged");
    }
    let text = player.core.text(&base).unwrap();
    assert_eq!(player.core.parse(text.as_bytes()), Some(base));
    assert_eq!(player.core.parse(&one), None, "a delta is no snapshot");
}
