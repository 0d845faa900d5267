//! Routes for monitoring; they need no token.

use axum::Json;
use axum::extract::State;
use axum::http::{Extensions, HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use tokio::time::Instant;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::api::Health;
use crate::health::metrics;
use crate::http::problem::Problem;
use crate::http::problem_codes;
use crate::state::AppState;

const OK: Health = Health { status: "ok", version: env!("CARGO_PKG_VERSION") };

/// Returns the routes of health checks and metrics.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(get_liveness)).routes(routes!(get_readiness)).routes(routes!(get_metrics))
}

/// Returns whether the process is up.
#[utoipa::path(get, path = "/healthz", operation_id = "healthz", tag = "health", security(()),
    responses((status = OK, description = "up", body = Health)))]
async fn get_liveness() -> Json<Health> {
    Json(OK)
}

/// Returns whether the server is ready: the database accepts a small write and the server is not stopping.
#[utoipa::path(get, path = "/readyz", operation_id = "readyz", tag = "health", security(()),
    responses((status = OK, description = "ready", body = Health)))]
async fn get_readiness(State(state): State<AppState>) -> Result<Json<Health>, Problem> {
    if state.stop.is_cancelled() {
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, problem_codes::NOT_READY, "the server is stopping"));
    }
    state.readiness.check_store(&*state.store, Instant::now()).await?;
    Ok(Json(OK))
}

/// Returns metrics about jobs and the process in Prometheus' text format. Callers on other machines must send the token
/// of APIFLOW_METRICS_TOKEN.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "health", security((), ("token" = [])),
    responses((status = OK, description = "Prometheus' text format", content_type = "text/plain", body = String)))]
async fn get_metrics(
    State(state): State<AppState>,
    extensions: Extensions,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    metrics::check_access(&state, &extensions, &headers)?;
    let text = metrics::metrics_text(&state).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
}
