//! The providers of a random world: they take work, are asked for it, and count what was paid.

use std::collections::BTreeMap;

use apiflow_core::call::{Operation, PendingDownloads};
use apiflow_core::engine::{Answer, Call, Recovery};
use apiflow_core::ports::Timestamp;
use serde_json::Value;

use super::fate::{CallKey, End, Fate, Kind, Way, error};
use super::history::Violation;

/// How long work may take before it is given up.
const PATIENCE_MS: u64 = 20_000;

/// How long lost work may take to appear in a list.
const LISTING_DELAY_MS: u64 = 10_000;
/// How long a list that cannot be read is asked for.
const SEARCH_MS: u64 = 60_000;

/// What comes back from a submit.
pub(crate) enum Reply {
    Answer(Answer),
    /// The connection is lost: the fate is unknown.
    Lost,
    /// Nothing, ever.
    Silent,
}

/// Work that a provider took.
pub(crate) struct Work {
    outcome: Result<Value, Value>,
    has_media: bool,
    /// When it is over; never, where it is endless.
    over_at: Option<Timestamp>,
    every_ms: u64,
    /// Whether somebody has learnt how it ended.
    pub(crate) known: bool,
    /// Whether it was called off.
    pub(crate) told: bool,
}

/// All providers.
pub(crate) struct Provider {
    seed: u64,
    /// How often each attempt arrived.
    arrivals: BTreeMap<u64, u32>,
    /// How often each call was sent, attempts that repeat it together.
    sendings: BTreeMap<u64, u32>,
    /// Work by its id; of a keyed node one for all sendings of a call.
    works: BTreeMap<String, Work>,
}

/// What a poll says.
pub(crate) enum Polled {
    Later(u64),
    Ended(Answer),
}

impl Provider {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, arrivals: BTreeMap::new(), sendings: BTreeMap::new(), works: BTreeMap::new() }
    }

    fn id(call: &Call) -> String {
        let number = if Kind::at(&call.path) == Kind::Keyed { call.first_effect } else { call.effect };
        format!("work-{number}")
    }

    /// A submit arrives; gives the reply and how long it takes.
    pub(crate) fn submit(
        &mut self,
        call: &Call,
        key: &CallKey,
        args: &Value,
        now: Timestamp,
    ) -> Result<(Reply, u64), Violation> {
        let kind = Kind::at(&call.path);
        let fate = Fate::of(self.seed, key, kind);
        let sendings = self.sendings.entry(call.first_effect).or_default();
        let way = if *sendings == 0 { fate.way } else { Way::Well };
        *sendings += 1;
        if way == Way::LostBefore {
            return Ok((Reply::Lost, fate.delay_ms));
        }
        let arrivals = self.arrivals.entry(call.effect).or_default();
        *arrivals += 1;
        if *arrivals > 1 {
            let detail = format!("attempt #{} of {key} arrived {arrivals} times", call.effect);
            return Err(Violation::new("no paid call is sent twice for an attempt", detail));
        }
        let outcome = fate.outcome(args);
        let answer = if kind.has_operation() && fate.polls > 0 || fate.end == End::Endless {
            let is_endless = fate.end == End::Endless;
            let every_ms = fate.delay_ms.max(if is_endless { 5_000 } else { 300 });
            let work = Work {
                outcome,
                has_media: fate.has_media,
                over_at: (!is_endless).then(|| now.plus_ms(every_ms * u64::from(fate.polls))),
                every_ms,
                known: false,
                told: false,
            };
            self.works.entry(Self::id(call)).or_insert(work);
            accepted(&Self::id(call), fate.delay_ms.max(300), now)
        } else {
            ended(None, outcome, fate.has_media)
        };
        let reply = match way {
            Way::Well => Reply::Answer(answer),
            Way::LostBefore | Way::LostAfter => Reply::Lost,
            Way::Silent => Reply::Silent,
        };
        Ok((reply, fate.delay_ms))
    }

    /// What is said of an attempt whose connection was lost, or whose worker stopped: its submit may arrive until
    /// `arrives_until`.
    pub(crate) fn lost(call: &Call, now: Timestamp, arrives_until: Option<Timestamp>) -> Answer {
        let kind = Kind::at(&call.path);
        if arrives_until.is_none() && kind.is_repeatable() {
            return Answer::Repeat;
        }
        if arrives_until.is_none() && kind != Kind::Listed {
            return Answer::Failed { error: error("submit_unknown") };
        }
        let settles_at = arrives_until.map_or(now.plus_ms(LISTING_DELAY_MS), |until| until.max(now));
        let gives_up_at = if kind == Kind::Listed { settles_at.plus_ms(SEARCH_MS) } else { settles_at };
        Answer::Undecided { settles_at, gives_up_at }
    }

    /// Looks for an attempt whose submit may or may not have arrived; nothing where that is not known yet.
    pub(crate) fn find(&self, call: &Call, search: Recovery, now: Timestamp, is_out: bool) -> Option<Answer> {
        let kind = Kind::at(&call.path);
        if kind.is_repeatable() {
            return (now >= search.settles_at).then_some(Answer::Repeat);
        }
        let id = Self::id(call);
        if kind == Kind::Listed && !is_out && self.works.contains_key(&id) {
            return Some(accepted(&id, 300, now));
        }
        let is_over = if kind == Kind::Listed && is_out { now >= search.gives_up_at } else { now >= search.settles_at };
        is_over.then(|| Answer::Failed { error: error("submit_unknown") })
    }

    /// Asks for work; past its deadline it is called off.
    pub(crate) fn poll(&mut self, id: &str, now: Timestamp, deadline: Timestamp) -> Polled {
        let work = self.works.get_mut(id).expect("only work that was taken is asked for");
        if work.over_at.is_some_and(|over| over <= now) {
            work.known = true;
            return Polled::Ended(ended(Some(id), work.outcome.clone(), work.has_media));
        }
        if now >= deadline {
            work.told = true;
            return Polled::Ended(Answer::Failed { error: error("timeout") });
        }
        Polled::Later(work.every_ms)
    }

    /// Calls work off.
    pub(crate) fn cancel(&mut self, id: &str) {
        self.works.get_mut(id).expect("only work that was taken is called off").told = true;
    }

    pub(crate) fn work(&self, id: &str) -> Option<&Work> {
        self.works.get(id)
    }
}

/// What is said of work that is over: its result, or that the media of its result is still to be downloaded.
fn ended(id: Option<&str>, outcome: Result<Value, Value>, has_media: bool) -> Answer {
    match outcome {
        Ok(result) if has_media => {
            let downloads = Some(Box::new(PendingDownloads { result, media: Vec::new() }));
            let operation = Operation { id: id.map(str::to_owned), downloads, ..Operation::default() };
            Answer::Downloading { operation: Box::new(operation) }
        }
        Ok(result) => Answer::Done { result },
        Err(error) => Answer::Failed { error },
    }
}

fn accepted(id: &str, wait_ms: u64, now: Timestamp) -> Answer {
    Answer::Accepted {
        operation: Box::new(Operation { id: Some(id.to_owned()), ..Operation::default() }),
        provider_id: Some(id.to_owned()),
        poll_at: now.plus_ms(wait_ms),
        deadline: now.plus_ms(PATIENCE_MS),
    }
}
