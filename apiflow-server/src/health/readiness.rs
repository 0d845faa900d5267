//! Readiness: whether the database works, tested by a small write.

use std::time::Duration;

use apiflow_core::ports::{Store, StoreFault};
use axum::http::StatusCode;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::http::problem::Problem;
use crate::http::problem_codes;

/// How long a result is reused, so that frequent probes write to the database only once.
const FRESH_INTERVAL: Duration = Duration::from_secs(1);
/// Maximum duration of the write.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// The last result of the test; concurrent probes wait for the same one.
#[derive(Default)]
pub(crate) struct Readiness(Mutex<Option<(Instant, Result<(), Problem>)>>);

impl Readiness {
    /// Writes to the database unless that was done recently.
    ///
    /// # Errors
    /// A 503 whose code and detail describe the cause.
    pub(crate) async fn check_store(&self, store: &dyn Store, now: Instant) -> Result<(), Problem> {
        let mut last = self.0.lock().await;
        if let Some((at, answer)) = last.as_ref()
            && now.saturating_duration_since(*at) < FRESH_INTERVAL
        {
            return answer.clone();
        }
        let answer = probe_store(store).await;
        *last = Some((Instant::now(), answer.clone()));
        answer
    }
}

async fn probe_store(store: &dyn Store) -> Result<(), Problem> {
    let (code, detail, cause) = match tokio::time::timeout(PROBE_TIMEOUT, store.verify_writable()).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => match error.fault() {
            Some(fault) => (fault.code(), fault.to_string(), error.to_string()),
            None => (
                problem_codes::NOT_READY,
                "the database failed; see the server's log for the cause".to_owned(),
                error.to_string(),
            ),
        },
        Err(_) => {
            let detail = format!("the database did not complete a write within {} s", PROBE_TIMEOUT.as_secs());
            (StoreFault::Busy.code(), detail.clone(), detail)
        }
    };
    tracing::error!(cause, "the database does not accept writes");
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use apiflow_core::runtime::clock::SystemClock;
    use apiflow_core::runtime::memory::MemoryStore;

    use super::*;

    #[tokio::test]
    async fn an_answer_is_shared_for_a_second_and_found_out_anew_after_it() {
        let readiness = Readiness::default();
        let store = MemoryStore::new(Arc::new(SystemClock));
        let refusal = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "storage_full", "full");
        let then = Instant::now();
        *readiness.0.lock().await = Some((then, Err(refusal)));
        let asked = async |ms| readiness.check_store(&store, then + Duration::from_millis(ms)).await.is_ok();
        assert!(!asked(900).await, "it is still fresh");
        assert!(asked(1_000).await, "the store takes writes again");
    }
}
