//! Reads failed replies: the provider's message, and the fields that it names.

use serde_json::{Value, json};

use super::plan::CallPlan;
use super::reply_body::{Body, shorten_text};
use super::retry_after::{first_header, retry_after_ms};
use super::{CallError, ErrorClass, classify_failure};
use crate::json::JsonPath;
use crate::ports::HttpReply;
use crate::url;

/// The purpose of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It starts the work.
    Submit,
    /// It polls, fetches a result or reads a list.
    Follow,
}

/// Paths of error messages, unless the connector declares its own.
///
/// Source: the error bodies of Replicate (`detail`, `title`), fal and FastAPI (`detail[].msg`), OpenAI
/// (`error.message`), ElevenLabs (`detail.message`), Stability (`errors[]`), Kie (`msg`), MiniMax
/// (`base_resp.status_msg`).
const MESSAGE_PATHS: [&str; 11] = [
    "detail.message",
    "detail",
    "error.message",
    "error",
    "message",
    "errors",
    "failure",
    "title",
    "msg",
    "error_msg",
    "base_resp.status_msg",
];
/// Paths of invalid fields.
const FIELD_PATHS: [&str; 3] = ["invalid_fields", "detail", "issues"];

impl CallPlan {
    /// Converts a failed reply to an error.
    pub(super) fn http_failure(&self, reply: &HttpReply, body: &Body<'_>, purpose: Purpose) -> CallError {
        let said = self.provider_message(body);
        let judged = classify_failure::classify_failure(
            reply.status,
            body.json(),
            &self.error_codes(body.json()),
            said.as_deref(),
        );
        let class = judged.class;
        let mut message = format!("{} answered {}", self.provider, reply.status);
        if let Some(code) = &judged.code {
            message = format!("{message} with code {code}");
        }
        if class == ErrorClass::NotFound {
            message = format!("{message} for {} {}", self.method_of(purpose), self.shown_url(reply));
        }
        if let Some(text) = &said {
            message = format!("{message}: {text}");
        }
        if let Some(to) = first_header(reply, "location").filter(|_| (300..400).contains(&reply.status)) {
            message = format!(
                "{message}: it redirects to {}, and redirects of {} are not followed; set the connector's `base_url` \
                 or the node's `data.path` to that address",
                url::without_query(to),
                self.method_of(purpose)
            );
        }
        if class == ErrorClass::NotFound && purpose == Purpose::Submit && self.path.is_none() {
            message.push_str(
                "; the node has no `data.path`, so the connector's `base_url` itself was called: set `data.path` to \
                 the path of the endpoint",
            );
        }
        let mut error = self.error_with_reply(class, message, reply, body);
        if let Some(fields) = body.json().and_then(|json| self.field_errors(json)) {
            error = error.with_detail("fields", fields);
        }
        // A 503 that says when to try again refuses the work, too; other server errors may come after it has begun.
        let is_limited = judged.is_certain && class == ErrorClass::RateLimited;
        let is_busy = reply.status == 503 && class == ErrorClass::Unavailable && error.retry_after_ms().is_some();
        error.is_refusal_for_now = (is_limited || is_busy) && purpose == Purpose::Submit;
        error
    }

    /// Converts a reply with a status of success to an error because its body is not JSON and so cannot be checked for
    /// success.
    pub(super) fn unreadable_success(&self, path: &JsonPath, reply: &HttpReply, body: &Body<'_>) -> CallError {
        let message = format!(
            "{} answered {}, but the reply is {}, so `{}` (`data.success`) cannot be read",
            self.provider,
            reply.status,
            body.describe_kind(),
            path.source()
        );
        self.error_with_reply(ErrorClass::OutputInvalid, message, reply, body)
    }

    /// Returns the provider's error codes, declared paths first, with their declared classes.
    fn error_codes(&self, json: Option<&Value>) -> Vec<classify_failure::DeclaredCode> {
        let Some(json) = json else { return Vec::new() };
        let declared = self.success.word_path().into_iter().chain(&self.errors.code);
        let codes = declared.filter_map(|path| path.find_text(json));
        codes.map(|text| classify_failure::DeclaredCode { class: self.errors.class_of(&text), text }).collect()
    }

