//! Callers whose tokens may have scopes.
//!
//! Architecture invariant: a route accepts tokens with scopes only if it takes a [`ScopedCaller`], and it gets the
//! [`Caller`] from that only by a `permit_…` method, so that no route can forget the check. All other routes take a
//! [`Caller`] and refuse such tokens.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::http::problem::Problem;
use crate::state::AppState;
use crate::users::caller::Caller;
use crate::users::scopes::{ProxyTarget, RunTarget, TokenScopes};

/// The sender of a request before it is checked what the token's scopes permit.
#[derive(Debug)]
pub(crate) struct ScopedCaller {
    caller: Caller,
    /// The scopes of the token; `None`: it may do everything that its user may.
    scopes: Option<TokenScopes>,
}

impl ScopedCaller {
    /// Wraps a caller; its token may have scopes.
    pub(super) fn new(caller: Caller) -> Result<Self, Problem> {
        let scopes = caller.token.scopes.as_deref().map(TokenScopes::from_stored).transpose();
        let scopes =
            scopes.map_err(|error| Problem::internal(format!("the scopes of a token are unreadable: {error}")))?;
        Ok(Self { caller, scopes })
    }

    /// Returns the id of the user, for records of requests that may be refused.
    pub(crate) fn user_id(&self) -> &str {
        &self.caller.user.id
    }

    /// Returns the caller of a route that no scope permits.
    ///
    /// # Errors
    /// 403 if the token has scopes.
    pub(super) fn permit_without_scopes(self, parts: &Parts) -> Result<Caller, Problem> {
        if self.scopes.is_none() {
            return Ok(self.caller);
        }
        let (method, path) = (&parts.method, parts.uri.path());
        let message =
            format!("this token has scopes, and no scope permits {method} {path}: use a token without scopes");
        Err(Problem::scope_required(message))
    }

    /// Returns the caller of a run.
    ///
    /// # Errors
    /// 403 if no scope permits it.
    pub(crate) fn permit_run(self, target: RunTarget<'_>) -> Result<Caller, Problem> {
        self.scopes.as_ref().map_or(Ok(()), |scopes| scopes.check_run(target))?;
        Ok(self.caller)
    }

    /// Returns the caller of a request through the raw proxy, whose headers have these names.
    ///
    /// # Errors
    /// 403 if no scope permits it.
    pub(crate) fn permit_proxy<'h>(
        self,
        target: ProxyTarget<'_>,
        header_names: impl Iterator<Item = &'h str>,
    ) -> Result<Caller, Problem> {
        self.scopes.as_ref().map_or(Ok(()), |scopes| scopes.check_proxy(target, header_names))?;
        Ok(self.caller)
    }

    /// Returns the caller of a request for a job: a token with scopes must have started it.
    ///
    /// # Errors
    /// 403 if it has not, whether the job exists or not.
    pub(crate) async fn permit_job(self, state: &AppState, job: &str) -> Result<Caller, Problem> {
        if self.scopes.is_none() || state.accounts.is_token_job(&self.caller.token.id, job).await? {
            return Ok(self.caller);
        }
        let message = format!("this token did not start job `{job}`: with scopes, it may only access its own jobs");
        Err(Problem::scope_required(message))
    }

    /// Returns the caller of a request for an artifact: a job that a token with scopes started must have made or used it.
    ///
    /// # Errors
    /// 403 if none has, whether the artifact exists or not.
    pub(crate) async fn permit_artifact(self, state: &AppState, id: &str) -> Result<Caller, Problem> {
        if self.caller.may_use_artifact(state, id).await? {
            return Ok(self.caller);
        }
        let message =
            format!("artifact `{id}` is not of a job that this token started: with scopes, it may only access those");
        Err(Problem::scope_required(message))
    }
}

impl Caller {
    /// Whether the token of the request is limited to scopes.
    pub(crate) fn has_scopes(&self) -> bool {
        self.token.scopes.is_some()
    }

    /// Permits a webhook that a run names, unless the token has scopes: they are not for sending messages of this server
    /// anywhere, and a message may contain the links of approvals.
    ///
    /// # Errors
    /// 403 if the token has scopes and `url` is given.
    pub(crate) fn permit_webhook(&self, url: Option<&str>) -> Result<(), Problem> {
        if self.has_scopes() && url.is_some() {
            let message = "tokens with scopes may not name a webhook: save it with the workflow";
            return Err(Problem::scope_required(message));
        }
        Ok(())
    }

    /// Whether the scopes of the token, if it has any, permit an artifact: a job that it started made or uses it. The
    /// artifact's owner is checked separately.
    pub(crate) async fn may_use_artifact(&self, state: &AppState, id: &str) -> Result<bool, Problem> {
        Ok(!self.has_scopes() || state.accounts.is_token_artifact(&self.token.id, id).await?)
    }
}

impl FromRequestParts<AppState> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        ScopedCaller::from_request_parts(parts, state).await?.permit_without_scopes(parts)
    }
}
