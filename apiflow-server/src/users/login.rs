//! Logs users in by name and password.

use std::net::IpAddr;
use std::time::Instant;

use apiflow_store::{NewToken, TokenRow, UserRow};

use crate::http::problem::Problem;
use crate::state::AppState;
use crate::users::{cookies, tokens};

/// Starts a session; returns the user and the token.
pub(crate) async fn log_in(
    state: &AppState,
    username: &str,
    password: String,
    address: Option<IpAddr>,
) -> Result<(UserRow, String), Problem> {
    if username.chars().any(char::is_control) {
        return Err(Problem::single_fault("/username", "the username must not contain control characters"));
    }
    let user = state.accounts.find_user_by_name(username).await?;
    check_password(state, username, user.as_ref(), password, address).await?;
    let user = user.ok_or_else(wrong_credentials)?;
    let expires_at = state.clock.now().plus_ms(cookies::MAX_SESSION_DAYS * 86_400_000);
    let row = TokenRow { is_session: true, expires_at: Some(expires_at), ..new_token_row(state, &user) };
    let token = add_token(state, row).await?;
    Ok((user, token))
}

/// Checks a password under the throttle; 401 if it is wrong, 429 after too many wrong ones.
pub(crate) async fn check_password(
    state: &AppState,
    username: &str,
    user: Option<&UserRow>,
    password: String,
    address: Option<IpAddr>,
) -> Result<(), Problem> {
    state.throttle.begin_attempt(username, address, Instant::now()).map_err(|wait| {
        let seconds = wait.as_millis().div_ceil(1000).max(1) as u64;
        Problem::too_many(format!("too many failed logins; try again in {seconds} s"), seconds)
    })?;
    let hash = user.map(|user| user.password_hash.clone());
    if !state.passwords.verify_password(password, hash).await? {
        return Err(wrong_credentials());
    }
    state.throttle.end_attempt_well(username, address, Instant::now());
    Ok(())
}

/// Returns a new token of a user, without a name, that does not expire and is not a session.
pub(crate) fn new_token_row(state: &AppState, user: &UserRow) -> TokenRow {
    TokenRow {
        id: uuid::Uuid::now_v7().to_string(),
        user_id: user.id.clone(),
        name: String::new(),
        is_session: false,
        created_at: state.clock.now(),
        expires_at: None,
        scopes: None,
    }
}

/// Stores a token and returns its secret, which is not stored.
pub(crate) async fn add_token(state: &AppState, row: TokenRow) -> Result<String, Problem> {
    let token = tokens::generate_token();
    state.accounts.add_token(NewToken { row, hash: tokens::hash(&token) }).await?;
    Ok(token)
}

fn wrong_credentials() -> Problem {
    Problem::unauthenticated("wrong username or password")
}
