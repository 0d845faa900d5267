//! Jobs as the store keeps them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::queue::Claim;
use super::shared_bundle::SharedBundle;
use super::turns::{EventRow, LoadedJob, value_bytes};
use crate::declarations::Catalog;
use crate::ports::Timestamp;

/// Status of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum JobStatus {
    /// Created, not yet started.
    Pending,
    /// Running, or waiting for a provider or for a time.
    Running,
    /// Waiting for an approval.
    Suspended,
    /// Completed with a result.
    Completed,
    /// Failed with an error.
    Failed,
    /// Cancelled by a user.
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
    /// Whether the maker of the job checked that its connectors and nodes may refer to the secrets that they name. Older
    /// bundles were not checked, and are not run again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub secrets_checked: bool,
    /// Outcomes of steps of an earlier run that are reused, by the step's path and id: `loop[2]/draw`.
    #[serde(default, rename = "kept", skip_serializing_if = "BTreeMap::is_empty")]
    pub reused_results: BTreeMap<String, ReusedResult>,
}

/// The outcome of a step that an earlier run has computed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReusedResult {
    /// The event of this job ([`crate::engine::Event::ResultReused`]) whose value is its result.
    pub seq: u64,
    /// The error object, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Value>,
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
    pub bundle: SharedBundle,
    /// Which jobs that are due come first: the higher, until a commit says otherwise.
    pub priority: i32,
    /// With whom it shares its slots; it is not due before it has one.
    pub concurrency: Option<Concurrency>,
    /// The first events; the job's input is the value of event 1.
    pub events: Vec<EventRow>,
    /// Makes a repetition of the request find the first job.
    pub idempotency: Option<Idempotency>,
}

impl NewJob {
    /// How many bytes of JSON the values of its events take.
    pub fn value_bytes(&self) -> u64 {
        value_bytes(&self.events)
    }

    /// The job's row once it is made.
    pub fn to_row(&self) -> JobRow {
        JobRow {
            id: self.id.clone(),
            name: self.name.clone(),
            workflow_id: self.workflow_id.clone(),
            node_id: self.node_id.clone(),
            created_by: self.created_by.clone(),
            created_at: self.created_at,
            updated_at: self.created_at,
            state: JobState::new(self.priority),
            last_seq: self.events.iter().map(|event| event.seq).max().unwrap_or(0),
        }
    }

    /// What [`JobJournal::load_job`](super::JobJournal::load_job) returns of the job once it is made, for the worker that
    /// claims it at the same time.
    pub fn into_loaded(self) -> LoadedJob {
        LoadedJob {
            value_bytes: self.value_bytes(),
            job: self.to_row(),
            bundle: self.bundle,
            snapshot: None,
            events: self.events.into_iter().map(|event| EventRow { value: None, ..event }).collect(),
            inbox: Vec::new(),
        }
    }
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
    /// Maximum number of jobs of the key that have a slot, from 1.
    pub limit: u64,
    /// At most `limit` jobs of the key are claimed for the first time within this many seconds. Those that have no
    /// window of their own do not count.
    pub window_s: Option<u64>,
}

impl Concurrency {
    /// Whether another job gets a slot if this many have one and this many count in their windows.
    pub fn has_free_slot(&self, held: u64, recent: u64) -> bool {
        held < self.limit && (self.window_s.is_none() || recent < self.limit)
    }
}

/// The outcome of creating a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// The job is new.
    New {
        /// The claim for the caller, if it asked for one and the job was due at once.
        claim: Option<Claim>,
    },
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
    /// Identifier of the job, unique in the store.
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
    pub state: JobState,
    /// The last event's position.
    pub last_seq: u64,
}

/// The part of a job's row that commits change.
#[derive(Debug, Clone, PartialEq)]
pub struct JobState {
    /// Status of the job after the last commit.
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

impl JobState {
    /// The state of a job in which nothing has happened.
    pub fn new(priority: i32) -> Self {
        Self {
            status: JobStatus::Pending,
            priority,
            retry_count: 0,
            started_at: None,
            finished_at: None,
            output: None,
            error: None,
            erase_at: None,
        }
    }
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
