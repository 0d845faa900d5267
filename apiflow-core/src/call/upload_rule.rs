//! The `upload` setting: how a file is given to the provider before a call refers to it.

use serde_json::{Value, json};

use super::duration_ms::to_ms;
use super::operation_rule::{merge_preset, read_inner, read_path, require_field};
use super::plan::CallPlan;
use super::reply_body::Body;
use super::reply_link::Link;
use super::{CallError, ErrorClass};
use crate::declarations::headers::{read_headers, read_method};
use crate::diagnostic::{Diagnostic, codes, has_errors};
use crate::digest::hash_value;
use crate::json::{Fields, JsonPath};
use crate::ports::{HttpReply, HttpRequest, PartContent, RequestBody, RequestPart, SentMedia, Timestamp};
use crate::template::{Root, Template, TemplateCompiler, TemplateScope, Text, derive_word, join_pieces};
use crate::url;

/// Presets of uploads, as a declaration would spell them out.
const PRESETS: [(&str, &str); 3] = [
    ("fal", include_str!("presets/uploads/fal.json")),
    ("replicate", include_str!("presets/uploads/replicate.json")),
    ("runway", include_str!("presets/uploads/runway.json")),
];

/// Lifetime of an upload whose rule and reply state none, in milliseconds.
const DEFAULT_LIFETIME_MS: u64 = 3_600_000;
/// Maximum size of what a call sends instead of a file, in bytes.
const MAX_VALUE_BYTES: usize = 16 * 1024;

/// How files are uploaded to a provider: in one call, or in two, of which the first returns where to send the bytes.
#[derive(Debug, Clone)]
pub(super) struct UploadRule {
    start: Option<StartRule>,
    send: SendRule,
    /// Path of what the call sends instead of the file, in the last reply that has it.
    value: JsonPath,
    expires_at: Option<JsonPath>,
    expires_s: Option<f64>,
    /// Distinguishes the rule from others in the key of an upload.
    digest: String,
}

#[derive(Debug, Clone)]
struct StartRule {
    method: String,
    url: Text,
    body: Template,
}

#[derive(Debug, Clone)]
struct SendRule {
    method: String,
    link: Link,
    /// Name of the part with the file, for a multipart body; else the file is the whole body.
    field: Option<String>,
    /// Path of an object in the reply to the first call, whose entries become parts before the file.
    fields: Option<JsonPath>,
    headers: Vec<(String, Text)>,
}

/// What a provider returned for an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UploadedFile {
    /// What the call sends instead of the file.
    pub(crate) value: String,
    /// Until when the provider keeps it.
    pub(crate) expires_at: Timestamp,
}

impl UploadRule {
    /// Parses a rule: a preset's name, or an object whose `preset` names one to extend.
    pub(super) fn read(value: &Value, pointer: &str, found: &mut Vec<Diagnostic>) -> Option<Self> {
        let faults = found.len();
        let whole = merge_preset(value, pointer, &PRESETS, found)?;
        let mut fields = Fields::open(&whole, pointer, found)?;
        fields.read_string("preset");
        fields.read_string("description");
        let start = read_inner(&mut fields, "start", |fields| Some(read_start(fields)));
        let send = read_inner(&mut fields, "send", read_send);
        let value = read_path(&mut fields, "value");
        let expires_at = read_path(&mut fields, "expires_at");
        let expires_s = fields.number_from("expires_s", 0.0);
        require_field(&mut fields, "send", send.is_some());
        require_field(&mut fields, "value", value.is_some());
        fields.close();
        let digest = hash_value(&whole);
        let rule = Self { start, send: send?, value: value?, expires_at, expires_s, digest };
        (!has_errors(&found[faults..])).then_some(rule)
    }
}

fn read_start(fields: &mut Fields<'_, '_>) -> StartRule {
    let method = read_method(fields, "method").unwrap_or_else(|| "POST".to_owned());
    let at = fields.pointer_of("url");
    let source = fields.required_string("url").to_owned();
    let url = compile_text(&source, &at, fields.sink);
    let at = fields.pointer_of("body");
    let body = fields.read_value("body").cloned().unwrap_or_else(|| json!({}));
    let body = TemplateCompiler { roots: &[Root::File], diagnostics: fields.sink }.compile_value(&body, &at);
    if body.has_secrets() {
        fields.note_fault(codes::NOT_SUPPORTED, "body", "a secret is not allowed here: put it in a header");
    }
    StartRule { method, url, body }
}

