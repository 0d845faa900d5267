//! What a stand-in does wrong on purpose.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::behaviour::{merge_json, use_one};

/// The settings of a provider other than Replicate; their JSON form is the body of `POST /_control/{provider}`.
///
/// Counters (`skip_creates`, `fail_first`, `drop_before_accept`, `drop_after_accept`, `fail_polls`, `drop_polls`, `fail_files`,
/// `early_files`, `cut_files`, `lose_webhooks`, `repeat_webhooks`, `forge_webhooks`) contain how many calls are *left* to disturb,
/// and count down. A create that is refused because of its key or its body does not count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switches {
    /// Duration of the work from creation to its end, in milliseconds; synchronous calls are held for as long.
    pub delay_ms: u64,
    /// How the work ends.
    pub outcome: Outcome,
    /// The message of work that fails.
    pub error: String,
    /// States that are shown while the work runs, each for an equal part of the time, instead of the provider's own. Any
    /// strings: clients must handle unknown states.
    pub states: Vec<String>,
    /// The only key that is accepted; null: any key that is not empty.
    pub require_key: Option<String>,
    /// Number of creates that succeed before the faults below begin.
    pub skip_creates: u32,
    /// Number of creates that are refused with `fail_with`.
    pub fail_first: u32,
    /// The reply to a create or a poll that is refused.
    pub fail_with: Refusal,
    /// Number of creates whose connection is reset before the work is accepted.
    pub drop_before_accept: u32,
    /// Number of creates whose connection is reset although the work was accepted and runs.
    pub drop_after_accept: u32,
    /// Number of polls that are answered with `fail_with`.
    pub fail_polls: u32,
    /// Number of polls whose connection is reset.
    pub drop_polls: u32,
    /// Number of polls of each new work that say that it is not known (Black Forest Labs: `Task not found`).
    pub unknown_at_first: u32,
    /// Whether every connection is reset and requests have no effect.
    pub outage: bool,
    /// Time after which a link to a file is dead, in milliseconds: from the end of the work, or from each poll if
    /// `sign_again` is set. Null: the provider's own time.
    pub link_life_ms: Option<u64>,
    /// Whether each poll returns new links, which live for `link_life_ms` from then on.
    pub sign_again: bool,
    /// Whether links are paths without a host.
    pub relative_links: bool,
    /// Whether files can be read only with the provider's key.
    pub protected_links: bool,
    /// Number of reads of files that are answered with 503.
    pub fail_files: u32,
    /// Number of reads of files that are answered with 425, too early.
    pub early_files: u32,
    /// Number of reads of files whose connection is reset in the middle of the body.
    pub cut_files: u32,
    /// The content type of files and of replies that are files, instead of the right one.
    pub content_type: Option<String>,
    /// Size of each file in bytes; zeros follow the real content, made while they are sent.
    pub file_bytes: Option<u64>,
    /// Pause before each of eight parts of a file, in milliseconds.
    pub slow_body_ms: u64,
    /// Number of webhooks that are not sent.
    pub lose_webhooks: u32,
    /// Number of webhooks that are sent twice.
    pub repeat_webhooks: u32,
    /// Number of webhooks that are signed with another key.
    pub forge_webhooks: u32,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            delay_ms: 200,
            outcome: Outcome::Succeeded,
            error: "the model failed: out of memory".into(),
            states: Vec::new(),
            require_key: None,
            skip_creates: 0,
            fail_first: 0,
            fail_with: Refusal::default(),
            drop_before_accept: 0,
            drop_after_accept: 0,
            fail_polls: 0,
            drop_polls: 0,
            unknown_at_first: 0,
            outage: false,
            link_life_ms: None,
            sign_again: false,
            relative_links: false,
            protected_links: false,
            fail_files: 0,
            early_files: 0,
            cut_files: 0,
            content_type: None,
            file_bytes: None,
            slow_body_ms: 0,
            lose_webhooks: 0,
            repeat_webhooks: 0,
            forge_webhooks: 0,
        }
    }
}

/// How work ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// With an output.
    Succeeded,
    /// With an error of the model.
    Failed,
    /// Refused by the provider's moderation.
    Moderated,
}

/// The reply to a call that is refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The provider's word for the error, such as `insufficient_quota` or `system_busy`; null: the usual one of the status.
    pub code: Option<String>,
    /// The body: a string is sent as `text/html`, other JSON as it is. Null: the provider's own form.
    pub body: Option<Value>,
    /// Additional headers, such as `retry-after`.
    pub headers: BTreeMap<String, String>,
}

impl Default for Refusal {
    fn default() -> Self {
        Self { status: 500, code: None, body: None, headers: BTreeMap::new() }
    }
}

/// What happens to a valid create call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Admission {
    Accept {
        /// Whether the connection is reset instead of a reply.
        drop_reply: bool,
    },
    Refuse(Refusal),
    Drop,
}

/// What happens to a read of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileFate {
    Whole,
    Unavailable,
    TooEarly,
    Cut,
}

impl Switches {
    /// Returns the settings after a JSON merge patch (RFC 7396): null resets a field to its default. Fails on an unknown field
    /// or a value of the wrong type.
    pub fn merge_patch(&self, patch: &Value) -> Result<Self, serde_json::Error> {
        let mut value = serde_json::to_value(self)?;
        merge_json(&mut value, patch);
        serde_json::from_value(value)
    }

    /// Counts down for a create.
    pub(crate) fn admit_create(&mut self) -> Admission {
        if use_one(&mut self.skip_creates) {
            return Admission::Accept { drop_reply: false };
        }
        if use_one(&mut self.drop_before_accept) {
            return Admission::Drop;
        }
        if use_one(&mut self.fail_first) {
            return Admission::Refuse(self.fail_with.clone());
        }
        Admission::Accept { drop_reply: use_one(&mut self.drop_after_accept) }
    }

    /// Counts down for a poll.
    pub(crate) fn admit_poll(&mut self) -> Admission {
        if use_one(&mut self.drop_polls) {
            Admission::Drop
        } else if use_one(&mut self.fail_polls) {
            Admission::Refuse(self.fail_with.clone())
        } else {
            Admission::Accept { drop_reply: false }
        }
    }

    /// Counts down for a read of a file.
    pub(crate) fn admit_file(&mut self) -> FileFate {
        if use_one(&mut self.early_files) {
            FileFate::TooEarly
        } else if use_one(&mut self.fail_files) {
            FileFate::Unavailable
        } else if use_one(&mut self.cut_files) {
            FileFate::Cut
        } else {
            FileFate::Whole
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn faults_are_spent_in_order_after_the_skipped_creates() {
        let patch = json!({"skip_creates": 1, "drop_before_accept": 1, "fail_first": 1, "drop_after_accept": 1});
        let mut switches = Switches::default().merge_patch(&patch).expect("the patch is in order");
        let all: Vec<Admission> = (0..5).map(|_| switches.admit_create()).collect();
        let accept = |drop_reply| Admission::Accept { drop_reply };
        let refuse = Admission::Refuse(Refusal::default());
        assert_eq!(all, [accept(false), Admission::Drop, refuse, accept(true), accept(false)]);
    }

    #[test]
    fn a_patch_with_an_unknown_field_is_refused() {
        let error = Switches::default().merge_patch(&json!({"delay": 1})).expect_err("the field is unknown");
        assert!(error.to_string().contains("unknown field `delay`"), "{error}");
    }
}
