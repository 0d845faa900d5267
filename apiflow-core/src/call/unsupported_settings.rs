//! Settings of connectors and nodes that are accepted but have no effect yet: media hosts.

use super::merged_declarations::Merged;
use crate::diagnostic::{Diagnostic, codes};

/// Warns of settings that are read but have no effect yet.
pub(super) fn warn_of_unsupported(merged: &Merged<'_>, found: &mut Vec<Diagnostic>) {
    if let Some(entry) = merged.get("media_hosts") {
        let message = "`media_hosts` is not supported yet and has no effect";
        let warning = Diagnostic::new_warning(codes::NOT_ACTED_ON, entry.pointer, message);
        found.push(warning.with_help("links are passed on exactly as the provider returns them"));
    }
}
