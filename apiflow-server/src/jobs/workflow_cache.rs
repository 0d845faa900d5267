//! A cache of checked workflows, which are valid until a document that they consist of changes.
//!
//! It answers whether a workflow may be started, and with which documents. The documents of existing jobs, which need no
//! further check, are cached by the runtime in core; both share one [`Prepared`].
//!
//! Architecture invariant: a workflow is found here only if no record was written since it was last known to be up to
//! date, or if all its sources have the same versions. So it is never older than the records that runs read (see
//! [`crate::record_cache`]).

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use apiflow_core::ports::JobWebhook;
use apiflow_core::prepared::Prepared;

use crate::documents::references::DocumentVersion;
use crate::documents::schema::SchemaCheck;
use crate::record_cache::{RecordFreshness, RecordsRead};

/// Maximum number of cached workflows.
const MAX_WORKFLOWS: usize = 256;

/// Maximum size of the cached workflows with all that they refer to, in bytes of JSON.
const MAX_WORKFLOW_BYTES: usize = 8 * 1024 * 1024;

/// A prepared workflow without errors.
pub(crate) struct PreparedWorkflow {
    /// Its name, if it was saved.
    pub(crate) name: String,
    /// Its version, if it was saved.
    pub(crate) version: Option<u64>,
    /// The document with all that it refers to.
    pub(crate) prepared: Arc<Prepared>,
    /// The compiled schema of its input, if it has one.
    pub(crate) schema: Option<Arc<SchemaCheck>>,
    /// Where its runs are announced, if the saved workflow says so.
    pub(crate) webhook: Option<JobWebhook>,
}

/// The key of a cached workflow.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum WorkflowKey {
    /// The id of a saved workflow.
    Saved(String),
    /// The digest of a document that came with a request.
    Document(String),
    /// The digest of the documents that a job ran.
    Bundle(String),
}

/// The sources of a prepared workflow.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WorkflowSources {
    /// The documents, its own among them if it is saved.
    pub(crate) versions: Vec<DocumentVersion>,
    /// Fingerprint of the existing secrets.
    pub(crate) directory_digest: String,
}

/// The most recently run workflows.
#[derive(Default)]
pub(crate) struct WorkflowCache {
    entries: Mutex<WorkflowEntries>,
    preparations: AtomicU64,
}

#[derive(Default)]
struct WorkflowEntries {
    by_key: BTreeMap<WorkflowKey, WorkflowEntry>,
    /// The keys of all entries, the most recently used last.
    order: VecDeque<WorkflowKey>,
    bytes: usize,
}

struct WorkflowEntry {
    sources: WorkflowSources,
    /// The records that were read when it was last known to be up to date.
    read: RecordsRead,
    bytes: usize,
    workflow: Arc<PreparedWorkflow>,
}

impl WorkflowCache {
    /// Number of workflows that have been checked and compiled.
    pub(crate) fn preparations(&self) -> u64 {
        self.preparations.load(Ordering::Relaxed)
    }

    /// Counts a workflow that is checked and compiled.
    pub(crate) fn count_preparation(&self) {
        self.preparations.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns a workflow that has been up to date since the last write.
    pub(crate) fn find_current(&self, key: &WorkflowKey, records: &RecordFreshness) -> Option<Arc<PreparedWorkflow>> {
        self.lock_entries().find_entry(key, |entry| records.is_current(entry.read))
    }

    /// Returns a workflow that was made of the same sources.
    pub(crate) fn find_same(&self, key: &WorkflowKey, sources: &WorkflowSources) -> Option<Arc<PreparedWorkflow>> {
        self.lock_entries().find_entry(key, |entry| entry.sources == *sources)
    }

    /// Keeps a workflow that is up to date with the records that were read.
    pub(crate) fn keep_workflow(
        &self,
        key: WorkflowKey,
        sources: WorkflowSources,
        read: RecordsRead,
        workflow: Arc<PreparedWorkflow>,
    ) {
        let bytes = workflow.prepared.bundle().json().len();
        self.lock_entries().insert_entry(key, WorkflowEntry { sources, read, bytes, workflow });
    }

    fn lock_entries(&self) -> MutexGuard<'_, WorkflowEntries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WorkflowEntries {
    /// Returns an entry that satisfies a condition, and makes it the most recently used one.
    fn find_entry(
        &mut self,
        key: &WorkflowKey,
        is_wanted: impl Fn(&WorkflowEntry) -> bool,
    ) -> Option<Arc<PreparedWorkflow>> {
        let workflow = Arc::clone(&self.by_key.get(key).filter(|entry| is_wanted(entry))?.workflow);
        self.order.retain(|known| known != key);
        self.order.push_back(key.clone());
        Some(workflow)
    }

    fn insert_entry(&mut self, key: WorkflowKey, entry: WorkflowEntry) {
        self.remove_entry(&key);
        self.bytes += entry.bytes;
        self.order.push_back(key.clone());
        self.by_key.insert(key, entry);
        while self.by_key.len() > MAX_WORKFLOWS || self.bytes > MAX_WORKFLOW_BYTES {
            let Some(oldest) = self.order.front().cloned() else { return };
            self.remove_entry(&oldest);
        }
    }

    fn remove_entry(&mut self, key: &WorkflowKey) {
        if let Some(entry) = self.by_key.remove(key) {
            self.bytes -= entry.bytes;
            self.order.retain(|known| known != key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use apiflow_core::ports::JobBundle;
    use serde_json::json;

    use super::*;

    fn workflow(bytes: usize) -> Arc<PreparedWorkflow> {
        let document = json!({"summary": "x".repeat(bytes), "value": {"modules": []}});
        let bundle = JobBundle { document, ..JobBundle::default() };
        let prepared = Arc::new(Prepared::compile_bundle(bundle).expect("an empty workflow can be read"));
        Arc::new(PreparedWorkflow { name: String::new(), version: None, prepared, schema: None, webhook: None })
    }

    fn sources(directory: &str) -> WorkflowSources {
        WorkflowSources { versions: Vec::new(), directory_digest: directory.to_owned() }
    }

    fn key(number: usize) -> WorkflowKey {
        WorkflowKey::Saved(number.to_string())
    }

    #[test]
    fn a_workflow_is_found_while_it_is_current_or_made_of_the_same() {
        let cache = WorkflowCache::default();
        for (max_age, is_current) in [(None, true), (Some(Duration::ZERO), false)] {
            let records = RecordFreshness::with_max_age(max_age);
            cache.keep_workflow(key(0), sources("a"), records.begin_derivation(), workflow(1));
            assert_eq!(cache.find_current(&key(0), &records).is_some(), is_current, "{max_age:?}");
            assert!(cache.find_same(&key(0), &sources("a")).is_some());
            assert!(cache.find_same(&key(0), &sources("b")).is_none(), "another secret may mean another finding");
        }
    }

    #[test]
    fn the_least_recently_used_go_first() {
        let cache = WorkflowCache::default();
        let records = RecordFreshness::with_max_age(None);
        for number in 0..5 {
            cache.keep_workflow(key(number), sources(""), records.begin_derivation(), workflow(2 * 1024 * 1024 - 1024));
            assert!(cache.find_current(&key(0), &records).is_some());
        }
        let found: Vec<bool> = (0..5).map(|number| cache.find_current(&key(number), &records).is_some()).collect();
        assert_eq!(found, [true, false, true, true, true], "8 MiB are kept");
        assert!(cache.lock_entries().bytes <= MAX_WORKFLOW_BYTES);
    }
}
