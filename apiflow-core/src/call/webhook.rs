//! Webhooks of providers: our address in the submit, and the signatures of their messages.

#[cfg(feature = "http")]
mod verify;

use super::operation_rule::WebhookPlace;
pub use super::operation_rule::WebhookSignature;
use super::plan::CallPlan;
use crate::template::{Expanded, Piece};

#[cfg(feature = "http")]
pub use self::verify::{WebhookError, WebhookKey, read_jwks, verify_webhook};

/// The name of the secret that stands for our address in a submit; its owner names the job and the attempt.
pub const WEBHOOK_ADDRESS: &str = "webhook_address";

impl CallPlan {
    /// Returns how messages about the work are signed, and the reference to the secret; `None` if the operation has no
    /// `webhook`. Without a secret, messages of the kinds that need one count as unsigned.
    pub fn webhook_signature(&self) -> Option<(WebhookSignature, Option<String>)> {
        let rule = self.rule.as_ref()?.webhook.as_ref()?;
        let secret = rule.secret.as_ref().and_then(|text| text.secret_names().next()).map(str::to_owned);
        let needs_secret = match rule.signature {
            WebhookSignature::StandardWebhooks | WebhookSignature::HmacSha256Hex { .. } => true,
            WebhookSignature::None | WebhookSignature::Ed25519Jwks { .. } => false,
        };
        let signature = if needs_secret && secret.is_none() { WebhookSignature::None } else { rule.signature.clone() };
        Some((signature, secret))
    }

    /// Returns the query parameter or header that states our address.
    pub(super) fn webhook_pair(&self, in_query: bool, address: Option<&str>) -> Option<(String, Vec<Piece>)> {
        let piece = vec![Piece::Secret(address?.to_owned())];
        match &self.rule.as_ref()?.webhook.as_ref()?.place {
            WebhookPlace::Query(name) if in_query => Some((name.clone(), piece)),
            WebhookPlace::Header(name) if !in_query => Some((name.clone(), piece)),
            WebhookPlace::Body(_) | WebhookPlace::Query(_) | WebhookPlace::Header(_) => None,
        }
    }

    /// Adds our address, and the fields that belong to it, to a body that is an object.
    pub(super) fn add_webhook(&self, body: Option<Expanded>, address: Option<&str>) -> Option<Expanded> {
        let webhook = self.rule.as_ref().and_then(|rule| rule.webhook.as_ref());
        let (Some(webhook), Some(address)) = (webhook, address) else { return body };
        let mut fields = match body {
            Some(Expanded::Object(fields)) => fields,
            Some(Expanded::Value(serde_json::Value::Object(fields))) => {
                fields.into_iter().map(|(name, value)| (name, Expanded::Value(value))).collect()
            }
            other => return other,
        };
        let mut add = |name: &str, value: Expanded| {
            if !fields.iter().any(|(known, _)| known == name) {
                fields.push((name.to_owned(), value));
            }
        };
        if let WebhookPlace::Body(name) = &webhook.place {
            add(name, Expanded::Pieces(vec![Piece::Secret(address.to_owned())]));
        }
        for (name, value) in &webhook.fields {
            add(name, Expanded::Value(value.clone()));
        }
        Some(Expanded::Object(fields))
    }
}
