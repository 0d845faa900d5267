//! Who is calling.

use apiflow_store::{TokenRow, UserRow};

/// The sender of a request with a valid token or session.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// The user.
    pub(crate) user: UserRow,
    /// The token that was used.
    pub(crate) token: TokenRow,
    /// The hash by which the store knows the token.
    pub(crate) token_hash: String,
}

/// Shows that the caller is an admin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Admin;
