//! Random documents in random worlds, against a naive reference.
//!
//! A seed decides a document, what its providers do, and what goes wrong: workers that die, lose their lease, are
//! refused or late; answers that come twice, late or never. After each turn the invariants are checked, and the end is
//! compared with the reference's. A seed that fails is made smaller and told.
//!
//! `APIFLOW_SIMULATION_SEEDS` says how many seeds are lived, `APIFLOW_SIMULATION_FROM` from which on, and
//! `APIFLOW_SIMULATION_SEED` lives one and tells its story.

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
mod values;
mod world;

use decisions::Decisions;
use document::Document;
use fate::{CallKey, Fate, Kind, error};
use history::{History, Violation, ensure};
use invariants::Watch;
use reference::{Answers, Observed};
use serde_json::Value;
use shrink::{Case, shrink};
use world::Outcome;

/// Seeds that are lived unless said otherwise.
const SEEDS: u64 = 10_000;
/// One in so many worlds is checked with all that is costly.
const THOROUGH: u64 = 6;

/// The providers, as the reference asks them.
struct Fates<'a> {
    seed: u64,
    observed: &'a Observed,
}

impl Answers for Fates<'_> {
    fn answer(&self, key: &CallKey, path: &str, args: &Value) -> Result<Value, Value> {
        if self.observed.unknown.contains(key) {
            return Err(error("submit_unknown"));
        }
        Fate::of(self.seed, key, Kind::at(path)).outcome(args)
    }
}

/// Lives one world and compares its end with the reference's.
fn live(document: &Document, seed: u64, decisions: Decisions, is_thorough: bool, history: History) -> world::Told {
    let watch = Watch::new(document.size(), is_thorough);
    let mut told = world::live(document, seed, decisions, watch, history);
    told.outcome = told.outcome.and_then(|outcome| {
        ends_as_the_reference(document, seed, &outcome)?;
        Ok(outcome)
    });
    told
}

fn ends_as_the_reference(document: &Document, seed: u64, outcome: &Outcome) -> Result<(), Violation> {
    if outcome.cancelled {
        return Ok(());
    }
    let observed = &outcome.observed;
    let expected = reference::run(document, &Fates { seed, observed }, observed);
    ensure(outcome.end == expected.end, "a job ends as the reference does", || {
        format!("the job ended as\n{:#?}\nbut the reference as\n{:#?}", outcome.end, expected.end)
    })?;
    for found in expected.found {
        let is_known = expected.computed.contains(&found) || !observed.winners.is_empty();
        ensure(is_known, "a kept result is that of an equal step", || format!("{found:?}"))?;
    }
    Ok(())
}

/// Lives the world of a seed; a failure is made smaller and told.
fn check(seed: u64) -> Result<(), String> {
    let document = Document::random(seed);
    let told = live(&document, seed, Decisions::random(seed), seed % THOROUGH == 0, History::default());
    let Err(violation) = told.outcome else { return Ok(()) };
    let fails = |case: &Case| {
        let decisions = Decisions::scripted(case.script.clone());
        let told = live(&case.document, seed, decisions, true, History::default());
        told.outcome.is_err_and(|found| found.rule == violation.rule)
    };
    let case = shrink(Case { document, script: told.decided }, fails);
    Err(report(seed, &violation, &case))
}

fn report(seed: u64, first: &Violation, case: &Case) -> String {
    let decisions = Decisions::scripted(case.script.clone());
    let told = live(&case.document, seed, decisions, true, History::kept());
    let violation = told.outcome.err().unwrap_or_else(|| first.clone());
    let document = serde_json::to_string_pretty(&case.document.flow).expect("a document is JSON");
    let workflows = serde_json::to_string_pretty(&case.document.workflows).expect("documents are JSON");
    format!(
        "seed {seed} breaks the rule: {}\n{}\n\ndocument: {document}\nsub-flows: {workflows}\ndecisions: {:?}\nhistory:\n{}",
        violation.rule, violation.detail, case.script, told.history
    )
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} must be a number, found `{text}`")))
}

#[test]
fn every_world_keeps_the_rules_and_ends_as_the_reference_does() {
    if let Some(seed) = number("APIFLOW_SIMULATION_SEED") {
        let document = Document::random(seed);
        let told = live(&document, seed, Decisions::random(seed), true, History::kept());
        eprintln!("{:#}\n{}", document.flow, told.history);
        if let Err(found) = check(seed) {
            panic!("{found}");
        }
        return;
    }
    let from = number("APIFLOW_SIMULATION_FROM").unwrap_or_default();
    let seeds = number("APIFLOW_SIMULATION_SEEDS").unwrap_or(SEEDS);
    for seed in from..from + seeds {
        if let Err(found) = check(seed) {
            panic!("{found}");
        }
    }
}

/// Worlds of the real driver that are lived unless said otherwise.
const DRIVER_SEEDS: u64 = 400;

/// Lives the world of a seed with the real driver; a failure is made smaller and told.
fn check_driver(seed: u64) -> Result<(), String> {
    let document = Document::random(seed);
    let Err(violation) = driver::live(&document, seed) else { return Ok(()) };
    let fails = |case: &Case| driver::live(&case.document, seed).is_err_and(|found| found.rule == violation.rule);
    let case = shrink(Case { document, script: decisions::Script::new() }, fails);
    let found = driver::live(&case.document, seed).err().unwrap_or(violation);
    let document = serde_json::to_string_pretty(&case.document.flow).expect("a document is JSON");
    let workflows = serde_json::to_string_pretty(&case.document.workflows).expect("documents are JSON");
    Err(format!(
        "seed {seed} breaks the rule: {}\n{}\n\ndocument: {document}\nsub-flows: {workflows}",
        found.rule, found.detail
    ))
}

#[test]
fn the_driver_keeps_the_rules_with_several_workers_and_a_store_with_troubles() {
    let (from, seeds) = match number("APIFLOW_SIMULATION_SEED") {
        Some(seed) => (seed, 1),
        None => (
            number("APIFLOW_SIMULATION_FROM").unwrap_or_default(),
            number("APIFLOW_SIMULATION_DRIVER_SEEDS").unwrap_or(DRIVER_SEEDS),
        ),
    };
    for seed in from..from + seeds {
        if let Err(found) = check_driver(seed) {
            panic!("{found}");
        }
    }
}