fn read_send(fields: &mut Fields<'_, '_>) -> Option<SendRule> {
    let kind = fields.read_word("body_kind", &["raw", "multipart"]).unwrap_or("raw");
    let method = read_method(fields, "method").unwrap_or_else(|| if kind == "raw" { "PUT" } else { "POST" }.to_owned());
    let field = fields.read_string("field").unwrap_or("file").to_owned();
    let parts = read_path(fields, "fields");
    let at = fields.pointer_of("url");
    let source = fields.required_string("url").to_owned();
    let link = Link::read(&source, &at, fields.sink);
    let at = fields.pointer_of("header");
    let mut headers = Vec::new();
    for (name, value) in read_headers(fields, "header", false).into_iter().flatten() {
        headers.push((name.clone(), compile_text(value.as_str().unwrap_or_default(), &at, fields.sink)));
    }
    Some(SendRule { method, link: link?, field: (kind == "multipart").then_some(field), fields: parts, headers })
}

fn compile_text(source: &str, pointer: &str, found: &mut Vec<Diagnostic>) -> Text {
    let text = TemplateCompiler { roots: &[Root::File], diagnostics: found }.compile_text(source, pointer);
    if text.secret_names().next().is_some() {
        let message = "a secret is not allowed here: the connector's credentials are sent to its own hosts";
        found.push(Diagnostic::new_error(codes::NOT_SUPPORTED, pointer, message));
    }
    text
}

impl CallPlan {
    /// Returns the key of an upload: equal for the same content, the same rule of the same API, and the same credentials
    /// (`account`).
    pub(crate) fn upload_key(&self, media: &SentMedia, account: &str) -> String {
        let rule = self.upload.as_ref().map_or("", |rule| rule.digest.as_str());
        let content = match media {
            SentMedia::Artifact(artifact) => artifact.sha256.clone(),
            SentMedia::Inline { base64, .. } => crate::digest::hash_text(base64),
        };
        hash_value(&json!([account, self.base_url, rule, content, media.mime()]))
    }

    /// Builds the first call of an upload; `None` if there is only one.
    pub(crate) fn upload_start_request(&self, media: &SentMedia) -> Option<Result<HttpRequest, CallError>> {
        let start = self.upload.as_ref()?.start.as_ref()?;
        let file = file_value(media);
        let scope = TemplateScope::for_file(file, None);
        let url = expand_url(&start.url, &scope, &self.base_url);
        let body = start.body.expand_value(&scope).to_value(&mut |_| String::new());
        Some(url.and_then(|url| self.follow_link(&start.method, &url, body)))
    }

