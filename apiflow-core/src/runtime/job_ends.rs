//! Notifies callers in this process of a job's end and its output, without a read from the store.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::watch;

use crate::ports::{JobRow, StepRow};

/// A job that has ended, as of its last commit.
#[derive(Debug, Clone, PartialEq)]
pub struct EndedJob {
    /// The job's row.
    pub row: JobRow,
    /// Output of the job.
    pub output: Value,
    /// All its steps in the order of their ordinals; `None` if they must be read from the store.
    pub steps: Option<Vec<StepWithValues>>,
}

/// A step with its values.
#[derive(Debug, Clone, PartialEq)]
pub struct StepWithValues {
    /// The step's row.
    pub row: StepRow,
    /// The value of the step's input.
    pub input: Value,
    /// The value of the step's output.
    pub output: Value,
}

/// What is known of an end: nothing yet, or that it came, with the job unless it has to be read from the store.
type End = Option<Option<Arc<EndedJob>>>;

/// The jobs whose ends are waited for.
#[derive(Default)]
pub(super) struct JobEnds(Mutex<BTreeMap<String, watch::Sender<End>>>);

impl JobEnds {
    /// Watches for a job's end from now on.
    pub(super) fn watch_end(self: &Arc<Self>, job: &str) -> EndWatch {
        let mut jobs = self.lock_jobs();
        let sender = jobs.entry(job.to_owned()).or_insert_with(|| watch::Sender::new(None));
        EndWatch { receiver: sender.subscribe(), job: job.to_owned(), ends: Arc::clone(self) }
    }

    /// Returns whether a job's end is waited for.
    pub(super) fn is_watched(&self, job: &str) -> bool {
        self.lock_jobs().contains_key(job)
    }

    /// Publishes that a job has ended; without `ended`, those who wait read it from the store.
    pub(super) fn publish_end(&self, job: &str, ended: Option<EndedJob>) {
        if let Some(sender) = self.lock_jobs().get(job) {
            sender.send_replace(Some(ended.map(Arc::new)));
        }
    }

    /// Publishes that an ended job has been reopened.
    pub(super) fn retract_end(&self, job: &str) {
        if let Some(sender) = self.lock_jobs().get(job) {
            sender.send_replace(None);
        }
    }

    fn lock_jobs(&self) -> MutexGuard<'_, BTreeMap<String, watch::Sender<End>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notices the end of a job in this process, from the creation of the watch on.
pub struct EndWatch {
    receiver: watch::Receiver<End>,
    job: String,
    ends: Arc<JobEnds>,
}

impl EndWatch {
    /// Returns once the job has ended in this process, or immediately if it has; `None` if its end has to be read from
    /// the store. Never returns if another process ends the job.
    pub async fn wait_for_end(&mut self) -> Option<Arc<EndedJob>> {
        let end = self.receiver.wait_for(Option::is_some).await.map(|end| end.clone());
        match end {
            Ok(end) => end.flatten(),
            // The sender lives as long as a watch, so it is not dropped.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for EndWatch {
    fn drop(&mut self) {
        let mut jobs = self.ends.lock_jobs();
        // This is the last watch.
        if jobs.get(&self.job).is_some_and(|sender| sender.receiver_count() <= 1) {
            jobs.remove(&self.job);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::{JobState, Timestamp};

    fn ended(id: &str) -> EndedJob {
        let row = JobRow {
            id: id.to_owned(),
            name: String::new(),
            workflow_id: None,
            workflow_version: None,
            node_id: None,
            rerun_of: None,
            created_by: None,
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
            state: JobState::new(0),
            last_seq: 2,
        };
        EndedJob { row, output: Value::from(5), steps: None }
    }

    #[tokio::test]
    async fn all_who_wait_learn_the_end_and_leave_nothing_behind() {
        let ends = Arc::new(JobEnds::default());
        let (mut first, mut second, other) = (ends.watch_end("a"), ends.watch_end("a"), ends.watch_end("b"));
        ends.publish_end("a", Some(ended("a")));
        for watch in [&mut first, &mut second] {
            assert_eq!(watch.wait_for_end().await.as_deref(), Some(&ended("a")));
        }
        drop(first);
        assert!(ends.is_watched("a"));
        drop(second);
        assert!(!ends.is_watched("a"));
        assert!(ends.is_watched("b"));
        drop(other);
        assert!(!ends.is_watched("b"));
    }
}
