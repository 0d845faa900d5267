//! Replies that are failures: their class, what the provider says, which fields it names.

use serde_json::{Value, json};

use super::body::{Body, shorten};
use super::hint::{header, retry_after_ms};
use super::plan::CallPlan;
use super::url;
use super::{CallError, ErrorClass};
use crate::ports::HttpReply;
use crate::template::{Found, Path};

/// What a request was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It starts the work.
    Submit,
    /// It polls, fetches a result or lists.
    Follow,
}

/// Where messages are looked for unless the connector says so.
///
/// Source: the error bodies of Replicate (`detail`, `title`), fal and FastAPI (`detail[].msg`), OpenAI
/// (`error.message`), ElevenLabs (`detail.message`), Stability (`errors[]`).
const MESSAGE_PATHS: [&str; 8] =
    ["detail.message", "detail", "error.message", "error", "message", "errors", "failure", "title"];
/// Where fields at fault are looked for.
const FIELD_PATHS: [&str; 3] = ["invalid_fields", "detail", "issues"];
/// Where codes are looked for that say more than the status does.
///
/// Source: OpenAI (`error.code`), Stability (`name`), ElevenLabs (`detail.status`), fal (`detail[].type`).
const CODE_PATHS: [&str; 7] = ["error.code", "error.type", "code", "type", "name", "detail.status", "detail[*].type"];
const MODERATION_CODES: [&str; 3] = ["moderation_blocked", "content_policy_violation", "content_moderation"];
const PAYMENT_CODES: [&str; 3] = ["insufficient_quota", "quota_exceeded", "billing_hard_limit_reached"];

impl CallPlan {
    /// The failure that a reply is.
    pub(super) fn http_failure(&self, reply: &HttpReply, body: &Body, purpose: Purpose) -> CallError {
        let class = class(reply.status, body.json());
        let said = self.said(body);
        let mut message = format!("{} answered {}", self.provider, reply.status);
        if class == ErrorClass::NotFound {
            message = format!("{message} for {} {}", self.method_of(purpose), self.shown_url(reply));
        }
        if let Some(text) = &said {
            message = format!("{message}: {text}");
        }
        if let Some(to) = header(reply, "location").filter(|_| (300..400).contains(&reply.status)) {
            message = format!(
                "{message}: it redirects to {}, which is not followed for {}; set the connector's base_url or the \
                 node's `data.path` to that address",
                url::without_query(to),
                self.method_of(purpose)
            );
        }
        if class == ErrorClass::NotFound && purpose == Purpose::Submit && self.path.is_none() {
            message.push_str(
                "; the node has no `data.path`, so the connector's base_url itself was called: set `data.path` to the \
                 address of the call below it",
            );
        }
        let mut error = self.described(class, message, reply, body);
        if let Some(fields) = body.json().and_then(|json| self.fields(json)) {
            error = error.with("fields", fields);
        }
        error
    }

    /// A failure with what its reply tells: status, URL, excerpt and hint when to try again.
    pub(super) fn described(&self, class: ErrorClass, message: String, reply: &HttpReply, body: &Body) -> CallError {
        let mut error = CallError::new(class, message).with("status", reply.status).with("url", self.shown_url(reply));
        if let Some(excerpt) = body.excerpt() {
            error = error.with("excerpt", excerpt);
        }
        let waits = matches!(class, ErrorClass::RateLimited | ErrorClass::Unavailable);
        match retry_after_ms(reply, body.json()).filter(|_| waits) {
            Some(ms) => error.with("retry_after_ms", ms),
            None => error,
        }
    }

    /// The URL that answered, without its query, which may hold keys or signatures; the base alone where the path
    /// holds a secret.
    pub(super) fn shown_url<'a>(&'a self, reply: &'a HttpReply) -> &'a str {
        url::without_query(self.reply_url(reply))
    }

    /// The URL that relative links are followed from.
    pub(super) fn reply_url<'a>(&'a self, reply: &'a HttpReply) -> &'a str {
        let secret_path = self.path.as_ref().is_some_and(|path| path.secrets().next().is_some());
        if secret_path || reply.url.is_empty() { &self.base_url } else { &reply.url }
    }

    fn method_of(&self, purpose: Purpose) -> &str {
        match purpose {
            Purpose::Submit => &self.method,
            Purpose::Follow => "GET",
        }
    }

