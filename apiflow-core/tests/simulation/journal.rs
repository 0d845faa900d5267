//! The durable part of a random world: one job's journal, lease, inbox and polls.
//!
//! Everything goes through JSON, as in a database.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use apiflow_core::engine::{Call, Event, Fact, Program, Recorded, Recovery, Run};
use apiflow_core::ports::{JobState, SnapshotRow, StepRow, Timestamp};
use serde_json::Value;

use super::values::{Kept, Values};

/// Who holds the job: a worker's place, and which of the processes that were there.
pub(crate) type Owner = (usize, u32);

/// One event.
pub(crate) struct Row {
    pub(crate) seq: u64,
    pub(crate) at: Timestamp,
    body: Value,
}

/// A message, not yet consumed.
#[derive(Clone)]
pub(crate) struct Message {
    pub(crate) payload: Value,
    /// Whether it says something that nobody waits for.
    pub(crate) inert: bool,
}

/// A poll that waits.
#[derive(Clone)]
pub(crate) struct Poll {
    pub(crate) subject: PollSubject,
    pub(crate) deadline: Timestamp,
    pub(crate) ready_at: Timestamp,
}

/// What a poll asks for.
#[derive(Clone)]
pub(crate) enum PollSubject {
    /// How far work is.
    Work(String),
    /// Whether the provider took an attempt.
    Attempt { call: Box<Call>, search: Recovery, looks: u32 },
}

/// What a turn commits.
pub(crate) struct Commit {
    pub(crate) version: u64,
    pub(crate) events: Vec<Recorded>,
    pub(crate) steps: Vec<StepRow>,
    pub(crate) polls: BTreeMap<u64, Poll>,
    pub(crate) polls_cleared: Vec<u64>,
    pub(crate) consumed: Vec<i64>,
    pub(crate) snapshot: Option<SnapshotRow>,
    pub(crate) state: JobState,
    pub(crate) kept: Kept,
    /// Whether the owner gives the job back, and until when.
    pub(crate) release: Option<Option<Timestamp>>,
}

/// One job, durably.
pub(crate) struct Journal {
    pub(crate) rows: Vec<Row>,
    pub(crate) values: Values,
    pub(crate) version: u64,
    pub(crate) owner: Option<Owner>,
    /// When it may be claimed: its wake-up, or the end of its lease.
    pub(crate) due_at: Option<Timestamp>,
    pub(crate) snapshot: Option<SnapshotRow>,
    pub(crate) inbox: BTreeMap<i64, Message>,
    keys: BTreeSet<String>,
    messages: i64,
    pub(crate) polls: BTreeMap<u64, Poll>,
    pub(crate) steps: BTreeMap<u64, StepRow>,
    pub(crate) state: JobState,
    /// Results that later steps of the same may take, and until when.
    cached: BTreeMap<String, (Value, Timestamp)>,
}

impl Journal {
    pub(crate) fn new(events: Vec<Recorded>, now: Timestamp) -> Self {
        let mut journal = Self {
            rows: Vec::new(),
            values: Values::default(),
            version: 0,
            owner: None,
            due_at: Some(now),
            snapshot: None,
            inbox: BTreeMap::new(),
            keys: BTreeSet::new(),
            messages: 0,
            polls: BTreeMap::new(),
            steps: BTreeMap::new(),
            state: Run::new(Arc::new(Program::default())).job_state(),
            cached: BTreeMap::new(),
        };
        journal.append(&events);
        journal
    }

    fn append(&mut self, events: &[Recorded]) {
        self.values.record(events);
        for recorded in events {
            let body = serde_json::to_value(&recorded.event).expect("an event is plain data");
            self.rows.push(Row { seq: recorded.seq, at: recorded.at, body });
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.state.status.is_final()
    }

    pub(crate) fn claim(&mut self, owner: Owner, until: Timestamp) -> u64 {
        self.owner = Some(owner);
        self.due_at = Some(until);
        self.version += 1;
        self.version
    }

    /// Records a turn; gives the new version, or nothing where another owner has the job.
    pub(crate) fn commit(&mut self, commit: Commit, now: Timestamp) -> Option<u64> {
        if commit.version != self.version {
            return None;
        }
        self.append(&commit.events);
        self.steps.extend(commit.steps.into_iter().map(|step| (step.ordinal, step)));
        for effect in commit.polls_cleared {
            self.polls.remove(&effect);
        }
        self.polls.extend(commit.polls);
        for id in commit.consumed {
            self.inbox.remove(&id);
        }
        if commit.snapshot.is_some() {
            self.snapshot = commit.snapshot;
        }
        for (key, value) in commit.kept {
            self.cached.insert(key.key, (value, now.plus_ms(key.ttl_s * 1_000)));
        }
        self.state = commit.state;
        self.version += 1;
        if self.has_ended() {
            (self.owner, self.due_at) = (None, None);
            self.polls.clear();
        } else if let Some(wake_at) = commit.release {
            self.owner = None;
            self.due_at = if self.inbox.is_empty() { wake_at } else { Some(now) };
        }
        Some(self.version)
    }

    /// Keeps a message, once per key, and makes the job due.
    pub(crate) fn deliver(&mut self, key: &str, fact: &Fact, inert: bool, now: Timestamp) {
        if self.has_ended() || !self.keys.insert(key.to_owned()) {
            return;
        }
        self.messages += 1;
        let payload = serde_json::to_value(fact).expect("a fact is plain data");
        self.inbox.insert(self.messages, Message { payload, inert });
        if self.owner.is_none() {
            self.due_at = Some(self.due_at.map_or(now, |due| due.min(now)));
        }
    }

    /// A result that is kept under a key.
    pub(crate) fn cached(&self, key: &str, now: Timestamp) -> Option<Value> {
        self.cached.get(key).filter(|(_, until)| *until > now).map(|(value, _)| value.clone())
    }

    /// The events after a position.
    pub(crate) fn after(&self, seq: u64) -> impl Iterator<Item = (u64, Timestamp, Event)> {
        self.rows.iter().filter(move |row| row.seq > seq).map(|row| {
            let event = serde_json::from_value(row.body.clone()).expect("what was written can be read");
            (row.seq, row.at, event)
        })
    }

    /// The kinds of its events.
    pub(crate) fn kinds(&self) -> BTreeSet<String> {
        self.rows.iter().filter_map(|row| row.body["type"].as_str().map(str::to_owned)).collect()
    }

    /// The run as of the last snapshot, if any, and the events after it.
    pub(crate) fn restore(&self, program: &Arc<Program>, whole: bool) -> Run {
        let mut run = match self.snapshot.as_ref().filter(|_| !whole) {
            Some(snapshot) => Run::restore_snapshot(program.clone(), snapshot).expect("what was written can be read"),
            None => Run::new(program.clone()),
        };
        for (seq, at, event) in self.after(run.seq()) {
            run.apply_event(seq, at, &event);
        }
        run
    }
}
