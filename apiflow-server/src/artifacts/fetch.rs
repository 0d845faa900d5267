//! Files that the server fetches for a user, for example a picture that a page may not load itself.

use std::time::Duration;

use apiflow_core::artifact::Artifact;
use apiflow_core::catalog::ValueType;
use apiflow_core::digest::hash_value;
use apiflow_core::ports::{Artifacts as _, HttpError, HttpRequest, NewArtifact};
use axum::http::StatusCode;
use serde_json::json;

use crate::artifacts::content_headers::clean_name;
use crate::http::problem::Problem;
use crate::http::problem_codes;
use crate::state::AppState;
use crate::users::Caller;

/// Time limit of fetching a file.
const FETCH_TIMEOUT: Duration = Duration::from_mins(1);

/// Fetches a file by the same rules as all outgoing requests, without credentials, and stores it as an artifact of the
/// caller. A file that was fetched before is not fetched again.
///
/// # Errors
/// 403 if the rules do not permit the host, 422 if the host has no such file, and 502 if it does not answer.
pub(crate) async fn fetch_file(state: &AppState, caller: &Caller, url: &str) -> Result<Artifact, Problem> {
    let id = format!("f{}", &hash_value(&json!([caller.user.id, url]))[..31]);
    if let Some(artifact) = state.artifacts.stat(&id).await? {
        return Ok(artifact);
    }
    let request = HttpRequest::new("GET", url, FETCH_TIMEOUT);
    let reply = state.runtime.http_client().open_stream(&request).await.map_err(|error| fault(&error))?;
    if !(200..300).contains(&reply.status) {
        return Err(Problem::single_fault("/url", format!("its host answered with status {}", reply.status)));
    }
    let mime = reply.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let new = NewArtifact {
        id,
        value_type: ValueType::File,
        mime: mime.map(|(_, mime)| mime.clone()),
        name: clean_name(path).filter(|name| name.contains('.')),
        owner: Some(caller.user.id.clone()),
        provenance: None,
    };
    Ok(state.artifacts.put(new, reply.body).await?)
}

fn fault(error: &HttpError) -> Problem {
    let (status, code) = match error {
        HttpError::Refused(_) | HttpError::Secret(_) => (StatusCode::FORBIDDEN, problem_codes::OUTGOING_REFUSED),
        HttpError::Connect(_) => (StatusCode::BAD_GATEWAY, problem_codes::PROVIDER_UNREACHABLE),
        HttpError::Unknown(_) | HttpError::Reply(_) | HttpError::TooLarge(_) | _ => {
            (StatusCode::BAD_GATEWAY, problem_codes::PROVIDER_NO_REPLY)
        }
    };
    Problem::new(status, code, error.to_string())
}
