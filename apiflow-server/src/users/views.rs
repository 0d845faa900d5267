//! Users and tokens as the API shows them.

use apiflow_core::ports::Timestamp;
use apiflow_store::{TokenRow, UserRow};

use crate::api::{Role, TokenInfo, User};

/// Returns a user without the password.
pub(crate) fn show_user(row: UserRow) -> User {
    User {
        id: row.id,
        username: row.username,
        email: row.email,
        role: if row.is_admin { Role::Admin } else { Role::User },
        created_at: row.created_at.to_rfc3339(),
    }
}

/// Returns a token without its secret.
pub(crate) fn show_token(row: TokenRow) -> TokenInfo {
    TokenInfo {
        id: row.id,
        name: row.name,
        created_at: row.created_at.to_rfc3339(),
        expires_at: row.expires_at.map(Timestamp::to_rfc3339),
    }
}
