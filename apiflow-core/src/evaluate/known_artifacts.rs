//! Finds the artifacts that the inputs of a call refer to.

use std::time::Duration;

use serde_json::Value;

use crate::call::{CallError, CallPlan, ErrorClass, KnownArtifacts, MAX_CALL_FILES, mentioned_artifacts};
use crate::ports::Artifacts;

/// Time for which a link to an artifact is valid beyond the time that the call may take.
const LINK_MARGIN: Duration = Duration::from_hours(1);

/// Asks for the artifacts that the inputs of a call refer to. An object that names no artifact is left as it is.
///
/// # Errors
/// The error object of the step, if there are too many or the storage is unavailable.
pub(crate) async fn find_artifacts(
    artifacts: &dyn Artifacts,
    plan: &CallPlan,
    arguments: &Value,
) -> Result<KnownArtifacts, Value> {
    let ids = mentioned_artifacts(arguments, &|text| artifacts.id_of_url(text));
    if ids.len() > MAX_CALL_FILES {
        let message = format!("the inputs name {} artifacts; a call sends at most {MAX_CALL_FILES}", ids.len());
        return Err(CallError::new(ErrorClass::InvalidInput, message).to_object());
    }
    let call_may_take = plan.operation_timeout_ms().max(plan.submit_timeout_ms());
    let valid_for = Duration::from_millis(call_may_take) + LINK_MARGIN;
    let mut known = KnownArtifacts::default();
    for id in ids {
        match artifacts.stat(&id).await {
            Ok(Some(artifact)) => {
                let public_url = artifacts.public_url(&artifact.id, valid_for);
                known.insert(artifact, public_url);
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