    /// Builds the call that sends the bytes; `started` is the reply to the first call, with its URL.
    pub(crate) fn upload_send_request(
        &self,
        media: &SentMedia,
        started: Option<&HttpReply>,
    ) -> Result<HttpRequest, CallError> {
        let rule = self.upload.as_ref().ok_or_else(|| misfit("the connector has no `upload` rule"))?;
        let json = started.and_then(|reply| Body::read(reply).json().cloned()).unwrap_or(Value::Null);
        let reply_url = started.map_or(self.base_url.as_str(), |reply| reply.url.as_str());
        let link = rule.send.link.resolve_url(&json, reply_url, &self.base_url);
        let link = link.ok_or_else(|| {
            misfit(&format!("the reply to the upload's first call has no {}", rule.send.link.describe_link()))
        })?;
        // A link to a storage with its own signature gets nothing of ours but the file.
        let mut request = match self.is_trusted(&link) {
            Ok(true) => self.follow_link(&rule.send.method, &link, None)?,
            Ok(false) | Err(_) => self.bare_request(&rule.send.method, &link),
        };
        request.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
        let scope = TemplateScope::for_file(file_value(media), Some(&json));
        for (name, text) in &rule.send.headers {
            let pieces = text.expand_text(&scope).into_pieces().map_err(|fault| misfit(&fault))?;
            let value = pieces.map(|pieces| join_pieces(&pieces, &mut |_| String::new()));
            request.headers.extend(value.map(|value| (name.clone(), value)));
        }
        match &rule.send.field {
            None => {
                if !request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
                    request.headers.push(("Content-Type".to_owned(), media.mime().to_owned()));
                }
                request.body = RequestBody::Media(media.clone());
            }
            Some(field) => {
                let boundary = derive_word("apiflowboundary", &[&link, &media.describe()]);
                let parts = upload_parts(field, rule.send.fields.as_ref(), &json, media);
                let content_type = format!("multipart/form-data; boundary={boundary}");
                request.headers.push(("Content-Type".to_owned(), content_type));
                request.body = RequestBody::Multipart { boundary, parts };
            }
        }
        Ok(request)
    }

    /// Reads what an upload returned.
    ///
    /// # Errors
    /// By the status of the reply; [`ErrorClass::OutputInvalid`] if no reply has the value.
    pub(crate) fn read_upload(
        &self,
        started: Option<&HttpReply>,
        sent: &HttpReply,
        now: Timestamp,
    ) -> Result<UploadedFile, CallError> {
        let rule = self.upload.as_ref().ok_or_else(|| misfit("the connector has no `upload` rule"))?;
        let bodies = [Some(sent), started].into_iter().flatten().map(Body::read).collect::<Vec<_>>();
        let find = |path: &JsonPath| bodies.iter().find_map(|body| path.find_text(body.json()?));
        let value = find(&rule.value).ok_or_else(|| {
            misfit(&format!("no reply to the upload of a file to {} has `{}`", self.provider, rule.value.source()))
        })?;
        if value.len() > MAX_VALUE_BYTES {
            let (path, bytes) = (rule.value.source(), value.len());
            return Err(misfit(&format!(
                "`{path}` in the reply to the upload of a file has {bytes} bytes, more than {MAX_VALUE_BYTES}: it must \
                 be a link or an id"
            )));
        }
        let stated = rule.expires_at.as_ref().and_then(find).and_then(|text| Timestamp::from_rfc3339(&text));
        let lifetime_ms = rule.expires_s.map_or(DEFAULT_LIFETIME_MS, to_ms);
        Ok(UploadedFile { value, expires_at: stated.unwrap_or_else(|| now.plus_ms(lifetime_ms)) })
    }

    /// Returns the error of a call of an upload that the provider refused; `None` if it accepted it.
    pub(crate) fn upload_refusal(&self, reply: &HttpReply) -> Option<CallError> {
        if (200..300).contains(&reply.status) {
            return None;
        }
        let mut error = self.http_failure(reply, &Body::read(reply), super::http_failure::Purpose::Follow);
        error.message = format!("a file could not be uploaded: {}", error.message);
        Some(error)
    }
}

fn upload_parts(field: &str, fields: Option<&JsonPath>, started: &Value, media: &SentMedia) -> Vec<RequestPart> {
    let fields = fields.and_then(|path| path.find_in(started).into_value());
    let mut parts: Vec<RequestPart> = Vec::new();
    for (name, value) in fields.as_ref().and_then(Value::as_object).into_iter().flatten() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let (name, content) = (name.clone(), PartContent::Text(text));
        parts.push(RequestPart { name, file_name: None, content_type: None, content });
    }
    parts.push(RequestPart {
        name: field.to_owned(),
        file_name: Some(media.file_name()),
        content_type: Some(media.mime().to_owned()),
        content: PartContent::Media(media.clone()),
    });
    parts
}

/// Returns the file as placeholders can refer to it.
fn file_value(media: &SentMedia) -> Value {
    json!({"mime": media.mime(), "name": media.file_name(), "size_bytes": media.size_bytes()})
}

fn expand_url(url: &Text, scope: &TemplateScope<'_>, base_url: &str) -> Result<String, CallError> {
    let pieces = url.expand_path(scope).map_err(|fault| misfit(&fault))?;
    let text = join_pieces(&pieces, &mut |_| String::new());
    Ok(if text.starts_with("https://") || text.starts_with("http://") {
        text
    } else {
        url::append_path(base_url, &text)
    })
}

fn misfit(message: &str) -> CallError {
    CallError::new(ErrorClass::OutputInvalid, message)
}
