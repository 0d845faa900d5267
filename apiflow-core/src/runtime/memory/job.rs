//! One job with everything that belongs to it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use crate::ports::store::size::json_len;
use crate::ports::{
    CallRecord, Commit, DueErasure, DuePoll, ErasedJob, Erasure, EventRow, InboxMessage, JobRow, JobState, LeaseChange,
    LoadedJob, LogTail, NewJob, Poll, SharedBundle, SnapshotRow, StepLog, StepReport, StepRow, StepStatus, StoreError,
    Timestamp,
};

/// A job of the memory store: its row, journal, lease, inbox and polls.
pub(super) struct Job {
    pub(super) row: JobRow,
    /// When it may be claimed: its wake-up, or the end of its lease; `None` if it waits for a message or has ended.
    pub(super) due_at: Option<Timestamp>,
    owner: Option<String>,
    /// When its erasure may be taken: `erase_at`, or the end of the lease of the worker that took it.
    pub(super) erase_ready_at: Option<Timestamp>,
    version: u64,
    /// Number of claims since the last commit.
    tries: u32,
    /// How often it was started alone since the last commit.
    solo_starts: u32,
    bundle: SharedBundle,
    snapshot: Option<SnapshotRow>,
    events: BTreeMap<u64, EventRow>,
    lists: BTreeMap<(u64, u64), u64>,
    steps: BTreeMap<u64, StepRow>,
    /// What providers reported, by the ordinal of the step.
    reports: BTreeMap<u64, StepReport>,
    calls: Vec<CallRecord>,
    polls: BTreeMap<u64, WaitingPoll>,
    inbox: BTreeMap<i64, InboxMessage>,
    keys: BTreeSet<String>,
    /// Size of the committed values, in bytes of JSON.
    value_bytes: u64,
}

/// A poll, and when it may be taken.
struct WaitingPoll {
    poll: Poll,
    tries: u32,
    ready_at: Timestamp,
}

impl Job {
    /// Creates a job; also returns how many bytes of JSON were written.
    pub(super) fn new(new: NewJob, now: Timestamp) -> (Self, u64) {
        let due_at = new.concurrency.is_none().then_some(now);
        let events = new.events.clone();
        let LoadedJob { job: row, bundle, value_bytes, .. } = new.into_loaded();
        let mut job = Self {
            row,
            due_at,
            owner: None,
            erase_ready_at: None,
            version: 0,
            tries: 0,
            solo_starts: 0,
            bundle,
            snapshot: None,
            events: BTreeMap::new(),
            lists: BTreeMap::new(),
            steps: BTreeMap::new(),
            reports: BTreeMap::new(),
            calls: Vec::new(),
            polls: BTreeMap::new(),
            inbox: BTreeMap::new(),
            keys: BTreeSet::new(),
            value_bytes,
        };
        let bytes = rows_len(&events);
        job.append_events(events);
        (job, bytes)
    }

    pub(super) fn claim(&mut self, worker: &str, until: Timestamp) -> (u64, u32) {
        self.owner = Some(worker.to_owned());
        self.due_at = Some(until);
        self.version += 1;
        self.tries += 1;
        (self.version, self.tries)
    }

    pub(super) fn record_solo_start(&mut self, version: u64) -> Result<u32, StoreError> {
        if version != self.version {
            return Err(StoreError::Fenced { job: self.row.id.clone() });
        }
        self.solo_starts += 1;
        Ok(self.solo_starts)
    }

    pub(super) fn undo_solo_start(&mut self, version: u64) {
        if version == self.version {
            self.solo_starts = 0;
        }
    }

    pub(super) fn claim_ended(&mut self, worker: &str, until: Timestamp) -> Option<u64> {
        if !self.row.state.status.is_final() || self.owner.is_some() {
            return None;
        }
        self.owner = Some(worker.to_owned());
        self.due_at = Some(until);
        self.version += 1;
        Some(self.version)
    }

    /// Makes the job due, unless a worker owns it.
    pub(super) fn make_due(&mut self, now: Timestamp) {
        if self.owner.is_none() {
            self.due_at = Some(self.due_at.map_or(now, |at| at.min(now)));
        }
    }

    /// Renews the worker's lease and returns whether messages are waiting; `None` if the worker does not hold the
    /// lease.
    pub(super) fn renew_lease(&mut self, worker: &str, until: Timestamp) -> Option<bool> {
        if self.owner.as_deref() != Some(worker) {
            return None;
        }
        self.due_at = Some(until);
        Some(!self.inbox.is_empty())
    }

    pub(super) fn load(&self) -> LoadedJob {
        let after = self.snapshot.as_ref().map_or(0, |snapshot| snapshot.seq);
        LoadedJob {
            job: self.row.clone(),
            bundle: self.bundle.clone(),
            snapshot: self.snapshot.clone(),
            events: self.list_events(after, u32::MAX),
            inbox: self.read_inbox(),
            value_bytes: self.value_bytes,
        }
    }

