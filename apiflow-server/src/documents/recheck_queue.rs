//! The queue of workflows that are to be checked again in the background.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Ids of queued workflows.
#[derive(Debug, Clone, Default)]
pub(crate) struct RecheckQueue(Arc<Mutex<BTreeSet<String>>>);

impl RecheckQueue {
    fn lock_waiting(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds workflows; returns whether nobody is processing the queue.
    pub(super) fn add_workflows(&self, ids: impl IntoIterator<Item = String>) -> bool {
        let mut waiting = self.lock_waiting();
        let is_idle = waiting.is_empty();
        waiting.extend(ids);
        is_idle && !waiting.is_empty()
    }

    /// Returns the workflow to check next.
    pub(super) fn next_workflow(&self) -> Option<String> {
        self.lock_waiting().first().cloned()
    }

    /// Removes a workflow that was checked.
    pub(super) fn remove(&self, id: &str) {
        self.lock_waiting().remove(id);
    }
}
