//! The rows that turns write, flattened over all commits of one transaction. Each names its turn: the position of its
//! commit, from 1.

use std::collections::BTreeSet;
use std::time::Duration;

use apiflow_core::ports::{
    AttemptCharge, CallRecord, Commit, EventRow, LeaseChange, StepRow, day_of, webhook_message_id,
};
use serde::Serialize;
use serde_json::json;

use crate::job_rows::{StepBody, duration_ms, to_int, to_json_text, to_small_int};

/// The update of a job's row by a commit.
#[derive(Serialize)]
pub(crate) struct Turn<'a> {
    pub(crate) job: &'a str,
    pub(crate) version: i64,
    pub(crate) at: i64,
    pub(crate) status: &'static str,
    pub(crate) priority: i32,
    pub(crate) retry_count: i64,
    pub(crate) started_at: Option<i64>,
    pub(crate) finished_at: Option<i64>,
    pub(crate) output: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) last_seq: i64,
    pub(crate) ended: bool,
    pub(crate) released: bool,
    pub(crate) wake_at: Option<i64>,
    pub(crate) erase_at: Option<i64>,
    /// Total size of the values of its events, in bytes of JSON.
    pub(crate) value_bytes: i64,
    /// What its attempts have cost, as JSON.
    pub(crate) cost: Option<String>,
}

impl<'a> Turn<'a> {
    pub(crate) fn of_commit(commit: &'a Commit) -> Self {
        let (released, wake_at) = match commit.lease {
            LeaseChange::Keep => (false, None),
            LeaseChange::Release { wake_at } => (true, wake_at),
        };
        let state = &commit.state;
        Self {
            job: &commit.job,
            version: to_int(commit.version),
            at: commit.at.0,
            status: state.status.as_str(),
            priority: state.priority,
            retry_count: to_int(state.retry_count),
            started_at: state.started_at.map(|moment| moment.0),
            finished_at: state.finished_at.map(|moment| moment.0),
            output: state.output.as_ref().map(to_json_text),
            error: state.error.as_ref().map(to_json_text),
            last_seq: commit.events.iter().map(|event| to_int(event.seq)).max().unwrap_or(0),
            ended: state.status.is_final(),
            released,
            wake_at: wake_at.map(|moment| moment.0),
            erase_at: state.erase_at.map(|moment| moment.0),
            value_bytes: to_int(commit.value_bytes()),
            cost: (!state.cost.is_empty()).then(|| to_json_text(&state.cost)),
        }
    }
}

/// A row of `job_events`.
pub(crate) struct Event {
    pub(crate) turn: i32,
    pub(crate) seq: i64,
    pub(crate) at: i64,
    pub(crate) list: Option<i64>,
    pub(crate) index: Option<i64>,
    pub(crate) body: String,
    pub(crate) value: Option<String>,
}

impl Event {
    pub(crate) fn of_row(turn: i32, event: &EventRow) -> Self {
        Self {
            turn,
            seq: to_int(event.seq),
            at: event.at.0,
            list: event.item.map(|(list, _)| to_int(list)),
            index: event.item.map(|(_, index)| to_int(index)),
            body: to_json_text(&event.body),
            value: event.value.as_ref().map(to_json_text),
        }
    }
}

/// A row of `job_steps`.
pub(crate) struct Step {
    pub(crate) turn: i32,
    pub(crate) ordinal: i64,
    pub(crate) status: &'static str,
    pub(crate) attempt: i32,
    pub(crate) started_at: i64,
    pub(crate) finished_at: Option<i64>,
    pub(crate) progress: Option<f64>,
    pub(crate) body: String,
}

impl Step {
    pub(crate) fn of_row(turn: i32, step: &StepRow) -> Self {
        Self {
            turn,
            ordinal: to_int(step.ordinal),
            status: step.status.as_str(),
            attempt: to_small_int(step.attempt),
            started_at: step.started_at.0,
            finished_at: step.finished_at.map(|moment| moment.0),
            progress: step.progress,
            body: to_json_text(&StepBody::of_row(step)),
        }
    }
}

/// A row of `job_calls`, or the reply to a submit that has its row already.
pub(crate) struct Call<'a> {
    pub(crate) turn: i32,
    pub(crate) step: i64,
    pub(crate) attempt: i32,
    pub(crate) purpose: &'a str,
    pub(crate) at: i64,
    pub(crate) duration_ms: i64,
    pub(crate) request: Option<String>,
    pub(crate) reply: Option<String>,
    pub(crate) is_reply: bool,
}

impl<'a> Call<'a> {
    fn of_record(turn: i32, call: &'a CallRecord) -> Self {
        Self {
            turn,
            step: to_int(call.step),
            attempt: to_small_int(call.attempt),
            purpose: &call.purpose,
            at: call.at.0,
            duration_ms: to_int(call.duration_ms),
            request: (!call.request.is_null()).then(|| to_json_text(&call.request)),
            reply: (call.reply != json!({})).then(|| to_json_text(&call.reply)),
            is_reply: call.is_reply_to_submit(),
        }
    }

    /// Whether a reply is to this submit.
    fn is_answered_by(&self, reply: &Call<'_>) -> bool {
        self.reply.is_none() && (self.step, self.attempt, self.purpose) == (reply.step, reply.attempt, reply.purpose)
    }
}

/// A row of `job_polls`.
pub(crate) struct PollAdded {
    pub(crate) turn: i32,
    pub(crate) effect: i64,
    pub(crate) due_at: i64,
    pub(crate) ticket: String,
}

/// A row of `job_snapshots`.
pub(crate) struct Snapshot {
    pub(crate) turn: i32,
    pub(crate) seq: i64,
    pub(crate) state: String,
}