    /// Returns the size of the values that count towards the user's limit: those of a job that has not ended.
    pub(super) fn bytes_in_flight(&self, user: &str) -> u64 {
        let counts = self.row.created_by.as_deref() == Some(user) && !self.row.state.status.is_final();
        if counts { self.value_bytes } else { 0 }
    }

    /// Commits a turn; returns the new version and how many bytes of JSON were written.
    pub(super) fn commit(&mut self, commit: Commit, now: Timestamp) -> Result<(u64, u64), StoreError> {
        if commit.version != self.version {
            return Err(StoreError::Fenced { job: commit.job });
        }
        if let Some(event) = commit.events.iter().find(|event| event.seq <= self.row.last_seq) {
            return Err(StoreError::Backend(format!("job `{}` already has an event {}", commit.job, event.seq)));
        }
        let bytes = rows_len(&commit.events)
            + rows_len(&commit.steps)
            + rows_len(&commit.calls)
            + rows_len(&commit.polls)
            + commit.snapshot.as_ref().map_or(0, |snapshot| json_len(&snapshot.state));
        self.value_bytes += commit.value_bytes();
        self.append_events(commit.events);
        self.steps.extend(commit.steps.into_iter().map(|step| (step.ordinal, step)));
        self.calls.extend(commit.calls);
        for effect in &commit.polls_cleared {
            self.polls.remove(effect);
        }
        for poll in commit.polls {
            let ready_at = poll.due_at;
            self.polls.insert(poll.effect, WaitingPoll { poll, tries: 0, ready_at });
        }
        for id in &commit.consumed {
            self.inbox.remove(id);
        }
        if commit.snapshot.is_some() {
            self.snapshot = commit.snapshot;
        }
        self.row.state = commit.state;
        self.row.updated_at = commit.at;
        self.version += 1;
        self.tries = 0;
        self.solo_starts = 0;
        self.apply_lease_change(commit.lease, now);
        Ok((self.version, bytes))
    }

    /// Applies the change of the lease; an ended job is not due any more, and its polls end.
    fn apply_lease_change(&mut self, lease: LeaseChange, now: Timestamp) {
        if self.row.state.status.is_final() {
            self.owner = None;
            self.due_at = None;
            self.erase_ready_at = self.row.state.erase_at;
            self.polls.clear();
            return;
        }
        match lease {
            LeaseChange::Keep => {}
            LeaseChange::Release { wake_at } => {
                self.owner = None;
                self.due_at = if self.inbox.is_empty() { wake_at } else { Some(now) };
            }
        }
    }

    fn append_events(&mut self, events: Vec<EventRow>) {
        for event in events {
            self.row.last_seq = self.row.last_seq.max(event.seq);
            if let Some(item) = event.item {
                self.lists.insert(item, event.seq);
            }
            self.events.insert(event.seq, event);
        }
    }

    pub(super) fn deliver_message(&mut self, id: i64, key: &str, payload: Value, finished_poll: Option<u64>) -> bool {
        if self.row.state.status.is_final() {
            return false;
        }
        if let Some(effect) = finished_poll {
            self.polls.remove(&effect);
        }
        if !self.keys.insert(key.to_owned()) {
            return false;
        }
        self.inbox.insert(id, InboxMessage { id, key: key.to_owned(), payload });
        true
    }

    pub(super) fn read_inbox(&self) -> Vec<InboxMessage> {
        self.inbox.values().cloned().collect()
    }

    pub(super) fn due_polls(&self, now: Timestamp) -> impl Iterator<Item = (Timestamp, u64)> {
        self.polls
            .iter()
            .filter(move |(_, waiting)| waiting.ready_at <= now)
            .map(|(effect, waiting)| (waiting.ready_at, *effect))
    }

    pub(super) fn take_poll(&mut self, effect: u64, until: Timestamp) -> Option<DuePoll> {
        let waiting = self.polls.get_mut(&effect)?;
        waiting.ready_at = until;
        Some(DuePoll { job: self.row.id.clone(), tries: waiting.tries, poll: waiting.poll.clone() })
    }

    pub(super) fn replace_ticket(&mut self, effect: u64, ticket: Value) {
        if let Some(waiting) = self.polls.get_mut(&effect) {
            waiting.poll.ticket = ticket;
        }
    }

    pub(super) fn put_back(&mut self, effect: u64, due_at: Timestamp, progress: Option<(u64, f64)>) {
        let Some(waiting) = self.polls.get_mut(&effect) else { return };
        waiting.poll.due_at = due_at;
        waiting.ready_at = due_at;
        waiting.tries += 1;
        if let Some((ordinal, progress)) = progress
            && let Some(step) = self.steps.get_mut(&ordinal)
        {
            step.progress = Some(step.progress.map_or(progress, |known| known.max(progress)));
        }
    }

