//! One turn: what happened is taken in, free effects are performed, and all of it is committed at once.

use std::collections::BTreeSet;

use tokio::time::{Duration, Instant};

use super::{Drive, Taken, attempts_in_recovery, operation_poll, poll};
use crate::engine::{Call, Effect, Event, Fact, Input, Recorded};
use crate::evaluate::{Evaluation, build_request, weight};
use crate::ports::{CallRecord, Commit, LeaseChange, Poll, StoreError, Timestamp};
use crate::runtime::provider::{PollSubject, RecoveryContext, about_to_send, first_look_at};
use crate::runtime::row;

/// Events of one turn, about: then what there is is committed, and the drive looks whether somebody wants the job's end.
const MOST_EVENTS: usize = 1_000;
/// The size of the values of one turn, about, in bytes of JSON (estimated).
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// How long one turn performs free effects, about.
const MOST_TIME: Duration = Duration::from_millis(250);

/// After how long a job looks again whether the evaluator has a place for it, in milliseconds.
const BUSY_MS: u64 = 2_000;

/// What a turn has gathered for its commit.
#[derive(Default)]
struct Batch {
    events: Vec<Recorded>,
    /// The size of the events' values.
    bytes: usize,
    calls: Vec<CallRecord>,
    consumed: Vec<i64>,
    /// Whether the job was told that its values take too much room.
    is_over_limit: bool,
}

