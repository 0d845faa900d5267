//! What a worker reads to continue a job, and what it writes at the end of a turn.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::call_records::CallRecord;
use super::jobs::{JobRow, JobState};
use super::provider_work::Poll;
use super::shared_bundle::SharedBundle;
use super::size::json_len;
use super::spending::AttemptCharge;
use super::steps::StepRow;
use crate::ports::Timestamp;

/// An event of a job's journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventRow {
    /// Position in the journal, from 1.
    pub seq: u64,
    /// When the event was decided.
    pub at: Timestamp,
    /// The event ([`crate::engine::Event`]), without its value.
    pub body: Value,
    /// The immutable value of the event, if it has one; addressed by `seq`.
    pub value: Option<Value>,
    /// For ended iterations and branches: the list that the event extends, and the index there.
    pub item: Option<(u64, u64)>,
}

/// The control state at a position of the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct SnapshotRow {
    /// Sequence number of the last event that it includes.
    pub seq: u64,
    /// State of the [`crate::engine::Run`].
    pub state: Value,
}

/// A message for a job, delivered without its lease.
#[derive(Debug, Clone, PartialEq)]
pub struct InboxMessage {
    /// Number that the store assigned.
    pub id: i64,
    /// Unique within the job: a message that is delivered twice is stored once, even after it was consumed.
    pub key: String,
    /// The message ([`crate::engine::Fact`] as JSON).
    pub payload: Value,
}

/// Everything needed to continue a job.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedJob {
    /// The job's row.
    pub job: JobRow,
    /// Everything that the job depends on.
    pub bundle: SharedBundle,
    /// The last snapshot.
    pub snapshot: Option<SnapshotRow>,
    /// The events after the snapshot, in order, without their values.
    pub events: Vec<EventRow>,
    /// Unconsumed messages, in order of arrival.
    pub inbox: Vec<InboxMessage>,
    /// Size of the committed values, in bytes of JSON.
    pub value_bytes: u64,
}

/// Returns the size of the values of events, in bytes of JSON.
pub(super) fn value_bytes(events: &[EventRow]) -> u64 {
    events.iter().filter_map(|event| event.value.as_ref()).map(json_len).sum()
}

/// A result that is cached for other runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CachedResult {
    /// Cache key; equal keys mean the same work with the same input.
    pub key: String,
    /// Result of the step, as JSON.
    pub value: Value,
    /// Seconds after the commit at which the result expires, by the store's clock; 0 expires immediately.
    pub ttl_s: u64,
}

/// The outcome of one turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Commit {
    /// Id of the job.
    pub job: String,
    /// The version that the job must still have; the commit raises it by one.
    pub version: u64,
    /// Time of the turn.
    pub at: Timestamp,
    /// New events, in order.
    pub events: Vec<EventRow>,
    /// Steps that changed.
    pub steps: Vec<StepRow>,
    /// Calls that were made.
    pub calls: Vec<CallRecord>,
    /// Polls to add or replace.
    pub polls: Vec<Poll>,
    /// Attempts whose polls have ended.
    pub polls_cleared: Vec<u64>,
    /// Inbox messages that the events have consumed.
    pub consumed: Vec<i64>,
    /// Results to cache for other runs; each replaces the earlier one with its key, including its expiry; of several
    /// with the same key, the last one is used.
    pub cached: Vec<CachedResult>,
    /// What attempts that end with the turn cost: added to the usage of the job's user and workflow.
    pub charges: Vec<AttemptCharge>,
    /// Steps whose attempts end with the turn: their reservations and slots end, too. An ended job has none.
    pub ended_attempts: Vec<u64>,
    /// Control state after the events.
    pub snapshot: Option<SnapshotRow>,
    /// The job's row after the events.
    pub state: JobState,
    /// What happens to the lease.
    pub lease: LeaseChange,
}

impl Commit {
    /// Returns the size of the values of its events, in bytes of JSON.
    pub fn value_bytes(&self) -> u64 {
        value_bytes(&self.events)
    }

    /// Creates a commit that only changes the job's row and its lease.
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
            charges: Vec::new(),
            ended_attempts: Vec::new(),
            snapshot: None,
            state,
            lease,
        }
    }
}

/// What happens to the lease with a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseChange {
    /// The owner keeps it.
    Keep,
    /// The lease is released: nobody owns the job until `wake_at`, or until a message is delivered. A message that
    /// arrived since the owner last read the inbox makes it due immediately.
    Release {
        /// When the job is due again without a message.
        wake_at: Option<Timestamp>,
    },
}
