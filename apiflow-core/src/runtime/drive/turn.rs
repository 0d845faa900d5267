//! One turn: takes inputs, performs free effects, and commits everything at once.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::Value;
use tokio::time::{Duration, Instant};

use super::calls::Attempt;
use super::open_work::Cancellation;
use super::{Drive, Taken};
use crate::call::Operation;
use crate::engine::{Answer, Call, Fact, Input, Recorded};
use crate::evaluate::{Evaluation, estimate_json_bytes};
use crate::ports::{
    AttemptCharge, CallRecord, Commit, EvaluationError, Evaluator, JobRow, LeaseChange, Poll, Script, StoreError,
    Timestamp,
};
use crate::runtime::due_times::DueKind;
use crate::runtime::event_row;
use crate::runtime::job_ends::EndedJob;

/// Approximate maximum number of events in a turn: then it is committed, and the drive checks for a cancellation.
const MAX_TURN_EVENTS: usize = 1_000;
/// Approximate maximum size of the values of a turn, in bytes of JSON (estimated).
const MAX_TURN_BYTES: usize = 8 * 1024 * 1024;
/// Approximate maximum time for which a turn performs free effects.
const MAX_TURN_TIME: Duration = Duration::from_millis(250);

/// Approximate maximum time for which a new job's first turn performs free effects: the caller who created the job is
/// waiting.
const MAX_FIRST_TURN_TIME: Duration = Duration::from_millis(10);

/// Interval at which a job checks whether the evaluator has capacity, in milliseconds.
const BUSY_PAUSE_MS: u64 = 2_000;

/// What a turn has collected for its commit.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) events: Vec<Recorded>,
    /// Size of the events' values, in bytes.
    bytes: usize,
    calls: Vec<CallRecord>,
    consumed: Vec<i64>,
    /// Operations that providers accepted, by attempt.
    pub(super) operations: BTreeMap<u64, Box<Operation>>,
    /// What ended attempts cost.
    pub(super) charges: Vec<AttemptCharge>,
    /// Whether the job has already been failed because of the size of its values.
    is_over_limit: bool,
}

/// What a turn commits, and the effects that follow.
pub(super) struct ClosedTurn {
    /// The commit; `None` if there is nothing to write.
    pub(super) commit: Option<Commit>,
    pub(super) effects: TurnEffects,
}

/// What to do once a turn has been committed.
pub(super) struct TurnEffects {
    attempts: Vec<Attempt>,
    downloads: Vec<Call>,
    cancellations: Vec<Cancellation>,
    /// Whether the turn releases the lease, which ends the drive.
    released: bool,
    committed: Option<Committed>,
}

/// What a committed turn has changed.
struct Committed {
    row: JobRow,
    /// Whether there are new events.
    changed: bool,
    /// Estimated size of the values of its events, in bytes of JSON.
    value_bytes: u64,
    /// When the first of its polls is due.
    first_poll: Option<Timestamp>,
    /// Whether slots of providers' limits may be free.
    frees_slots: bool,
    lease: LeaseChange,
}

/// An evaluator that is always busy, so that a turn ends before the first script.
struct BusyEvaluator;

#[async_trait]
impl Evaluator for BusyEvaluator {
    async fn evaluate_script(&self, _script: Script) -> Result<Value, EvaluationError> {
        Err(EvaluationError::Busy)
    }
}

