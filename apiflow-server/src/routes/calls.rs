//! The route that lists requests through the proxy.

use apiflow_core::ports::{ProxiedCallFilter, Timestamp};
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::api::{Page, ProxiedCall};
use crate::http::extract::InQuery;
use crate::http::pagination::{PageQuery, build_page};
use crate::http::problem::Problem;
use crate::state::AppState;
use crate::users::Caller;

/// Returns the routes of calls.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_calls))
}

/// Filter and page of a list of calls.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct CallQuery {
    /// Number of calls per page, from 1 to 500 (default: 50).
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// The `next` of the previous page.
    cursor: Option<String>,
    /// Only calls with this connector.
    connector: Option<String>,
    /// Only calls of this user; others than the caller for admins only.
    user: Option<String>,
    /// Only calls with this status, such as `404`, or with one of a class, such as `4xx`.
    status: Option<String>,
    /// Only calls that began at or after this time.
    #[param(format = DateTime)]
    from: Option<String>,
    /// Only calls that began before this time.
    #[param(format = DateTime)]
    to: Option<String>,
}

/// Lists the requests that were passed on to providers, or refused: the caller's own, or everyone's for admins.
#[utoipa::path(get, path = "/calls", operation_id = "list_proxied_calls", tag = "usage", params(CallQuery),
    responses((status = OK, description = "a page, newest first", body = Page<ProxiedCall>)))]
async fn list_calls(
    State(state): State<AppState>,
    caller: Caller,
    InQuery(query): InQuery<CallQuery>,
) -> Result<Json<Page<ProxiedCall>>, Problem> {
    let page = PageQuery { limit: query.limit, cursor: query.cursor };
    let limit = page.limit()?;
    let user = match query.user {
        user if caller.user.is_admin => user,
        None => Some(caller.user.id.clone()),
        Some(user) if user == caller.user.id => Some(user),
        Some(_) => return Err(Problem::forbidden("only admins may list the calls of other users")),
    };
    let (min_status, max_status) = query.status.as_deref().map_or(Ok((None, None)), parse_status)?;
    let filter = ProxiedCallFilter {
        connector_id: query.connector,
        user,
        min_status,
        max_status,
        started_after: parse_time("from", query.from.as_deref())?,
        started_before: parse_time("to", query.to.as_deref())?,
    };
    let rows = state.store.list_proxied_calls(&filter, page.after_key()?.as_deref(), limit + 1).await?;
    Ok(Json(build_page(rows, limit, |row| row.id.clone(), ProxiedCall::from)))
}

/// Reads a status, or a class of statuses, as the lowest and the highest one.
fn parse_status(text: &str) -> Result<(Option<u16>, Option<u16>), Problem> {
    let class = text.strip_suffix("xx").filter(|digit| digit.len() == 1).and_then(|digit| digit.parse::<u16>().ok());
    let exact = text.parse().ok().filter(|status| (100..1_000).contains(status));
    match (class.filter(|class| (1..10).contains(class)), exact) {
        (Some(class), _) => Ok((Some(class * 100), Some(class * 100 + 99))),
        (None, Some(status)) => Ok((Some(status), Some(status))),
        (None, None) => {
            Err(Problem::malformed(format!("status is `{text}`; it must be a status like 404, or a class like 4xx")))
        }
    }
}

fn parse_time(name: &str, text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = text else { return Ok(None) };
    Timestamp::from_rfc3339(text)
        .map(Some)
        .ok_or_else(|| Problem::malformed(format!("{name} is `{text}`; it must be a time like 2026-01-31T12:00:00Z")))
}
