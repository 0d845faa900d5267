//! Checks before a call whether the node's outputs can be read from the kind of body that the reply will have.

use super::operation_rule::StateRule;
use super::output::Mapping;
use super::plan::CallPlan;
use crate::declarations::NodeOutput;
use crate::diagnostic::{Diagnostic, codes};
use crate::json::pointer_push;

/// The kind of body that a reply will have, as far as the request determines it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReplyKind {
    /// JSON or other text.
    Text,
    /// An image, audio or other file.
    Bytes,
    /// The reply has no body.
    Nothing,
    Unknown,
}

impl CallPlan {
    /// Reports the outputs that no reply can contain.
    pub(super) fn check_readable(&self, outputs: &[NodeOutput], found: &mut Vec<Diagnostic>) {
        let kind = self.reply_kind();
        for (index, output) in outputs.iter().enumerate() {
            let Some(mapping) = self.outputs.iter().find(|mapping| mapping.is_of(output)) else { continue };
            if let Some(fault) = unreadable_reason(kind, output, mapping) {
                let at = pointer_push(&format!("/output/{index}"), "mapping");
                found.push(Diagnostic::new_error(codes::UNREADABLE_OUTPUT, at, fault).with_help(HELP));
            }
        }
        if kind == ReplyKind::Bytes && outputs.is_empty() {
            let message = "`accept` requests binary data, but a node without outputs returns the reply's JSON";
            found.push(Diagnostic::new_error(codes::UNREADABLE_OUTPUT, "/data/accept", message).with_help(HELP));
        }
        let reads_state = self.rule.as_ref().is_some_and(|rule| !matches!(rule.state, StateRule::Http { .. }));
        if kind == ReplyKind::Bytes && reads_state && !outputs.is_empty() {
            let message = "`accept` requests binary data, but the operation's id and state are read from JSON";
            found.push(Diagnostic::new_error(codes::UNREADABLE_OUTPUT, "/data/accept", message).with_help(HELP));
        }
    }

    fn reply_kind(&self) -> ReplyKind {
        if self.method == "HEAD" && self.rule.is_none() {
            return ReplyKind::Nothing;
        }
        match self.wanted_kind() {
            None => ReplyKind::Unknown,
            Some(accept) => accepted_reply_kind(&accept),
        }
    }
}

const HELP: &str = "declare an output of the type image, video, audio or file with the mapping `@body`";

fn unreadable_reason(kind: ReplyKind, output: &NodeOutput, mapping: &Mapping) -> Option<String> {
    let name = &output.name;
    if !mapping.reads_body() {
        return None;
    }
    match kind {
        ReplyKind::Nothing => {
            Some(format!("output `{name}` is read from the body, but a response to HEAD has no body"))
        }
        ReplyKind::Bytes if mapping.is_media() && mapping.is_whole_body() => None,
        ReplyKind::Bytes => {
            Some(format!("output `{name}` is read from JSON or text, but `accept` requests binary data"))
        }
        ReplyKind::Text | ReplyKind::Unknown => None,
    }
}

/// Returns the kind that an `Accept` header asks for; `Unknown` if it leaves a choice.
fn accepted_reply_kind(accept: &str) -> ReplyKind {
    let mut kinds = accept.split(',').map(|range| {
        let essence = range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let (group, kind) = essence.split_once('/').unwrap_or((&essence, ""));
        let is_text = group == "text"
            || ["json", "xml", "x-ndjson", "x-www-form-urlencoded"].contains(&kind)
            || kind.ends_with("+json")
            || (kind.ends_with("+xml") && group == "application");
        match group {
            _ if is_text => ReplyKind::Text,
            "image" | "audio" | "video" | "model" | "font" => ReplyKind::Bytes,
            "application" if ["octet-stream", "pdf", "gzip", "x-tar"].contains(&kind) => ReplyKind::Bytes,
            _ => ReplyKind::Unknown,
        }
    });
    let first = kinds.next().unwrap_or(ReplyKind::Unknown);
    if kinds.all(|kind| kind == first) { first } else { ReplyKind::Unknown }
}

#[cfg(test)]
mod tests {
    use super::{ReplyKind, accepted_reply_kind};

    #[test]
    fn an_accept_header_tells_the_accepted_reply_kind_body() {
        for (accept, expected) in [
            ("application/json", ReplyKind::Text),
            ("application/vnd.api+json; q=0.9", ReplyKind::Text),
            ("text/plain", ReplyKind::Text),
            ("image/*", ReplyKind::Bytes),
            ("IMAGE/PNG, image/webp;q=0.8", ReplyKind::Bytes),
            ("audio/mpeg", ReplyKind::Bytes),
            ("application/octet-stream", ReplyKind::Bytes),
            ("image/png, application/json", ReplyKind::Unknown),
            ("*/*", ReplyKind::Unknown),
            ("", ReplyKind::Unknown),
        ] {
            assert_eq!(accepted_reply_kind(accept), expected, "{accept}");
        }
    }
}
