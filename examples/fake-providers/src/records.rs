//! What the stand-in has received, for checking what a client did.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::clock;

/// A create call, as it arrived.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CreateRecord {
    /// The HTTP method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// Headers, with names in lower case. The JSON form omits the value of `authorization`.
    #[serde(serialize_with = "without_token")]
    pub headers: BTreeMap<String, String>,
    /// The body; null if it is not JSON.
    pub body: Value,
    /// Time of arrival; RFC 3339 in JSON.
    #[serde(serialize_with = "as_text")]
    pub at: SystemTime,
    /// The prediction that it created; none if the call was refused, or dropped before it was accepted.
    pub prediction: Option<String>,
}

/// Calls and predictions since the start or the last reset; the body of `GET /_control/stats`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stats {
    /// Number of create calls that arrived, including refused and dropped ones.
    pub creates: usize,
    /// Number of create calls that created a prediction: what Replicate would bill.
    pub accepted: usize,
    /// Number of create calls whose reply is currently held.
    pub held: usize,
    /// Number of calls by route, such as `GET /v1/predictions/{id}`; unknown routes are counted by their path.
    pub by_path: BTreeMap<String, u64>,
    /// The current state of the predictions, oldest first.
    pub predictions: Vec<Value>,
    /// The create calls in order of arrival.
    pub create_calls: Vec<CreateRecord>,
}

fn without_token<S: Serializer>(headers: &BTreeMap<String, String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(headers.iter().filter(|(name, _)| *name != "authorization"))
}

fn as_text<S: Serializer>(at: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&clock::format_timestamp(clock::to_micros(*at)))
}

/// A call that makes something, as it arrived at a provider other than Replicate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MediaCall {
    /// The HTTP method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The query of the request.
    pub query: Option<String>,
    /// Headers, with names in lower case, without the provider's key.
    pub headers: BTreeMap<String, String>,
    /// The body: JSON as it is; `{"multipart": [{"name", "text" | "file_name", "content_type", "size_bytes", "sha256"}]}`.
    pub body: Value,
    /// Time of arrival; RFC 3339 in JSON.
    #[serde(serialize_with = "as_text")]
    pub at: SystemTime,
    /// Id of the work that it created; none if the call was refused, or dropped before it was accepted.
    pub task: Option<String>,
}

/// Calls and work of a provider other than Replicate since the start or the last reset; the body of
/// `GET /_control/{provider}/stats`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MediaStats {
    /// Number of calls that make something, including refused and dropped ones.
    pub creates: usize,
    /// Number of calls that were accepted: what the provider would bill.
    pub accepted: usize,
    /// Number of cancel calls.
    pub cancels: usize,
    /// Number of reads of files.
    pub file_reads: usize,
    /// Number of webhooks that were sent.
    pub webhooks: usize,
    /// The largest number of works that ran at the same time.
    pub most_running: usize,
    /// Number of calls by method and path.
    pub by_path: BTreeMap<String, u64>,
    /// The work, oldest first: `{"id", "model", "input", "state", "polls", "outputs"}`.
    pub tasks: Vec<Value>,
    /// The calls that make something, in order of arrival.
    pub calls: Vec<MediaCall>,
}
