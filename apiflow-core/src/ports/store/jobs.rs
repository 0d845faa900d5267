//! Jobs, as the store keeps them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::job_queue::Claim;
use super::shared_bundle::SharedBundle;
use super::turns::{EventRow, LoadedJob, value_bytes};
use super::value_ref::ValueRef;
use super::webhook_deliveries::JobWebhook;
use crate::declarations::Catalog;
use crate::money::Cost;
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
    /// Returns whether the job has ended.
    pub fn is_final(self) -> bool {
        match self {
            Self::Pending | Self::Running | Self::Suspended => false,
            Self::Completed | Self::Failed | Self::Cancelled => true,
        }
    }

    /// Returns the status as written in JSON and the database.
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

    /// Parses a status.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Pending, Self::Running, Self::Suspended, Self::Completed, Self::Failed, Self::Cancelled]
            .into_iter()
            .find(|status| status.as_str() == word)
    }
}

/// Everything that a job depends on, as of its creation: later edits never change a running job.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct JobBundle {
    /// The OpenFlow document.
    pub document: Value,
    /// The connectors, nodes and sub-flows that the document refers to.
    pub catalog: Catalog,
    /// Whether it was checked on creation that the connectors and nodes may refer to their secrets. Older bundles were
    /// not checked, and are not run again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub secrets_checked: bool,
    /// Outcomes of steps of an earlier run that are reused, by the step's path and id: `loop[2]/draw`.
    #[serde(default, rename = "kept", skip_serializing_if = "BTreeMap::is_empty")]
    pub reused_results: BTreeMap<String, ReusedResult>,
}

/// The outcome of a step that an earlier run has computed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReusedResult {
    /// The event of this job ([`crate::engine::Event::ResultReused`]) whose value is the result.
    pub seq: u64,
    /// The error object, if the step failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Value>,
}

/// A new job.
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    /// Id, a UUIDv7: newer jobs sort after older ones.
    pub id: String,
    /// Name of the workflow or node.
    pub name: String,
    /// Id of the workflow, if it is a saved one.
    pub workflow_id: Option<String>,
    /// Version of the saved workflow, if the host counts versions.
    pub workflow_version: Option<u64>,
    /// Id of the node, if the job runs a single one.
    pub node_id: Option<String>,
    /// Id of the job that it reruns.
    pub rerun_of: Option<String>,
    /// Id of the user who created the job.
    pub created_by: Option<String>,
    /// When the job was created.
    pub created_at: Timestamp,
    /// Everything that the job depends on.
    pub bundle: SharedBundle,
    /// Priority among due jobs, higher first, until a commit changes it.
    pub priority: i32,
    /// The jobs that it shares slots with; it is not due before it has a slot.
    pub concurrency: Option<Concurrency>,
    /// The first events; the job's input is the value of event 1.
    pub events: Vec<EventRow>,
    /// Makes a repeated request find the first job.
    pub idempotency: Option<Idempotency>,
    /// Refuses the job if the values of its user's jobs that have not ended take this many bytes of JSON, or more.
    pub max_bytes_in_flight: Option<u64>,
    /// Where the job is announced.
    pub webhook: Option<JobWebhook>,
}

impl NewJob {
    /// Returns the size of the values of its events, in bytes of JSON.
    pub fn value_bytes(&self) -> u64 {
        value_bytes(&self.events)
    }

    /// Returns the job's row after its creation.
    pub fn to_row(&self) -> JobRow {
        JobRow {
            id: self.id.clone(),
            name: self.name.clone(),
            workflow_id: self.workflow_id.clone(),
            workflow_version: self.workflow_version,
            node_id: self.node_id.clone(),
            rerun_of: self.rerun_of.clone(),
            created_by: self.created_by.clone(),
            created_at: self.created_at,
            updated_at: self.created_at,
            state: JobState::new(self.priority),
            last_seq: self.events.iter().map(|event| event.seq).max().unwrap_or(0),
        }
    }

    /// Returns what [`JobJournal::load_job`](super::JobJournal::load_job) returns after the creation, for a worker that
    /// claims the job at the same time.
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

/// Makes a repeated request find the first job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The caller's key, prefixed with the caller's id.
    pub key: String,
    /// Hash of the request.
    pub fingerprint: String,
    /// When the key can be used again.
    pub expires_at: Timestamp,
}

/// A limit on the number of jobs with the same key that run at the same time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concurrency {
    /// The key: jobs with the same key share slots. A job keeps its slot until it ends.
    pub key: String,
    /// Maximum number of jobs with the key that have a slot, at least 1.
    pub limit: u64,
    /// At most `limit` jobs with the key are claimed for the first time within this many seconds. Jobs without a window
    /// of their own do not count.
    pub window_s: Option<u64>,
}

impl Concurrency {
    /// Returns whether another job gets a slot if `held` jobs have one and `recent` count in their windows.
    pub fn has_free_slot(&self, held: u64, recent: u64) -> bool {
        held < self.limit && (self.window_s.is_none() || recent < self.limit)
    }
}

/// The outcome of creating a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// The job was created.
    New {
        /// The claim, if the caller requested one and the job was due immediately.
        claim: Option<Claim>,
    },
    /// The idempotency key has been used before.
    Existing {
        /// Id of the first job.
        job: String,
        /// Hash of the first request.
        fingerprint: String,
    },
    /// The values of the user's jobs that have not ended take too many bytes of JSON.
    OverLimit {
        /// The bytes that they take.
        used: u64,
    },
}

/// A job, as lists show it.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRow {
    /// Id of the job, unique in the store.
    pub id: String,
    /// Name of the workflow or node.
    pub name: String,
    /// Id of the workflow, if it is a saved one.
    pub workflow_id: Option<String>,
    /// Version of the saved workflow, if the host counts versions.
    pub workflow_version: Option<u64>,
    /// Id of the node, if the job runs a single one.
    pub node_id: Option<String>,
    /// Id of the job that it reruns, even if that was deleted.
    pub rerun_of: Option<String>,
    /// Id of the user who created the job.
    pub created_by: Option<String>,
    /// When the job was created.
    pub created_at: Timestamp,
    /// Time of the last commit.
    pub updated_at: Timestamp,
    /// The fields that commits change.
    pub state: JobState,
    /// Sequence number of the last event.
    pub last_seq: u64,
}

/// The fields of a job's row that commits change.
#[derive(Debug, Clone, PartialEq)]
pub struct JobState {
    /// Status of the job after the last commit.
    pub status: JobStatus,
    /// Priority among due jobs, higher first.
    pub priority: i32,
    /// Number of retries of all steps.
    pub retry_count: u64,
    /// What its attempts have cost so far.
    pub cost: Cost,
    /// When the first step started.
    pub started_at: Option<Timestamp>,
    /// When the job ended.
    pub finished_at: Option<Timestamp>,
    /// Reference to the output.
    pub output: Option<ValueRef>,
    /// Error object of a failed job.
    pub error: Option<Value>,
    /// When data of the ended job is due for erasure, if any.
    pub erase_at: Option<Timestamp>,
}

impl JobState {
    /// Returns the state of a new job.
    pub fn new(priority: i32) -> Self {
        Self {
            status: JobStatus::Pending,
            priority,
            retry_count: 0,
            cost: Cost::default(),
            started_at: None,
            finished_at: None,
            output: None,
            error: None,
            erase_at: None,
        }
    }
}
