//! Times as the API shows and takes them.

use apiflow_core::ports::Timestamp;

/// The text of a moment.
pub(crate) fn text(moment: Timestamp) -> String {
    moment.to_rfc3339()
}

/// Reads the text of a moment.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    Timestamp::from_rfc3339(text)
}
