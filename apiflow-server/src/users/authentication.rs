//! Finds the caller of a request by its token or session.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use crate::http::base_url::base_url;
use crate::http::caller_id::CallerId;
use crate::http::problem::Problem;
use crate::state::AppState;
use crate::users::caller::{Admin, Caller};
use crate::users::scoped_caller::ScopedCaller;
use crate::users::{cookies, tokens};

impl Caller {
    /// Refuses with 401 if the token or session has ended meanwhile; for long-running requests.
    pub(crate) async fn check_again(&self, state: &AppState) -> Result<(), Problem> {
        Self::find_caller(state, self.token_hash.clone(), String::new()).await.map(|_| ())
    }

    async fn find_caller(state: &AppState, token_hash: String, base_url: String) -> Result<Self, Problem> {
        let found = state.accounts.find_token(&token_hash, state.clock.now()).await?;
        let (user, token) =
            found.ok_or_else(|| Problem::unauthenticated("invalid or expired token; log in again at /api/v1/login"))?;
        Ok(Self { user, token, token_hash, base_url })
    }
}

impl FromRequestParts<AppState> for ScopedCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let token = match bearer_token(&parts.headers)? {
            Some(token) => token,
            None => cookies::session_token(&parts.method, &parts.headers, &state.settings.public_url)?,
        };
        let caller = Caller::find_caller(
            state,
            tokens::hash(&token),
            base_url(&state.settings.public_url, state.settings.has_public_url, parts),
        )
        .await?;
        parts.extensions.insert(CallerId(caller.user.id.clone()));
        Self::new(caller)
    }
}

impl FromRequestParts<AppState> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        if !caller.user.is_admin {
            return Err(Problem::forbidden("only admins may do this"));
        }
        Ok(Self)
    }
}

/// Returns the token in the Authorization header, if there is one.
pub(crate) fn bearer_token(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let token = value.to_str().ok().and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
    });
    match token {
        Some(token) => Ok(Some(token)),
        None => Err(Problem::unauthenticated("the Authorization header must be `Bearer <token>`")),
    }
}
