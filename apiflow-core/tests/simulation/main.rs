//! Random documents in random worlds, against a naive reference.
//!
//! A seed decides a document, what its providers do, and what goes wrong: workers that die, lose their lease, are
//! refused or late; answers that come twice, late or never. After each turn the invariants are checked, and the end is
//! compared with the reference's. A seed that fails is made smaller and told.
//!
//! `APIFLOW_SIMULATION_SEEDS` says how many worlds are lived, `APIFLOW_SIMULATION_DRIVER_SEEDS` how many with the real
//! driver, `APIFLOW_SIMULATION_FROM` from which seed on; `APIFLOW_SIMULATION_SEED` lives one and tells its story.
#![expect(
    clippy::pedantic,
    clippy::redundant_closure,
    clippy::result_large_err,
    clippy::wildcard_enum_match_arm,
    reason = "a world of events and documents is told shortest by what differs"
)]

mod decisions;
mod document;
mod driver;
mod evaluation;
mod expression;
mod fate;
mod history;
mod invariants;
mod journal;
mod provider;
mod random;
mod reference;
mod shell;
mod shrink;
mod tally;
mod values;
mod world;
mod worlds;

use tally::Tally;

/// Worlds that are lived unless said otherwise.
const SEEDS: u64 = 10_000;
/// Worlds of the real driver that are lived unless said otherwise.
const DRIVER_SEEDS: u64 = 400;
/// From so many worlds on, each kind of event and trouble must have been seen.
const ENOUGH: u64 = 2_000;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} must be a number, found `{text}`")))
}

/// The seeds that are asked for.
fn seeds(variable: &str, otherwise: u64) -> std::ops::Range<u64> {
    match number("APIFLOW_SIMULATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => {
            let from = number("APIFLOW_SIMULATION_FROM").unwrap_or_default();
            from..from + number(variable).unwrap_or(otherwise)
        }
    }
}

#[test]
fn every_world_keeps_the_rules_and_ends_as_the_reference_does() {
    let seeds = seeds("APIFLOW_SIMULATION_SEEDS", SEEDS);
    let lived = seeds.end - seeds.start;
    let mut tally = Tally::default();
    for seed in seeds {
        match worlds::check(seed) {
            Ok(seen) => tally.count(seen),
            Err(found) => panic!("{found}"),
        }
    }
    if let Some(seed) = number("APIFLOW_SIMULATION_SEED") {
        eprintln!("{}", worlds::story(seed));
    }
    let missing = tally.missing();
    assert!(lived < ENOUGH || missing.is_empty(), "no world of {lived} has seen {missing:?}");
}

#[test]
fn the_driver_keeps_the_rules_with_several_workers_and_a_store_with_troubles() {
    for seed in seeds("APIFLOW_SIMULATION_DRIVER_SEEDS", DRIVER_SEEDS) {
        if let Err(found) = driver::check(seed, driver::Weather::Rough) {
            panic!("{found}");
        }
    }
}

#[test]
fn no_answer_is_lost_and_no_job_abandoned_while_the_store_is_full() {
    for seed in seeds("APIFLOW_SIMULATION_DRIVER_SEEDS", DRIVER_SEEDS) {
        if let Err(found) = driver::check(seed, driver::Weather::FullStore) {
            panic!("{found}");
        }
    }
}
