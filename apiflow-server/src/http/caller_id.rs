//! The user who sends a request, for reading its body.

/// The id of the user who sends a request, among the request's extensions: the caller is known before the body is read.
#[derive(Debug, Clone)]
pub(crate) struct CallerId(pub(crate) String);