impl Drive<'_> {
    /// Takes in what has happened, commits what follows, and performs it; says whether the drive is over.
    pub(super) async fn turn(&mut self) -> Result<bool, StoreError> {
        let now = self.now();
        let mut batch = Batch::default();
        let taken: Vec<Taken> = std::mem::take(&mut self.facts).into();
        // What somebody asked for comes before what would begin new work.
        let (asked, answered): (Vec<&Taken>, Vec<&Taken>) =
            taken.iter().partition(|taken| matches!(taken.fact, Fact::Cancel { .. }));
        for taken in asked.into_iter().chain(answered) {
            batch.consumed.extend(taken.message);
            if let Fact::Answered { calls, .. } = &taken.fact {
                batch.calls.extend(calls.iter().cloned());
            }
            self.record(&mut batch, now, Input::Fact(taken.fact.clone()));
        }
        batch.consumed.append(&mut self.unreadable);
        self.record(&mut batch, now, Input::Tick);
        let outcome = match self.perform_free(&mut batch, now).await {
            Ok(()) => self.commit(batch, now).await,
            Err(error) => Err(error),
        };
        if outcome.is_err() {
            // What was to be taken in is still true; whoever owns the job now must learn it.
            self.facts = taken.into();
        }
        outcome
    }

    fn record(&mut self, batch: &mut Batch, now: Timestamp, input: Input) {
        let events = self.run.turn(now, input);
        self.values.record(&events);
        batch.bytes += events.iter().filter_map(|recorded| recorded.value.as_ref()).map(weight).sum::<usize>();
        batch.events.extend(events);
        self.check_size(batch, now);
    }

    /// Fails the job once its values take more room than they may.
    fn check_size(&mut self, batch: &mut Batch, now: Timestamp) {
        let max = self.inner.settings.max_job_bytes;
        if batch.is_over_limit || self.value_bytes.saturating_add(batch.bytes as u64) <= max {
            return;
        }
        batch.is_over_limit = true;
        let message = format!(
            "the values of the job take more than {max} bytes: pass smaller values between its steps, type outputs as \
             media, part the work into several jobs, or raise `max_job_bytes` (APIFLOW_MAX_JOB_BYTES)"
        );
        self.record(batch, now, Input::OverLimit { message });
    }

    /// Performs what is free: all of it, or as much as one commit should hold.
    async fn perform_free(&mut self, batch: &mut Batch, now: Timestamp) -> Result<(), StoreError> {
        if self.postponed.is_some_and(|until| now < until) {
            return Ok(());
        }
        self.postponed = None;
        let began = Instant::now();
        while batch.events.len() < MOST_EVENTS && batch.bytes < MOST_BYTES && began.elapsed() < MOST_TIME {
            let Some(effect) = self.run.free() else { break };
            let mut evaluation = Evaluation {
                run: &self.run,
                values: &mut self.values,
                evaluator: self.inner.parts.evaluator.as_ref(),
                plans: &self.plans,
            };
            let Some(input) = evaluation.perform(&effect).await? else {
                // Meanwhile it takes no place among the jobs at work.
                self.postponed = Some(now.plus_ms(BUSY_MS));
                break;
            };
            self.record(batch, now, input);
        }
        Ok(())
    }

    async fn commit(&mut self, batch: Batch, now: Timestamp) -> Result<bool, StoreError> {
        let mut batch = batch;
        let sent = self.journal(&batch.events);
        let sends = !sent.is_empty();
        for call in &sent {
            batch.calls.extend(self.about_to_send(call).await?);
        }
        let over = self.run.status().is_final();
        let waits = !sends && self.out.is_empty() && !self.owes_call();
        let lease = if over || waits {
            LeaseChange::Release { wake_at: if over { None } else { self.wake_at() } }
        } else {
            LeaseChange::Keep
        };
        if batch.events.is_empty() && batch.consumed.is_empty() && lease == LeaseChange::Keep {
            self.alone = None;
            self.perform();
            return Ok(false);
        }
        let released = lease != LeaseChange::Keep;
        let changed = !batch.events.is_empty();
        let value_bytes = batch.bytes as u64;
        let commit = Commit { cached: self.values.cacheable().await?, ..self.commit_of(batch, now, lease)? };
        let committed = commit.state.clone();
        self.version = self.inner.parts.store.commit_turn(commit).await?;
        self.committed = committed;
        self.value_bytes += value_bytes;
        self.inner.health.note_success();
        self.alone = None;
        self.values.committed();
        if changed {
            self.inner.hub.changed(&self.job, over);
        }
        if over {
            self.inner.plans.leave(&self.job);
        }
        if !released {
            self.perform();
        }
        Ok(released)
    }

    /// The request of an attempt, as it is recorded; nothing where none can be made, which is found out again when it
    /// is to be sent.
    async fn about_to_send(&mut self, call: &Call) -> Result<Option<CallRecord>, StoreError> {
        let Ok(plan) = self.plans.plan(&call.path) else { return Ok(None) };
        let arguments = self.values.resolve(&call.args).await?;
        Ok(build_request(&self.job, &plan, call, &arguments).ok().map(|request| about_to_send(call, &request)))
    }

    /// Notes the attempts that these events begin, and gives them.
    fn journal(&mut self, events: &[Recorded]) -> Vec<Call> {
        let begun: BTreeSet<u64> = events
            .iter()
            .filter(|recorded| matches!(recorded.event, Event::StepStarted { .. } | Event::AttemptStarted { .. }))
            .map(|recorded| recorded.seq)
            .collect();
        let mut open = Vec::new();
        for effect in self.run.pending() {
            if let Effect::Call(call) = effect
                && begun.contains(&call.effect)
            {
                open.push(call);
            }
        }
        self.journalled = open.iter().map(|call| call.effect).collect();
        open
    }

    /// Whether something is to be sent now that no event of this turn began.
    fn owes_call(&self) -> bool {
        self.run.pending().iter().any(|effect| match effect {
            Effect::Cancel(call) => call.operation.is_some() || self.is_over_at_once(call),
            Effect::Prepare(_) | Effect::Conclude(_) => self.postponed.is_none(),
            Effect::Call(_) | Effect::Poll(_) | Effect::Recover(_) | Effect::Wait { .. } => false,
        })
    }

    /// When something is due by itself.
    pub(super) fn wake_at(&self) -> Option<Timestamp> {
        let due = |effect: Effect| match effect {
            Effect::Wait { until, .. } => Some(until),
            Effect::Call(_)
            | Effect::Cancel(_)
            | Effect::Poll(_)
            | Effect::Recover(_)
            | Effect::Prepare(_)
            | Effect::Conclude(_) => None,
        };
        self.run.pending().into_iter().filter_map(due).chain(self.postponed).min()
    }

    fn commit_of(&mut self, batch: Batch, at: Timestamp, lease: LeaseChange) -> Result<Commit, StoreError> {
        let polls = self.polls(&batch.events)?;
        let released = lease != LeaseChange::Keep && !self.run.status().is_final();
        let due = self.run.seq() - self.snapshot_seq >= self.snapshot_step;
        let snapshot = (released && self.run.seq() > self.snapshot_seq || due).then(|| self.run.snapshot());
        if let Some(snapshot) = &snapshot {
            self.snapshot_seq = snapshot.seq;
            if !released {
                self.snapshot_step *= 2;
            }
        }
        let polls_cleared = self.polls_cleared(&batch.events);
        Ok(Commit {
            job: self.job.clone(),
            version: self.version,
            at,
            events: batch.events.into_iter().map(row).collect(),
            steps: self.run.take_rows(),
            calls: batch.calls,
            polls,
            polls_cleared,
            consumed: batch.consumed,
            cached: Vec::new(),
            snapshot,
            state: self.run.job_state(),
            lease,
        })
    }

    /// The polls of the operations that these events accept, and of the attempts that they begin to look for.
    fn polls(&self, events: &[Recorded]) -> Result<Vec<Poll>, StoreError> {
        let mut polls = Vec::new();
        for effect in self.run.pending() {
            match effect {
                Effect::Poll(call) => {
                    let accepted = events.iter().find(
                        |recorded| matches!(recorded.event, Event::OperationAccepted { effect, .. } if effect == call.effect),
                    );
                    if let Some(operation) = accepted.and_then(|recorded| recorded.value.clone()) {
                        polls.push(operation_poll(&call, operation)?);
                    }
                }
                Effect::Recover(call) | Effect::Cancel(call) => {
                    let begun = call.recovery.filter(|search| events.iter().any(|event| event.seq == search.event));
                    if let Some(search) = begun {
                        let plan = self.plans.plan(&call.path).ok();
                        let due_at = first_look_at(plan.as_deref(), self.now(), search.settles_at);
                        polls.push(poll(&call, due_at, PollSubject::Recovery(RecoveryContext::of(&call, search))));
                    }
                }
                Effect::Call(_) | Effect::Wait { .. } | Effect::Prepare(_) | Effect::Conclude(_) => {}
            }
        }
        Ok(polls)
    }

    /// Attempts whose polls are over: those that are settled, and those whose providers are to be told instead.
    fn polls_cleared(&mut self, events: &[Recorded]) -> Vec<u64> {
        let sought = std::mem::replace(&mut self.sought, attempts_in_recovery(&self.run));
        let settled = sought.difference(&self.sought).copied();
        let gives_up = events.iter().any(|recorded| {
            matches!(
                recorded.event,
                Event::CancelRequested { .. }
                    | Event::FlowEnded { .. }
                    | Event::RaceWon { .. }
                    | Event::TimedOut { .. }
            )
        });
        let orphans = self.run.pending().into_iter().filter_map(|effect| {
            if let Effect::Cancel(call) = effect { call.operation.map(|_| call.effect) } else { None }
        });
        settled.chain(orphans.filter(|_| gives_up)).collect()
    }
    /// Gives a job back that others may go on with at once.
    pub(super) async fn release_unfinished(&mut self) -> Result<(), StoreError> {
        let now = self.now();
        let commit = self.commit_of(Batch::default(), now, LeaseChange::Release { wake_at: Some(now) })?;
        self.inner.parts.store.commit_turn(commit).await.map(|_| ())
    }
}
