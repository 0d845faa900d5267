//! Diagnostics: what is wrong with a document, the same on a server, on the command line and in a browser.

pub mod codes;
pub(crate) mod fixes;
pub(crate) mod suggest;

use serde::{Deserialize, Serialize};

pub use self::suggest::nearest_name;

/// How serious a finding is. An error refuses a run; a warning or a hint does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The document cannot run.
    Error,
    /// The document runs, but probably not as intended.
    Warning,
    /// The document runs as intended; the finding is advice.
    Hint,
}

/// One finding about a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Stable name of the kind of finding, in kebab case (`unknown-node`, `expression-syntax`).
    pub code: String,
    /// How serious the finding is.
    pub severity: Severity,
    /// JSON Pointer (RFC 6901) of the place in the document; empty for the whole document.
    pub pointer: String,
    /// What is wrong: names the subject, lower case, no full stop.
    pub message: String,
    /// How to fix it, if a fix is known (`did you mean …?`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// An edit of the document that certainly fixes the finding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<Fix>,
    /// Position inside the string at `pointer`, for faults of an expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
}

/// An edit that certainly fixes a finding: replaces the value at `pointer` by `value`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fix {
    /// Label of the fix, as a button shows it (`rename to "resize"`).
    pub label: String,
    /// JSON Pointer of the value to replace.
    pub pointer: String,
    /// The new value.
    pub value: serde_json::Value,
}

/// A position inside a string, counted from 1; columns count Unicode scalar values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Line of the first character.
    pub line: u32,
    /// Column of the first character.
    pub column: u32,
}

impl Diagnostic {
    /// Creates an error at a JSON Pointer.
    pub fn new_error(code: &str, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, pointer, message)
    }

    /// Creates a warning at a JSON Pointer.
    pub fn new_warning(code: &str, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, pointer, message)
    }

    fn new(severity: Severity, code: &str, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            severity,
            pointer: pointer.into(),
            message: message.into(),
            help: None,
            fix: None,
            span: None,
        }
    }

    /// Adds help: how to fix the finding.
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the position inside the expression.
    pub fn with_span(mut self, span: Span) -> Self {
        self.span = Some(span);
        self
    }
}

/// Returns whether any finding is an error, so that the document cannot run.
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|found| found.severity == Severity::Error)
}