    fn said(&self, body: &Body) -> Option<String> {
        match body {
            Body::Json(Value::String(text), _) => text_of(&Value::from(first_line(text))),
            Body::Json(json, _) => {
                let declared = self.errors.message.iter().find_map(|path| text_at(path, json));
                declared.or_else(|| paths(&MESSAGE_PATHS).find_map(|path| text_at(&path, json)))
            }
            Body::Text(text) if !text.trim_start().starts_with('<') => Some(first_line(text)),
            Body::Text(_) | Body::Bytes(_) | Body::Empty => None,
        }
    }

    fn fields(&self, json: &Value) -> Option<Vec<Value>> {
        let declared = self.errors.fields.iter().find_map(|path| fields_at(path, json));
        declared.or_else(|| paths(&FIELD_PATHS).find_map(|path| fields_at(&path, json)))
    }
}

fn paths(sources: &'static [&'static str]) -> impl Iterator<Item = Path> {
    sources.iter().map(|source| Path::parse(source).expect("the paths are well-formed"))
}

/// The class that a status means, unless a code says more.
fn class(status: u16, json: Option<&Value>) -> ErrorClass {
    let codes: Vec<&str> =
        json.into_iter().flat_map(|json| paths(&CODE_PATHS).flat_map(|path| codes_at(&path, json))).collect();
    let has = |known: &[&str]| codes.iter().any(|code| known.contains(code));
    if has(&MODERATION_CODES) {
        return ErrorClass::Moderated;
    }
    if has(&PAYMENT_CODES) {
        return ErrorClass::Payment;
    }
    match status {
        200..=299 => ErrorClass::ProviderFailed,
        401 | 403 => ErrorClass::Auth,
        402 => ErrorClass::Payment,
        404 | 410 => ErrorClass::NotFound,
        408 | 425 | 500..=599 => ErrorClass::Unavailable,
        429 => ErrorClass::RateLimited,
        400..=499 => ErrorClass::InvalidInput,
        _ => ErrorClass::OutputInvalid,
    }
}

fn codes_at<'a>(path: &Path, json: &'a Value) -> Vec<&'a str> {
    match path.find(json) {
        Found::One(code) => code.as_str().into_iter().collect(),
        Found::Many(codes) => codes.into_iter().filter_map(Value::as_str).collect(),
        Found::Absent | Found::Null => Vec::new(),
    }
}

fn text_at(path: &Path, json: &Value) -> Option<String> {
    text_of(&path.find(json).into_value()?)
}

/// The text of an error: a string, an object's message, or the messages of a list.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => {
            let text = text.trim();
            (!text.is_empty()).then(|| shorten(text))
        }
        Value::Array(items) => {
            let texts: Vec<String> = items.iter().take(10).filter_map(text_of).collect();
            (!texts.is_empty()).then(|| texts.join("; "))
        }
        Value::Object(fields) => {
            let known = ["message", "msg", "detail", "description", "reason"];
            let text = known.iter().find_map(|key| fields.get(*key)?.as_str()).map(str::trim);
            match (text, fields.get("loc").and_then(field_name)) {
                (Some(text), Some(name)) => Some(format!("{name}: {}", shorten(text))),
                (Some(text), None) => Some(shorten(text)),
                (None, _) => (!fields.is_empty()).then(|| shorten(&value.to_string())),
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn first_line(text: &str) -> String {
    shorten(text.trim().lines().next().unwrap_or_default())
}

/// Fields at fault as `[{"field", "message"}]`.
fn fields_at(path: &Path, json: &Value) -> Option<Vec<Value>> {
    let list = path.find(json).into_value()?;
    let fields: Vec<Value> = list
        .as_array()?
        .iter()
        .filter_map(|item| {
            let name = ["field", "loc", "path", "param"].iter().find_map(|key| field_name(item.get(*key)?))?;
            let text = ["description", "msg", "message", "type"].iter().find_map(|key| item.get(*key)?.as_str())?;
            Some(json!({"field": name, "message": text}))
        })
        .collect();
    (!fields.is_empty()).then_some(fields)
}

/// `"input.x"` as it is, `["body", "input", "x"]` joined by dots.
fn field_name(value: &Value) -> Option<String> {
    match value {
        Value::String(name) => Some(name.clone()),
        Value::Array(parts) => {
            Some(parts.iter().filter_map(crate::template::scalar_text).collect::<Vec<_>>().join("."))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}
