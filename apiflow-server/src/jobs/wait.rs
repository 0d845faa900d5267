//! Waiting for a job within the request that created it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use apiflow_core::ports::JobRow;
use apiflow_core::runtime::{EndWatch, EndedJob, StepWithValues, Watch};
use axum::http::HeaderMap;
use serde_json::Value;

use crate::http::problem::Problem;
use crate::jobs::lookup;
use crate::state::AppState;

/// Maximum waiting time.
const MAX_WAIT_S: u64 = 300;

/// Maximum time between two reads of the store: another process may be running the job.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// Waiting time if the caller does not specify one.
const DEFAULT_WAIT: Duration = Duration::from_mins(1);

/// The N of `Prefer: wait=N`; `wait` alone leaves N to the server.
pub(super) fn preferred_wait(headers: &HeaderMap) -> Result<Option<Duration>, Problem> {
    let lines = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let mut preferences = lines.flat_map(|line| line.split([',', ';'])).map(str::trim);
    let Some(wait) = preferences.find_map(|preference| {
        let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
        name.trim().eq_ignore_ascii_case("wait").then(|| value.trim().trim_matches('"').to_owned())
    }) else {
        return Ok(None);
    };
    if wait.is_empty() {
        return Ok(Some(DEFAULT_WAIT));
    }
    match wait.parse::<u64>() {
        Ok(seconds) if seconds <= MAX_WAIT_S => Ok(Some(Duration::from_secs(seconds))),
        _ => Err(Problem::malformed(format!("Prefer: wait={wait} must be whole seconds from 0 to {MAX_WAIT_S}"))),
    }
}

/// The step whose result answers a waiting caller, if the document names one.
pub(super) fn early_return(document: &Value) -> Option<String> {
    document.pointer("/value/early_return").and_then(Value::as_str).map(str::to_owned)
}

/// A job that a request created or found.
pub(super) struct StartedJob {
    pub(super) id: String,
    /// The step whose result answers a waiting caller, if the document names one.
    pub(super) early_return: Option<String>,
    /// Its input, if this request created it.
    pub(super) input: Option<Value>,
    end: EndWatch,
    /// Reports changes of its steps, if one of them may be the answer.
    changes: Option<Watch>,
}

/// The state of a job after the wait.
pub(super) struct Waited {
    pub(super) row: JobRow,
    /// Its output, if it need not be read.
    pub(super) output: Option<Value>,
    /// Its steps, if they need not be read.
    pub(super) steps: Option<Vec<StepWithValues>>,
    /// Whether there is an answer.
    pub(super) answered: bool,
}

impl StartedJob {
    /// A job that is about to be created: all changes from now on are noticed.
    pub(super) fn of_new_job(state: &AppState, id: String, early_return: Option<String>, input: Value) -> Self {
        Self { input: Some(input), ..Self::of_earlier_request(state, id, early_return) }
    }

    /// A job that an earlier request created.
    pub(super) fn of_earlier_request(state: &AppState, id: String, early_return: Option<String>) -> Self {
        let changes = early_return.is_some().then(|| state.runtime.watch_jobs());
        Self { end: state.runtime.watch_end(&id), id, early_return, input: None, changes }
    }

    /// Waits until the job has ended, the early step has its result, the time has passed or the server stops. The store is
    /// queried only for changes by other processes.
    pub(super) async fn wait_for_answer(&mut self, state: &AppState, limit: Duration) -> Result<Waited, Problem> {
        let end = Instant::now() + limit;
        // A job of an earlier request may have ended long ago.
        let mut looks = self.input.is_none();
        loop {
            if looks {
                let row = lookup::find_job(state, &self.id).await?;
                let answered = row.state.status.is_final() || self.has_early_result(state).await?;
                if answered || end <= Instant::now() || state.stop.is_cancelled() {
                    return Ok(Waited { row, output: None, steps: None, answered });
                }
            }
            looks = true;
            let left = end.saturating_duration_since(Instant::now());
            let change = async {
                match &mut self.changes {
                    Some(changes) => changes.job_changed(&self.id).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                ended = self.end.wait_for_end() => {
                    if let Some(ended) = ended {
                        let EndedJob { row, output, steps } = Arc::unwrap_or_clone(ended);
                        return Ok(Waited { row, output: Some(output), steps, answered: true });
                    }
                }
                () = change => {}
                () = tokio::time::sleep(left.min(LOOK_INTERVAL)) => {}
                () = state.stop.cancelled() => {}
            }
        }
    }

    async fn has_early_result(&self, state: &AppState) -> Result<bool, Problem> {
        match &self.early_return {
            Some(early) => Ok(state.runtime.early_return(&self.id, early).await?.is_some()),
            None => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[&'static str], expected: Result<Option<u64>, ()>) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("prefer", axum::http::HeaderValue::from_static(line));
        }
        let found = preferred_wait(&headers).map(|wait| wait.map(|wait| wait.as_secs())).map_err(drop);
        assert_eq!(found, expected, "{lines:?}");
    }

    #[test]
    fn wait_is_found_among_preferences() {
        check(&[], Ok(None));
        check(&["wait=10"], Ok(Some(10)));
        check(&["respond-async, WAIT = \"300\""], Ok(Some(300)));
        check(&["return=minimal", "wait=0"], Ok(Some(0)));
        check(&["respond-async"], Ok(None));
        check(&["respond-async, wait"], Ok(Some(60)));
        check(&["await=5"], Ok(None));
        check(&["wait=301"], Err(()));
        check(&["wait=soon"], Err(()));
        check(&["wait=-1"], Err(()));
    }
}
