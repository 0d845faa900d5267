//! What a worker reads to go on with a job, and what it writes at the end of a turn.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::jobs::{JobRow, JobState};
use super::provider_work::Poll;
use super::shared_bundle::SharedBundle;
use super::size::json_len;
use super::steps::{CallRecord, StepRow};
use crate::ports::Timestamp;

/// One event of a job's journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventRow {
    /// Position in the journal, from 1.
    pub seq: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// The event ([`crate::engine::Event`]), without its value.
    pub body: Value,
    /// The immutable value that it brought, if any; addressed by `seq`.
    pub value: Option<Value>,
    /// The list that it extends and the index there, for finished iterations and branches.
    pub item: Option<(u64, u64)>,
}

/// Control state at a point of the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct SnapshotRow {
    /// The last event that it includes.
    pub seq: u64,
    /// The state ([`crate::engine::Run`]'s).
    pub state: Value,
}

/// A message for a job, from outside its lease.
#[derive(Debug, Clone, PartialEq)]
pub struct InboxMessage {
    /// The store's own number.
    pub id: i64,
    /// Unique within the job: a message delivered twice is kept once, also after it was consumed.
    pub key: String,
    /// The message ([`crate::engine::Fact`] as JSON).
    pub payload: Value,
}

/// All that is needed to go on with a job.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedJob {
    /// The job's row.
    pub job: JobRow,
    /// All that the job needs.
    pub bundle: SharedBundle,
    /// The last snapshot.
    pub snapshot: Option<SnapshotRow>,
    /// The events after the snapshot, in order, without their values.
    pub events: Vec<EventRow>,
    /// Messages not yet consumed, in order of arrival.
    pub inbox: Vec<InboxMessage>,
    /// Bytes of JSON of the values that were committed.
    pub value_bytes: u64,
}

/// How many bytes of JSON the values of events take.
pub(super) fn value_bytes(events: &[EventRow]) -> u64 {
    events.iter().filter_map(|event| event.value.as_ref()).map(json_len).sum()
}

/// A result that is kept for other runs under a key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CachedResult {
    /// What it is the result of; the same key is the same work with the same input.
    pub key: String,
    /// The result of the step, as JSON.
    pub value: Value,
    /// For how many seconds from the commit on it is given, by the store's clock; 0 is over at once.
    pub ttl_s: u64,
}

/// The outcome of one turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Commit {
    /// Id of the job that the turn belongs to.
    pub job: String,
    /// The version that the job must still have; it is raised by one.
    pub version: u64,
    /// When the turn was.
    pub at: Timestamp,
    /// New events, in order.
    pub events: Vec<EventRow>,
    /// Steps that changed.
    pub steps: Vec<StepRow>,
    /// Calls that were made.
    pub calls: Vec<CallRecord>,
    /// Polls to add or replace.
    pub polls: Vec<Poll>,
    /// Attempts whose polls are over.
    pub polls_cleared: Vec<u64>,
    /// Inbox messages that the events take in.
    pub consumed: Vec<i64>,
    /// Results to keep for other runs; each replaces what was kept under its key, expiry included, and the last of
    /// several under one key counts.
    pub cached: Vec<CachedResult>,
    /// Control state after the events.
    pub snapshot: Option<SnapshotRow>,
    /// The job's row after the events.
    pub state: JobState,
    /// What becomes of the lease.
    pub lease: LeaseChange,
}

impl Commit {
    /// How many bytes of JSON the values of its events take.
    pub fn value_bytes(&self) -> u64 {
        value_bytes(&self.events)
    }

    /// A commit that changes nothing but the job's row and its lease.
    pub fn new(job: &str, version: u64, at: Timestamp, state: JobState, lease: LeaseChange) -> Self {
        Self {
            job: job.to_owned(),
            version,
            at,
            events: Vec::new(),
            steps: Vec::new(),
            calls: Vec::new(),
            polls: Vec::new(),
            polls_cleared: Vec::new(),
            consumed: Vec::new(),
            cached: Vec::new(),
            snapshot: None,
            state,
            lease,
        }
    }
}

/// What becomes of the lease with a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseChange {
    /// The owner goes on.
    Keep,
    /// The job waits: nobody owns it until `wake_at`, or until something is delivered. A message that
    /// arrived since the owner last looked makes it due at once.
    Release {
        /// When it is due again by itself.
        wake_at: Option<Timestamp>,
    },
}
