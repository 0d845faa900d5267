//! Links in replies.

use serde_json::Value;

use crate::diagnostic::{Diagnostic, codes};
use crate::json::JsonPath;
use crate::template::{Root, TemplateCompiler, TemplateScope, Text, dot_segment, join_pieces};
use crate::url;

/// Where a URL comes from.
#[derive(Debug, Clone)]
pub(super) enum Link {
    /// A path into the reply, to a URL that is absolute or relative to the reply's own.
    Reply(JsonPath),
    /// A template over the reply, whose result is absolute or appended to the connector's `base_url`.
    Template(Text),
    /// A path into the reply, to a path below the connector's `base_url` that may have several segments.
    BelowBase(JsonPath),
}

impl Link {
    /// Parses a link: a string with a placeholder, or one that begins with `/` or `http`, is a template; any other is a
    /// path into the reply.
    pub(super) fn read(source: &str, pointer: &str, found: &mut Vec<Diagnostic>) -> Option<Self> {
        let whole = source.trim();
        let alone = whole.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
        let from_reply = alone.map(str::trim).and_then(|inner| inner.strip_prefix("reply."));
        let is_template = whole.contains("{{") || whole.starts_with('/') || whole.starts_with("http");
        if from_reply.is_none() && is_template {
            let text = TemplateCompiler { roots: &[Root::Reply], diagnostics: found }.compile_text(whole, pointer);
            if text.secret_names().next().is_some() {
                let message = "a link cannot contain a secret: put it in a header or in `query`";
                found.push(Diagnostic::new_error(codes::NOT_SUPPORTED, pointer, message));
            }
            return Some(Self::Template(text));
        }
        match JsonPath::parse_query(from_reply.unwrap_or(whole)) {
            Ok(path) => Some(Self::Reply(path)),
            Err(fault) => {
                let message = format!("`{source}` is neither a path into the reply nor a template: {fault}");
                found.push(Diagnostic::new_error(codes::PATH_SYNTAX, pointer, message));
                None
            }
        }
    }

    /// Resolves the link to an absolute URL; `None` if the reply does not contain it.
    pub(super) fn resolve_url(&self, reply: &Value, reply_url: &str, base_url: &str) -> Option<String> {
        match self {
            Self::Reply(path) => url::join_url(reply_url, &path.find_text(reply)?),
            Self::BelowBase(path) => {
                let text = path.find_text(reply)?;
                let is_path = !text.contains(['?', '#', '\\', ':', '%']) && dot_segment(&text).is_none();
                (is_path && !text.chars().any(char::is_whitespace)).then(|| url::append_path(base_url, &text))
            }
            Self::Template(text) => {
                let pieces = text.expand_path(&TemplateScope::for_reply(reply)).ok()?;
                let text = join_pieces(&pieces, &mut |_| String::new());
                Some(if text.starts_with("http") { text } else { url::append_path(base_url, &text) })
            }
        }
    }

    /// Describes the link for a message.
    pub(super) fn describe_link(&self) -> String {
        match self {
            Self::Reply(path) | Self::BelowBase(path) => format!("`{}`", path.source()),
            Self::Template(text) => {
                let names: Vec<String> = text
                    .places()
                    .map(|place| place.source().trim_start_matches("reply."))
                    .map(|name| format!("`{name}`"))
                    .collect();
                names.join(" and ")
            }
        }
    }
}
