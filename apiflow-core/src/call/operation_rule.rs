//! Parses an `operation`: how long-running work is started, followed and ended.

use serde_json::{Map, Value};

mod limits;
mod webhook;

pub(super) use self::limits::{CancelRule, DeadlineHeader, Limits};
use self::limits::{read_cancel, read_deadline_header, read_limits};
pub use self::webhook::WebhookSignature;
use self::webhook::read_webhook;
pub(super) use self::webhook::{WebhookPlace, WebhookRule, WebhookSecret};
use super::presets;
use super::reply_link::Link;
use crate::diagnostic::suggest::{did_you_mean, list_all, nearest_name};
use crate::diagnostic::{Diagnostic, codes};
use crate::json::Fields;
use crate::json::{JsonPath, scalar_text};
use crate::template::{Root, Template, TemplateCompiler, Text};

/// How long a provider holds a submit open by default, in seconds.
///
/// Source: Replicate's `Prefer: wait`.
const HOLD_S: f64 = 60.0;

/// How a provider's long-running work is started, followed and ended.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    /// Path of the provider's id.
    pub(super) id: Option<JsonPath>,
    pub(super) state: StateRule,
    pub(super) error: ErrorRule,
    /// Path that is not null in a reply of success.
    pub(super) output: Option<JsonPath>,
    pub(super) poll: PollRule,
    pub(super) result: Option<LinkRule>,
    pub(super) cancel: Option<CancelRule>,
    pub(super) progress: Progress,
    /// Path of the provider's log: a text, or a list of lines.
    #[cfg_attr(not(feature = "runtime"), expect(dead_code, reason = "without a runtime it is only checked"))]
    pub(super) logs: Option<JsonPath>,
    /// How long links in a result are valid, in seconds.
    pub(super) link_lifetime_s: Option<f64>,
    pub(super) limits: Limits,
    /// The header that tells the provider how long the work may take.
    pub(super) deadline_header: Option<DeadlineHeader>,
    pub(super) webhook: Option<WebhookRule>,
    /// Whether the submit is held open until the work ends or the provider's limit is reached.
    pub(super) hold: bool,
    /// How long the provider holds a submit open, in seconds.
    pub(super) hold_s: f64,
    /// Headers of the submit: a string is set unless a template sets the header, `None` removes it.
    pub(super) submit_headers: Vec<(String, Option<Text>)>,
    /// Names of headers that are sent only with the submit.
    pub(super) submit_only: Vec<String>,
    pub(super) recover: Option<RecoverRule>,
}

/// How a reply shows the state.
#[derive(Debug, Clone)]
pub(super) enum StateRule {
    /// A word at a path; each state has a set of words, in lower case.
    Words {
        path: JsonPath,
        queued: Vec<String>,
        done: Vec<String>,
        failed: Vec<String>,
        cancelled: Vec<String>,
        moderated: Vec<String>,
        /// The provider does not know the work.
        missing: Vec<String>,
    },
    /// A boolean at a path, true once the work has ended.
    Flag(JsonPath),
    /// The HTTP status of a poll.
    Http { done: Vec<u16>, running: Vec<u16>, failed: Vec<u16>, cancelled: Vec<u16> },
    /// The work has ended once a poll's reply has a value at a path.
    Present(JsonPath),
}

/// Where the provider says why the work failed.
#[derive(Debug, Clone, Default)]
pub(super) struct ErrorRule {
    pub(super) message: Vec<JsonPath>,
    /// Paths of a code beside the message.
    pub(super) code: Vec<JsonPath>,
    /// Words in the message or the code that indicate moderation.
    pub(super) moderated: Vec<String>,
}

#[derive(Debug, Clone)]
pub(super) struct PollRule {
    pub(super) link: LinkRule,
    /// Parameters that are added to the link's query.
    pub(super) query: Vec<(String, String)>,
    pub(super) body: Option<Template>,
    pub(super) interval_s: f64,
    pub(super) growth: f64,
    pub(super) max_interval_s: f64,
}

/// A request to a link.
#[derive(Debug, Clone)]
pub(super) struct LinkRule {
    pub(super) method: String,
    /// Candidates; the first one that the reply contains is used.
    pub(super) links: Vec<Link>,
}

/// How a reply shows the progress.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress {
    /// Path of a number from 0 to `max`.
    pub(super) number: Option<JsonPath>,
    /// The number at the end; without one, numbers are from 0 to 1 or from 0 to 100.
    pub(super) max: Option<f64>,
    /// Path of a log, whose last percentage is used if there is no number.
    pub(super) log: Option<JsonPath>,
    /// Path of the position in the provider's queue.
    #[cfg_attr(not(feature = "runtime"), expect(dead_code, reason = "without a runtime it is only checked"))]
    pub(super) queue: Option<JsonPath>,
    /// Path of a preview: a link, or a small data URI.
    #[cfg_attr(not(feature = "runtime"), expect(dead_code, reason = "without a runtime it is only checked"))]
    pub(super) preview: Option<JsonPath>,
}

