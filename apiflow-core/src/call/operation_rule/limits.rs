//! How long work may take, what tells the provider so, and how work is cancelled.

use serde_json::Value;

use super::{LinkRule, read_body, read_link};
use crate::call::duration_ms::to_ms;
use crate::diagnostic::codes;
use crate::json::Fields;
use crate::template::Template;

/// Limits of an operation beside its deadline.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::call) struct Limits {
    /// How long the work may wait before it runs, in seconds.
    pub(in crate::call) queue_timeout_s: Option<f64>,
    /// How long the work may run, in seconds.
    pub(in crate::call) run_timeout_s: Option<f64>,
    /// How long after the submit the provider may not know the work yet, in seconds.
    pub(in crate::call) missing_grace_s: f64,
}

/// A header of the submit that states how long the work may take.
#[derive(Debug, Clone)]
pub(in crate::call) struct DeadlineHeader {
    pub(in crate::call) name: String,
    /// Its value, in which `{s}` stands for seconds and `{ms}` for milliseconds.
    format: String,
    /// The shortest limit that the provider accepts, in milliseconds.
    min_ms: u64,
}

impl DeadlineHeader {
    /// Returns the value for a time limit, in milliseconds.
    pub(in crate::call) fn value_for(&self, timeout_ms: u64) -> String {
        let timeout_ms = timeout_ms.max(self.min_ms);
        let seconds = timeout_ms.div_ceil(1000).max(1);
        self.format.replace("{s}", &seconds.to_string()).replace("{ms}", &timeout_ms.to_string())
    }
}

/// How work is cancelled.
#[derive(Debug, Clone)]
pub(in crate::call) struct CancelRule {
    pub(in crate::call) link: LinkRule,
    pub(in crate::call) body: Option<Template>,
    /// Whether cancelled work is charged, if the provider says so.
    pub(in crate::call) billed: Option<bool>,
    ended: Vec<u16>,
}

impl CancelRule {
    /// Returns whether a status certainly says that the work has already ended.
    pub(in crate::call) fn says_ended(&self, status: u16) -> bool {
        self.ended.contains(&status)
    }
}

pub(super) fn read_limits(fields: &mut Fields<'_, '_>) -> Limits {
    Limits {
        queue_timeout_s: fields.number_from("queue_timeout_s", 0.001),
        run_timeout_s: fields.number_from("run_timeout_s", 0.001),
        missing_grace_s: fields.number_from("missing_grace_s", 0.0).unwrap_or_default(),
    }
}

pub(super) fn read_deadline_header(fields: &mut Fields<'_, '_>) -> Option<DeadlineHeader> {
    let name = fields.required_string("name").to_owned();
    let format = fields.read_string("format").unwrap_or("{s}").to_owned();
    if !format.contains("{s}") && !format.contains("{ms}") {
        fields.note_fault(codes::BAD_VALUE, "format", "`format` must contain `{s}` or `{ms}`");
    }
    let min_ms = fields.number_from("min_s", 0.0).map_or(0, to_ms);
    (!name.is_empty()).then_some(DeadlineHeader { name, format, min_ms })
}

pub(super) fn read_cancel(fields: &mut Fields<'_, '_>) -> Option<CancelRule> {
    let body = read_body(fields);
    let billed = match fields.read_value("billed") {
        None => None,
        Some(Value::Bool(billed)) => Some(*billed),
        Some(Value::String(word)) if word == "unknown" => None,
        Some(Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_)) => {
            fields.note_fault(codes::BAD_VALUE, "billed", "`billed` must be true, false or \"unknown\"");
            None
        }
    };
    let ended = super::read_statuses(fields, "ended");
    let link = read_link(fields, "POST")?;
    Some(CancelRule { link, body, billed, ended })
}
