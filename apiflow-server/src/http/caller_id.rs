//! Who sends a request, as far as the reading of its body has to know.

/// The id of the user who sends a request, among the request's extensions: the caller is known before the body is read.
#[derive(Debug, Clone)]
pub(crate) struct CallerId(pub(crate) String);
