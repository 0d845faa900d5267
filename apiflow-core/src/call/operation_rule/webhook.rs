//! Parses `webhook`: where the provider learns our address, and how it signs its messages.

use serde_json::{Map, Value};

use super::{read_inner, read_path, require_field};
use crate::diagnostic::codes;
use crate::json::{Fields, JsonPath};
use crate::template::{TemplateCompiler, Text, dot_segment};

/// How a provider calls back.
#[derive(Debug, Clone)]
pub(in crate::call) struct WebhookRule {
    pub(in crate::call) place: WebhookPlace,
    /// Further fields of the body, sent with the address.
    pub(in crate::call) fields: Map<String, Value>,
    pub(in crate::call) signature: WebhookSignature,
    /// The secret that messages are signed with.
    pub(in crate::call) secret: Option<WebhookSecret>,
}

/// Where the secret comes from that messages are signed with.
#[derive(Debug, Clone)]
pub(in crate::call) enum WebhookSecret {
    /// A string that is one reference.
    Reference(Text),
    /// The provider returns it: the path below `base_url`, and where its reply contains the secret.
    Fetched(
        String,
        #[cfg_attr(
            not(all(feature = "runtime", feature = "http")),
            expect(dead_code, reason = "only a runtime that receives webhooks fetches it")
        )]
        JsonPath,
    ),
}

/// How a provider signs its messages.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WebhookSignature {
    /// It does not; a message only causes a poll.
    None,
    /// Standard Webhooks: HMAC-SHA256 over id, timestamp and body; the secret is `whsec_` and base64.
    StandardWebhooks,
    /// HMAC-SHA256 over the body, in hexadecimal digits after a prefix.
    HmacSha256Hex {
        /// Name of the header with the signature.
        header: String,
        /// What precedes the digits, such as `sha256=`.
        prefix: String,
    },
    /// Ed25519 over request id, user id, timestamp and the hash of the body, with keys that the provider publishes (fal).
    Ed25519Jwks {
        /// URL of the provider's keys.
        url: String,
    },
}

/// Where a submit states our address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::call) enum WebhookPlace {
    /// A field of the body.
    Body(String),
    /// A parameter of the query.
    Query(String),
    /// A header of the request.
    Header(String),
}

pub(super) fn read_webhook(fields: &mut Fields<'_, '_>) -> Option<WebhookRule> {
    let body = fields.read_string("body").map(|name| WebhookPlace::Body(name.to_owned()));
    let query = fields.read_string("query").map(|name| WebhookPlace::Query(name.to_owned()));
    let header = fields.read_string("header").map(|name| WebhookPlace::Header(name.to_owned()));
    let mut places = [body, query, header].into_iter().flatten();
    let (place, further) = (places.next(), places.next());
    if place.is_none() || further.is_some() {
        fields.note_fault(codes::BAD_VALUE, "body", "`webhook` needs exactly one of `body`, `query` and `header`");
    }
    let extra = match fields.read_value("fields") {
        Some(Value::Object(extra)) => extra.clone(),
        None => Map::new(),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            fields.note_fault(codes::BAD_VALUE, "fields", "`fields` must be an object");
            Map::new()
        }
    };
    let signature = read_signature(fields);
    let secret = read_secret(fields);
    Some(WebhookRule { place: place?, fields: extra, signature, secret })
}

fn read_secret(fields: &mut Fields<'_, '_>) -> Option<WebhookSecret> {
    if fields.read_value("secret")?.is_object() {
        return read_inner(fields, "secret", |fields| {
            let get = fields.required_string("get").to_owned();
            if !get.starts_with('/') || dot_segment(&get).is_some() {
                fields.note_fault(
                    codes::BAD_VALUE,
                    "get",
                    "`get` must be a path below `base_url` that begins with `/`",
                );
            }
            let path = read_path(fields, "path");
            require_field(fields, "path", path.is_some());
            Some(WebhookSecret::Fetched(get, path?))
        });
    }
    let at = fields.pointer_of("secret");
    let text = fields.read_string("secret")?.to_owned();
    let text = TemplateCompiler { roots: &[], diagnostics: fields.sink }.compile_text(&text, &at);
    if text.secret_names().count() != 1 || text.parts.len() != 1 {
        let message = "`secret` must be one reference, such as `$WEBHOOK_SECRET`, or `{\"get\", \"path\"}`";
        fields.note_fault(codes::BAD_VALUE, "secret", message);
    }
    Some(WebhookSecret::Reference(text))
}

fn read_signature(fields: &mut Fields<'_, '_>) -> WebhookSignature {
    let kind = fields.read_word("kind", &["none", "standard_webhooks", "hmac_sha256_hex", "ed25519_jwks"]);
    let header = fields.read_string("signature_header").map(str::to_owned);
    let prefix = fields.read_string("prefix").unwrap_or_default().to_owned();
    let jwks_url = fields.read_string("jwks_url").map(str::to_owned);
    let mut require = |value: Option<String>, key: &'static str| {
        value.unwrap_or_else(|| {
            fields.note_fault(codes::MISSING_FIELD, key, format!("`{key}` is missing"));
            String::new()
        })
    };
    match kind {
        Some("standard_webhooks") => WebhookSignature::StandardWebhooks,
        Some("hmac_sha256_hex") => {
            WebhookSignature::HmacSha256Hex { header: require(header, "signature_header"), prefix }
        }
        Some("ed25519_jwks") => WebhookSignature::Ed25519Jwks { url: require(jwks_url, "jwks_url") },
        Some(_) | None => WebhookSignature::None,
    }
}
