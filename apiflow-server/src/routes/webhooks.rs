//! Routes of announcements: deliveries of a job, and the secret that signs them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::api::{Page, WebhookDeliveryInfo, WebhookSecret};
use crate::http::extract::InPath;
use crate::http::problem::Problem;
use crate::jobs::lookup::find_job;
use crate::state::AppState;
use crate::users::Caller;
use crate::webhooks::delivery_views::{delivery_view, may_manage_delivery};
use crate::webhooks::signing_secret::SigningSecrets;

/// Maximum number of listed deliveries of a job.
const MAX_LISTED_DELIVERIES: u32 = 500;

/// Returns the routes of announcements.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_deliveries))
        .routes(routes!(resend))
        .routes(routes!(show_secret))
        .routes(routes!(rotate_secret))
}

/// Lists the messages that announce a job, and what became of them.
#[utoipa::path(get, path = "/jobs/{id}/webhooks", operation_id = "list_webhook_deliveries", tag = "jobs",
    params(("id" = String, Path)),
    responses((status = OK, description = "up to 500 messages, oldest first", body = Page<WebhookDeliveryInfo>)))]
async fn list_deliveries(
    State(state): State<AppState>,
    caller: Caller,
    InPath(id): InPath<String>,
) -> Result<Json<Page<WebhookDeliveryInfo>>, Problem> {
    let job = find_job(&state, &id).await?;
    let deliveries = state.store.list_deliveries(&id, MAX_LISTED_DELIVERIES).await?.into_iter();
    let items = deliveries.map(|delivery| {
        let shows_url = may_manage_delivery(&caller, &job, &delivery);
        delivery_view(delivery, shows_url)
    });
    Ok(Json(Page { items: items.collect(), next: None }))
}

/// Sends a message again, with the same id, whatever became of it; it is then tried for another day.
#[utoipa::path(post, path = "/jobs/{id}/webhooks/{delivery}/send", operation_id = "resend_webhook", tag = "jobs",
    params(("id" = String, Path), ("delivery" = String, Path, description = "the `id` of the message")),
    responses((status = ACCEPTED, description = "the message; it is sent soon", body = WebhookDeliveryInfo)))]
async fn resend(
    State(state): State<AppState>,
    caller: Caller,
    InPath((id, delivery)): InPath<(String, String)>,
) -> Result<(StatusCode, Json<WebhookDeliveryInfo>), Problem> {
    let job = find_job(&state, &id).await?;
    let found = find_delivery(&state, &id, &delivery).await?;
    if !may_manage_delivery(&caller, &job, &found) {
        let message =
            "only the user who started the job, the one whose secret signs the message, and admins may send it again";
        return Err(Problem::forbidden(message));
    }
    state.store.resend_delivery(&id, &delivery).await?;
    let queued = find_delivery(&state, &id, &delivery).await?;
    Ok((StatusCode::ACCEPTED, Json(delivery_view(queued, true))))
}

async fn find_delivery(state: &AppState, job: &str, id: &str) -> Result<apiflow_core::ports::WebhookDelivery, Problem> {
    let deliveries = state.store.list_deliveries(job, MAX_LISTED_DELIVERIES).await?;
    let missing = || {
        let detail = format!("job `{job}` has no message `{id}`; `GET /api/v1/jobs/{job}/webhooks` lists them");
        Problem::not_found(detail)
    };
    deliveries.into_iter().find(|delivery| delivery.id == id).ok_or_else(missing)
}

/// Shows the secret that signs messages to the caller's receivers.
#[utoipa::path(get, path = "/user/webhook_secret", operation_id = "get_webhook_secret", tag = "users",
    responses((status = OK, description = "the secret", body = WebhookSecret)))]
async fn show_secret(State(state): State<AppState>, caller: Caller) -> Result<Json<WebhookSecret>, Problem> {
    Ok(Json(SigningSecrets::of_user(&state, &caller.user.id).await?.view()))
}

/// Replaces that secret; for a day messages are signed with both.
#[utoipa::path(post, path = "/user/webhook_secret/rotate", operation_id = "rotate_webhook_secret", tag = "users",
    responses((status = OK, description = "the new secret", body = WebhookSecret)))]
async fn rotate_secret(State(state): State<AppState>, caller: Caller) -> Result<Json<WebhookSecret>, Problem> {
    Ok(Json(SigningSecrets::rotate(&state, &caller.user.id).await?.view()))
}