/// How a submit of unknown fate is found in the provider's list.
#[derive(Debug, Clone)]
pub(super) struct RecoverRule {
    pub(super) url: Text,
    pub(super) items: JsonPath,
    pub(super) next: Option<JsonPath>,
    pub(super) id: JsonPath,
    pub(super) created_at: JsonPath,
    /// Path of an item's input.
    pub(super) input: JsonPath,
    /// Path of the input in the submit's body.
    pub(super) sent: JsonPath,
    /// Paths of strings of an item, one of which must occur in the submit's URL or body, so that equal inputs to
    /// different models are distinguished.
    pub(super) mentions: Vec<JsonPath>,
}

/// Parses a rule: a preset's name, or an object whose `preset` names one to extend. Faults are errors; unsupported
/// settings are warnings.
pub(super) fn read(value: &Value, pointer: &str, found: &mut Vec<Diagnostic>) -> Option<Rule> {
    let faults = found.len();
    let whole = merge_preset(value, pointer, &presets::FILES, found)?;
    let rule = read_rule(&whole, pointer, found);
    let sound = !crate::diagnostic::has_errors(&found[faults..]);
    rule.filter(|_| sound)
}

/// Merges the declared keys over those of the named preset, if any; null removes.
pub(super) fn merge_preset(
    value: &Value,
    pointer: &str,
    presets: &[(&'static str, &str)],
    found: &mut Vec<Diagnostic>,
) -> Option<Value> {
    let (name, at, own) = match value {
        Value::String(name) => (Some(name.as_str()), pointer.to_owned(), Map::new()),
        Value::Object(own) => {
            (own.get("preset").and_then(Value::as_str), crate::json::pointer_push(pointer, "preset"), own.clone())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            found.push(crate::json::wrong_type(pointer, "a preset's name or an object", value));
            return None;
        }
    };
    let Some(name) = name else { return Some(Value::Object(own)) };
    let Some(preset) = presets::find_preset(name, presets) else {
        let names = presets::preset_names(presets);
        let diagnostic = Diagnostic::new_error(codes::UNKNOWN_PRESET, at, format!("there is no preset `{name}`"));
        found.push(match nearest_name(name, names.iter().copied()) {
            Some(near) => diagnostic.with_help(did_you_mean(near)),
            None => diagnostic
                .with_help(format!("the presets are {}; alternatively, write the rule as an object", list_all(&names))),
        });
        return None;
    };
    let mut whole = preset;
    for (key, value) in own {
        if value.is_null() {
            whole.remove(&key);
        } else {
            whole.insert(key, value);
        }
    }
    Some(Value::Object(whole))
}

fn read_rule(value: &Value, pointer: &str, found: &mut Vec<Diagnostic>) -> Option<Rule> {
    let mut fields = Fields::open(value, pointer, found)?;
    fields.read_string("preset");
    fields.read_string("description");
    let id = read_path(&mut fields, "id");
    let state = read_state(&mut fields);
    let error = read_inner(&mut fields, "error", |fields| Some(read_error(fields))).unwrap_or_default();
    let output = read_path(&mut fields, "output");
    let poll = read_inner(&mut fields, "poll", read_poll);
    let result = read_inner(&mut fields, "result", |fields| read_link(fields, "GET"));
    let cancel = read_inner(&mut fields, "cancel", read_cancel);
    let progress = read_progress(&mut fields);
    let logs = read_path(&mut fields, "logs");
    let webhook = read_inner(&mut fields, "webhook", read_webhook);
    let link_lifetime_s = fields.number_from("link_lifetime_s", 1.0);
    let limits = read_limits(&mut fields);
    let deadline_header = read_inner(&mut fields, "deadline_header", read_deadline_header);
    let hold = fields.read_word("submit", &["ack", "hold"]) == Some("hold");
    let ack = read_inner(&mut fields, "ack", |fields| Some(read_submit_style(fields))).unwrap_or_default();
    let held = read_inner(&mut fields, "hold", |fields| Some(read_submit_style(fields))).unwrap_or_default();
    let recover = read_inner(&mut fields, "recover", read_recover);
    require_field(&mut fields, "poll", poll.is_some());
    require_field(&mut fields, "state", state.is_some());
    fields.close();
    let submit_only = ack.headers.iter().chain(&held.headers).map(|(name, _)| name.clone());
    let submit_only = submit_only.chain(deadline_header.iter().map(|header| header.name.clone())).collect();
    let hold_s = held.wait_s.unwrap_or(HOLD_S);
    let submit_headers = if hold { held.headers } else { ack.headers };
    let (state, poll) = (state?, poll?);
    Some(Rule {
        id,
        state,
        error,
        output,
        poll,
        result,
        cancel,
        progress,
        logs,
        link_lifetime_s,
        limits,
        deadline_header,
        webhook,
        hold,
        hold_s,
        submit_headers,
        submit_only,
        recover,
    })
}

/// Reports a missing part, unless it is present and its own faults were reported.
pub(super) fn require_field(fields: &mut Fields<'_, '_>, key: &'static str, read: bool) {
    if !read && fields.read_value(key).is_none() {
        fields.note_fault(codes::MISSING_FIELD, key, format!("`{key}` is missing"));
    }
}

pub(super) fn read_inner<T>(
    fields: &mut Fields<'_, '_>,
    key: &'static str,
    read: impl FnOnce(&mut Fields<'_, '_>) -> Option<T>,
) -> Option<T> {
    let value = fields.read_value(key)?;
    let at = fields.pointer_of(key);
    let mut inner = Fields::open(value, &at, fields.sink)?;
    let part = read(&mut inner);
    inner.close();
    part
}

/// Reads a path; an invalid one is reported as a fault.
pub(super) fn read_path(fields: &mut Fields<'_, '_>, key: &'static str) -> Option<JsonPath> {
    let text = fields.read_string(key)?;
    parse_path(text, key, fields)
}

fn parse_path(text: &str, key: &str, fields: &mut Fields<'_, '_>) -> Option<JsonPath> {
    match JsonPath::parse_query(text) {
        Ok(path) => Some(path),
        Err(fault) => {
            fields.note_fault(codes::PATH_SYNTAX, key, format!("`{text}` is not a path: {fault}"));
            None
        }
    }
}

/// Reads one path, or a list of them, of which the first with a value is used.
pub(super) fn read_paths(fields: &mut Fields<'_, '_>, key: &'static str) -> Option<Vec<JsonPath>> {
    let texts = one_or_more(fields, key)?;
    Some(texts.iter().filter_map(|text| parse_path(text, key, fields)).collect())
}

fn one_or_more(fields: &mut Fields<'_, '_>, key: &'static str) -> Option<Vec<String>> {
    match fields.read_value(key)? {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            fields.read_strings(key)
        }
    }
}

fn read_state(fields: &mut Fields<'_, '_>) -> Option<StateRule> {
    read_inner(fields, "state", |fields| {
        let word_path = read_path(fields, "path");
        let flag = read_path(fields, "flag");
        let present = read_path(fields, "present");
        let http = read_inner(fields, "http", |fields| {
            Some(StateRule::Http {
                done: read_statuses(fields, "done"),
                running: read_statuses(fields, "running"),
                failed: read_statuses(fields, "failed"),
                cancelled: read_statuses(fields, "cancelled"),
            })
        });
        let words = word_path.map(|path| StateRule::Words {
            path,
            queued: read_words(fields, "queued"),
            done: read_words(fields, "done"),
            failed: read_words(fields, "failed"),
            cancelled: read_words(fields, "cancelled"),
            moderated: read_words(fields, "moderated"),
            missing: read_words(fields, "missing"),
        });
        let mut forms = [words, flag.map(StateRule::Flag), http, present.map(StateRule::Present)].into_iter().flatten();
        let state = forms.next();
        if state.is_none() || forms.next().is_some() {
            fields.note_fault(
                codes::BAD_VALUE,
                "path",
                "`state` needs exactly one of `path`, `flag`, `http` and `present`",
            );
        }
        state
    })
}

/// Reads strings, numbers and booleans as lower-case strings.
fn read_words(fields: &mut Fields<'_, '_>, key: &'static str) -> Vec<String> {
    let items = fields.read_array(key).map(Vec::as_slice).unwrap_or_default();
    let read: Vec<String> = items.iter().filter_map(scalar_text).map(|word| word.to_lowercase()).collect();
    if read.len() < items.len() {
        fields.note_fault(codes::BAD_VALUE, key, format!("`{key}` must be a list of strings, numbers or booleans"));
    }
    read
}

fn read_statuses(fields: &mut Fields<'_, '_>, key: &'static str) -> Vec<u16> {
    let items = fields.read_array(key).map(Vec::as_slice).unwrap_or_default();
    let read: Vec<u16> =
        items.iter().filter_map(|item| item.as_u64().and_then(|status| u16::try_from(status).ok())).collect();
    if read.len() < items.len() {
        fields.note_fault(codes::BAD_VALUE, key, format!("`{key}` must be a list of HTTP statuses"));
    }
    read
}

fn read_error(fields: &mut Fields<'_, '_>) -> ErrorRule {
    let message = read_paths(fields, "message").unwrap_or_default();
    let code = read_paths(fields, "code").unwrap_or_default();
    let moderated = fields.read_strings("moderated").unwrap_or_default();
    ErrorRule { message, code, moderated }
}

fn read_poll(fields: &mut Fields<'_, '_>) -> Option<PollRule> {
    let body = read_body(fields);
    let interval_s = fields.number_from("interval_s", 0.05).unwrap_or(1.0);
    let growth = fields.number_from("growth", 1.0).unwrap_or(1.5);
    let max_interval_s = fields.number_from("max_interval_s", 0.05).unwrap_or(10.0).max(interval_s);
    let query = read_query(fields);
    let link = read_link(fields, "GET")?;
    Some(PollRule { link, query, body, interval_s, growth, max_interval_s })
}

/// Reads parameters of a query: an object of strings, numbers and booleans.
fn read_query(fields: &mut Fields<'_, '_>) -> Vec<(String, String)> {
    let read = match fields.read_value("query") {
        None => return Vec::new(),
        Some(Value::Object(query)) => {
            query.iter().map(|(name, value)| Some((name.clone(), scalar_text(value)?))).collect()
        }
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => None,
    };
    read.unwrap_or_else(|| {
        fields.note_fault(codes::BAD_VALUE, "query", "`query` must be an object of strings, numbers or booleans");
        Vec::new()
    })
}

/// Reads the body of a request that follows a reply.
fn read_body(fields: &mut Fields<'_, '_>) -> Option<Template> {
    let value = fields.read_value("body")?;
    let at = fields.pointer_of("body");
    let body = TemplateCompiler { roots: &[Root::Reply], diagnostics: fields.sink }.compile_value(value, &at);
    if body.has_secrets() {
        fields.note_fault(codes::NOT_SUPPORTED, "body", "a secret is not allowed here: put it in a header");
    }
    Some(body)
}

/// Reads a method with `url` (links of which the first in the reply is used) or `path` (a path below `base_url` that
/// the reply contains).
fn read_link(fields: &mut Fields<'_, '_>, method: &str) -> Option<LinkRule> {
    let method = crate::declarations::headers::read_method(fields, "method").unwrap_or_else(|| method.to_owned());
    let below_base = read_path(fields, "path").map(Link::BelowBase);
    let texts = one_or_more(fields, "url");
    if texts.is_none() && below_base.is_none() {
        require_field(fields, "url", false);
        return None;
    }
    let at = fields.pointer_of("url");
    let links = texts.iter().flatten().filter_map(|text| Link::read(text, &at, fields.sink));
    let links = links.chain(below_base).collect();
    Some(LinkRule { method, links })
}

fn read_progress(fields: &mut Fields<'_, '_>) -> Progress {
    if fields.read_value("progress").is_some_and(Value::is_string) {
        return Progress { number: read_path(fields, "progress"), ..Progress::default() };
    }
    let read = read_inner(fields, "progress", |fields| {
        let max = fields.number_from("max", 0.001);
        let [number, log, queue, preview] = ["path", "log", "queue", "preview"].map(|key| read_path(fields, key));
        Some(Progress { number, max, log, queue, preview })
    });
    read.unwrap_or_default()
}

/// How work is submitted: how long the provider holds the submit open, and its headers.
#[derive(Default)]
struct SubmitStyle {
    wait_s: Option<f64>,
    headers: Vec<(String, Option<Text>)>,
}

fn read_submit_style(fields: &mut Fields<'_, '_>) -> SubmitStyle {
    let wait_s = fields.number_from("wait_s", 0.0);
    let at = fields.pointer_of("header");
    let declared = crate::declarations::headers::read_headers(fields, "header", true);
    let mut compiler = TemplateCompiler { roots: &[], diagnostics: fields.sink };
    let headers = declared
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), value.as_str().map(|text| compiler.compile_text(text, &at))))
        .collect();
    SubmitStyle { wait_s, headers }
}

fn read_recover(fields: &mut Fields<'_, '_>) -> Option<RecoverRule> {
    let at = fields.pointer_of("url");
    let url = fields.required_string("url").to_owned();
    let url = TemplateCompiler { roots: &[], diagnostics: fields.sink }.compile_text(&url, &at);
    let [items, id, created_at, input] = ["items", "id", "created_at", "input"].map(|key| {
        let found = read_path(fields, key);
        require_field(fields, key, found.is_some());
        found
    });
    let input = input?;
    let sent = read_path(fields, "sent").unwrap_or_else(|| input.clone());
    let next = read_path(fields, "next");
    let mentions = read_paths(fields, "mentions").unwrap_or_default();
    Some(RecoverRule { url, items: items?, next, id: id?, created_at: created_at?, input, sent, mentions })
}