/// A row of `cached_results`.
pub(crate) struct Cached<'a> {
    pub(crate) turn: i32,
    pub(crate) key: &'a str,
    pub(crate) value: String,
    /// How long the result is reused, in milliseconds.
    pub(crate) ttl: i64,
}

/// What an attempt cost: added to a row of `usage_sums`.
pub(crate) struct Charge<'a> {
    pub(crate) turn: i32,
    pub(crate) day: i64,
    pub(crate) node_id: &'a str,
    pub(crate) currency: &'a str,
    pub(crate) amount: i64,
    pub(crate) held: i64,
    pub(crate) unknown: i64,
}

impl<'a> Charge<'a> {
    pub(crate) fn of_attempt(turn: i32, day: i64, charge: &'a AttemptCharge) -> Self {
        let amount = charge.cost.amount;
        Self {
            turn,
            day,
            node_id: &charge.node_id,
            currency: &charge.cost.currency,
            amount: amount.unwrap_or_default().to_units(),
            held: if amount.is_some() { 0 } else { charge.held.to_units() },
            unknown: i64::from(amount.is_none()),
        }
    }
}

/// What a commit announces: a row of `webhook_deliveries`, if the job has a webhook for it.
pub(crate) struct Announced {
    pub(crate) turn: i32,
    /// Id of the message.
    pub(crate) id: String,
    pub(crate) event: &'static str,
    pub(crate) step: Option<i64>,
}

/// All rows of several commits, of different jobs.
#[derive(Default)]
pub(crate) struct Batch<'a> {
    pub(crate) events: Vec<Event>,
    pub(crate) steps: Vec<Step>,
    pub(crate) calls: Vec<Call<'a>>,
    pub(crate) polls: Vec<PollAdded>,
    /// Polls that end, by turn and effect; none of them is added again.
    pub(crate) cleared: Vec<(i32, i64)>,
    /// Processed messages, by turn and number, each once.
    pub(crate) taken: Vec<(i32, i64)>,
    pub(crate) cached: Vec<Cached<'a>>,
    pub(crate) snapshots: Vec<Snapshot>,
    pub(crate) charges: Vec<Charge<'a>>,
    /// Steps whose attempts end, by turn and ordinal.
    pub(crate) ended_attempts: Vec<(i32, i64)>,
    pub(crate) announced: Vec<Announced>,
}

impl<'a> Batch<'a> {
    pub(crate) fn of_commits(commits: impl IntoIterator<Item = &'a Commit>) -> Self {
        let mut batch = Self::default();
        for (turn, commit) in (1..).zip(commits) {
            batch.add_commit(turn, commit);
        }
        batch
    }

    fn add_commit(&mut self, turn: i32, commit: &'a Commit) {
        self.events.extend(commit.events.iter().map(|event| Event::of_row(turn, event)));
        self.add_steps(turn, commit);
        self.add_calls(turn, commit);
        self.add_polls(turn, commit);
        let taken: BTreeSet<i64> = commit.consumed.iter().copied().collect();
        self.taken.extend(taken.into_iter().map(|id| (turn, id)));
        self.cached.extend(commit.cached.iter().map(|row| {
            let ttl = duration_ms(Duration::from_secs(row.ttl_s));
            Cached { turn, key: &row.key, value: to_json_text(&row.value), ttl }
        }));
        let day = day_of(commit.at);
        self.charges.extend(commit.charges.iter().map(|charge| Charge::of_attempt(turn, day, charge)));
        self.ended_attempts.extend(commit.ended_attempts.iter().map(|step| (turn, to_int(*step))));
        self.announced.extend(commit.announcements().into_iter().map(|announced| Announced {
            turn,
            id: webhook_message_id(&commit.job, &announced.key),
            event: announced.event.as_str(),
            step: announced.step.map(to_int),
        }));
        if let Some(snapshot) = &commit.snapshot {
            self.snapshots.push(Snapshot { turn, seq: to_int(snapshot.seq), state: to_json_text(&snapshot.state) });
        }
    }

    /// Adds each step once, in its last state: one statement must not write a row twice.
    fn add_steps(&mut self, turn: i32, commit: &'a Commit) {
        let mut seen = BTreeSet::new();
        for step in commit.steps.iter().rev().filter(|step| seen.insert(step.ordinal)) {
            self.steps.push(Step::of_row(turn, step));
        }
    }

    /// Adds each call once: a reply completes its submit if the same commit records both.
    fn add_calls(&mut self, turn: i32, commit: &'a Commit) {
        let first = self.calls.len();
        for record in &commit.calls {
            let call = Call::of_record(turn, record);
            let mut sent = self.calls[first..].iter_mut().filter(|_| call.is_reply);
            match sent.find(|sent| sent.is_answered_by(&call)) {
                Some(sent) => *sent = Call { request: sent.request.take(), is_reply: sent.is_reply, ..call },
                None => self.calls.push(call),
            }
        }
    }

    /// Adds each poll once, in its last state; an ended job has no polls.
    fn add_polls(&mut self, turn: i32, commit: &'a Commit) {
        let mut added = BTreeSet::new();
        if !commit.state.status.is_final() {
            for poll in commit.polls.iter().rev().filter(|poll| added.insert(poll.effect)) {
                let (effect, due_at, ticket) = (to_int(poll.effect), poll.due_at.0, to_json_text(&poll.ticket));
                self.polls.push(PollAdded { turn, effect, due_at, ticket });
            }
        }
        let cleared: BTreeSet<u64> =
            commit.polls_cleared.iter().copied().filter(|gone| !added.contains(gone)).collect();
        self.cleared.extend(cleared.into_iter().map(|effect| (turn, to_int(effect))));
    }
}
