//! The attempts that a journal tells of, and what became of each.

use std::collections::{BTreeMap, BTreeSet};

use apiflow_core::ports::{Timestamp, ValueRef};
use serde_json::Value;

use super::{ONE_OUTCOME, STORY};
use crate::fate::CallKey;
use crate::history::{Violation, ensure};
use crate::values::Values;

#[derive(Default)]
pub(crate) struct Attempts(BTreeMap<u64, Attempt>);

struct Attempt {
    key: CallKey,
    /// The event that brought its arguments.
    args: u64,
    /// When the call was begun for the first time.
    since: Timestamp,
    /// The work that the provider took.
    work: Option<String>,
    /// Whether the media of its result is downloaded.
    downloads: bool,
    /// Whether nobody waits for it any more.
    is_given_up: bool,
    outcome: Option<Outcome>,
}

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Completed,
    Failed,
    Unknown,
    /// The store was away when it was to be sent.
    NotSent,
    /// The provider takes no work now.
    NotAccepted,
    /// The provider took no work until the call was too late.
    RefusedTooLong,
    Repeated,
    CalledOff,
}

impl Attempts {
    /// An attempt is journalled.
    pub(super) fn begin(
        &mut self,
        effect: u64,
        key: CallKey,
        args: u64,
        repeats: Option<u64>,
        at: Timestamp,
    ) -> Result<(), Violation> {
        let earlier = repeats.and_then(|repeated| self.0.get(&repeated));
        let same = earlier.is_none_or(|repeated| repeated.key == key);
        let same_call = || self.0.values().find(|attempt| attempt.key == key).map(|attempt| attempt.since);
        let since = same_call().unwrap_or(at);
        ensure(same, STORY, || format!("#{effect} repeats another call"))?;
        self.0.insert(
            effect,
            Attempt { key, args, since, work: None, downloads: false, is_given_up: false, outcome: None },
        );
        Ok(())
    }

    pub(super) fn accepted(&mut self, effect: u64, work: &str) -> Result<(), Violation> {
        let attempt = self.0.get_mut(&effect).filter(|attempt| attempt.outcome.is_none());
        let Some(attempt) = attempt else {
            return Err(Violation::new(ONE_OUTCOME, format!("#{effect} is not open, but its work was accepted")));
        };
        attempt.work = Some(work.to_owned());
        Ok(())
    }

    /// The media of an attempt's result begins to be downloaded: once, whatever happens to the downloads.
    pub(super) fn downloading(&mut self, effect: u64) -> Result<(), Violation> {
        let attempt = self.0.get_mut(&effect).filter(|attempt| attempt.outcome.is_none() && !attempt.is_given_up);
        let is_first = attempt.is_some_and(|attempt| !std::mem::replace(&mut attempt.downloads, true));
        ensure(is_first, ONE_OUTCOME, || format!("#{effect} is settled or downloaded, and is downloaded now"))
    }

    /// An attempt begins to be looked for.
    pub(super) fn sought(&mut self, effect: u64) -> Result<(), Violation> {
        let open = self.0.get(&effect).filter(|attempt| attempt.outcome.is_none() && attempt.work.is_none());
        ensure(open.is_some(), ONE_OUTCOME, || format!("#{effect} is looked for, but its fate is known"))
    }

    pub(super) fn settle(&mut self, effect: u64, outcome: Outcome) -> Result<(), Violation> {
        let Some(attempt) = self.0.get_mut(&effect) else {
            return Err(Violation::new(ONE_OUTCOME, format!("#{effect} is no attempt")));
        };
        let before = attempt.outcome.replace(outcome);
        ensure(before.is_none(), ONE_OUTCOME, || format!("#{effect} had {before:?} and has {outcome:?} now"))
    }

    /// Nobody waits for some open attempts any more.
    pub(super) fn give_up(&mut self, which: impl Fn(u64) -> bool) {
        for (effect, attempt) in &mut self.0 {
            attempt.is_given_up |= attempt.outcome.is_none() && which(*effect);
        }
    }

    pub(super) fn called_off(&mut self, effect: u64) -> Result<(), Violation> {
        let is_given_up = self.0.get(&effect).is_some_and(|attempt| attempt.is_given_up);
        ensure(is_given_up, STORY, || format!("#{effect} is called off, but somebody waits for it"))?;
        self.settle(effect, Outcome::CalledOff)
    }

    /// The attempts without an outcome.
    pub(crate) fn open(&self) -> BTreeSet<u64> {
        self.0.iter().filter(|(_, attempt)| attempt.outcome.is_none()).map(|(effect, _)| *effect).collect()
    }

    /// The attempts that have their outcome.
    pub(crate) fn settled(&self) -> Vec<u64> {
        self.0.iter().filter(|(_, attempt)| attempt.outcome.is_some()).map(|(effect, _)| *effect).collect()
    }

    /// Whether an attempt is open as what is owed says.
    pub(crate) fn is_open(&self, effect: u64, is_cancelled: bool, is_accepted: bool) -> bool {
        self.0.get(&effect).is_some_and(|attempt| {
            attempt.outcome.is_none() && attempt.is_given_up == is_cancelled && attempt.work.is_some() == is_accepted
        })
    }

    pub(crate) fn key(&self, effect: u64) -> Option<CallKey> {
        self.0.get(&effect).map(|attempt| attempt.key.clone())
    }

    pub(super) fn calls(&self, values: &Values) -> BTreeMap<CallKey, Value> {
        let args = |attempt: &Attempt| values.resolve(&ValueRef::Row(attempt.args));
        self.0.values().map(|attempt| (attempt.key.clone(), args(attempt))).collect()
    }

    pub(super) fn unknown(&self) -> BTreeSet<CallKey> {
        self.with(Outcome::Unknown)
    }

    pub(super) fn not_sent(&self) -> BTreeSet<CallKey> {
        self.with(Outcome::NotSent)
    }

    pub(super) fn refused_too_long(&self) -> BTreeSet<CallKey> {
        self.with(Outcome::RefusedTooLong)
    }

    /// When the call of an attempt was begun for the first time.
    pub(super) fn since(&self, effect: u64) -> Option<Timestamp> {
        self.0.get(&effect).map(|attempt| attempt.since)
    }

    fn with(&self, outcome: Outcome) -> BTreeSet<CallKey> {
        let attempts = self.0.values().filter(|attempt| attempt.outcome == Some(outcome));
        attempts.map(|attempt| attempt.key.clone()).collect()
    }

    /// The work that providers took, by attempt.
    pub(crate) fn operations(&self) -> Vec<(u64, String)> {
        self.0.iter().filter_map(|(effect, attempt)| Some((*effect, attempt.work.clone()?))).collect()
    }
}
