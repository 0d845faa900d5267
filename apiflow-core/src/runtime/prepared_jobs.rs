//! Documents made ready to run, kept while jobs of them are at work and for the next ones.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::call::CallPlans;
use crate::digest::hash_text;
use crate::engine::ProgramError;
use crate::ports::{SharedBundle, Store, StoreError};
use crate::prepared::Prepared;

/// Jobs at work whose documents are found by the job, at most.
const MAX_JOBS: usize = 512;
/// Documents that are found by their content, at most.
const MAX_DOCUMENTS: usize = 128;

/// What was prepared lately.
#[derive(Default)]
pub(super) struct PreparedJobs {
    /// By job, the latest last.
    jobs: Mutex<VecDeque<(String, Arc<Prepared>)>>,
    /// By the hash of what they were made of, the most recently used last.
    documents: Mutex<VecDeque<(String, Arc<Prepared>)>>,
}

impl PreparedJobs {
    /// Remembers what a job that this process works on was made of.
    pub(super) fn add_job(&self, job: &str, prepared: Arc<Prepared>) {
        let mut jobs = lock_entries(&self.jobs);
        jobs.push_back((job.to_owned(), prepared));
        if jobs.len() > MAX_JOBS {
            jobs.pop_front();
        }
    }

    /// Forgets a job that has ended.
    pub(super) fn remove_job(&self, job: &str) {
        lock_entries(&self.jobs).retain(|(known, _)| known != job);
    }

    /// What a job that was read from the store is made of, prepared before or now.
    ///
    /// # Errors
    /// [`ProgramError`] if its document cannot be read.
    pub(super) fn of_job(&self, job: &str, bundle: SharedBundle) -> Result<Arc<Prepared>, ProgramError> {
        if let Some(prepared) = self.find_job(job) {
            return Ok(prepared);
        }
        let prepared = self.of_bundle(bundle)?;
        self.add_job(job, prepared.clone());
        Ok(prepared)
    }

    /// A bundle made ready: one of the same content that is still known, or a new one.
    ///
    /// # Errors
    /// [`ProgramError`] if its document cannot be read.
    pub(super) fn of_bundle(&self, bundle: SharedBundle) -> Result<Arc<Prepared>, ProgramError> {
        // What takes results over is a run's own.
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

    /// The compiled calls of a job that may be at work elsewhere.
    ///
    /// # Errors
    /// [`StoreError`] if the job cannot be read.
    pub(super) async fn plans_of_job(&self, job: &str, store: &dyn Store) -> Result<Arc<CallPlans>, StoreError> {
        if let Some(prepared) = self.find_job(job) {
            return Ok(prepared.plans().clone());
        }
        let bundle = store.load_job(job).await?.bundle;
        let catalog = Arc::new(bundle.catalog.clone());
        // The calls of a document that cannot be read any more are followed all the same.
        Ok(self.of_job(job, bundle).map_or_else(|_| Arc::new(CallPlans::new(catalog)), |found| found.plans().clone()))
    }

    fn find_job(&self, job: &str) -> Option<Arc<Prepared>> {
        lock_entries(&self.jobs).iter().find(|(known, _)| known == job).map(|(_, prepared)| prepared.clone())
    }
}

/// Finds an entry and makes it the most recently used one.
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
