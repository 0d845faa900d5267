//! Creates and changes users and their tokens.

use apiflow_core::ports::Timestamp;
use apiflow_store::{TokenRow, UserChange, UserRow};

use crate::api::{NewTokenRequest, NewUser, Role, TokenReply, UserPatch};
use crate::http::local_url::is_local;
use crate::http::problem::Problem;
use crate::state::AppState;
use crate::users::passwords::MIN_ADMIN_PASSWORD_CHARS;
use crate::users::scopes::TokenScopes;
use crate::users::usernames::check_username;
use crate::users::{Caller, login, views};

/// Returns a user whom the caller may see: the caller, or any user for an admin.
pub(crate) async fn find_visible_user(state: &AppState, caller: &Caller, id: &str) -> Result<UserRow, Problem> {
    if caller.user.id != id && !caller.user.is_admin {
        return Err(Problem::forbidden("only admins may access the accounts of other users"));
    }
    state.accounts.read_user(id).await?.ok_or_else(|| Problem::not_found(format!("there is no user `{id}`")))
}

/// Creates a user.
pub(crate) async fn create(state: &AppState, new: NewUser) -> Result<UserRow, Problem> {
    check_username(&new.username)?;
    let is_admin = new.role == Some(Role::Admin);
    check_password(&new.password, is_admin, &state.settings.public_url)?;
    check_email(new.email.as_deref())?;
    let user = UserRow {
        id: uuid::Uuid::now_v7().to_string(),
        username: new.username,
        email: new.email,
        is_admin,
        password_hash: state.passwords.hash(new.password).await?,
        created_at: state.clock.now(),
    };
    state.accounts.add_user(user.clone()).await?;
    Ok(user)
}

/// Changes a user whom the caller may change.
pub(crate) async fn change_user(
    state: &AppState,
    caller: &Caller,
    id: &str,
    patch: UserPatch,
) -> Result<UserRow, Problem> {
    let user = find_visible_user(state, caller, id).await?;
    let is_admin = patch.role.map(|role| role == Role::Admin);
    if is_admin.is_some_and(|wanted| wanted != user.is_admin) && !caller.user.is_admin {
        return Err(Problem::forbidden("only admins may change roles"));
    }
    patch.username.as_deref().map_or(Ok(()), check_username)?;
    check_email(patch.email.as_ref().and_then(Option::as_deref))?;
    let mut change = UserChange { username: patch.username, email: patch.email, is_admin, password_hash: None };
    let will_be_admin = is_admin.unwrap_or(user.is_admin);
    if let Some(password) = patch.password {
        check_password(&password, will_be_admin, &state.settings.public_url)?;
        if caller.user.id == user.id {
            check_current(state, &user, patch.current_password).await?;
        }
        change.password_hash = Some(state.passwords.hash(password).await?);
    }
    if will_be_admin && !user.is_admin && change.password_hash.is_none() && !is_local(&state.settings.public_url) {
        // The length of the current password cannot be derived from its hash.
        let message =
            format!("an admin's password needs at least {MIN_ADMIN_PASSWORD_CHARS} characters: set a new password too");
        return Err(Problem::single_fault("/password", message));
    }
    let ends_sessions = change.password_hash.is_some();
    let changed = state.accounts.change_user(&user.id, change).await?;
    if ends_sessions {
        state.accounts.delete_tokens(&user.id, true).await?;
    }
    Ok(changed)
}

/// Creates a new token for a user and revokes the previous one with all sessions; named tokens stay valid.
pub(crate) async fn reset_token(state: &AppState, user: &UserRow) -> Result<TokenReply, Problem> {
    state.accounts.delete_tokens(&user.id, true).await?;
    let row = TokenRow { is_session: true, ..login::new_token_row(state, user) };
    let token = login::add_token(state, row.clone()).await?;
    Ok(TokenReply { token, info: views::show_token(row)? })
}

/// Creates a named token, limited to scopes if the request has any.
pub(crate) async fn add_named_token(
    state: &AppState,
    user: &UserRow,
    new: NewTokenRequest,
) -> Result<TokenReply, Problem> {
    if new.name.trim().is_empty() || new.name.chars().count() > 64 || new.name.chars().any(char::is_control) {
        return Err(Problem::single_fault("/name", "the name must have 1 to 64 characters and no control characters"));
    }
    let now = state.clock.now();
    let expires_at = match new.expires_at.as_deref() {
        None => None,
        Some(text) => Some(Timestamp::from_rfc3339(text).filter(|at| *at > now).ok_or_else(|| {
            Problem::single_fault("/expires_at", "expires_at must be in the future, like 2030-01-31T12:00:00Z")
        })?),
    };
    let scopes = new.scopes.map(TokenScopes::from_request).transpose()?;
    let scopes = scopes.map(|scopes| scopes.to_stored());
    let row = TokenRow { name: new.name, expires_at, scopes, ..login::new_token_row(state, user) };
    let token = login::add_token(state, row.clone()).await?;
    Ok(TokenReply { token, info: views::show_token(row)? })
}

async fn check_current(state: &AppState, user: &UserRow, given: Option<String>) -> Result<(), Problem> {
    let Some(given) = given else {
        return Err(Problem::single_fault(
            "/current_password",
            "to change your password, pass the current one as `current_password`",
        ));
    };
    login::check_password(state, &user.username, Some(user), given, None).await.map_err(|problem| {
        if problem.status() == axum::http::StatusCode::UNAUTHORIZED {
            return Problem::single_fault("/current_password", "the current password is wrong");
        }
        problem
    })
}

fn check_password(password: &str, is_admin: bool, public_url: &str) -> Result<(), Problem> {
    let count = password.chars().count();
    if !(8..=256).contains(&count) {
        return Err(Problem::single_fault("/password", "the password must have 8 to 256 characters"));
    }
    if is_admin && count < MIN_ADMIN_PASSWORD_CHARS && !is_local(public_url) {
        let message = format!("an admin's password must have {MIN_ADMIN_PASSWORD_CHARS} to 256 characters");
        return Err(Problem::single_fault("/password", message));
    }
    Ok(())
}

fn check_email(email: Option<&str>) -> Result<(), Problem> {
    let fine = email.is_none_or(|email| {
        !email.is_empty() && email.len() <= 254 && !email.chars().any(|letter| letter.is_control() || letter == ' ')
    });
    if fine {
        Ok(())
    } else {
        Err(Problem::single_fault("/email", "the email address must have 1 to 254 characters and no spaces"))
    }
}
