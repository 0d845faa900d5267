//! Who may read and delete an artifact: its owner, admins, and whoever has a signed link to it.

use apiflow_core::json::is_valid_id;
use apiflow_core::ports::{ArtifactError, ArtifactRow};
use axum::extract::FromRequestParts as _;
use axum::http::{StatusCode, request::Parts};
use serde::Deserialize;

use crate::artifacts::links::LinkSignature;
use crate::http::problem::Problem;
use crate::http::problem_codes;
use crate::state::AppState;
use crate::users::{Caller, ScopedCaller};

/// A readable artifact.
pub(crate) struct ReadableArtifact {
    /// Record of the artifact.
    pub(crate) row: ArtifactRow,
    /// Whether it is read by a signed link.
    pub(crate) is_signed: bool,
}

/// The query of a request that may be signed.
#[derive(Deserialize)]
struct SignedQuery {
    expires: Option<u64>,
    signature: Option<String>,
}

/// Returns an artifact that a request may read, by its signature, token or session.
///
/// # Errors
/// 404 if there is none, if it is another user's, or if the link is forged or has expired: the reply does not say which.
pub(crate) async fn find_readable(state: &AppState, parts: &mut Parts, id: &str) -> Result<ReadableArtifact, Problem> {
    let query = parts.uri.query().unwrap_or_default();
    let signed = serde_urlencoded::from_str::<SignedQuery>(query).ok();
    if let Some(SignedQuery { expires: Some(expires), signature: Some(signature) }) = signed {
        let link = LinkSignature { expires, signature };
        let now_s = u64::try_from(state.clock.now().0 / 1000).unwrap_or_default();
        if !state.link_signer.verify_link(id, &link, now_s) {
            let message = format!("there is no artifact `{id}`, or the link to it is invalid or has expired");
            return Err(Problem::not_found(message));
        }
        return Ok(ReadableArtifact { row: find_row(state, id).await?, is_signed: true });
    }
    let caller = ScopedCaller::from_request_parts(parts, state).await?.permit_artifact(state, id).await?;
    Ok(ReadableArtifact { row: find_own(state, &caller, id).await?, is_signed: false })
}

/// Returns an artifact of a caller; admins may read all.
///
/// # Errors
/// 404 if there is none or it is another user's.
pub(crate) async fn find_own(state: &AppState, caller: &Caller, id: &str) -> Result<ArtifactRow, Problem> {
    let row = find_row(state, id).await?;
    if is_own(caller, &row) { Ok(row) } else { Err(missing_artifact(id)) }
}

/// Whether an artifact is a caller's, or the caller is an admin.
pub(crate) fn is_own(caller: &Caller, row: &ArtifactRow) -> bool {
    caller.user.is_admin || row.owner.as_ref() == Some(&caller.user.id)
}

async fn find_row(state: &AppState, id: &str) -> Result<ArtifactRow, Problem> {
    if !is_valid_id(id) {
        return Err(missing_artifact(id));
    }
    state.artifacts.records().find_artifact(id).await?.ok_or_else(|| missing_artifact(id))
}

fn missing_artifact(id: &str) -> Problem {
    Problem::not_found(format!("there is no artifact `{id}`"))
}

impl From<ArtifactError> for Problem {
    #[expect(clippy::wildcard_enum_match_arm, reason = "whatever else fails is the server's")]
    fn from(error: ArtifactError) -> Self {
        let detail = error.to_string();
        match error {
            ArtifactError::NotFound { .. } => Self::not_found(detail),
            ArtifactError::TooLarge { .. } => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                problem_codes::TOO_LARGE,
                format!("{detail} (APIFLOW_MAX_ARTIFACT_BYTES)"),
            ),
            ArtifactError::OverQuota { quota_bytes, .. } => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                problem_codes::OVER_QUOTA,
                format!(
                    "your artifacts would exceed the quota of {quota_bytes} bytes (APIFLOW_ARTIFACT_QUOTA_BYTES): \
                     delete some"
                ),
            ),
            ArtifactError::WrongType { .. } => {
                Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, problem_codes::UNSUPPORTED_MEDIA_TYPE, detail)
            }
            ArtifactError::Source(_) => Self::malformed("the body could not be read"),
            ArtifactError::Unavailable(cause) => {
                tracing::error!(cause, "a request failed because the artifact storage is unavailable");
                Self::storage_unavailable("the artifact storage is unavailable; try again later")
            }
            other => Self::internal(other),
        }
    }
}
