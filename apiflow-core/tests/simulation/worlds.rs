//! A seed's world: lived, judged, made smaller and told.

use std::panic::{AssertUnwindSafe, catch_unwind};

use apiflow_core::ports::JobStatus;
use serde_json::Value;

use super::decisions::Decisions;
use super::document::Document;
use super::fate::{CallKey, Fate, Kind, error};
use super::history::{History, Violation, ensure};
use super::invariants::Watch;
use super::reference::{self, Answers, Observed};
use super::shrink::{Case, shrink};
use super::tally::Seen;
use super::world::{self, Outcome, Told};

/// One in so many worlds is checked with all that is costly.
const THOROUGH: u64 = 8;

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

/// Lives the world of a seed; a failure is made smaller and told.
pub(crate) fn check(seed: u64) -> Result<Seen, String> {
    let document = Document::random(seed);
    let told = live(&document, seed, Decisions::random(seed), seed.is_multiple_of(THOROUGH), History::default());
    let violation = match told.outcome {
        Ok(outcome) => return Ok(Seen { kinds: told.kinds, decided: told.decided, end: outcome.end.status }),
        Err(violation) => violation,
    };
    let fails = |case: &Case| {
        let decisions = Decisions::scripted(case.script.clone());
        let told = live(&case.document, seed, decisions, true, History::default());
        told.outcome.is_err_and(|found| found.rule == violation.rule)
    };
    let case = shrink(Case { document, script: told.decided }, fails);
    Err(report(seed, &violation, &case))
}

/// The story of a seed's world.
pub(crate) fn story(seed: u64) -> String {
    let document = Document::random(seed);
    let told = live(&document, seed, Decisions::random(seed), true, History::kept());
    format!("{}\n{}", document.text(), told.history)
}

fn report(seed: u64, first: &Violation, case: &Case) -> String {
    let decisions = Decisions::scripted(case.script.clone());
    let told = live(&case.document, seed, decisions, true, History::kept());
    let violation = told.outcome.err().unwrap_or_else(|| first.clone());
    let Case { document, script } = case;
    format!(
        "seed {seed} breaks the rule: {}\n{}\n\n{}\ndecisions that were not calm: {script:?}\nhistory:\n{}",
        violation.rule,
        violation.detail,
        document.text(),
        told.history
    )
}

/// Lives one world and compares its end with the reference's.
fn live(document: &Document, seed: u64, decisions: Decisions, is_thorough: bool, history: History) -> Told {
    let watch = Watch::new(document.size(), is_thorough);
    let mut told = catch_unwind(AssertUnwindSafe(|| world::live(document, seed, decisions, watch, history)))
        .unwrap_or_else(|_| Told::panicked());
    told.outcome = told.outcome.and_then(|outcome| {
        ends_as_the_reference(document, seed, &outcome)?;
        Ok(outcome)
    });
    told
}

fn ends_as_the_reference(document: &Document, seed: u64, outcome: &Outcome) -> Result<(), Violation> {
    let Outcome { end, is_cancelled, observed } = outcome;
    if end.status == JobStatus::Cancelled {
        return ensure(*is_cancelled, "a job is cancelled only if somebody asks", String::new);
    }
    if observed.has_timed_out {
        return Ok(());
    }
    let expected = reference::run(document, &Fates { seed, observed }, observed);
    ensure(*end == expected.end, "a job ends as the reference does", || {
        format!("the job ended as\n{end:#?}\nbut the reference as\n{:#?}", expected.end)
    })?;
    for found in expected.found {
        let is_known = expected.computed.contains(&found) || !observed.winners.is_empty();
        ensure(is_known, "a kept result is that of an equal step", || format!("{found:?}"))?;
    }
    Ok(())
}
