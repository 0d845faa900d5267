//! Waiting for a job inside the request that made it.

use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use serde_json::Value;

use crate::http::problem::Problem;
use crate::jobs::lookup;
use crate::state::AppState;

/// The longest wait.
const MOST_S: u64 = 300;

/// How long one look lasts at most: another process may be at work on the job.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// How long is waited where the caller does not say.
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
        Ok(seconds) if seconds <= MOST_S => Ok(Some(Duration::from_secs(seconds))),
        _ => Err(Problem::malformed(format!("Prefer: wait={wait} must be whole seconds from 0 to {MOST_S}"))),
    }
}

/// The step whose result answers a waiting caller, if the document names one.
pub(super) fn early_return(document: &Value) -> Option<String> {
    document.pointer("/value/early_return").and_then(Value::as_str).map(str::to_owned)
}

/// Waits until the job ended, the early step has its result, the time is over or the server stops; says whether
/// there is an answer.
pub(super) async fn until_answered(
    state: &AppState,
    job: &str,
    early: Option<&str>,
    limit: Duration,
) -> Result<bool, Problem> {
    let end = Instant::now() + limit;
    let mut watch = state.runtime.watch_jobs();
    loop {
        if lookup::find_job(state, job).await?.state.status.is_final() || early_done(state, job, early).await? {
            return Ok(true);
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() || state.stop.is_cancelled() {
            return Ok(false);
        }
        let news = async {
            match early {
                Some(_) => watch.job_changed(job).await,
                None => watch.job_finished(job).await,
            }
        };
        tokio::select! {
            () = news => {}
            () = tokio::time::sleep(left.min(LOOK_INTERVAL)) => {}
            () = state.stop.cancelled() => {}
        }
    }
}

async fn early_done(state: &AppState, job: &str, early: Option<&str>) -> Result<bool, Problem> {
    match early {
        Some(early) => Ok(state.runtime.early_return(job, early).await?.is_some()),
        None => Ok(false),
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
