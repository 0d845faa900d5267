//! Lists of origins that secrets are bound to, as users write them and as they are stored.

use apiflow_core::origin::SecretOrigin;

use crate::api::Fault;
use crate::http::problem::Problem;

/// Reads origins that a user wrote, and normalizes them.
pub(super) fn parse_all(origins: Vec<String>) -> Result<Vec<String>, Problem> {
    let mut faults = Vec::new();
    let mut parsed = Vec::new();
    for (index, text) in origins.iter().enumerate() {
        match text.parse::<SecretOrigin>() {
            Ok(origin) => parsed.push(origin.to_string()),
            Err(error) => {
                let pointer = format!("/origins/{index}");
                faults.push(Fault { pointer, message: error.to_string(), code: None, help: None });
            }
        }
    }
    if !faults.is_empty() {
        return Err(Problem::invalid("invalid origin", faults));
    }
    Ok(parsed)
}

/// Reads stored origins; older ones are `host:port`. An origin that cannot be read permits nothing.
pub(super) fn read(kept: &[String]) -> Vec<SecretOrigin> {
    kept.iter().filter_map(|text| text.parse().ok()).collect()
}

/// Normalizes stored origins.
pub(super) fn display_origins(kept: &[String]) -> Vec<String> {
    read(kept).iter().map(SecretOrigin::to_string).collect()
}
