//! Diagnostics: what is wrong with a document, the same on a server, on the command line and in a browser.

pub mod codes;
pub(crate) mod fixes;
pub(crate) mod suggest;

use serde::{Deserialize, Serialize};

pub use self::suggest::nearest_name;

/// Severity of a finding: an error prevents a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The document cannot run.
    Error,
    /// The document can run, but probably not as intended.
    Warning,
    /// A suggestion that does not affect a run.
    Hint,
}

/// One finding about a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct Diagnostic {
    /// Stable code of the kind of finding, in kebab case (`unknown-node`, `expression-syntax`).
    pub code: String,
    /// Severity of the finding.
    pub severity: Severity,
    /// JSON Pointer (RFC 6901) of the value: within a connector or node itself, within a workflow's OpenFlow document;
    /// empty for the whole document.
    pub pointer: String,
    /// What is wrong with the value.
    pub message: String,
    /// How to fix it, if known (`did you mean …?`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// A replacement that is certain to be correct.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<Fix>,
    /// The position inside the string at `pointer`, for faults of an expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
}

/// A fix that is certain to be correct: replace the value at `pointer` with `value`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct Fix {
    /// Label of the fix, suitable for a button (`rename to "resize"`).
    pub label: String,
    /// JSON Pointer of the value to replace.
    pub pointer: String,
    /// The new value.
    pub value: serde_json::Value,
}

/// A position inside a string, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
pub struct Span {
    /// Line of the first character.
    pub line: u32,
    /// Column of the first character, in Unicode scalar values.
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
