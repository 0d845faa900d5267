//! Records of calls, as the store keeps them.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::ports::Timestamp;

/// A request of a step and its reply, with secrets masked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {
    /// Ordinal of the step.
    pub step: u64,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// Purpose of the request: `upload`, `submit`, `poll`, `result`, `download`, `cancel` or `recover`.
    pub purpose: String,
    /// When the request was sent.
    pub at: Timestamp,
    /// Duration of the exchange, in milliseconds.
    pub duration_ms: u64,
    /// The request: `{method, url, headers, body}`, with secrets as their names.
    pub request: Value,
    /// The reply: `{status, headers, excerpt, size_bytes}`, or `{error}`; empty as long as there is none.
    pub reply: Value,
}

impl CallRecord {
    /// Purpose of a submit.
    pub(crate) const SUBMIT: &str = "submit";

    /// Returns whether this is the submit of an attempt that has no reply.
    pub fn is_unanswered_submit(&self, attempt: u32) -> bool {
        self.purpose == Self::SUBMIT && self.attempt == attempt && self.reply == json!({})
    }

    /// Whether this is the reply to a submit that is recorded without it.
    pub fn is_reply_to_submit(&self) -> bool {
        self.purpose == Self::SUBMIT && self.request.is_null()
    }

    /// Joins submits with their replies: the request is recorded with the attempt, before it is sent, and the reply
    /// afterwards, each without the other. A submit without a reply is in flight, or its fate is unknown.
    pub fn join_records(records: Vec<Self>) -> Vec<Self> {
        let mut joined: Vec<Self> = Vec::with_capacity(records.len());
        for record in records {
            let sent = |known: &&mut Self| {
                known.purpose == Self::SUBMIT && known.attempt == record.attempt && known.reply == json!({})
            };
            match joined.iter_mut().find(sent).filter(|_| record.is_reply_to_submit()) {
                Some(known) => *known = Self { request: std::mem::take(&mut known.request), ..record },
                None => joined.push(record),
            }
        }
        joined
    }
}
