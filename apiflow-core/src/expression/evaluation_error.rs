//! Why evaluating an expression returned no value.

/// Why an evaluation returned no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluationError {
    /// The text does not parse, or is over a cap.
    #[error("{0}")]
    Syntax(String),
    /// The script threw; the message is the exception's.
    #[error("{0}")]
    Thrown(String),
    /// A limit of time, memory or size was hit.
    #[error("{0}")]
    Limit(String),
    /// Too many evaluations that take long wait already; nothing was evaluated, and the caller may try again later.
    #[error("too many slow expressions are being evaluated: try again later")]
    Busy,
    /// The evaluator itself broke down.
    #[error("{0}")]
    Internal(String),
}