    /// Creates an error with the details of its reply: status, URL, excerpt and hint when to try again.
    pub(super) fn error_with_reply(
        &self,
        class: ErrorClass,
        message: String,
        reply: &HttpReply,
        body: &Body<'_>,
    ) -> CallError {
        let mut error = CallError::new(class, message)
            .with_detail("status", reply.status)
            .with_detail("url", self.shown_url(reply));
        if let Some(excerpt) = body.text_excerpt() {
            error = error.with_detail("excerpt", excerpt);
        }
        let waits = matches!(class, ErrorClass::RateLimited | ErrorClass::Unavailable);
        match retry_after_ms(reply, body.json(), self.errors.retry_after.as_ref()).filter(|_| waits) {
            Some(ms) => error.with_detail("retry_after_ms", ms),
            None => error,
        }
    }

    /// Returns the URL that answered, without its query, which may contain keys or signatures; only the base if the
    /// path contains a secret.
    pub(super) fn shown_url<'a>(&'a self, reply: &'a HttpReply) -> &'a str {
        url::without_query(self.reply_url(reply))
    }

    /// Returns the URL that relative links are resolved against.
    pub(super) fn reply_url<'a>(&'a self, reply: &'a HttpReply) -> &'a str {
        let secret_path = self.path.as_ref().is_some_and(|path| path.secret_names().next().is_some());
        if secret_path || reply.url.is_empty() { &self.base_url } else { &reply.url }
    }

    fn method_of(&self, purpose: Purpose) -> &str {
        match purpose {
            Purpose::Submit => &self.method,
            Purpose::Follow => "GET",
        }
    }

    fn provider_message(&self, body: &Body<'_>) -> Option<String> {
        match body {
            Body::Json(Value::String(text), _) => text_of(&Value::from(first_line(text))),
            Body::Json(json, _) => {
                let declared = self.errors.message.iter().find_map(|path| text_at(path, json));
                declared.or_else(|| compile_paths(&MESSAGE_PATHS).find_map(|path| text_at(&path, json)))
            }
            Body::Text(text) if !text.trim_start().starts_with('<') => Some(first_line(text)),
            Body::Text(_) | Body::Bytes(_) | Body::Media(_) | Body::Empty => None,
        }
    }

    fn field_errors(&self, json: &Value) -> Option<Vec<Value>> {
        let declared = self.errors.fields.iter().find_map(|path| fields_at(path, json));
        declared.or_else(|| compile_paths(&FIELD_PATHS).find_map(|path| fields_at(&path, json)))
    }
}

pub(super) fn compile_paths(sources: &'static [&'static str]) -> impl Iterator<Item = JsonPath> {
    sources.iter().map(|source| JsonPath::parse(source).expect("the paths are well-formed"))
}

fn text_at(path: &JsonPath, json: &Value) -> Option<String> {
    text_of(&path.find_in(json).into_value()?)
}

/// Returns the text of an error: a string, an object's message, or the messages of a list.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => {
            let text = text.trim();
            (!text.is_empty()).then(|| shorten_text(text))
        }
        Value::Array(items) => {
            let texts: Vec<String> = items.iter().take(10).filter_map(text_of).collect();
            (!texts.is_empty()).then(|| texts.join("; "))
        }
        Value::Object(fields) => {
            let known = ["message", "msg", "detail", "description", "reason"];
            let text = known.iter().find_map(|key| fields.get(*key)?.as_str()).map(str::trim);
            match (text, fields.get("loc").and_then(field_name)) {
                (Some(text), Some(name)) => Some(format!("{name}: {}", shorten_text(text))),
                (Some(text), None) => Some(shorten_text(text)),
                (None, _) => (!fields.is_empty()).then(|| shorten_text(&value.to_string())),
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn first_line(text: &str) -> String {
    shorten_text(text.trim().lines().next().unwrap_or_default())
}

/// Returns the invalid fields as `[{"field", "message"}]`.
fn fields_at(path: &JsonPath, json: &Value) -> Option<Vec<Value>> {
    let list = path.find_in(json).into_value()?;
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

/// Formats the name of a field: `"input.x"` as it is, `["body", "input", "x"]` joined by dots.
fn field_name(value: &Value) -> Option<String> {
    match value {
        Value::String(name) => Some(name.clone()),
        Value::Array(parts) => Some(parts.iter().filter_map(crate::json::scalar_text).collect::<Vec<_>>().join(".")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}
