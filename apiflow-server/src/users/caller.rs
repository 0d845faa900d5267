//! The user who sends a request.

use apiflow_store::{TokenRow, UserRow};

/// The sender of a request with a valid token or session.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// The user of the token or session.
    pub(crate) user: UserRow,
    /// The id of the token that was used.
    pub(crate) token: TokenRow,
    /// The hash by which the store identifies the token.
    pub(crate) token_hash: String,
    /// The URL under which the request reached the server, without a trailing slash: for links in its reply.
    pub(crate) base_url: String,
}

/// Proves that the caller is an admin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Admin;
