//! Caches prepared documents of jobs: by job while it runs, and by content for jobs that were read from the store or
//! created from a bundle.
//!
//! Whether a new job of a document may be created is not decided here: the host checks that, and passes what it prepared
//! as [`JobSource::Prepared`](super::JobSource::Prepared). Such a document is found here only by its job.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::call::CallPlans;
use crate::digest::hash_text;
use crate::engine::ProgramError;
use crate::ports::{SharedBundle, Store, StoreError};
use crate::prepared::Prepared;

/// Maximum number of running jobs whose documents are found by the job's id.
const MAX_JOBS: usize = 512;
/// Maximum number of documents that are found by their content.
const MAX_DOCUMENTS: usize = 128;

/// Recently prepared documents.
#[derive(Default)]
pub(super) struct PreparedJobs {
    /// By job, the latest last.
    jobs: Mutex<VecDeque<(String, Arc<Prepared>)>>,
    /// By the hash of their bundle, the most recently used last.
    documents: Mutex<VecDeque<(String, Arc<Prepared>)>>,
}

impl PreparedJobs {
    /// Adds the document of a job that this process works on.
    pub(super) fn add_job(&self, job: &str, prepared: Arc<Prepared>) {
        let mut jobs = lock_entries(&self.jobs);
        jobs.push_back((job.to_owned(), prepared));
        if jobs.len() > MAX_JOBS {
            jobs.pop_front();
        }
    }

    /// Removes a job that has ended.
    pub(super) fn remove_job(&self, job: &str) {
        lock_entries(&self.jobs).retain(|(known, _)| known != job);
    }

    /// Returns the prepared document of a job that was loaded from the store, from the cache or newly prepared.
    ///
    /// # Errors
    /// [`ProgramError`] if its document cannot be parsed.
    pub(super) fn of_job(&self, job: &str, bundle: SharedBundle) -> Result<Arc<Prepared>, ProgramError> {
        if let Some(prepared) = self.find_job(job) {
            return Ok(prepared);
        }
        let prepared = self.of_bundle(bundle)?;
        self.add_job(job, prepared.clone());
        Ok(prepared)
    }

    /// Prepares a bundle, or returns a cached one with the same content.
    ///
    /// # Errors
    /// [`ProgramError`] if its document cannot be parsed.
    pub(super) fn of_bundle(&self, bundle: SharedBundle) -> Result<Arc<Prepared>, ProgramError> {
        // A bundle with reused results belongs to one job.
        if !bundle.reused_results.is_empty() {
            return Prepared::compile_bundle(bundle).map(Arc::new);
        }
        let key = hash_text(bundle.json());
        if let Some(prepared) = take_up(&mut lock_entries(&self.documents), &key) {
            return Ok(prepared);
        }
        let prepared = Arc::new(Prepared::compile_bundle(bundle)?);
        let mut documents = lock_entries(&self.documents);
        documents.push_back((key, prepared.clone()));
        if documents.len() > MAX_DOCUMENTS {
            documents.pop_front();
        }
        Ok(prepared)
    }

    /// Returns the compiled calls of a job that may be driven by another process.
    ///
    /// # Errors
    /// [`StoreError`] if the job cannot be read.
    pub(super) async fn plans_of_job(&self, job: &str, store: &dyn Store) -> Result<Arc<CallPlans>, StoreError> {
        if let Some(prepared) = self.find_job(job) {
            return Ok(prepared.plans().clone());
        }
        let bundle = store.load_job(job).await?.bundle;
        let catalog = Arc::new(bundle.catalog.clone());
        // Calls are followed even if their document cannot be parsed any more.
        Ok(self.of_job(job, bundle).map_or_else(|_| Arc::new(CallPlans::new(catalog)), |found| found.plans().clone()))
    }

    fn find_job(&self, job: &str) -> Option<Arc<Prepared>> {
        lock_entries(&self.jobs).iter().find(|(known, _)| known == job).map(|(_, prepared)| prepared.clone())
    }
}

/// Finds an entry and marks it as the most recently used one.
fn take_up(entries: &mut VecDeque<(String, Arc<Prepared>)>, key: &str) -> Option<Arc<Prepared>> {
    let position = entries.iter().position(|(known, _)| known == key)?;
    let entry = entries.remove(position)?;
    let prepared = entry.1.clone();
    entries.push_back(entry);
    Some(prepared)
}

fn lock_entries<T>(entries: &Mutex<T>) -> MutexGuard<'_, T> {
    entries.lock().unwrap_or_else(PoisonError::into_inner)
}
