//! Expressions of a workflow: checks their syntax, finds what they refer to, and looks up those that need no
//! JavaScript.
//!
//! An expression is JavaScript, either bare (`results.resize.url`) or with statements (`const n = 2; return n`). This
//! module checks the source and looks up plain paths; everything else is evaluated by a [`crate::ports::Evaluator`].
//!
//! Architecture invariant: a parser only reads source that [`check_source_nesting`] has accepted. Parsers recurse; the
//! limits keep each of them within its caller's stack, here as well as in the JavaScript engine.

mod brackets;
mod builtin_properties;
mod evaluation_error;
mod expression_reader;
mod free_variables;
mod function_wrapper;
mod line_index;
mod nesting_limits;
mod plain_path;
mod plain_path_lookup;
mod references;
mod syntax;
mod token;

pub use evaluation_error::EvaluationError;
pub use expression_reader::{Reader, Reading};
pub use free_variables::{Wanted, WantedResults, find_free_variables};
pub use function_wrapper::wrap_expression;
pub use nesting_limits::{check_source_nesting, scan_code};
pub use plain_path::{PlainPath, Segment, plain_path};
pub use plain_path_lookup::look_up_plain_path;
pub use references::{NameUse, Reference, References, find_references};
pub use syntax::check_syntax;
pub(crate) use syntax::locate_fault;

use crate::diagnostic::Span;

/// Maximum size of an expression, in bytes.
pub const MAX_SOURCE_BYTES: usize = 16 * 1024;

/// Maximum size of inline code, in bytes.
pub const MAX_INLINE_BYTES: usize = 64 * 1024;

/// Names that are in scope in a workflow's expressions. Source: OpenFlow.
pub(crate) const CONTEXT_NAMES: [&str; 14] = [
    "flow_input",
    "results",
    "previous_result",
    "result",
    "error",
    "resume",
    "resumes",
    "approvers",
    "flow_env",
    "params",
    "all_iters",
    "started_at",
    "flow_job_id",
    "WM_SCHEDULED_FOR",
];

/// Returns the line and column of a byte of a string.
pub(crate) fn span_of_byte(source: &str, byte: usize) -> Span {
    line_index::Lines::from_source(source).span_of_byte(byte)
}

/// Why a string is not a valid expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}{}", span.map(|at| format!(" (line {}, column {})", at.line, at.column)).unwrap_or_default())]
pub struct SyntaxFault {
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// Position in the source as the user wrote it; `None` if the whole source is at fault.
    pub span: Option<Span>,
}

impl SyntaxFault {
    /// Creates a fault at a byte of the source.
    pub(crate) fn at_byte(source: &str, byte: usize, message: impl Into<String>) -> Self {
        Self { message: message.into(), span: Some(span_of_byte(source, byte)) }
    }
}
