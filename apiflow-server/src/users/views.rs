//! Users and tokens as the API shows them.

use apiflow_core::ports::Timestamp;
use apiflow_store::{TokenRow, UserRow};

use crate::api::{Role, TokenInfo, User};
use crate::http::problem::Problem;
use crate::users::scopes::TokenScopes;

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
pub(crate) fn show_token(row: TokenRow) -> Result<TokenInfo, Problem> {
    let scopes = row.scopes.as_deref().map(TokenScopes::from_stored).transpose();
    let scopes = scopes.map_err(|error| Problem::internal(format!("the scopes of a token are unreadable: {error}")))?;
    Ok(TokenInfo {
        id: row.id,
        name: row.name,
        created_at: row.created_at.to_rfc3339(),
        expires_at: row.expires_at.map(Timestamp::to_rfc3339),
        scopes: scopes.map(TokenScopes::into_list),
    })
}
