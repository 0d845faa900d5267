//! A job that a worker drives: what it knows, what it owes, and what it commits.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use apiflow_core::engine::{Answer, Call, Effect, Event, Fact, Program, Recorded, Run};
use apiflow_core::ports::Timestamp;

use crate::fate::Kind;
use crate::journal::{Commit, Journal, Poll, PollSubject};
use crate::provider::Provider;
use crate::values::Values;
use crate::world::GRACE_MS;

/// Events between two snapshots of a run that never waits.
const SNAPSHOT_EVERY: u64 = 20;

/// A job that a worker drives.
pub(crate) struct Drive {
    /// Which drive of its worker it is.
    pub(crate) number: u64,
    pub(crate) version: u64,
    pub(super) run: Run,
    pub(super) values: Values,
    /// Attempts that are being called.
    pub(super) out: BTreeSet<u64>,
    pub(super) facts: VecDeque<Taken>,
    /// Attempts that this drive journalled and has not sent yet.
    pub(super) journalled: BTreeSet<u64>,
    /// Messages taken in already.
    seen: BTreeSet<i64>,
    /// Attempts of unknown fate that polls look for.
    sought: BTreeSet<u64>,
    pub(super) has_begun: bool,
    snapshot_seq: u64,
}

/// A fact that a turn takes in.
#[derive(Clone)]
pub(super) struct Taken {
    pub(super) fact: Fact,
    pub(super) message: Option<i64>,
    pub(super) inert: bool,
}

/// What a turn has gathered.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) events: Vec<Recorded>,
    pub(super) consumed: Vec<i64>,
}

impl Drive {
    /// A job that has just been claimed, restored from its last snapshot or from its whole journal.
    pub(super) fn new(number: u64, version: u64, journal: &Journal, program: &Arc<Program>, whole: bool) -> Self {
        let mut run = journal.restore(program, whole);
        let _replayed = run.take_rows();
        let mut drive = Self {
            number,
            version,
            snapshot_seq: run.seq(),
            run,
            values: journal.values.clone(),
            out: BTreeSet::new(),
            facts: VecDeque::new(),
            journalled: BTreeSet::new(),
            seen: BTreeSet::new(),
            has_begun: false,
            sought: BTreeSet::new(),
        };
        drive.sought = drive.attempts_in_recovery();
        drive
    }

    /// Begins to look for the attempts that an earlier owner left open, behind the messages that have come meanwhile.
    pub(super) fn seek_interrupted(&mut self, now: Timestamp) {
        for effect in self.run.pending_effects() {
            let (Effect::Call(call) | Effect::Cancel(call)) = effect else { continue };
            if call.operation.is_none() && call.download.is_none() && call.recovery.is_none() {
                let answer = Provider::lost(&call, now, Some(call.deadline.plus_ms(GRACE_MS)));
                let fact = Fact::Answered { effect: call.effect, answer };
                self.facts.push_back(Taken { fact, message: None, inert: false });
            }
        }
    }

    /// The attempts of unknown fate that polls look for.
    fn attempts_in_recovery(&self) -> BTreeSet<u64> {
        let sought = |effect: Effect| match effect {
            Effect::Recover(call) => Some(call.effect),
            Effect::Cancel(call) if call.operation.is_none() => call.recovery.map(|_| call.effect),
            Effect::Cancel(_)
            | Effect::Call(_)
            | Effect::Poll(_)
            | Effect::Download(_)
            | Effect::Wait { .. }
            | Effect::Prepare(_)
            | Effect::Conclude(_) => None,
        };
        self.run.pending_effects().into_iter().filter_map(sought).collect()
    }

    /// Whether a turn would have something to do.
    pub(crate) fn has_work(&self, journal: &Journal, now: Timestamp) -> bool {
        !self.has_begun
            || !self.facts.is_empty()
            || journal.inbox.keys().any(|id| !self.seen.contains(id))
            || self.wake_at().is_some_and(|at| at <= now)
    }

    /// When something is due by itself.
    pub(crate) fn wake_at(&self) -> Option<Timestamp> {
        let due = |effect: Effect| match effect {
            Effect::Wait { until, .. } => Some(until),
            Effect::Call(_)
            | Effect::Cancel(_)
            | Effect::Poll(_)
            | Effect::Recover(_)
            | Effect::Download(_)
            | Effect::Prepare(_)
            | Effect::Conclude(_) => None,
        };
        self.run.pending_effects().into_iter().filter_map(due).min()
    }

    /// A call came back.
    pub(crate) fn returned(&mut self, effect: u64, answer: Answer) {
        self.out.remove(&effect);
        let fact = Fact::Answered { effect, answer };
        self.facts.push_back(Taken { fact, message: None, inert: false });
    }

    pub(super) fn take_mail(&mut self, journal: &Journal) {
        for (id, message) in &journal.inbox {
            if self.seen.insert(*id) {
                let fact = serde_json::from_value(message.payload.clone()).expect("what was written can be read");
                self.facts.push_back(Taken { fact, message: Some(*id), inert: message.inert });
            }
        }
    }

