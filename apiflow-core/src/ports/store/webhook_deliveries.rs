//! Announcements of jobs to a user's own server: which jobs are announced where, and the messages that are due.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::StoreError;
use super::jobs::JobStatus;
use super::steps::StepStatus;
use super::turns::Commit;
use crate::ports::Timestamp;

/// What a job announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum WebhookEvent {
    /// The job completed.
    Completed,
    /// The job failed.
    Failed,
    /// The job was cancelled.
    Cancelled,
    /// A step of the job waits for approval.
    Approval,
}

impl WebhookEvent {
    /// All events, which are announced unless a job chooses some of them.
    pub const ALL: [Self; 4] = [Self::Completed, Self::Failed, Self::Cancelled, Self::Approval];

    /// Returns the event as written in JSON and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Approval => "approval",
        }
    }

    /// Parses an event.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.as_str() == word)
    }

    /// Returns the event of a job that has ended with this status.
    fn of_end(status: JobStatus) -> Option<Self> {
        match status {
            JobStatus::Completed => Some(Self::Completed),
            JobStatus::Failed => Some(Self::Failed),
            JobStatus::Cancelled => Some(Self::Cancelled),
            JobStatus::Pending | JobStatus::Running | JobStatus::Suspended => None,
        }
    }
}

/// Where a job is announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobWebhook {
    /// Absolute URL that the messages are posted to.
    pub url: String,
    /// Host and port of the URL: messages to one host share its limit.
    pub host: String,
    /// The events that are announced, each once.
    pub events: Vec<WebhookEvent>,
    /// Id of the user whose secret signs the messages.
    pub signer: String,
}

/// Something that a commit announces, if its job has a webhook for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// Identifies it within the job.
    pub key: String,
    /// What happened.
    pub event: WebhookEvent,
    /// The step that waits for approval, by its ordinal.
    pub step: Option<u64>,
}

/// Returns the id of a message, which is the same each time that it is sent.
pub fn webhook_message_id(job: &str, key: &str) -> String {
    format!("msg_{job}_{key}")
}

impl Commit {
    /// Returns what the commit announces: the end of the job, and steps that wait for approval. A step that waits on, with
    /// some of its approvals, is announced with the same key again, which a store ignores.
    pub fn announcements(&self) -> Vec<Announcement> {
        let ended = WebhookEvent::of_end(self.state.status).zip(self.events.last());
        let end = ended.map(|(event, last)| Announcement { key: last.seq.to_string(), event, step: None });
        let waiting = self.steps.iter().filter(|step| end.is_none() && step.status == StepStatus::Suspended);
        let mut announced: Vec<Announcement> = Vec::new();
        for step in waiting.filter(|step| step.approval.is_some()) {
            let key = format!("{}a", step.ordinal);
            if announced.iter().all(|other| other.key != key) {
                announced.push(Announcement { key, event: WebhookEvent::Approval, step: Some(step.ordinal) });
            }
        }
        announced.extend(end);
        announced
    }
}

/// State of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// It is still to be delivered.
    Pending,
    /// The receiver has accepted it.
    Delivered,
    /// It is not tried again.
    Failed,
}

impl DeliveryState {
    /// Returns the state as written in JSON and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }

    /// Parses a state.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Pending, Self::Delivered, Self::Failed].into_iter().find(|state| state.as_str() == word)
    }
}

/// A message about a job, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookDelivery {
    /// Identifies the message ([`webhook_message_id`]).
    pub id: String,
    /// Id of the job.
    pub job: String,
    /// What is announced.
    pub event: WebhookEvent,
    /// The step that waits for approval, by its ordinal.
    pub step: Option<u64>,
    /// When it happened.
    pub at: Timestamp,
    /// Where the message is posted.
    pub url: String,
    /// Host and port of the URL.
    pub host: String,
    /// Id of the user whose secret signs the message.
    pub signer: String,
    /// What became of it.
    pub state: DeliveryState,
    /// When it was queued, at first or again: the time that it is tried for is counted from then.
    pub queued_at: Timestamp,
    /// Number of tries before it was queued again.
    pub earlier_tries: u32,
    /// Number of tries, including one that is under way.
    pub tries: u32,
    /// When the next try is due; `None` unless it is pending.
    pub due_at: Option<Timestamp>,
    /// The last try whose outcome is known.
    pub last_try: Option<DeliveryTry>,
}

impl WebhookDelivery {
    /// Returns the number of tries since it was queued.
    pub fn tries_since_queued(&self) -> u32 {
        self.tries.saturating_sub(self.earlier_tries)
    }
}

/// The outcome of a try.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryTry {
    /// When the outcome was known.
    pub at: Timestamp,
    /// HTTP status of the reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why the message was not accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Beginning of the reply's body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<String>,
}

/// What follows a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterTry {
    /// The message was accepted.
    Delivered,
    /// The message is sent again after this time.
    Retry(Duration),
    /// The message is not sent again.
    GiveUp,
}

/// Which due deliveries are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueDeliveries {
    /// Maximum number of deliveries.
    pub limit: u32,
    /// Maximum number to one host.
    pub per_host: u32,
    /// Maximum number of one user.
    pub per_user: u32,
    /// Hosts to which nothing is sent now.
    pub busy_hosts: Vec<String>,
    /// Users for whom nothing is sent now.
    pub busy_users: Vec<String>,
    /// How long the deliveries are hidden from others.
    pub lease: Duration,
}

/// Keeps messages about jobs until they are delivered. Every method is one transaction.
///
/// A commit adds a message for each of its [announcements](Commit::announcements) that the job's webhook is for, once
/// per key, due immediately. Messages are deleted with their job.
#[async_trait]
pub trait WebhookDeliveries: Send + Sync {
    /// Returns where a job is announced, if anywhere.
    async fn read_job_webhook(&self, job: &str) -> Result<Option<JobWebhook>, StoreError>;

    /// Lists up to `limit` messages about a job, oldest first.
    async fn list_deliveries(&self, job: &str, limit: u32) -> Result<Vec<WebhookDelivery>, StoreError>;

    /// Takes due deliveries, hiding them from others for the lease, and counts a try of each. Users take turns, and so do
    /// the users of one host; among those of one user, the oldest come first.
    async fn take_due_deliveries(&self, wanted: DueDeliveries) -> Result<Vec<WebhookDelivery>, StoreError>;

    /// Records the outcome of a try; returns whether it is still the last try of a pending delivery.
    async fn record_delivery_try(
        &self,
        id: &str,
        tries: u32,
        outcome: DeliveryTry,
        next: AfterTry,
    ) -> Result<bool, StoreError>;

    /// Queues a message about a job again, due immediately; returns whether there is such a message.
    async fn resend_delivery(&self, job: &str, id: &str) -> Result<bool, StoreError>;

    /// Counts the messages that are still to be delivered.
    async fn count_pending_deliveries(&self) -> Result<u64, StoreError>;
}