    pub(super) fn take_erasure(&mut self, until: Timestamp) -> Option<DueErasure> {
        self.erase_ready_at = Some(until);
        Some(DueErasure { job: self.row.id.clone(), due_at: self.row.state.erase_at? })
    }

    pub(super) fn erase_part(&mut self, erasure: Erasure) {
        let Erasure { job: _, values, events, steps, calls, rest } = erasure;
        for seq in values {
            let value = self.events.get_mut(&seq).and_then(|event| event.value.as_mut());
            if let Some(value) = value {
                *value = Value::Object(serde_json::Map::new());
            }
        }
        for (seq, body) in events {
            if let Some(event) = self.events.get_mut(&seq) {
                event.body = body;
            }
        }
        self.steps.extend(steps.into_iter().map(|step| (step.ordinal, step)));
        self.calls.retain(|call| !calls.contains(&call.step));
        self.reports.retain(|step, _| !calls.contains(step));
        self.snapshot = None;
        self.inbox.clear();
        if let Some(ErasedJob { output, error, erase_at, bundle }) = rest {
            self.erase_ready_at = erase_at;
            self.row.state = JobState { output, error, erase_at, ..self.row.state.clone() };
            if let Some(bundle) = bundle {
                self.bundle = bundle.into();
            }
        }
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.polls.values().map(|waiting| waiting.ready_at).chain(self.due_at).chain(self.erase_ready_at).min()
    }

    pub(super) fn read_values(&self, seqs: &[u64]) -> Vec<Option<Value>> {
        seqs.iter().map(|seq| self.events.get(seq)?.value.clone()).collect()
    }

    pub(super) fn list(&self, list: u64) -> Vec<Value> {
        self.lists
            .range((list, 0)..=(list, u64::MAX))
            .filter_map(|(_, seq)| Some(self.events.get(seq)?.body.clone()))
            .collect()
    }

    pub(super) fn list_events(&self, after: u64, limit: u32) -> Vec<EventRow> {
        self.events
            .range(after.saturating_add(1)..)
            .take(limit as usize)
            .map(|(_, event)| EventRow {
                seq: event.seq,
                at: event.at,
                body: event.body.clone(),
                value: None,
                item: event.item,
            })
            .collect()
    }

    pub(super) fn list_steps_in_progress(&self, limit: u32) -> Vec<StepRow> {
        let shown = |step: &&StepRow| {
            step.status == StepStatus::Running && (step.progress.is_some() || self.reports.contains_key(&step.ordinal))
        };
        self.steps.values().filter(shown).take(limit as usize).map(|step| self.with_report(step)).collect()
    }

    pub(super) fn list_steps(&self, after: u64, limit: u32) -> Vec<StepRow> {
        let after = self.steps.range(after.saturating_add(1)..);
        after.take(limit as usize).map(|(_, step)| self.with_report(step)).collect()
    }

    /// Returns a step with what its provider reported.
    fn with_report(&self, step: &StepRow) -> StepRow {
        let Some(report) = self.reports.get(&step.ordinal) else { return step.clone() };
        let is_current = step.status == StepStatus::Running && report.attempt == step.attempt;
        StepRow {
            queue_position: report.queue_position.filter(|_| is_current),
            preview: report.preview.clone().filter(|_| is_current),
            log_bytes: report.log.as_ref().map_or(0, |log| log.total_bytes),
            ..step.clone()
        }
    }

    pub(super) fn record_report(&mut self, report: StepReport) {
        let before = self.reports.get(&report.step);
        if before.is_some_and(|before| before.attempt > report.attempt) {
            return;
        }
        let known = before.filter(|before| before.attempt == report.attempt).and_then(|before| before.log.clone());
        let size = |log: &Option<LogTail>| log.as_ref().map_or(0, |log| log.total_bytes);
        let log = if size(&report.log) < size(&known) { known } else { report.log };
        self.reports.insert(report.step, StepReport { log, ..report });
    }

    pub(super) fn read_log(&self, step: u64) -> Option<StepLog> {
        let report = self.reports.get(&step)?;
        Some(StepLog { attempt: report.attempt, tail: report.log.clone()? })
    }

    pub(super) fn list_calls(&self, step: u64) -> Vec<CallRecord> {
        self.calls.iter().filter(|call| call.step == step).cloned().collect()
    }
}

/// Returns the length of rows as JSON, in bytes; 0 if there are none.
pub(super) fn rows_len<T: Serialize>(rows: &[T]) -> u64 {
    if rows.is_empty() { 0 } else { json_len(&rows) }
}
