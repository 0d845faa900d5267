//! The durable part of a run: jobs, their journal, leases, inbox and polls.
//!
//! Rules that every store keeps, and that the exported conformance suite proves:
//! - a commit is one transaction, guarded by the job's version; a commit with an old version changes nothing;
//! - a claim raises the version, so the owner before it can commit nothing more;
//! - what is delivered to the inbox needs no lease, is kept once per key, and wakes the job;
//! - of jobs that share a key of [`Concurrency`] no more have begun and not ended than each of them allows, and they
//!   begin in the order of priority, then age;
//! - leases, wake-ups, polls, erasures and the expiry of kept results are by the store's own clock (the database's).

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Timestamp;
use crate::catalog::Catalog;

/// What a job's status is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobStatus {
    /// Created, not yet claimed.
    Pending,
    /// Being run, or waiting for a provider or a time.
    Running,
    /// Waiting for an approval.
    Suspended,
    /// Ended with a result.
    Completed,
    /// Ended with an error.
    Failed,
    /// Ended by a user.
    Cancelled,
}

impl JobStatus {
    /// Whether nothing more will happen.
    pub fn is_final(self) -> bool {
        match self {
            Self::Pending | Self::Running | Self::Suspended => false,
            Self::Completed | Self::Failed | Self::Cancelled => true,
        }
    }

    /// The word in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Suspended => "suspended",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Pending, Self::Running, Self::Suspended, Self::Completed, Self::Failed, Self::Cancelled]
            .into_iter()
            .find(|status| status.as_str() == word)
    }
}

/// All that a job needs, as it was when the job was made: editing never changes a running job.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct JobBundle {
    /// The OpenFlow document.
    pub document: Value,
    /// The connectors, nodes and sub-flows that it refers to.
    pub catalog: Catalog,
    /// Outcomes of steps of an earlier run that are taken over, by the step's path and id: `loop[2]/draw`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kept: BTreeMap<String, Kept>,
}

/// The outcome of a step that an earlier run has computed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// The event of this job ([`crate::engine::Event::Kept`]) whose value is its result.
    pub seq: u64,
    /// The error object, where it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Value>,
}

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

/// A new job.
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    /// Identifier, a UUIDv7: newer jobs sort after older ones.
    pub id: String,
    /// The workflow's or node's name.
    pub name: String,
    /// The workflow that it runs, if a saved one.
    pub workflow_id: Option<String>,
    /// The node that it runs, if a single one.
    pub node_id: Option<String>,
    /// The user who made it.
    pub created_by: Option<String>,
    /// The moment it was made.
    pub created_at: Timestamp,
    /// All that it needs.
    pub bundle: JobBundle,
    /// Which jobs that are due come first: the higher, until a commit says otherwise.
    pub priority: i32,
    /// With whom it shares its slots; it is not due before it has one.
    pub concurrency: Option<Concurrency>,
    /// The first events; the job's input is the value of event 1.
    pub events: Vec<EventRow>,
    /// Makes a repetition of the request find the first job.
    pub idempotency: Option<Idempotency>,
}

/// Makes a repetition of a request find the first job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The caller's key, prefixed by the caller's id.
    pub key: String,
    /// Hash of the request.
    pub fingerprint: String,
    /// From when on the key is free again.
    pub expires_at: Timestamp,
}

/// How many jobs of one key may run at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concurrency {
    /// What is counted: jobs of one key share their slots. A job has its slot until it has ended.
    pub key: String,
    /// At most so many jobs of the key have a slot, from 1.
    pub limit: u64,
    /// At most `limit` jobs of the key are claimed for the first time within so many seconds. Those that have no
    /// window of their own do not count.
    pub window_s: Option<u64>,
}

impl Concurrency {
    /// Whether another job gets a slot where so many have one and so many count in their windows.
    pub fn fits(&self, held: u64, recent: u64) -> bool {
        held < self.limit && (self.window_s.is_none() || recent < self.limit)
    }
}

/// What came of creating a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// The job is new.
    New,
    /// The key was used before.
    Existing {
        /// The first job.
        job: String,
        /// Hash of the first request.
        fingerprint: String,
    },
}

/// A job as lists show it.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRow {
    /// Identifier.
    pub id: String,
    /// The workflow's or node's name.
    pub name: String,
    /// The workflow that it runs, if a saved one.
    pub workflow_id: Option<String>,
    /// The node that it runs, if a single one.
    pub node_id: Option<String>,
    /// The user who made it.
    pub created_by: Option<String>,
    /// The moment it was made.
    pub created_at: Timestamp,
    /// The moment of the last commit.
    pub updated_at: Timestamp,
    /// What commits change.
    pub patch: JobPatch,
    /// The last event's position.
    pub last_seq: u64,
}