impl Drive<'_> {
    /// Takes the inputs, commits what follows, and performs it; returns whether the drive has ended.
    pub(super) async fn run_turn(&mut self) -> Result<bool, StoreError> {
        let now = self.now();
        let mut batch = Batch::default();
        let taken: Vec<Taken> = std::mem::take(&mut self.facts).into();
        // Requests of users come before anything that would start new work.
        let (asked, answered): (Vec<&Taken>, Vec<&Taken>) =
            taken.iter().partition(|taken| matches!(taken.payload.fact, Fact::Cancel { .. }));
        for taken in asked.into_iter().chain(answered) {
            batch.consumed.extend(taken.message);
            batch.calls.extend(taken.payload.calls.iter().cloned());
            if let Fact::Answered { effect, answer: Answer::Accepted { operation, .. } } = &taken.payload.fact {
                batch.operations.insert(*effect, operation.clone());
            }
            self.record_cost(&mut batch, now, &taken.payload);
            self.record_input(&mut batch, now, Input::Fact(taken.payload.fact.clone()));
        }
        batch.consumed.append(&mut self.unreadable);
        self.record_input(&mut batch, now, Input::Tick);
        let outcome = match self.perform_free(&mut batch, now).await {
            Ok(()) => self.commit(batch, now).await,
            Err(error) => Err(error),
        };
        if outcome.is_err() {
            // The inputs are still valid; the current owner of the job must get them.
            self.facts = taken.into();
        }
        outcome
    }

    /// Runs the first turn of a new job, to be committed together with the job: without JavaScript, which may take
    /// long.
    pub(super) async fn run_first_turn(&mut self, now: Timestamp) -> Result<ClosedTurn, StoreError> {
        let mut batch = Batch::default();
        self.record_input(&mut batch, now, Input::Tick);
        self.perform_free_within(&mut batch, now, &BusyEvaluator, MAX_FIRST_TURN_TIME).await?;
        self.postponed = None;
        self.close_turn(batch, now).await
    }

    pub(super) fn record_input(&mut self, batch: &mut Batch, now: Timestamp, input: Input) {
        let events = self.run.decide_and_apply(now, input);
        self.values.record_events(&events);
        batch.bytes +=
            events.iter().filter_map(|recorded| recorded.value.as_ref()).map(estimate_json_bytes).sum::<usize>();
        batch.events.extend(events);
        self.check_size(batch, now);
    }

    /// Fails the job if its values exceed the size limit.
    fn check_size(&mut self, batch: &mut Batch, now: Timestamp) {
        let max = self.inner.settings.max_job_bytes;
        if batch.is_over_limit || self.value_bytes.saturating_add(batch.bytes as u64) <= max {
            return;
        }
        batch.is_over_limit = true;
        let message = format!(
            "the values of the job take more than {max} bytes: pass smaller values between the steps, declare outputs \
             as media, split the work into several jobs, or raise `max_job_bytes` (APIFLOW_MAX_JOB_BYTES)"
        );
        self.record_input(batch, now, Input::OverLimit { message });
    }

    /// Performs free effects: all of them, or as many as one commit should contain.
    async fn perform_free(&mut self, batch: &mut Batch, now: Timestamp) -> Result<(), StoreError> {
        let evaluator = self.inner.parts.evaluator.as_ref();
        self.perform_free_within(batch, now, evaluator, MAX_TURN_TIME).await
    }

    async fn perform_free_within(
        &mut self,
        batch: &mut Batch,
        now: Timestamp,
        evaluator: &dyn Evaluator,
        max_time: Duration,
    ) -> Result<(), StoreError> {
        if self.postponed.is_some_and(|until| now < until) {
            return Ok(());
        }
        self.postponed = None;
        let began = Instant::now();
        while batch.events.len() < MAX_TURN_EVENTS && batch.bytes < MAX_TURN_BYTES && began.elapsed() < max_time {
            let Some(effect) = self.run.next_free_effect() else { break };
            let mut evaluation = Evaluation { run: &self.run, values: &mut self.values, evaluator, plans: &self.plans };
            let Some(input) = evaluation.perform_effect(&effect).await? else {
                // In the meantime it takes no seat of other jobs.
                self.postponed = Some(now.plus_ms(BUSY_PAUSE_MS));
                break;
            };
            self.record_input(batch, now, input);
        }
        Ok(())
    }

    /// Commits a turn, and performs the effects that it started; returns whether the drive has ended.
    async fn commit(&mut self, batch: Batch, now: Timestamp) -> Result<bool, StoreError> {
        let ClosedTurn { commit, effects } = self.close_turn(batch, now).await?;
        if let Some(commit) = commit {
            self.version = self.inner.parts.store.commit_turn(commit).await?;
            self.inner.health.note_success();
        }
        Ok(self.finish_turn(effects).await)
    }

    /// Determines what a turn commits, if anything, and the effects that follow.
    async fn close_turn(&mut self, mut batch: Batch, now: Timestamp) -> Result<ClosedTurn, StoreError> {
        let mut open = self.open_work(&batch);
        self.wake_at = open.wake_at;
        let mut attempts = Vec::with_capacity(open.begun.len());
        for call in std::mem::take(&mut open.begun) {
            let attempt = self.build_attempt(call).await?;
            batch.calls.extend(attempt.record());
            attempts.push(attempt);
        }
        let cancellations = std::mem::take(&mut open.cancellations);
        let downloads = std::mem::take(&mut open.downloads);
        let over = self.run.status().is_final();
        let owes_free = self.postponed.is_none() && self.run.next_free_effect().is_some();
        let owes_effects = !(attempts.is_empty() && downloads.is_empty() && cancellations.is_empty());
        let waits = !owes_effects && self.out.is_empty() && !owes_free;
        let lease = if over || waits {
            LeaseChange::Release { wake_at: if over { None } else { self.wake_at } }
        } else {
            LeaseChange::Keep
        };
        let released = lease != LeaseChange::Keep;
        let mut effects = TurnEffects { attempts, downloads, cancellations, released, committed: None };
        if batch.events.is_empty() && batch.consumed.is_empty() && !released {
            return Ok(ClosedTurn { commit: None, effects });
        }
        let (changed, value_bytes) = (!batch.events.is_empty(), batch.bytes as u64);
        let cached = self.values.take_cacheable_results().await?;
        let commit = Commit { cached, ..self.commit_of(batch, open.into_polls(), now, lease) };
        self.steps.record_commit(&commit);
        let row =
            JobRow { updated_at: now, state: commit.state.clone(), last_seq: self.run.seq(), ..self.committed.clone() };
        let first_poll = commit.polls.iter().map(|poll| poll.due_at).min();
        let frees_slots = !commit.ended_attempts.is_empty() && self.inner.uses_submit_slots();
        effects.committed = Some(Committed { row, changed, value_bytes, first_poll, frees_slots, lease });
        Ok(ClosedTurn { commit: Some(commit), effects })
    }

    /// Continues after a committed turn: notifies those who watch the job, and performs the effects that the turn
    /// started. Returns whether the drive has ended.
    pub(super) async fn finish_turn(&mut self, effects: TurnEffects) -> bool {
        let TurnEffects { attempts, downloads, cancellations, released, committed } = effects;
        if let Some(Committed { row, changed, value_bytes, first_poll, frees_slots, lease }) = committed {
            let over = row.state.status.is_final();
            self.note_due(first_poll, row.state.erase_at, lease);
            if frees_slots && let Err(error) = self.inner.assign_submit_slots().await {
                tracing::warn!(%error, "free slots of a provider's limits could not be given yet");
            }
            self.committed = row;
            self.value_bytes += value_bytes;
            self.values.mark_committed();
            if changed {
                self.inner.notifier.notify_change(&self.job, over);
            }
            if over {
                self.inner.prepared.remove_job(&self.job);
                self.publish_end().await;
            }
        }
        self.alone = None;
        if !released {
            self.perform_effects(attempts, downloads, cancellations);
        }
        released
    }

    /// Notifies those who wait for the job's end.
    async fn publish_end(&mut self) {
        let ends = &self.inner.notifier.ends;
        if !ends.is_watched(&self.job) {
            return;
        }
        let row = self.committed.clone();
        let output = match &row.state.output {
            Some(reference) => self.values.resolve_reference(reference).await.ok(),
            None => Some(Value::Null),
        };
        let steps = self.take_ended_steps().await.unwrap_or_default();
        ends.publish_end(&self.job, output.map(|output| EndedJob { row, output, steps }));
    }

    /// Notifies this process's worker of when the committed work is due.
    fn note_due(&self, first_poll: Option<Timestamp>, erase_at: Option<Timestamp>, lease: LeaseChange) {
        let notifier = &self.inner.notifier;
        if let Some(at) = first_poll {
            notifier.notify_due(DueKind::Polls, at);
        }
        if let Some(at) = erase_at {
            notifier.notify_due(DueKind::Erasures, at);
        }
        match lease {
            LeaseChange::Release { wake_at: Some(at) } => notifier.notify_due(DueKind::Jobs, at),
            LeaseChange::Release { wake_at: None } if self.shares_slots => notifier.notify_work(),
            LeaseChange::Release { wake_at: None } | LeaseChange::Keep => {}
        }
    }

    /// Builds the commit of a turn, with the polls to add and those to remove.
    pub(super) fn commit_of(
        &mut self,
        batch: Batch,
        (polls, polls_cleared): (Vec<Poll>, Vec<u64>),
        at: Timestamp,
        lease: LeaseChange,
    ) -> Commit {
        let released = lease != LeaseChange::Keep && !self.run.status().is_final();
        let ended_attempts = self.take_ended_attempts(&batch.events);
        let due = self.run.seq() - self.snapshot_seq >= self.snapshot_step;
        let snapshot = (released && self.run.seq() > self.snapshot_seq || due).then(|| self.run.take_snapshot());
        if let Some(snapshot) = &snapshot {
            self.snapshot_seq = snapshot.seq;
            if !released {
                self.snapshot_step *= 2;
            }
        }
        Commit {
            job: self.job.clone(),
            version: self.version,
            at,
            events: batch.events.into_iter().map(event_row).collect(),
            steps: self.run.take_rows(),
            calls: batch.calls,
            polls,
            polls_cleared,
            consumed: batch.consumed,
            cached: Vec::new(),
            charges: batch.charges,
            ended_attempts,
            snapshot,
            state: self.run.job_state(),
            lease,
        }
    }
}
