//! Idempotency keys: detects repeated requests.

use apiflow_core::digest::hash_value;
use apiflow_core::ports::Idempotency;
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::http::problem::Problem;
use crate::http::problem_codes;
use crate::state::AppState;
use crate::users::Caller;

const DAY_MS: u64 = 86_400_000;

/// Returns the key of a request, if any, with a fingerprint of the request as it was sent, so that documents that were
/// edited since do not turn the repetition into another request.
pub(crate) fn read_key(
    state: &AppState,
    caller: &Caller,
    headers: &HeaderMap,
    asked: impl FnOnce() -> Value,
) -> Result<Option<Idempotency>, Problem> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    let key = key
        .to_str()
        .ok()
        .filter(|key| !key.is_empty() && key.len() <= 255)
        .ok_or_else(|| Problem::malformed("Idempotency-Key must have 1 to 255 visible ASCII characters"))?;
    // A token with scopes must not find jobs that others started.
    let caller_id =
        if caller.has_scopes() { format!("{}:{}", caller.user.id, caller.token.id) } else { caller.user.id.clone() };
    Ok(Some(Idempotency {
        key: format!("{caller_id}:{key}"),
        fingerprint: hash_value(&asked()),
        expires_at: state.clock.now().plus_ms(DAY_MS),
    }))
}

/// Returns the job that an earlier request with this key created; 422 if that request was different.
pub(super) async fn find_first_job(state: &AppState, asked: &Idempotency) -> Result<Option<String>, Problem> {
    match state.store.find_job_by_key(&asked.key).await? {
        Some((job, fingerprint)) => check_same_request(asked, job, &fingerprint).map(Some),
        None => Ok(None),
    }
}

/// Returns the job if it was created by the same request.
pub(super) fn check_same_request(asked: &Idempotency, job: String, fingerprint: &str) -> Result<String, Problem> {
    if asked.fingerprint == fingerprint {
        return Ok(job);
    }
    Err(Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        problem_codes::IDEMPOTENCY_KEY_REUSED,
        format!("this Idempotency-Key was used for another request, which created job `{job}`"),
    ))
}
