//! Settings of connectors and nodes that are accepted but have no effect yet: credentials, media hosts.

use super::merged_declarations::Merged;
use crate::diagnostic::{Diagnostic, codes};

/// Warns of settings that are read but have no effect yet.
pub(super) fn warn_of_unsupported(merged: &Merged<'_>, found: &mut Vec<Diagnostic>) {
    for (key, help) in [
        ("auth", "write the credentials in `header`, as `$NAME`"),
        ("media_hosts", "links are passed on exactly as the provider returns them"),
    ] {
        if let Some(entry) = merged.get(key) {
            let message = format!("`{key}` is not supported yet and has no effect");
            found.push(Diagnostic::new_warning(codes::NOT_ACTED_ON, entry.pointer, message).with_help(help));
        }
    }
}
