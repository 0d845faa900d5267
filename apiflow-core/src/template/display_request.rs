//! Formats requests for users and logs.

use serde_json::{Map, Value, json};

use super::resolve_secrets::replace_markers;
use crate::ports::{HttpRequest, RequestBody, split_reference};

/// Maximum size of a data URI that is shown, in bytes; longer ones are replaced by their type and size.
const SHOWN_DATA_URI_BYTES: usize = 1024;

/// Formats a request for users and logs: `{"method", "url", "headers": {name: value}, "body"}`, with secrets as
/// `$NAME`, a JSON body as JSON, no body as null, and long data URIs as their type and size.
pub(crate) fn display_request(request: &HttpRequest) -> Value {
    let markers = marker_values(request);
    let mut headers = Map::new();
    for (name, value) in &request.headers {
        headers.insert(name.clone(), Value::String(replace_markers(value, &markers)));
    }
    let body = match &request.body {
        RequestBody::None => Value::Null,
        RequestBody::Text(text) => {
            let shown = replace_markers(text, &markers);
            serde_json::from_str(&shown).unwrap_or(Value::String(shown))
        }
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
    request
        .secrets
        .iter()
        .map(|secret| (secret.marker.as_str(), format!("${}", split_reference(&secret.name).1)))
        .collect()
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
