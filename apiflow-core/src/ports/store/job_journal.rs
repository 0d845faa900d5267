//! The journal of one job: what its owner reads and commits, and the messages that others deliver to it.

use async_trait::async_trait;
use serde_json::Value;

use super::StoreError;
use super::jobs::JobRow;
use super::turns::{Commit, EventRow, InboxMessage, LoadedJob};

/// Reads and extends the journals of jobs. Every method is one transaction.
#[async_trait]
pub trait JobJournal: Send + Sync {
    /// Reads everything needed to continue a job.
    async fn load_job(&self, job: &str) -> Result<LoadedJob, StoreError>;

    /// Records one turn and returns the job's new version.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] if the version is not the job's; nothing is changed then.
    async fn commit_turn(&self, commit: Commit) -> Result<u64, StoreError>;

    /// Delivers a message to a job's inbox, once per key, and makes the job due; returns whether the message is new. A
    /// job that waits for its slot continues to wait, and one that has ended accepts none. `finished_poll` names an
    /// attempt whose poll ends with this message.
    async fn deliver_message(
        &self,
        job: &str,
        key: &str,
        payload: Value,
        finished_poll: Option<u64>,
    ) -> Result<bool, StoreError>;

    /// Reads the unconsumed messages, in order of arrival.
    async fn read_inbox(&self, job: &str) -> Result<Vec<InboxMessage>, StoreError>;

    /// Reads the values of events, in the given order; `None` for an event without a value.
    async fn read_values(&self, job: &str, seqs: &[u64]) -> Result<Vec<Option<Value>>, StoreError>;

    /// Reads the bodies of the events that extend a list, in order of index; of several with the same index, the last.
    async fn read_list(&self, job: &str, list: u64) -> Result<Vec<Value>, StoreError>;

    /// Reads the result cached under a key by any job, unless it has expired.
    async fn read_cached_result(&self, key: &str) -> Result<Option<Value>, StoreError>;

    /// Reads up to `limit` events after `after`, in order, without their values.
    async fn read_events(&self, job: &str, after: u64, limit: u32) -> Result<Vec<EventRow>, StoreError>;

    /// Reads a job's row.
    async fn read_job(&self, job: &str) -> Result<Option<JobRow>, StoreError>;
}
