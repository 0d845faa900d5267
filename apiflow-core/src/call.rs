//! The protocol of one call to a provider, without I/O: builds the request from a node and its inputs, reads the
//! outputs from the reply, and follows long-running work.
//!
//! Order of use: [`compile_call`], [`CallPlan::fill_arguments`], [`CallPlan::submit_request`],
//! [`CallPlan::read_submit`]; as long as the reading is [`ReplyReading::Running`], [`CallPlan::poll_request`] and
//! [`CallPlan::read_poll`]; after [`ReplyReading::Fetch`], [`CallPlan::result_request`] and [`CallPlan::read_result`].

mod arguments;
mod auth_plan;
mod classify_failure;
mod credential_origins;
mod download;
mod duration_ms;
mod error;
mod http_failure;
#[cfg(any(feature = "http", test))]
mod json_memory;
mod known_artifacts;
#[cfg(feature = "runtime")]
mod link_expiry;
mod media_inputs;
mod media_value;
mod merged_declarations;
mod operation_limits;
mod operation_rule;
mod output;
mod plan;
mod plans;
mod presets;
mod price;
mod proxy_request;
#[cfg(feature = "runtime")]
mod rate_limit_key;
mod read_reply;
mod readable_outputs;
mod recover;
mod reply_body;
#[cfg(feature = "runtime")]
mod reply_form;
mod reply_link;
mod reply_media;
mod reply_rules;
mod request;
mod retry_after;
mod secret_overrides;
mod submit_limits;
#[cfg(test)]
mod tests;
#[cfg_attr(not(feature = "runtime"), expect(dead_code, reason = "without a runtime a rule is only checked"))]
mod upload_rule;
mod webhook;
#[cfg(feature = "runtime")]
mod work_report;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::auth_plan::token_origin;
pub use self::credential_origins::listed_credential_origins;
pub use self::error::{CallError, ErrorClass, from_http_error};
#[cfg(feature = "http")]
pub(crate) use self::json_memory::json_memory_bytes;
#[cfg(feature = "runtime")]
pub(crate) use self::known_artifacts::mentioned_artifacts;
pub use self::known_artifacts::{KnownArtifact, KnownArtifacts};
#[cfg(feature = "runtime")]
pub(crate) use self::link_expiry::link_expires_at;
#[cfg(feature = "runtime")]
pub(crate) use self::media_inputs::{MAX_CALL_FILES, NOT_READABLE};
#[cfg(feature = "runtime")]
pub(crate) use self::media_value::is_in_reply;
pub use self::plan::{CallPlan, compile_call};
pub(crate) use self::plan::{check_call, check_connector};
pub(crate) use self::plans::CallPlans;
pub(crate) use self::price::check_price;
pub use self::price::{AttemptEnd, Price, ReportedCost};
pub use self::proxy_request::{ProxiedRequest, compile_proxy};
#[cfg(feature = "runtime")]
pub(crate) use self::rate_limit_key::rate_limit_key;
#[cfg(feature = "runtime")]
pub(crate) use self::reply_body::cut_base64_runs;
pub use self::reply_body::without_byte_order_mark;
#[cfg(feature = "runtime")]
pub(crate) use self::reply_form::{ReplyForm, file_name_of, plain_file_name, specific_mime};
#[cfg(feature = "runtime")]
pub(crate) use self::reply_media::{
    EventStreamFilter, JsonFilter, MAX_INLINE_MEDIA_BYTES, Marker, MultipartFilter, ReplyParts, decode_data_uri,
};
pub(crate) use self::reply_rules::{check_errors, check_hosts, check_operation, check_success, check_upload};
#[cfg(feature = "runtime")]
pub(crate) use self::retry_after::retry_after_of_head;
pub use self::secret_overrides::{SecretOverride, secret_overrides};
pub(crate) use self::submit_limits::check_limits;
#[cfg(feature = "runtime")]
pub(crate) use self::upload_rule::UploadedFile;
pub use self::webhook::{WEBHOOK_ADDRESS, WebhookSecretSource, WebhookSignature};
#[cfg(feature = "http")]
pub use self::webhook::{WebhookError, WebhookKey, read_jwks, verify_webhook};
#[cfg(feature = "runtime")]
pub(crate) use self::work_report::WorkReport;
use crate::ports::{HttpRequest, Timestamp};
use crate::value_type::ValueType;

