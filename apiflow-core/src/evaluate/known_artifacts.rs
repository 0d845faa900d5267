//! Finds the artifacts that the inputs of a call refer to.

use std::time::Duration;

use serde_json::Value;

use crate::call::{CallError, CallPlan, ErrorClass, KnownArtifacts, MAX_CALL_FILES, NOT_READABLE, mentioned_artifacts};
use crate::ports::{ArtifactError, Artifacts};

/// Time for which a link to an artifact is valid beyond the time that the call may take.
const LINK_MARGIN: Duration = Duration::from_hours(1);

/// Asks for the artifacts that the inputs of a call refer to, for a job and its user, if known here. An object that names no artifact, or one that the job's user
/// may not read, is left as it is, unless it has the URL of an artifact.
///
/// # Errors
/// The error object of the step, if there are too many, if a URL of this host names none that the job's user may read, or
/// if the storage is unavailable.
pub(crate) async fn find_artifacts(
    artifacts: &dyn Artifacts,
    (job, user): (&str, Option<&str>),
    plan: &CallPlan,
    arguments: &Value,
) -> Result<KnownArtifacts, Value> {
    let mentioned = mentioned_artifacts(arguments, &|text| artifacts.id_of_url(text));
    if mentioned.len() > MAX_CALL_FILES {
        let message = format!("the inputs name {} artifacts; a call sends at most {MAX_CALL_FILES}", mentioned.len());
        return Err(CallError::new(ErrorClass::InvalidInput, message).to_object());
    }
    let call_may_take = plan.operation_timeout_ms().max(plan.attempt_timeout_ms());
    let valid_for = Duration::from_millis(call_may_take) + LINK_MARGIN;
    let mut known = KnownArtifacts::default();
    for (id, is_certain) in mentioned {
        match artifacts.stat_for_job(job, user, &id).await {
            Ok(Some(artifact)) => {
                let public_url = artifacts.public_url(&artifact.id, valid_for);
                known.insert(artifact, public_url);
            }
            Ok(None) if is_certain => {
                let message = format!("artifact `{id}` {NOT_READABLE}");
                return Err(CallError::new(ErrorClass::InvalidInput, message).to_object());
            }
            Ok(None) => {}
            Err(error) => {
                let message = format!("artifact `{id}` cannot be read: {error}");
                return Err(CallError::new(ErrorClass::Unavailable, message).to_object());
            }
        }
    }
    Ok(known)
}

/// Returns whether a job may read all artifacts that a value certainly refers to.
///
/// # Errors
/// [`ArtifactError::Unavailable`].
pub(crate) async fn may_read_all(
    artifacts: &dyn Artifacts,
    (job, user): (&str, Option<&str>),
    value: &Value,
) -> Result<bool, ArtifactError> {
    for (id, is_certain) in mentioned_artifacts(value, &|text| artifacts.id_of_url(text)) {
        if is_certain && artifacts.stat_for_job(job, user, &id).await?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}
