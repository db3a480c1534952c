//! Every vector, stopped after every frame, stored, read by another core and gone on with (7.3).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test fails by panicking.

mod deltas;
mod player;
mod tagged;
mod vector;

use std::collections::BTreeSet;

use player::{Player, with_flows};
use serde_json::Value;
use vector::{NONE, all, lines};

fn turns(vector: &Value) -> Vec<(Vec<String>, Vec<String>)> {
    let mut flow = 0;
    vector["play"].as_array().unwrap().iter().map(|turn| (lines(&turn["in"]), with_flows(&lines(&turn["out"]), &mut flow))).collect()
}

/// Without the number of attempts in a Failed line, which a stop makes one more.
fn told(lines: &[String]) -> Vec<String> {
    let told = |line: &String| match line.split(' ').collect::<Vec<_>>()[..] {
        ["Failed", slot, step, _, ref inputs @ ..] => format!("Failed {slot} {step} {}", inputs.join(" ")),
        _ => line.clone(),
    };
    lines.iter().map(told).collect()
}

#[test]
fn every_vector_after_every_turn() {
    let mut stops = 0;
    for (name, vector) in all().iter().filter(|(_, vector)| vector.get("error").is_none()) {
        let turns = turns(vector);
        for stop in 0..turns.len() {
            let mut player = Player::new(&vector["definition"]);
            for (at, (frames, expected)) in turns.iter().enumerate() {
                assert_eq!(told(&player.give(frames)), told(expected), "{name}, stopped after {stop}, play[{at}]");
                if at == stop && !player.over {
                    let bytes = player.save().unwrap_or_else(|| panic!("{}", player.core.last_error()));
                    player.restore(&bytes);
                    let rest: Vec<String> =
                        player.resume(&[]).into_iter().filter(|line| line != "Waiting" && !line.starts_with("Alarm")).collect();
                    assert_eq!(rest, Vec::<String>::new(), "{name}, stopped after {stop}: nothing else happens");
                    stops += 1;
                }
            }
        }
    }
    assert!(stops > 300, "{stops} stops");
}

/// What settles while nothing is dispatched waits in the queue, and in the snapshot.
#[test]
fn every_vector_after_every_frame() {
    let mut stops = 0;
    for (name, vector) in all().iter().filter(|(_, vector)| vector.get("error").is_none()) {
        let turns = turns(vector);
        for (stop, (frames, expected)) in turns.iter().enumerate() {
            // A turn with a Cancel or a failure ends the run whether it is paused or not.
            for split in 1..=frames.len() {
                let mut player = Player::new(&vector["definition"]);
                for (frames, _) in &turns[..stop] {
                    player.give(frames);
                }
                if player.run == NONE {
                    continue;
                }
                let mut first = vec!["Pause 1".to_owned()];
                first.extend(frames[..split].to_vec());
                let mut got = player.give(&first);
                if player.over {
                    continue;
                }
                let Some(bytes) = player.save() else {
                    assert!(player.core.last_error().contains("in the middle of an exchange"), "{}", player.core.last_error());
                    continue;
                };
                player.restore(&bytes);
                got.extend(player.resume(&frames[split..]));
                let quiet = |lines: &[String]| {
                    lines.iter().filter(|line| *line != "Waiting" && !line.starts_with("Alarm")).cloned().collect::<Vec<_>>()
                };
                // What a place was given to is called when the run goes on, after all else.
                let sorted = |mut lines: Vec<String>| {
                    lines.sort_unstable();
                    lines
                };
                let (got, expected) = (sorted(told(&quiet(&got))), sorted(told(&quiet(expected))));
                assert_eq!(got, expected, "{name}, play[{stop}] stopped after frame {split}");
                for (at, (frames, expected)) in turns.iter().enumerate().skip(stop + 1) {
                    assert_eq!(
                        told(&quiet(&player.give(frames))),
                        told(&quiet(expected)),
                        "{name}, stopped in {stop} after {split}, play[{at}]"
                    );
                }
                stops += 1;
            }
        }
    }
    assert!(stops > 300, "{stops} stops");
}

/// A build that drops a member of rule 7.2 is caught, and told which.
#[test]
fn a_member_left_out_is_named() {
    const MEMBERS: &[&str] = &[
        "run",
        "queue",
        "event",
        "invocation",
        "attempts",
        "yields",
        "failures",
        "sleeps",
        "line",
        "until",
        "request",
        "fan",
        "scope",
        "branches",
        "done",
        "join",
        "collect",
        "given",
        "key",
        "sent",
        "flow",
        "flow-given",
        "child",
        "branch",
    ];
    let mut named = BTreeSet::new();
    for (_, vector) in all().iter().filter(|(_, vector)| vector.get("error").is_none()) {
        let turns = turns(vector);
        for stop in 0..2 * turns.len() {
            let mut player = Player::new(&vector["definition"]);
            for (frames, _) in &turns[..stop / 2] {
                player.give(frames);
            }
            let mut frames = turns[stop / 2].0.clone();
            if stop % 2 == 1 && player.run != NONE {
                frames.insert(0, "Pause 1".to_owned());
            }
            player.give(&frames);
            if player.over {
                continue;
            }
            let whole = player.save().unwrap();
            for member in MEMBERS {
                let bytes = player.save_without(member).unwrap();
                let difference = player.core.verify(player.plan, player.run, &bytes, &[]);
                let told = difference.clone().unwrap_or_else(|| player.core.last_error().to_owned());
                assert!(bytes == whole || !told.is_empty(), "\"{member}\" is not missed: {}", player.core.text(&whole).unwrap());
                let word = |text: &str| text.split(|letter: char| !letter.is_alphanumeric() && letter != '-').any(|word| word == *member);
                if bytes != whole && word(&told) {
                    named.insert(*member);
                }
            }
        }
    }
    assert_eq!(named.into_iter().collect::<Vec<_>>(), {
        let mut all = MEMBERS.to_vec();
        all.sort_unstable();
        all
    });
}
