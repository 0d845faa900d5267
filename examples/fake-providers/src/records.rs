//! What the stand-in has seen: the proof of what a client did.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::clock;

/// One create call, as it arrived.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CreateRecord {
    /// The HTTP method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// Header names in lower case. The `authorization` value is left out of the JSON form.
    #[serde(serialize_with = "without_token")]
    pub headers: BTreeMap<String, String>,
    /// The body; null if it wasn't JSON.
    pub body: Value,
    /// When it arrived; RFC 3339 in the JSON form.
    #[serde(serialize_with = "as_text")]
    pub at: SystemTime,
    /// The prediction that it made; none if it was refused or dropped before it was accepted.
    pub prediction: Option<String>,
}

/// Counts and contents since the start or the last reset; the body of `GET /_control/stats`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stats {
    /// Create calls that arrived, refused and dropped ones too.
    pub creates: usize,
    /// Create calls that made a prediction: what Replicate would bill.
    pub accepted: usize,
    /// Create calls whose reply is being held back now.
    pub held: usize,
    /// Calls by route, such as `GET /v1/predictions/{id}`; for unknown routes the path itself.
    pub by_path: BTreeMap<String, u64>,
    /// The predictions as they are now, oldest first.
    pub predictions: Vec<Value>,
    /// The create calls in the order of their arrival.
    pub create_calls: Vec<CreateRecord>,
}

fn without_token<S: Serializer>(headers: &BTreeMap<String, String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(headers.iter().filter(|(name, _)| *name != "authorization"))
}

fn as_text<S: Serializer>(at: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&clock::format_timestamp(clock::to_micros(*at)))
}
