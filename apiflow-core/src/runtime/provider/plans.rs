//! Compiled calls, kept while their jobs are at work.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::call::JobPlans;
use crate::catalog::Catalog;
use crate::ports::{Store, StoreError};

/// Jobs whose plans are kept, at most.
const KEPT_JOBS: usize = 512;

/// The plans of jobs that were used lately.
pub(crate) struct Plans {
    jobs: Mutex<VecDeque<(String, Arc<JobPlans>)>>,
}

impl Plans {
    pub(crate) fn new() -> Self {
        Self { jobs: Mutex::default() }
    }

    pub(crate) fn enter(&self, job: &str, catalog: Catalog) -> Arc<JobPlans> {
        if let Some(plans) = self.find(job) {
            return plans;
        }
        let plans = Arc::new(JobPlans::new(catalog));
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.push_back((job.to_owned(), plans.clone()));
        if jobs.len() > KEPT_JOBS {
            jobs.pop_front();
        }
        plans
    }

    pub(crate) fn leave(&self, job: &str) {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).retain(|(kept, _)| kept != job);
    }

    pub(crate) async fn of(&self, job: &str, store: &dyn Store) -> Result<Arc<JobPlans>, StoreError> {
        match self.find(job) {
            Some(plans) => Ok(plans),
            None => Ok(self.enter(job, store.load_job(job).await?.bundle.catalog)),
        }
    }

    fn find(&self, job: &str) -> Option<Arc<JobPlans>> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.iter().find(|(kept, _)| kept == job).map(|(_, plans)| plans.clone())
    }
}