/// The part of a job's row that commits change.
#[derive(Debug, Clone, PartialEq)]
pub struct JobPatch {
    /// Status.
    pub status: JobStatus,
    /// Which jobs that are due come first: the higher.
    pub priority: i32,
    /// Sum of the retries of its steps.
    pub retry_count: u64,
    /// The moment of its first step.
    pub started_at: Option<Timestamp>,
    /// The moment of its end.
    pub finished_at: Option<Timestamp>,
    /// Where the output is: a [`crate::engine::ValueRef`] as JSON.
    pub output: Option<Value>,
    /// The error object of a failed job.
    pub error: Option<Value>,
    /// When something of a job that has ended is to be erased, if anything is.
    pub erase_at: Option<Timestamp>,
}

/// What a step's status is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepStatus {
    /// At work, or waiting for its provider.
    Running,
    /// Waiting for its next attempt.
    Retrying,
    /// Waiting for an approval or a time.
    Suspended,
    /// Ended with a result.
    Completed,
    /// Ended with an error.
    Failed,
    /// Replaced by an identity.
    Skipped,
    /// Ended by a user, or by the end of its job.
    Cancelled,
}

impl StepStatus {
    /// The word in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Suspended => "suspended",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Running, Self::Retrying, Self::Suspended, Self::Completed, Self::Failed, Self::Skipped, Self::Cancelled]
            .into_iter()
            .find(|status| status.as_str() == word)
    }
}

/// A step of a job as it stands now; written again under its ordinal whenever it changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepRow {
    /// Position of the step's first event in the journal: the step's identity and order.
    pub ordinal: u64,
    /// Id of the module.
    pub step_id: String,
    /// Ids of the modules around it with branch or iteration: `loop[2]/branch[0]`; empty at top level.
    pub path: String,
    /// Status.
    pub status: StepStatus,
    /// Number of the attempt, from 1; 0 where the module makes none.
    pub attempt: u32,
    /// The moment it began.
    pub started_at: Timestamp,
    /// The moment it ended.
    pub finished_at: Option<Timestamp>,
    /// Where the input is: a [`crate::engine::ValueRef`] as JSON.
    pub input: Option<Value>,
    /// Where the output is: a [`crate::engine::ValueRef`] as JSON.
    pub output: Option<Value>,
    /// The error object of the last failure.
    pub error: Option<Value>,
    /// How far the provider says it is, from 0 to 1.
    pub progress: Option<f64>,
    /// The provider's own id of the work.
    pub provider_id: Option<String>,
    /// The moment of the next attempt.
    pub retry_at: Option<Timestamp>,
    /// What the gate after it waits for: `{"required", "until"}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Value>,
}

/// One request of a step and its reply, secrets masked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {
    /// The step that made it.
    pub step: u64,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// What it was for: submit, poll, result, cancel or recover.
    pub purpose: String,
    /// When it was sent.
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The request: `{method, url, headers, body}`, with secrets as their names.
    pub request: Value,
    /// The reply: `{status, headers, excerpt, size_bytes}`, or `{error}`; empty while none has come.
    pub reply: Value,
}

impl CallRecord {
    /// What a submit is for.
    pub(crate) const SUBMIT: &str = "submit";

    /// Joins submits with their replies: the request is recorded with the attempt, before it is sent, and the reply
    /// after it, each without the other. A submit without a reply is under way, or nobody knows what became of it.
    pub fn joined(records: Vec<Self>) -> Vec<Self> {
        let mut joined: Vec<Self> = Vec::with_capacity(records.len());
        for record in records {
            let sent = |known: &&mut Self| {
                known.purpose == Self::SUBMIT && known.attempt == record.attempt && known.reply == json!({})
            };
            match joined.iter_mut().find(sent).filter(|_| record.purpose == Self::SUBMIT && record.request.is_null()) {
                Some(known) => *known = Self { request: std::mem::take(&mut known.request), ..record },
                None => joined.push(record),
            }
        }
        joined
    }
}

/// A provider's work that an attempt follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Following {
    /// Where the work is: the provider's host.
    pub provider: String,
    /// The provider's own id of it.
    pub provider_id: String,
    /// The job.
    pub job: String,
    /// The attempt.
    pub effect: u64,
}

