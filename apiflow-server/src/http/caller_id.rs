//! The sender of a request, as far as reading its body depends on it.

/// The id of the user who sends a request, among the request's extensions: the caller is known before the body is read.
#[derive(Debug, Clone)]
pub(crate) struct CallerId(pub(crate) String);
