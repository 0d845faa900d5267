//! Formats requests for users and logs.

use serde_json::{Map, Value, json};

use super::resolve_secrets::replace_markers;
use crate::ports::{
    HttpRequest, MediaForm, MediaUse, PartContent, RequestAuth, RequestBody, RequestPart, SecretPiece, SecretText,
    SentMedia, split_reference,
};

/// Maximum size of a data URI that is shown, in bytes; longer ones are replaced by their type and size.
const SHOWN_DATA_URI_BYTES: usize = 1024;

/// Formats a request for users and logs: `{"method", "url", "headers": {name: value}, "body"}`, with secrets as
/// `$NAME`, a JSON body as JSON, no body as null, files and long data URIs as their type and size. A multipart body is an
/// object; a name with several parts has an array.
pub(crate) fn display_request(request: &HttpRequest) -> Value {
    let markers = marker_values(request);
    let mut headers = Map::new();
    for (name, value) in &request.headers {
        headers.insert(name.clone(), Value::String(replace_markers(value, &markers)));
    }
    if let Some(auth) = &request.auth {
        headers.insert("Authorization".to_owned(), Value::String(display_auth(auth)));
    }
    let body = match &request.body {
        RequestBody::None => Value::Null,
        RequestBody::Text(text) => {
            let shown = replace_markers(text, &markers);
            serde_json::from_str(&shown).unwrap_or(Value::String(shown))
        }
        RequestBody::Media(media) => Value::String(media.describe()),
        RequestBody::Multipart { parts, .. } => display_parts(parts, &markers),
    };
    json!({
        "method": request.method,
        "url": display_url(request),
        "headers": headers,
        "body": without_media(body),
    })
}

/// Formats the URL for users and logs, with secrets as `$NAME`.
pub(crate) fn display_url(request: &HttpRequest) -> String {
    replace_markers(&request.url, &marker_values(request))
}

fn marker_values(request: &HttpRequest) -> Vec<(&str, String)> {
    let secrets = request.secrets.iter();
    let secrets = secrets.map(|secret| (secret.marker.as_str(), format!("${}", split_reference(&secret.name).1)));
    secrets.chain(request.media.iter().map(|used| (used.marker.as_str(), display_media(used)))).collect()
}

/// Describes a file in a text; a link to it is shown without its signature.
fn display_media(used: &MediaUse) -> String {
    match (&used.form, &used.media) {
        (MediaForm::Url(_), SentMedia::Artifact(artifact)) => artifact.url.clone(),
        (MediaForm::Uploaded(value), _) => value.clone(),
        (MediaForm::Url(_) | MediaForm::DataUri | MediaForm::Base64 | MediaForm::Upload, media) => media.describe(),
    }
}

/// Describes credentials that are computed when a request is sent.
fn display_auth(auth: &RequestAuth) -> String {
    match auth {
        RequestAuth::Basic { user, password } => format!("(basic: {}:{})", display_text(user), display_text(password)),
        RequestAuth::Oauth2ClientCredentials { token_url, .. } => {
            format!("(oauth2_client_credentials: a token of {token_url})")
        }
        RequestAuth::GoogleServiceAccount { token_url, .. } => {
            format!("(google_service_account: a token of {token_url})")
        }
        RequestAuth::AwsSigv4 { region, service, .. } => format!("(aws_sigv4: {service} in {region})"),
        RequestAuth::Custom { provider, .. } => format!("(custom: {provider})"),
    }
}

fn display_text(text: &SecretText) -> String {
    let pieces = text.0.iter().map(|piece| match piece {
        SecretPiece::Text(literal) => literal.clone(),
        SecretPiece::Secret(name) => format!("${}", split_reference(name).1),
    });
    pieces.collect()
}

fn display_parts(parts: &[RequestPart], markers: &[(&str, String)]) -> Value {
    let mut fields: Map<String, Value> = Map::new();
    for part in parts {
        let shown = Value::String(match &part.content {
            PartContent::Text(text) => replace_markers(text, markers),
            PartContent::Media(media) => media.describe(),
        });
        match fields.get_mut(&part.name) {
            None => drop(fields.insert(part.name.clone(), shown)),
            Some(Value::Array(items)) => items.push(shown),
            Some(first) => *first = Value::Array(vec![first.take(), shown]),
        }
    }
    Value::Object(fields)
}

/// Replaces long data URIs by their type and size, because media does not belong in logs.
fn without_media(value: Value) -> Value {
    match value {
        Value::String(text) if text.starts_with("data:") && text.len() > SHOWN_DATA_URI_BYTES => {
            let kind: String = text.chars().take_while(|c| *c != ',').take(100).collect();
            Value::String(format!("{kind},… ({} bytes)", text.len()))
        }
        Value::Array(items) => items.into_iter().map(without_media).collect(),
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(key, item)| (key, without_media(item))).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}