    /// Notes the attempts that these events begin; says whether there are any.
    pub(super) fn journal(&mut self, events: &[Recorded]) -> bool {
        let begun: BTreeSet<u64> = events
            .iter()
            .filter(|recorded| matches!(recorded.event, Event::StepStarted { .. } | Event::AttemptStarted { .. }))
            .map(|recorded| recorded.seq)
            .collect();
        let calls = self.run.pending_effects().into_iter().filter_map(|effect| match effect {
            Effect::Call(call) => Some(call.effect),
            Effect::Cancel(_)
            | Effect::Poll(_)
            | Effect::Recover(_)
            | Effect::Download(_)
            | Effect::Wait { .. }
            | Effect::Prepare(_)
            | Effect::Conclude(_) => None,
        });
        self.journalled = calls.filter(|effect| begun.contains(effect)).collect();
        !self.journalled.is_empty()
    }

    /// Whether something is to be sent now that no event of this turn began.
    pub(super) fn owes_call(&self) -> bool {
        self.run.pending_effects().iter().any(|effect| match effect {
            Effect::Cancel(call) => call.operation.is_some() || self.is_over_at_once(call),
            Effect::Download(call) => !self.out.contains(&call.effect),
            Effect::Prepare(_) | Effect::Conclude(_) => true,
            Effect::Call(_) | Effect::Poll(_) | Effect::Recover(_) | Effect::Wait { .. } => false,
        })
    }

    /// Whether a call that is given up is over at once: nothing can be cancelled, or nothing was sent.
    pub(super) fn is_over_at_once(&self, call: &Call) -> bool {
        let unsent = !self.out.contains(&call.effect) && call.recovery.is_none();
        call.download.is_some() || call.operation.is_none() && (unsent || !Kind::at(&call.path).has_operation())
    }

    pub(super) fn commit(&mut self, batch: &Batch, release: Option<Option<Timestamp>>) -> Commit {
        let due = self.run.seq() - self.snapshot_seq >= SNAPSHOT_EVERY;
        let snapshot =
            (due || release.is_some() && self.run.seq() > self.snapshot_seq).then(|| self.run.take_snapshot());
        if let Some(snapshot) = &snapshot {
            self.snapshot_seq = snapshot.seq;
        }
        let ends = |event: &Event| {
            matches!(
                event,
                Event::CancelRequested { .. } | Event::FlowEnded(_) | Event::RaceWon { .. } | Event::TimedOut { .. }
            )
        };
        let ended = batch.events.iter().any(|recorded| ends(&recorded.event));
        let mut polls = BTreeMap::new();
        let still_sought = self.attempts_in_recovery();
        let sought = std::mem::replace(&mut self.sought, still_sought);
        let mut polls_cleared: Vec<u64> = sought.difference(&self.sought).copied().collect();
        for effect in self.run.pending_effects() {
            match effect {
                Effect::Poll(call) => polls.extend(poll_of(&call, &batch.events).map(|poll| (call.effect, poll))),
                Effect::Cancel(call) if call.operation.is_some() => {
                    polls_cleared.extend(ended.then_some(call.effect));
                }
                Effect::Recover(call) | Effect::Cancel(call) if call.recovery.is_some() => {
                    polls.extend(search_of(&call, &batch.events).map(|poll| (call.effect, poll)));
                }
                Effect::Recover(_) => unreachable!("an attempt that is looked for has a search"),
                Effect::Cancel(_)
                | Effect::Call(_)
                | Effect::Download(_)
                | Effect::Wait { .. }
                | Effect::Prepare(_)
                | Effect::Conclude(_) => {}
            }
        }
        Commit {
            version: self.version,
            events: batch.events.clone(),
            steps: self.run.take_rows(),
            polls,
            polls_cleared,
            consumed: batch.consumed.clone(),
            snapshot,
            state: self.run.job_state(),
            kept: self.values.kept(&batch.events),
            release,
        }
    }
}

/// The poll of an operation that these events accept.
fn poll_of(call: &Call, events: &[Recorded]) -> Option<Poll> {
    let accepted = events
        .iter()
        .rev()
        .find(|recorded| matches!(recorded.event, Event::OperationAccepted { effect, .. } if effect == call.effect))?;
    let work = accepted.value.as_ref()?.get("id")?.as_str()?.to_owned();
    let ready_at = call.poll_at.unwrap_or(call.deadline);
    Some(Poll { subject: PollSubject::Work(work), deadline: call.deadline, ready_at })
}

/// The search for an attempt that these events begin.
fn search_of(call: &Call, events: &[Recorded]) -> Option<Poll> {
    let search = call.recovery?;
    let begun = events.iter().find(|recorded| recorded.seq == search.event)?;
    let ready_at = if Kind::at(&call.path) == Kind::Listed { begun.at } else { search.settles_at };
    let subject = PollSubject::Attempt { call: Box::new(call.clone()), search, looks: 0 };
    Some(Poll { subject, deadline: search.gives_up_at, ready_at })
}
