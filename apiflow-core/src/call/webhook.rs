//! Webhooks of providers: our address in the submit, and the signatures of their messages.

#[cfg(feature = "http")]
mod verify;

pub use super::operation_rule::WebhookSignature;
use super::operation_rule::{WebhookPlace, WebhookSecret};
use super::plan::CallPlan;
#[cfg(all(feature = "runtime", feature = "http"))]
use super::{CallError, reply_body::Body};
#[cfg(all(feature = "runtime", feature = "http"))]
use crate::ports::{HttpReply, HttpRequest};
use crate::template::{Expanded, Piece};
use crate::url::append_path;

#[cfg(feature = "http")]
pub use self::verify::{WebhookError, WebhookKey, read_jwks, verify_webhook};

/// The name of the secret that stands for our address in a submit; its owner names the job and the attempt.
pub const WEBHOOK_ADDRESS: &str = "webhook_address";

/// Where the secret is that a provider signs its messages with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WebhookSecretSource {
    /// A secret, by its reference.
    Reference(String),
    /// The provider returns it at this URL, for the connector's credentials.
    Provider(String),
}

impl CallPlan {
    /// Returns how messages about the work are signed, and where the secret is; `None` if the operation has no
    /// `webhook`. Without a secret, messages of the kinds that need one count as unsigned.
    pub fn webhook_signature(&self) -> Option<(WebhookSignature, Option<WebhookSecretSource>)> {
        let rule = self.rule.as_ref()?.webhook.as_ref()?;
        let secret = rule.secret.as_ref().and_then(|secret| match secret {
            WebhookSecret::Reference(text) => {
                text.secret_names().next().map(str::to_owned).map(WebhookSecretSource::Reference)
            }
            WebhookSecret::Fetched(path, _) => Some(WebhookSecretSource::Provider(append_path(&self.base_url, path))),
        });
        let needs_secret = match rule.signature {
            WebhookSignature::StandardWebhooks | WebhookSignature::HmacSha256Hex { .. } => true,
            WebhookSignature::None | WebhookSignature::Ed25519Jwks { .. } => false,
        };
        let signature = if needs_secret && secret.is_none() { WebhookSignature::None } else { rule.signature.clone() };
        Some((signature, secret))
    }

    /// Builds the request for the secret that the provider's messages are signed with; `None` unless the provider
    /// returns it.
    ///
    /// # Errors
    /// [`ErrorClass::Refused`](super::ErrorClass::Refused) if the connector's credentials may not be sent.
    #[cfg(all(feature = "runtime", feature = "http"))]
    pub(crate) fn webhook_secret_request(&self) -> Option<Result<HttpRequest, CallError>> {
        match self.rule.as_ref()?.webhook.as_ref()?.secret.as_ref()? {
            WebhookSecret::Reference(_) => None,
            WebhookSecret::Fetched(path, _) => Some(self.follow_link("GET", &append_path(&self.base_url, path), None)),
        }
    }

    /// Reads the reply to [`CallPlan::webhook_secret_request`].
    #[cfg(all(feature = "runtime", feature = "http"))]
    pub(crate) fn read_webhook_secret(&self, reply: &HttpReply) -> Option<String> {
        match self.rule.as_ref()?.webhook.as_ref()?.secret.as_ref()? {
            WebhookSecret::Reference(_) => None,
            WebhookSecret::Fetched(_, path) => {
                path.find_text(Body::read(reply).json()?).filter(|secret| !secret.is_empty())
            }
        }
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