/// A poll of a provider's operation that is due at a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Poll {
    /// The attempt that it belongs to.
    pub effect: u64,
    /// When it is due.
    pub due_at: Timestamp,
    /// What the poller needs beside the job's bundle; small, immutable.
    pub ticket: Value,
}

/// A poll that was taken because it is due.
#[derive(Debug, Clone, PartialEq)]
pub struct DuePoll {
    /// The job.
    pub job: String,
    /// How many polls changed nothing so far.
    pub tries: u32,
    /// The poll itself.
    pub poll: Poll,
}

/// A job of which something is to be erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueErasure {
    /// The job.
    pub job: String,
    /// The moment that came: [`JobPatch::erase_at`].
    pub due_at: Timestamp,
}

/// What is erased of a job that has ended. All of it may be said again, to the same effect.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Erasure {
    /// The job.
    pub job: String,
    /// Events whose values, where they have one, become `{}`.
    pub values: Vec<u64>,
    /// Events that are written again, by position.
    pub events: Vec<(u64, Value)>,
    /// Steps that are written again.
    pub steps: Vec<StepRow>,
    /// Steps whose calls are removed.
    pub calls: Vec<u64>,
    /// What the job is left as, with the last part of an erasure.
    pub rest: Option<ErasedJob>,
}

/// What a job is left as when something of it was erased.
#[derive(Debug, Clone, PartialEq)]
pub struct ErasedJob {
    /// Where the output is.
    pub output: Option<Value>,
    /// The error object.
    pub error: Option<Value>,
    /// When more of it is to be erased, if anything is left.
    pub erase_at: Option<Timestamp>,
    /// What it needed, where that changes.
    pub bundle: Option<JobBundle>,
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

/// A job that was claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The job.
    pub job: String,
    /// The version that the next commit must name.
    pub version: u64,
    /// How often it was claimed since its last commit, this time included: over 1 where a worker died of it, or beside
    /// it.
    pub tries: u32,
}

/// All that is needed to go on with a job.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The job's row.
    pub job: JobRow,
    /// All that the job needs.
    pub bundle: JobBundle,
    /// The last snapshot.
    pub snapshot: Option<SnapshotRow>,
    /// The events after the snapshot, in order, without their values.
    pub events: Vec<EventRow>,
    /// Messages not yet consumed, in order of arrival.
    pub inbox: Vec<InboxMessage>,
}

/// A result that is kept for other runs under a key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CachedRow {
    /// What it is the result of; the same key is the same work with the same input.
    pub key: String,
    /// The result.
    pub value: Value,
    /// For how many seconds from the commit on it is given, by the store's clock; 0 is over at once.
    pub ttl_s: u64,
}

/// The outcome of one turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Commit {
    /// The job.
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
    pub cached: Vec<CachedRow>,
    /// Control state after the events.
    pub snapshot: Option<SnapshotRow>,
    /// The job's row after the events.
    pub patch: JobPatch,
    /// What becomes of the lease.
    pub lease: LeaseChange,
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

/// What came of renewing a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewed {
    /// The job.
    pub job: String,
    /// Whether messages wait in its inbox.
    pub inbox: bool,
}

/// Which jobs a list shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Only of this status.
    pub status: Option<JobStatus>,
    /// Only of this workflow.
    pub workflow_id: Option<String>,
    /// Only of this node.
    pub node_id: Option<String>,
    /// Only made at or after.
    pub created_after: Option<Timestamp>,
    /// Only made before.
    pub created_before: Option<Timestamp>,
}

/// Why a store could not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The job has another version than the commit names: the lease is lost.
    #[error("job `{job}` was taken over by another worker")]
    Fenced {
        /// The job.
        job: String,
    },
    /// There is no such job.
    #[error("there is no job `{job}`")]
    NotFound {
        /// The job.
        job: String,
    },
    /// The job has not ended.
    #[error("job `{job}` has not ended")]
    Active {
        /// The job.
        job: String,
    },
    /// The database failed; the text is for the log.
    #[error("the store failed: {0}")]
    Backend(String),
}

/// Keeps jobs durably. Every method is one transaction.
#[async_trait]
pub trait Store: Send + Sync {
    /// Adds a job, unless its idempotency key was used and has not expired. It is due at once, or with its slot where
    /// it shares slots with others: the first of those that wait (by priority, then by age) gets the first that is
    /// free, and none overtakes it.
    async fn create_job(&self, job: NewJob) -> Result<Created, StoreError>;

    /// The job that was made with an idempotency key that has not expired, and the fingerprint of that request.
    async fn job_of_key(&self, key: &str) -> Result<Option<(String, String)>, StoreError>;