/// The attempt that a submit belongs to, as templates can refer to it.
#[derive(Debug, Clone, Copy)]
pub struct CallContext<'a> {
    /// Id of the job; `{{ job.id }}`.
    pub job_id: &'a str,
    /// Id of the step; `{{ step.id }}`.
    pub step_id: &'a str,
    /// Number of the attempt, from 1; `{{ step.attempt }}`.
    pub attempt: u32,
    /// The same for all sendings of one attempt; the value of `idempotency_header`.
    pub idempotency_key: &'a str,
    /// The artifacts that the inputs refer to; others are not recognized.
    pub artifacts: &'a KnownArtifacts,
    /// Time limit of the step, if its module has a `timeout`, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// The secret that stands for our address, if the provider may call it.
    pub webhook: Option<&'a str>,
}

/// A provider's long-running work. Journalled before it is waited for; contains everything needed to follow the work
/// again after a crash.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// The provider's id of the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Absolute URL that is polled for the state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll_url: Option<String>,
    /// Body that is sent with each poll, if the provider requires one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll_body: Option<Value>,
    /// Absolute URL that cancels the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_url: Option<String>,
    /// Body that is sent with the cancellation, if the provider requires one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_body: Option<Value>,
    /// Absolute URL of the result, if it is fetched separately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_url: Option<String>,
    /// State of the work in the provider's vocabulary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Whether the work still waits for its turn at the provider.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_queued: bool,
    /// Progress of the work, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<f64>,
    /// The provider's hint when to poll next, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// What replies have said about the cost of the work.
    #[serde(default, skip_serializing_if = "ReportedCost::is_empty")]
    pub reported_cost: ReportedCost,
    /// What remains to be downloaded after the work has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downloads: Option<Box<PendingDownloads>>,
}

/// A result whose media outputs are still links of the provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PendingDownloads {
    /// The result, with null in the places of the media.
    pub result: Value,
    /// The media to download.
    pub media: Vec<MediaLink>,
}

/// One file to download.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MediaLink {
    /// JSON Pointer of its place in the result.
    pub pointer: String,
    /// Name of the output.
    pub output: String,
    /// Position in the list of an output with `pick: all`; else 0.
    #[serde(default)]
    pub index: usize,
    /// What the file must be.
    pub value_type: ValueType,
    /// MIME type that the output declares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime: Option<String>,
    /// Absolute http or https URL. As long as the reply is read also a data URI or the marker of what was taken out of
    /// the reply, or several of them, one per line, whose bytes are joined: those are stored before the answer of the
    /// call is recorded.
    pub link: String,
    /// How long such links are valid, in seconds, if it is declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime_s: Option<f64>,
    /// When the link expires, as far as known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Whether only a copy of the file is kept: the result stays as it is, even if the file cannot be downloaded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_copy: bool,
}

/// What a reply means.
#[derive(Debug, Clone, PartialEq)]
pub enum ReplyReading {
    /// The call succeeded: the object of mapped outputs, or the reply's JSON if no output is declared.
    Done(Value),
    /// The provider is working.
    Running(Operation),
    /// The work ended; its result is fetched with [`CallPlan::result_request`] and read with [`CallPlan::read_result`].
    Fetch(Operation),
    /// The work ended; the media of its result ([`Operation::downloads`]) is still to be downloaded.
    Download(Operation),
    /// The reply to a poll or a result's request says nothing about the work (overload, gateway error): ask again after
    /// [`CallError::retry_after_ms`] or the next interval. Never returned for a submit.
    Again(CallError),
    /// The call failed.
    Failed(CallError),
}

/// What the provider's list of operations says about a submit of unknown fate.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "one lives at a time")]
pub enum RecoveryReading {
    /// The provider accepted the submit: continue by polling.
    Found(Operation),
    /// Not on this page, but older entries are recent enough to be the submit: send this request and read its reply in
    /// the same way.
    More(Box<HttpRequest>),
    /// The provider's list does not contain the submit.
    NotFound,
    /// The reply cannot be read, so the fate of the submit stays unknown.
    Unreadable(CallError),
}
