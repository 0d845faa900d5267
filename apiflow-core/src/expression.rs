//! Expressions of a workflow: what they may look like, what they refer to, and those that need no JavaScript.
//!
//! An expression is JavaScript, bare (`results.resize.url`) or with statements (`const n = 2; return n`). This module
//! reads and judges the text and looks plain paths up; evaluating anything else is the [`crate::ports::Evaluator`]'s.
//!
//! Architecture invariant: no parser sees a text that [`check_source_nesting`] did not pass. Parsers recurse; the caps of `scan`
//! keep every one of them within the stack that its caller has, here as well as in the JavaScript engine.

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
pub use nesting_limits::{MAX_CHAIN, MAX_DEPTH, MAX_PREFIX, MAX_REGEX_GROUPS, check_source_nesting, scan_code};
pub use plain_path::{PlainPath, Segment, plain_path};
pub use plain_path_lookup::look_up_plain_path;
pub use references::{NameUse, Reference, References, find_references};
pub use syntax::check_syntax;
pub(crate) use syntax::locate_fault;

use crate::diagnostic::Span;

/// The longest text that is accepted, in bytes.
pub const MAX_SOURCE_BYTES: usize = 16 * 1024;

/// The longest inline code that is accepted, in bytes.
pub const MAX_INLINE_BYTES: usize = 64 * 1024;

/// The names that a workflow's expressions may use (reference: OpenFlow, names in scope).
pub const CONTEXT_NAMES: [&str; 14] = [
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

/// The line and column of a byte of a string.
pub fn span_of_byte(source: &str, byte: usize) -> Span {
    line_index::Lines::from_source(source).span_of_byte(byte)
}

/// The reason why a string is not an expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}{}", span.map(|at| format!(" (line {}, column {})", at.line, at.column)).unwrap_or_default())]
pub struct SyntaxFault {
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// Where, within the text as the user wrote it; `None` if the whole text is at fault.
    pub span: Option<Span>,
}

impl SyntaxFault {
    /// A fault at a byte of the text.
    pub(crate) fn at_byte(source: &str, byte: usize, message: impl Into<String>) -> Self {
        Self { message: message.into(), span: Some(span_of_byte(source, byte)) }
    }
}