    /// Takes up to `limit` jobs that are due and that no living lease holds, for `lease`; raises their versions. Jobs
    /// of higher priority come first, and of one priority those with the oldest wake-up. The cost does not grow with
    /// the number of jobs that wait.
    async fn claim(&self, worker: &str, limit: u32, lease: Duration) -> Result<Vec<Claim>, StoreError>;

    /// Prolongs the leases that `worker` still holds among `jobs`; the jobs missing from the answer are lost.
    async fn renew(&self, worker: &str, jobs: &[String], lease: Duration) -> Result<Vec<Renewed>, StoreError>;

    /// Reads all that is needed to go on with a job.
    async fn load(&self, job: &str) -> Result<Loaded, StoreError>;

    /// Records one turn and gives the job's new version.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] where the version is not the job's; nothing is changed then.
    async fn commit(&self, commit: Commit) -> Result<u64, StoreError>;

    /// Puts a message into a job's inbox, once per key, and makes the job due; says whether it is new. A job that
    /// waits for its slot goes on waiting, and one that has ended takes none. `poll_over` names an attempt whose poll
    /// ends with this message.
    async fn deliver(&self, job: &str, key: &str, payload: Value, poll_over: Option<u64>) -> Result<bool, StoreError>;

    /// Lets a job that waits for its slot go without one, due at once: only for one that is about to end, by a message
    /// that it has. Nothing happens where it does not wait.
    async fn let_through(&self, job: &str) -> Result<(), StoreError>;

    /// The messages not yet consumed, in order of arrival.
    async fn inbox(&self, job: &str) -> Result<Vec<InboxMessage>, StoreError>;

    /// Notes whose a provider's work is, unless that is known; says whether it is this attempt's now. Removing the job
    /// forgets it.
    async fn follow(&self, following: Following) -> Result<bool, StoreError>;

    /// Takes up to `limit` polls that are due, hiding them from others for `lease`.
    async fn take_polls(&self, limit: u32, lease: Duration) -> Result<Vec<DuePoll>, StoreError>;

    /// Puts a poll that changed nothing back with its next time; `progress` is written to the step of that attempt
    /// where given. Nothing happens where the poll is over.
    async fn put_back(
        &self,
        job: &str,
        effect: u64,
        due_at: Timestamp,
        progress: Option<(u64, f64)>,
    ) -> Result<(), StoreError>;

    /// Takes up to `limit` jobs that have ended and of which something is to be erased by now, earliest first, hiding
    /// them from others for `lease`. They are given again until [`Store::erase`] sets another moment, or none.
    async fn take_erasures(&self, limit: u32, lease: Duration) -> Result<Vec<DueErasure>, StoreError>;

    /// Erases a part of a job that has ended; its snapshot and the payloads of its messages go with any part.
    ///
    /// # Errors
    /// [`StoreError::Active`] where it has not ended; nothing is changed then.
    async fn erase(&self, erasure: Erasure) -> Result<(), StoreError>;

    /// The earliest moment at which a claim may find a job, or a poll or an erasure is due, if any waits.
    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError>;

    /// The values of some events, in the order asked; `None` for an event without a value.
    async fn values(&self, job: &str, seqs: &[u64]) -> Result<Vec<Option<Value>>, StoreError>;

    /// The result kept under a key by any job, unless it has expired.
    async fn cached(&self, key: &str) -> Result<Option<Value>, StoreError>;

    /// The bodies of the events that extend a list, in order of their index.
    async fn list(&self, job: &str, list: u64) -> Result<Vec<Value>, StoreError>;

    /// A job's row.
    async fn job(&self, job: &str) -> Result<Option<JobRow>, StoreError>;

    /// Up to `limit` jobs, newest first, older than `before` where given.
    async fn jobs(&self, filter: &JobFilter, before: Option<&str>, limit: u32) -> Result<Vec<JobRow>, StoreError>;

    /// Up to `limit` events after `after`, in order, without their values.
    async fn events(&self, job: &str, after: u64, limit: u32) -> Result<Vec<EventRow>, StoreError>;

    /// Up to `limit` steps with an ordinal above `after`, in order.
    async fn steps(&self, job: &str, after: u64, limit: u32) -> Result<Vec<StepRow>, StoreError>;

    /// The calls of one step, in order, as [`CallRecord::joined`] joins them.
    async fn calls(&self, job: &str, step: u64) -> Result<Vec<CallRecord>, StoreError>;

    /// Removes a job that has ended, with all that belongs to it.
    async fn delete_job(&self, job: &str) -> Result<(), StoreError>;
}
