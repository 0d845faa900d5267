//! The route of the server's settings.

use axum::Json;
use axum::extract::State;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::api::{RetentionPeriods, ServerLimits, ServerOperation, ServerSettings};
use crate::settings::ProcessRole;
use crate::state::AppState;
use crate::users::Caller;

/// Returns the route of settings.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(read_settings))
}

/// Reads the settings that concern the caller: version, limits and retention; for admins also how the server runs. They
/// contain no keys, passwords, paths or addresses of databases.
#[utoipa::path(get, path = "/settings", operation_id = "get_settings", tag = "health",
    responses((status = OK, description = "the settings", body = ServerSettings)))]
async fn read_settings(State(state): State<AppState>, caller: Caller) -> Json<ServerSettings> {
    let web = &state.settings;
    let operation = &web.operation;
    let retention = &operation.retention;
    Json(ServerSettings {
        version: env!("CARGO_PKG_VERSION"),
        public_url: web.has_public_url.then(|| web.public_url.clone()),
        limits: ServerLimits {
            request_bytes: web.body_limit_bytes as u64,
            document_bytes: web.documents.max_bytes as u64,
            workflow_steps: web.documents.max_modules as u64,
            artifact_bytes: retention.max_artifact_bytes,
            artifacts_of_user_bytes: retention.artifact_quota_bytes,
            result_bytes: operation.max_result_bytes as u64,
            reply_bytes: operation.max_reply_bytes as u64,
            job_bytes: operation.max_job_bytes,
            active_jobs_of_user_bytes: web.max_user_bytes,
            link_seconds: web.link_seconds,
        },
        retention: RetentionPeriods {
            job_days: retention.job_days,
            artifact_days: retention.artifact_days,
            call_days: retention.call_days,
        },
        operation: caller.user.is_admin.then(|| describe_operation(&state)),
    })
}

fn describe_operation(state: &AppState) -> ServerOperation {
    let operation = &state.settings.operation;
    let origins = state.settings.cors_origins.iter();
    ServerOperation {
        started_at: state.started_at.to_rfc3339(),
        runs_jobs: operation.role != ProcessRole::Serve,
        concurrency: operation.concurrency,
        database: operation.database,
        storage: operation.storage,
        allowed_hosts: operation.allowed_hosts.clone(),
        cors_origins: origins.filter_map(|origin| origin.to_str().ok()).map(str::to_owned).collect(),
        accepts_webhooks: operation.accepts_webhooks,
        max_stored_bytes: operation.retention.max_stored_bytes,
        max_ended_jobs: operation.retention.max_ended_jobs,
    }
}
