//! Errors of evaluations.

/// Why an evaluation did not return a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluationError {
    /// The source has a syntax error or exceeds a size limit.
    #[error("{0}")]
    Syntax(String),
    /// The script threw an exception, whose message this is.
    #[error("{0}")]
    Thrown(String),
    /// A limit of time, memory or size was exceeded.
    #[error("{0}")]
    Limit(String),
    /// Too many long evaluations are waiting already; nothing was evaluated, and the caller may try again later.
    #[error("too many slow expressions are being evaluated: try again later")]
    Busy,
    /// The evaluator itself failed.
    #[error("{0}")]
    Internal(String),
}
