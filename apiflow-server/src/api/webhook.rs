//! Announcements of jobs.

use apiflow_core::ports::{DeliveryState, WebhookEvent};
use serde::Serialize;
use utoipa::ToSchema;

/// A message about a job, and what became of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WebhookDeliveryInfo {
    /// Identifies the message: its header `webhook-id`, the same each time that it is sent.
    pub id: String,
    /// What it announces.
    pub event: WebhookEvent,
    /// The step that waits for approval, by its `ordinal`.
    #[schema(required)]
    pub step: Option<u64>,
    /// Where it is sent. Only its origin for users who neither created the job nor named the receiver, unless they are
    /// admins.
    pub url: String,
    /// What became of it.
    pub state: DeliveryState,
    /// Number of tries.
    pub tries: u32,
    /// When the event happened.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it is sent next, if it is pending.
    #[schema(required, format = DateTime)]
    pub next_try_at: Option<String>,
    /// The last try whose outcome is known.
    #[schema(required)]
    pub last_try: Option<WebhookTry>,
}

/// A try to deliver a message.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WebhookTry {
    /// When its outcome was known.
    #[schema(format = DateTime)]
    pub at: String,
    /// HTTP status of the reply, if there was one.
    #[schema(required)]
    pub status: Option<u16>,
    /// Why the message was not accepted.
    #[schema(required)]
    pub error: Option<String>,
    /// Beginning of the body of a reply that did not accept the message.
    #[schema(required)]
    pub reply: Option<String>,
}

/// The secret that signs messages about jobs.
#[derive(Serialize, ToSchema)]
pub struct WebhookSecret {
    /// The secret, as libraries for Standard Webhooks take it: `whsec_` and base64.
    pub secret: String,
    /// The secret before the last rotation, as long as it signs, too.
    #[schema(required)]
    pub earlier: Option<EarlierWebhookSecret>,
}

/// A secret that was replaced and still signs messages, beside the present one.
#[derive(Serialize, ToSchema)]
pub struct EarlierWebhookSecret {
    /// The secret: `whsec_` and base64.
    pub secret: String,
    /// Until when it signs.
    #[schema(format = DateTime)]
    pub signs_until: String,
}
